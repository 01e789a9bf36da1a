// A wallet made of @scure/btc-signer. Reads {"key", "asked", "signed"} (hex; two PSBTs) and tells what became of both:
// the first signed by it, then finalised, then as a transaction; the second, signed by another, finalised here.
import { Transaction } from '@scure/btc-signer'

const options = { allowUnknownOutputs: true, allowUnknown: true }
const hex = (bytes) => Buffer.from(bytes).toString('hex')
const bytes = (text) => new Uint8Array(Buffer.from(text, 'hex'))

const chunks = []
for await (const chunk of process.stdin) chunks.push(chunk)
const given = JSON.parse(Buffer.concat(chunks).toString())

const ours = Transaction.fromPSBT(bytes(given.asked), options)
const count = ours.sign(bytes(given.key))
const signed = hex(ours.toPSBT(0))
ours.finalize()
const theirs = Transaction.fromPSBT(bytes(given.signed), options)
theirs.finalize()
process.stdout.write(JSON.stringify({
  count, signed, finalised: hex(ours.toPSBT(0)), raw: hex(ours.extract()), completed: hex(theirs.extract()), fee: String(theirs.fee)
}) + '\n')
