"""Drives the Noise handshake over a stream and encrypts what follows.

On the wire every Noise message, handshake or transport, is u16 big-endian length ‖ message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from darkswap_browser.errors import ConnectionLost, EndOfStream, HandshakeFailed, PeerIdMismatch, ProtocolViolation
from darkswap_browser.identity.keys import Identity, PublicKey
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.limits import Limits
from darkswap_browser.net.noise.machine import (
    KEY_SIZE,
    MAX_PLAINTEXT,
    TAG_SIZE,
    CipherState,
    HandshakeMachine,
    KeyPair,
)
from darkswap_browser.net.noise.payload import HandshakePayload, decode_payload, encode_payload, signed_text
from darkswap_browser.net.stream import BufferedStream
from darkswap_browser.net.work import SMALL, TokenBucket
from darkswap_browser.runtime.base.crypto import Crypto, Entropy

PROTOCOL = "/noise"
LENGTH_SIZE = 2
READ_SIZE = 256 * 1024
"""Asked of the link at once: several frames are decrypted per read."""
FRAMES_PER_TURN = 256
"""Frames decrypted before others have their turn: 1 ms on CPython, 15 ms in a page. Bulk comes in fewer."""
SMALL_BURST, SMALL_RATE = 10_000, 5000
"""Small frames at once, and a second; then their sender waits. Honest peers write one for a turn of their loop."""
MAX_EMPTY = 64
"""Frames without a byte in them, in a row: legal, and written by nobody."""


class SecureStream:
    """The encrypted link; a `Stream` whose direction cannot be half-closed. One reader and one writer at a time."""

    def __init__(self, raw: BufferedStream, sending: CipherState, receiving: CipherState) -> None:
        self._raw = raw
        self._sending = sending
        self._receiving = receiving
        self._sealed = bytearray()
        self._opened: list[bytes] = []
        self._empty = 0
        self._has_more = False
        self._small = TokenBucket(SMALL_BURST, SMALL_RATE)
        self._now = asyncio.get_running_loop().time

    async def read(self, max_bytes: int = READ_SIZE) -> bytes:
        """Raises `ProtocolViolation` on a frame that does not authenticate, `ConnectionLost` on one cut short."""
        while not self._opened:
            if self._has_more or self._small.debt:
                await asyncio.sleep(self._small.debt)
            if not self._has_more:
                await self._receive()
            self._open_frames()
        data = self._opened[0] if len(self._opened) == 1 else b"".join(self._opened)
        self._opened = [data[max_bytes:]] if len(data) > max_bytes else []
        return data[:max_bytes]

    async def _receive(self) -> None:
        try:
            self._sealed += await self._raw.read(READ_SIZE)
        except EndOfStream:
            if self._sealed:
                raise ConnectionLost("secure channel", "ended in the middle of a frame") from None
            raise

    def _open_frames(self) -> None:
        """Decrypt the whole frames in the buffer, as many as one turn takes."""
        start, end = 0, len(self._sealed)
        frames = 0
        self._has_more = False
        with memoryview(self._sealed) as view:
            while end - start >= LENGTH_SIZE:
                size = view[start] << 8 | view[start + 1]
                if size < TAG_SIZE:
                    raise ProtocolViolation("noise", "frame shorter than its tag")
                stop = start + LENGTH_SIZE + size
                if stop > end:
                    break
                if frames == FRAMES_PER_TURN:
                    self._has_more = True
                    break
                frames += 1
                plaintext = self._receiving.decrypt(bytes(view[start + LENGTH_SIZE : stop]))
                if plaintext:
                    self._opened.append(plaintext)
                    self._empty = 0
                else:
                    self._count_empty()
                start = stop
        del self._sealed[:start]
        # What a frame brings pays for what it costs.
        self._small.spend(frames - start // SMALL, self._now())

    def _count_empty(self) -> None:
        self._empty += 1
        if self._empty > MAX_EMPTY:
            raise ProtocolViolation("noise", "nothing but empty frames")

    async def write(self, data: bytes) -> None:
        """Cuts `data` into frames of at most 65,519 bytes and hands them to the link in one write."""
        out = []
        for start in range(0, len(data), MAX_PLAINTEXT):
            sealed = self._sending.encrypt(data[start : start + MAX_PLAINTEXT])
            out.append(len(sealed).to_bytes(LENGTH_SIZE, "big"))
            out.append(sealed)
        if out:
            await self._raw.write(b"".join(out))

    async def close_write(self) -> None:
        await self._raw.close_write()

    async def close(self) -> None:
        await self._raw.close()

    def reset(self) -> None:
        self._raw.reset()


@dataclass(frozen=True, slots=True)
class HandshakeResult:
    """A finished handshake: the stream, who is at its other end, and the muxers that side offers early."""

    stream: SecureStream
    remote_key: PublicKey
    remote_peer: PeerId
    remote_muxers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Initiation:
    """A handshake begun as its initiator. `message` is the first one with its length, to be sent before `finish`."""

    machine: HandshakeMachine
    payload: bytes
    message: bytes


class Handshaker:
    """Our half of every handshake: one static key, signed once by the identity."""

    def __init__(self, identity: Identity, crypto: Crypto, entropy: Entropy, limits: Limits) -> None:
        self._identity = identity
        self._crypto = crypto
        self._entropy = entropy
        self._limits = limits
        self._static = self._new_key()
        self._signature: bytes | None = None

    async def initiate(
        self,
        stream: BufferedStream,
        expected: PeerId | None = None,
        *,
        muxers: Sequence[str] = (),
        prologue: bytes = b"",
    ) -> HandshakeResult:
        """Be the initiator. A peer other than `expected` learns nothing of who we are.

        Raises `PeerIdMismatch`, `HandshakeFailed`, `MalformedMessage`, and what the stream raises.
        """
        begun = await self.begin(muxers=muxers, prologue=prologue)
        await stream.write(begun.message)
        return await self.finish(begun, stream, expected)

    async def begin(self, *, muxers: Sequence[str] = (), prologue: bytes = b"") -> Initiation:
        """The first half of `initiate`, for a message that travels its own way. It says nothing of who we are."""
        payload = await self._payload(muxers)
        machine = self._machine(True, prologue)
        return Initiation(machine, payload, _framed(machine.write()))

    async def finish(
        self, begun: Initiation, stream: BufferedStream, expected: PeerId | None = None
    ) -> HandshakeResult:
        """The second half of `initiate`, on the stream on which the first message was sent; raises as it does."""
        machine = begun.machine
        theirs = machine.read(await _receive(stream))
        key, peer, remote_muxers = await self._verify(theirs, machine.remote_static, expected)
        await stream.write(_framed(machine.write(begun.payload)))
        return HandshakeResult(SecureStream(stream, *machine.split()), key, peer, remote_muxers)

    async def respond(
        self,
        stream: BufferedStream,
        expected: PeerId | None = None,
        *,
        muxers: Sequence[str] = (),
        prologue: bytes = b"",
    ) -> HandshakeResult:
        """Be the responder; raises as `initiate` does."""
        payload = await self._payload(muxers)
        machine = self._machine(False, prologue)
        machine.read(await _receive(stream))
        await stream.write(_framed(machine.write(payload)))
        theirs = machine.read(await _receive(stream))
        key, peer, remote_muxers = await self._verify(theirs, machine.remote_static, expected)
        return HandshakeResult(SecureStream(stream, *machine.split()), key, peer, remote_muxers)

    def _new_key(self) -> KeyPair:
        return KeyPair.of(self._crypto, self._entropy.bytes(KEY_SIZE))

    def _machine(self, initiator: bool, prologue: bytes) -> HandshakeMachine:
        return HandshakeMachine(
            self._crypto, initiator=initiator, static=self._static, ephemeral=self._new_key(), prologue=prologue
        )

    async def _payload(self, muxers: Sequence[str]) -> bytes:
        if self._signature is None:
            self._signature = await self._identity.sign(signed_text(self._static.public))
        key = self._identity.public_key.to_protobuf()
        return encode_payload(HandshakePayload(key, self._signature, tuple(muxers)))

    async def _verify(
        self, data: bytes, static: bytes, expected: PeerId | None
    ) -> tuple[PublicKey, PeerId, tuple[str, ...]]:
        payload = decode_payload(data, self._limits.noise_payload)
        key = PublicKey.from_protobuf(payload.identity_key)
        peer = key.peer_id()
        if expected is not None and peer != expected:
            raise PeerIdMismatch(str(expected), str(peer))
        if not await key.verify(self._crypto, signed_text(static), payload.identity_signature):
            raise HandshakeFailed("identity signature does not cover the static key")
        return key, peer, payload.muxers


def _framed(message: bytes) -> bytes:
    return len(message).to_bytes(LENGTH_SIZE, "big") + message


async def _receive(stream: BufferedStream) -> bytes:
    try:
        size = int.from_bytes(await stream.read_exactly(LENGTH_SIZE), "big")
        return await stream.read_exactly(size) if size else b""
    except EndOfStream:
        raise HandshakeFailed("the peer hung up") from None
