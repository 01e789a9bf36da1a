// A js-libp2p circuit relay in Node. Argument: "limited" for the library's own limits, otherwise none.
// Run with `node --input-type=module --eval`, in the folder whose node_modules has the packages.
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { circuitRelayServer } from '@libp2p/circuit-relay-v2'
import { identify, identifyPush } from '@libp2p/identify'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import { createLibp2p } from 'libp2p'

const limited = process.argv.includes('limited')
const node = await createLibp2p({
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0/ws', '/ip4/127.0.0.1/tcp/0'] },
  transports: [webSockets(), tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  // Every peer of a test comes from one address; the default lets in five a second.
  connectionManager: { inboundConnectionThreshold: 1000 },
  services: {
    identify: identify(),
    identifyPush: identifyPush(),
    ping: ping(),
    relay: circuitRelayServer({ reservations: { applyDefaultLimit: limited, maxReservations: 1000 } })
  }
})

process.stdin.resume().on('end', async () => { await node.stop(); process.exit(0) })
process.stdout.write(JSON.stringify({
  event: 'ready', peer: node.peerId.toString(), addresses: node.getMultiaddrs().map(String)
}) + '\n')
