// A js-libp2p node in Node that listens on /webrtc-direct and relays circuits; says {event: "ready", addresses} once.
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { circuitRelayServer } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { ping } from '@libp2p/ping'
import { webRTCDirect } from '@libp2p/webrtc'
import { createLibp2p } from 'libp2p'

const node = await createLibp2p({
  addresses: { listen: ['/ip4/127.0.0.1/udp/0/webrtc-direct'] },
  transports: [webRTCDirect()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  connectionGater: { denyDialMultiaddr: () => false },
  connectionManager: { inboundConnectionThreshold: 1000 },
  services: { identify: identify(), ping: ping(), relay: circuitRelayServer({ reservations: { applyDefaultLimit: false } }) }
})

await node.handle('/echo/1.0.0', async (stream) => {
  for await (const chunk of stream) stream.send(chunk)
  await stream.close()
})

process.stdout.write(JSON.stringify({ event: 'ready', addresses: node.getMultiaddrs().map(String) }) + '\n')
process.stdin.on('end', () => process.exit(0))
process.stdin.resume()
