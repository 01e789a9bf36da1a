// A js-libp2p browser node, driven from a test through `window.jsPeer`. Bundled by esbuild into one file.
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify, identifyPush } from '@libp2p/identify'
import { ping } from '@libp2p/ping'
import { webRTC } from '@libp2p/webrtc'
import { webSockets } from '@libp2p/websockets'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

const ECHO = '/echo/1.0.0'
const SINK = '/bench/sink/1.0.0'

let node
const sunk = { bytes: 0, streams: 0 }

/** Resolves once `stream` takes more bytes. */
async function drained (stream) {
  if (!stream.writableNeedsDrain) return
  await new Promise((resolve, reject) => {
    stream.addEventListener('drain', resolve, { once: true })
    stream.addEventListener('close', () => reject(new Error('stream closed while writing')), { once: true })
  })
}

/** Collects exactly `count` bytes from `stream`. */
function collect (stream, count) {
  return new Promise((resolve, reject) => {
    const out = new Uint8Array(count)
    let filled = 0
    const onMessage = ({ data }) => {
      const bytes = data.subarray()
      out.set(bytes.subarray(0, count - filled), filled)
      filled += bytes.byteLength
      if (filled >= count) {
        stream.removeEventListener('message', onMessage)
        resolve(out)
      }
    }
    stream.addEventListener('message', onMessage)
    stream.addEventListener('close', () => reject(new Error(`stream closed after ${filled} of ${count} bytes`)), { once: true })
  })
}

async function serve () {
  await node.handle(ECHO, (stream) => {
    const queue = []
    let pumping = false
    const pump = async () => {
      if (pumping) return
      pumping = true
      while (queue.length > 0) {
        if (!stream.send(queue.shift())) await drained(stream)
      }
      pumping = false
    }
    stream.addEventListener('message', ({ data }) => { queue.push(data.subarray()); pump() })
    stream.addEventListener('remoteCloseWrite', async () => { await pump(); await stream.close() })
  }, { runOnLimitedConnection: true })
  await node.handle(SINK, (stream) => {
    sunk.streams++
    stream.addEventListener('message', ({ data }) => {
      sunk.bytes += data.byteLength
    })
    stream.addEventListener('remoteCloseWrite', () => stream.close())
  }, { runOnLimitedConnection: true })
}

window.jsPeer = {
  /** Starts the node, which pings each connection every `pingInterval` milliseconds, and reserves on `relay` (multiaddr
   * text); returns its peer id. */
  async start (relay, pingInterval = 10_000) {
    node = await createLibp2p({
      addresses: { listen: ['/webrtc', `${relay}/p2p-circuit`] },
      transports: [webSockets(), webRTC({ rtcConfiguration: { iceServers: [] } }), circuitRelayTransport()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      connectionGater: { denyDialMultiaddr: () => false },
      connectionMonitor: { pingInterval },
      services: { identify: identify(), identifyPush: identifyPush(), ping: ping() }
    })
    await serve()
    return node.peerId.toString()
  },
  peerId: () => node.peerId.toString(),
  /** Resolves when no connection to `peer` is left. */
  async gone (peer) {
    while (node.getConnections().some((connection) => connection.remotePeer.toString() === peer)) {
      await new Promise((resolve) => node.addEventListener('connection:close', resolve, { once: true }))
    }
  },
  addresses: () => node.getMultiaddrs().map(String),
  /** Resolves with the `/webrtc` addresses once the reservation is there. */
  async webrtcAddresses () {
    for (;;) {
      const found = node.getMultiaddrs().map(String).filter((text) => text.includes('/p2p-circuit/webrtc'))
      if (found.length > 0) return found
      await new Promise((resolve) => node.addEventListener('self:peer:update', resolve, { once: true }))
    }
  },
  async dial (address) {
    const started = performance.now()
    const connection = await node.dial(multiaddr(address))
    return { remote: connection.remoteAddr.toString(), limited: connection.limits != null, milliseconds: performance.now() - started }
  },
  connections: () => node.getConnections().map((connection) => ({
    peer: connection.remotePeer.toString(),
    address: connection.remoteAddr.toString(),
    direction: connection.direction,
    limited: connection.limits != null,
    streams: connection.streams.length,
    status: connection.status
  })),
  agents: async () => (await node.peerStore.all()).map((peer) => ({
    peer: peer.id.toString(),
    agent: new TextDecoder().decode(peer.metadata.get('AgentVersion') ?? new Uint8Array()),
    protocols: peer.protocols
  })),
  ping: (address) => node.services.ping.ping(multiaddr(address)),
  /** Sends `size` bytes over the echo protocol and checks what returns; returns the protocol's stream id. */
  async echo (address, size) {
    const stream = await node.dialProtocol(multiaddr(address), ECHO, { runOnLimitedConnection: true })
    const sent = Uint8Array.from({ length: size }, (_, index) => (index * 31) & 255)
    const received = collect(stream, size)
    for (let at = 0; at < size; at += 65536) {
      if (!stream.send(sent.subarray(at, at + 65536))) await drained(stream)
    }
    const back = await received
    await stream.close()
    return back.every((byte, index) => byte === sent[index])
  },
  /** Writes `total` bytes in pieces of `size` to the sink protocol. The caller watches the other side. */
  async flood (address, size, total) {
    const stream = await node.dialProtocol(multiaddr(address), SINK, { runOnLimitedConnection: true })
    const piece = new Uint8Array(size).fill(7)
    for (let sent = 0; sent < total; sent += size) {
      if (!stream.send(piece)) await drained(stream)
    }
    await stream.close()
  },
  sunk: () => ({ ...sunk }),
  /** `rounds` round trips of 32 bytes on one echo stream; milliseconds of each. */
  async roundTrips (address, rounds) {
    const stream = await node.dialProtocol(multiaddr(address), ECHO, { runOnLimitedConnection: true })
    const times = []
    for (let round = 0; round < rounds; round++) {
      const started = performance.now()
      const back = collect(stream, 32)
      stream.send(new Uint8Array(32).fill(round & 255))
      await back
      times.push(performance.now() - started)
    }
    await stream.close()
    return times
  },
  async hangUp (address) { await node.hangUp(multiaddr(address)) },
  async stop () { await node.stop() }
}
