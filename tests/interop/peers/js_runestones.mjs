// Runestones by @magiceden-oss/runestone-lib. Reads lines of JSON and answers each with one: {"decode": [scripts]}, in
// hexadecimal, the outputs of a transaction; {"encode": runestone}; {"time": [transactions], "rounds"}, as milliseconds
// of each round that decodes all of them. Numbers that may be large are texts, both ways.
import { createInterface } from 'node:readline'
import library from '@magiceden-oss/runestone-lib'

const { encodeRunestone, tryDecodeRunestone } = library
const outputs = (scripts) => ({ vout: scripts.map((hex) => ({ scriptPubKey: { hex } })) })

function answer (asked) {
  if (asked.decode) return tryDecodeRunestone(outputs(asked.decode))
  if (asked.encode) return encodeRunestone(asked.encode).encodedRunestone.toString('hex')
  const transactions = asked.time.map(outputs)
  const rounds = []
  for (let round = 0; round < asked.rounds; round++) {
    const started = performance.now()
    let found = 0
    for (const transaction of transactions) if (tryDecodeRunestone(transaction) !== null) found++
    rounds.push({ milliseconds: performance.now() - started, found })
  }
  return rounds
}

for await (const line of createInterface({ input: process.stdin })) {
  const said = answer(JSON.parse(line))
  process.stdout.write(JSON.stringify(said, (_, value) => typeof value === 'bigint' ? String(value) : value) + '\n')
}
