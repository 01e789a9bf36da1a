"""Clients that do to a relay what costs it most. `python -m tests.bench.flooder NAME ADDRESS SECONDS`; loopback only.

Each says by the PROXY protocol that it comes from `ATTACKER`, so the relay must trust 127.0.0.1 as a proxy. What they
send is made by hand, as cheaply as possible, for they share the machine with the relay.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable

from darkswap_browser.errors import DarkSwapError
from darkswap_browser.identity.keys import Identity
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.net.limits import DEFAULT_LIMITS
from darkswap_browser.net.negotiate import confirm, encode_line, proposal
from darkswap_browser.net.noise import secure_stream as noise
from darkswap_browser.net.stream import BufferedStream
from darkswap_browser.net.yamux import muxer as yamux
from darkswap_browser.net.yamux.frames import DATA, FIN, PING, RST, SYN, WINDOW_UPDATE, pack
from darkswap_browser.protocols.relay.messages import HOP_PROTOCOL, HopMessage, HopType, encode_hop
from darkswap_browser.runtime.native.host import native_runtime
from darkswap_browser.wire.framing import frame

ATTACKER = "203.0.113.66"
PATIENCE = 0.2
"""Seconds before one that was cut or refused comes again."""
BINARY, WS_PING = 2, 9
UPGRADE = (
    "PROXY TCP4 {ip} 127.0.0.1 5000 80\r\n"
    "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
NEGOTIATE_HOP = encode_line("/multistream/1.0.0") + encode_line(HOP_PROTOCOL)
RESERVE = NEGOTIATE_HOP + frame(encode_hop(HopMessage(HopType.RESERVE)))
PUSHED = frame(b"".join(b"\x12\x08\x04\x7f\x00\x00\x01\x06" + port.to_bytes(2, "big") for port in range(1, 500)))
PUSH = encode_line("/multistream/1.0.0") + encode_line("/ipfs/id/push/1.0.0") + PUSHED


def ws_frame(payload: bytes, kind: int = BINARY) -> bytes:
    """Masked with zeros."""
    size = len(payload)
    if size < 126:
        head = bytes((0x80 | kind, 0x80 | size))
    elif size < 65536:
        head = bytes((0x80 | kind, 0xFE)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | kind, 0xFF)) + size.to_bytes(8, "big")
    return head + bytes(4) + payload


class RawSocket:
    """A WebSocket by hand. `read` understands what servers send; `push` writes bytes as they are."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, address: Multiaddr, ip: str = ATTACKER) -> RawSocket:
        reader, writer = await asyncio.open_connection(address.host(), address.port())
        self = cls(reader, writer)
        writer.write(UPGRADE.format(ip=ip).encode())
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except BaseException:
            self.reset()
            raise
        if b" 101 " not in head:
            self.reset()
            raise ConnectionError("refused")
        return self

    async def read(self, max_bytes: int = 65536) -> bytes:
        while True:
            kind, size = await self._reader.readexactly(2)
            if size == 126:
                size = int.from_bytes(await self._reader.readexactly(2), "big")
            elif size == 127:
                size = int.from_bytes(await self._reader.readexactly(8), "big")
            data = await self._reader.readexactly(size)
            if kind & 0x0F == BINARY:
                return data

    async def write(self, data: bytes) -> None:
        await self.push(ws_frame(data))

    async def push(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def close_write(self) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.writer.transport.abort()


class RawPeer:
    """Secured, and no more: yamux is spoken by hand."""

    def __init__(self, socket: RawSocket, stream: noise.SecureStream) -> None:
        self.socket = socket
        self.stream = stream
        self._next = 1
        self.reading: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, address: Multiaddr, ip: str = ATTACKER) -> RawPeer:
        runtime = native_runtime()
        identity = await Identity.generate(runtime.crypto)
        handshaker = noise.Handshaker(identity, runtime.crypto, runtime.entropy, DEFAULT_LIMITS)
        socket = await RawSocket.open(address, ip)
        try:
            raw = BufferedStream(socket)
            begun = await handshaker.begin(muxers=(yamux.PROTOCOL,))
            await raw.write(proposal(noise.PROTOCOL, begun.message))
            await confirm(raw, noise.PROTOCOL, DEFAULT_LIMITS)
            return cls(socket, (await handshaker.finish(begun, raw)).stream)
        except BaseException:
            socket.reset()
            raise

    def read_on(self) -> None:
        """Take what the relay says, as a client with nothing else to do."""
        self.reading = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        try:
            while True:
                await self.socket.read()
        except (OSError, EOFError):
            return

    def numbers(self, count: int) -> range:
        """Of streams not used yet."""
        first, self._next = self._next, self._next + 2 * count
        return range(first, self._next, 2)

    async def write(self, frames: bytes) -> None:
        await self.stream.write(frames)

    def close(self) -> None:
        if self.reading is not None:
            self.reading.cancel()
        self.socket.reset()


