// A js-libp2p node in Node, driven over lines of JSON: {id, do, ...} in, {id, ok | error} and {event, ...} out.
// Run with `node --input-type=module --eval`, in the folder whose node_modules has the packages.
import { createInterface } from 'node:readline'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify, identifyPush } from '@libp2p/identify'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

const ECHO = '/echo/1.0.0'

const say = (value) => process.stdout.write(JSON.stringify(value) + '\n')

const node = await createLibp2p({
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0/ws'] },
  transports: [tcp(), webSockets()],
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
})

/** Sends `size` bytes over the echo protocol; resolves with how many came back unchanged. */
async function echo (address, size) {
  const stream = await node.dialProtocol(multiaddr(address), ECHO)
  const sent = Uint8Array.from({ length: size }, (_, index) => (index * 31) & 255)
  const reading = (async () => {
    let at = 0
    for await (const chunk of stream) {
      for (const byte of chunk.subarray()) {
        if (byte !== sent[at++]) throw new Error(`byte ${at - 1} differs`)
      }
    }
    return at
  })()
  for (let at = 0; at < size; at += 65536) {
    if (!stream.send(sent.subarray(at, at + 65536))) await drained(stream)
  }
  await stream.close()
  return await reading
}

async function identified (peer) {
  for (const each of await node.peerStore.all()) {
    if (each.id.toString() !== peer) continue
    const agent = new TextDecoder().decode(each.metadata.get('AgentVersion') ?? new Uint8Array())
    return { agent, protocols: each.protocols, addresses: each.addresses.map((one) => one.multiaddr.toString()) }
  }
  return null
}

const actions = {
  dial: async ({ address }) => (await node.dial(multiaddr(address))).remotePeer.toString(),
  echo: ({ address, size }) => echo(address, size),
  ping: ({ address }) => node.services.ping.ping(multiaddr(address)),
  propose: async ({ address, protocol }) => { await node.dialProtocol(multiaddr(address), protocol) },
  identified: ({ peer }) => identified(peer),
  connections: () => node.getConnections().map((each) => ({
    peer: each.remotePeer.toString(), direction: each.direction, multiplexer: each.multiplexer, encryption: each.encryption
  })),
  hang_up: async ({ peer }) => {
    await Promise.all(node.getConnections().filter((each) => each.remotePeer.toString() === peer).map((each) => each.close()))
  }
}

node.addEventListener('connection:close', ({ detail }) => say({ event: 'closed', peer: detail.remotePeer.toString() }))

createInterface({ input: process.stdin }).on('line', (line) => {
  const command = JSON.parse(line)
  Promise.resolve(command).then((given) => actions[given.do](given)).then(
    (value) => say({ id: command.id, ok: value ?? null }),
    (error) => say({ id: command.id, error: `${error.name}: ${error.message}` })
  )
}).on('close', async () => { await node.stop(); process.exit(0) })

say({ event: 'ready', peer: node.peerId.toString(), addresses: node.getMultiaddrs().map(String) })
