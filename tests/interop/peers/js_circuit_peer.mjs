// A js-libp2p node in Node that listens through relays only, driven over lines of JSON as js_node.mjs is.
// Run with `node --input-type=module --eval`, in the folder whose node_modules has the packages.
import { createInterface } from 'node:readline'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify, identifyPush } from '@libp2p/identify'
import { ping } from '@libp2p/ping'
import { webSockets } from '@libp2p/websockets'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

const ECHO = '/echo/1.0.0'
const say = (value) => process.stdout.write(JSON.stringify(value) + '\n')
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

const node = await createLibp2p({
  transports: [webSockets(), circuitRelayTransport()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  connectionGater: { denyDialMultiaddr: () => false },
  services: { identify: identify(), identifyPush: identifyPush(), ping: ping() }
})

async function drained (stream) {
  if (!stream.writableNeedsDrain) return
  await new Promise((resolve, reject) => {
    stream.addEventListener('drain', resolve, { once: true })
    stream.addEventListener('close', () => reject(new Error('stream closed while writing')), { once: true })
  })
}

await node.handle(ECHO, async (stream) => {
  for await (const chunk of stream) {
    if (!stream.send(chunk)) await drained(stream)
  }
  await stream.close()
}, { runOnLimitedConnection: true })

const addresses = () => node.getMultiaddrs().map(String)
const to = (peer) => node.getConnections().filter((each) => each.remotePeer.toString() === peer)

/** Listens through the relay; resolves once the address is announced. */
async function reserve (relay) {
  await node.components.transportManager.listen([multiaddr(`${relay}/p2p-circuit`)])
  for (let waited = 0; waited < 10_000; waited += 50) {
    if (addresses().some((each) => each.includes('/p2p-circuit'))) return addresses()
    await pause(50)
  }
  throw new Error('no circuit address after 10 s')
}

/** Sends `size` bytes over the echo protocol; resolves with how many came back unchanged. */
async function echo (address, size) {
  const stream = await node.dialProtocol(multiaddr(address), ECHO, { runOnLimitedConnection: true })
  const sent = Uint8Array.from({ length: size }, (_, index) => (index * 31) & 255)
  const reading = (async () => {
    let at = 0
    for await (const chunk of stream) {
      for (const byte of chunk.subarray()) {
        if (byte !== sent[at++]) throw new Error(`byte ${at - 1} differs`)
      }
      if (at === size) return at
    }
    throw new Error(`only ${at} bytes came back`)
  })()
  const writing = (async () => {
    for (let at = 0; at < size; at += 16384) {
      if (!stream.send(sent.subarray(at, at + 16384))) await drained(stream)
    }
  })()
  const [count] = await Promise.all([reading, writing])
  await stream.close()
  return count
}

const actions = {
  reserve: ({ relay }) => reserve(relay),
  addresses,
  dial: async ({ address }) => (await node.dial(multiaddr(address))).remotePeer.toString(),
  echo: ({ address, size }) => echo(address, size),
  limited: ({ peer }) => to(peer).map((each) => each.limits != null)
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const command = JSON.parse(line)
  Promise.resolve(command).then((given) => actions[given.do](given)).then(
    (value) => say({ id: command.id, ok: value ?? null }),
    (error) => say({ id: command.id, error: `${error.name}: ${error.message}` })
  )
}).on('close', async () => { await node.stop(); process.exit(0) })

say({ event: 'ready', peer: node.peerId.toString(), addresses: addresses() })
