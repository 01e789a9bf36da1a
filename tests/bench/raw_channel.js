// A bare RTCDataChannel between two pages: the ceiling that every other figure is measured against.
// The test driver carries the descriptions; both sides wait for gathering to end, so there is nothing to trickle.
window.rawPeer = (() => {
  let connection, channel
  let echoes = false
  let answered = () => {}
  const received = { bytes: 0 }

  const gathered = () => new Promise((resolve) => {
    const look = () => { if (connection.iceGatheringState === 'complete') resolve() }
    connection.addEventListener('icegatheringstatechange', look)
    look()
  })

  function attach (target) {
    channel = target
    channel.binaryType = 'arraybuffer'
    channel.bufferedAmountLowThreshold = 256 * 1024
    channel.addEventListener('message', ({ data }) => {
      received.bytes += data.byteLength
      if (data.byteLength !== 32) return
      if (echoes) channel.send(data)
      else answered()
    })
  }

  return {
    async offer () {
      connection = new RTCPeerConnection()
      attach(connection.createDataChannel('raw'))
      await connection.setLocalDescription(await connection.createOffer())
      await gathered()
      return connection.localDescription.toJSON()
    },
    async answer (offer) {
      echoes = true
      connection = new RTCPeerConnection()
      connection.addEventListener('datachannel', (event) => attach(event.channel))
      await connection.setRemoteDescription(offer)
      await connection.setLocalDescription(await connection.createAnswer())
      await gathered()
      return connection.localDescription.toJSON()
    },
    async accept (answer) {
      await connection.setRemoteDescription(answer)
      if (channel.readyState !== 'open') await new Promise((resolve) => channel.addEventListener('open', resolve, { once: true }))
    },
    /** Writes `total` bytes in messages of `size`; the caller watches `received` on the other side. */
    async flood (size, total) {
      const message = new Uint8Array(size).fill(7)
      for (let sent = 0; sent < total; sent += size) {
        if (channel.bufferedAmount > 1024 * 1024) {
          await new Promise((resolve) => channel.addEventListener('bufferedamountlow', resolve, { once: true }))
        }
        channel.send(message)
      }
    },
    /** Milliseconds of each of `rounds` round trips of 32 bytes; the answering side echoes them. */
    async roundTrips (rounds) {
      const times = []
      for (let round = 0; round < rounds; round++) {
        const started = performance.now()
        const answer = new Promise((resolve) => { answered = resolve })
        channel.send(new Uint8Array(32).fill(round & 255))
        await answer
        times.push(performance.now() - started)
      }
      return times
    },
    received: () => received.bytes,
    close () { connection.close() }
  }
})()