Act = Callable[[RawPeer], Awaitable[None]]


async def tiny_messages(peer: RawPeer) -> None:
    await peer.socket.push(ws_frame(b"\x00") * 4000)


async def unread_pings(peer: RawPeer) -> None:
    if peer.reading is not None:
        peer.reading.cancel()
    await peer.socket.push(ws_frame(bytes(125), WS_PING) * 500)


async def reserves(peer: RawPeer) -> None:
    streams = peer.numbers(60)
    await peer.write(b"".join(pack(DATA, SYN | FIN, number, len(RESERVE)) + RESERVE for number in streams))


async def identify_pushes(peer: RawPeer) -> None:
    streams = peer.numbers(8)
    await peer.write(b"".join(pack(DATA, SYN | FIN, number, len(PUSH)) + PUSH for number in streams))


async def empty_noise_frames(peer: RawPeer) -> None:
    sealed = [peer.stream._sending.encrypt(b"") for _ in range(500)]
    await peer.socket.push(ws_frame(b"".join(len(each).to_bytes(2, "big") + each for each in sealed)))


async def empty_data_frames(peer: RawPeer) -> None:
    await peer.write(pack(DATA, 0, 99_999, 0) * 5000)


async def yamux_pings(peer: RawPeer) -> None:
    await peer.write(b"".join(pack(PING, SYN, 0, number) for number in range(4000)))


async def rapid_resets(peer: RawPeer) -> None:
    streams = peer.numbers(2000)
    frames = (pack(WINDOW_UPDATE, SYN, each, 0) + pack(WINDOW_UPDATE, RST, each, 0) for each in streams)
    await peer.write(b"".join(frames))


async def unread_echoes(peer: RawPeer) -> None:
    """Two ping streams fed in frames of two bytes, whose echo gets no credit."""
    opening = encode_line("/multistream/1.0.0") + encode_line("/ipfs/ping/1.0.0")
    for number in peer.numbers(2):
        await peer.write(pack(DATA, SYN, number, len(opening)) + opening)
        for _ in range(200):
            await peer.write((pack(DATA, 0, number, 2) + b"ab") * 600)
    await asyncio.sleep(60)


async def handshakes(peer: RawPeer) -> None:
    raise ConnectionError("done with it")


FLOODS: dict[str, tuple[Act, int]] = {
    "tiny WebSocket messages": (tiny_messages, 16),
    "pings whose pongs nobody reads": (unread_pings, 8),
    "reservations without end": (reserves, 20),
    "identify pushes": (identify_pushes, 20),
    "empty Noise frames": (empty_noise_frames, 10),
    "empty yamux frames": (empty_data_frames, 10),
    "yamux pings": (yamux_pings, 10),
    "streams opened and reset": (rapid_resets, 10),
    "echoes that nobody reads": (unread_echoes, 60),
    "handshakes without end": (handshakes, 64),
}
"""What is done, and by how many connections at once."""
SILENT = "1,000 silent sockets"


async def flood(name: str, address: Multiaddr, seconds: float) -> None:
    """Until it is cancelled, or for `seconds`."""
    end = time.monotonic() + seconds
    if name == SILENT:
        await asyncio.gather(*(_silent(address, end) for _ in range(1000)))
        return
    act, count = FLOODS[name]
    await asyncio.gather(*(_one(act, address, end) for _ in range(count)))


async def _one(act: Act, address: Multiaddr, end: float) -> None:
    while time.monotonic() < end:
        try:
            peer = await RawPeer.open(address)
        except (OSError, EOFError, DarkSwapError):
            await asyncio.sleep(PATIENCE)
            continue
        try:
            peer.read_on()
            while time.monotonic() < end:
                async with asyncio.timeout(max(end - time.monotonic(), 0.1)):
                    await act(peer)
                await asyncio.sleep(0)
        except (OSError, EOFError, DarkSwapError):
            if act is not handshakes:
                await asyncio.sleep(PATIENCE)
        finally:
            peer.close()


async def _silent(address: Multiaddr, end: float) -> None:
    while time.monotonic() < end:
        try:
            socket = await RawSocket.open(address)
        except (OSError, EOFError):
            await asyncio.sleep(1)
            continue
        try:
            async with asyncio.timeout(max(end - time.monotonic(), 0.1)):
                await socket.read()
        except (OSError, EOFError):
            pass
        finally:
            socket.reset()


if __name__ == "__main__":
    asyncio.run(flood(sys.argv[1], Multiaddr.parse(sys.argv[2]), float(sys.argv[3])))
