"""Who is at the other end: the identity binding from both sides, and the encrypted frames that follow."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.errors import (
    ConnectionLost,
    DarkSwapError,
    EndOfStream,
    HandshakeFailed,
    MalformedMessage,
    PeerIdMismatch,
    ProtocolViolation,
    RemoteError,
)
from darkswap_browser.identity.keys import Identity
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.limits import DEFAULT_LIMITS
from darkswap_browser.net.noise.machine import HandshakeMachine, KeyPair
from darkswap_browser.net.noise.payload import HandshakePayload, encode_payload, signed_text
from darkswap_browser.net.noise.secure_stream import Handshaker, HandshakeResult
from darkswap_browser.net.stream import BufferedStream
from darkswap_browser.runtime.native.crypto import NativeCrypto
from darkswap_browser.testing import loop
from tests.support.examples import examples
from tests.support.pipe import CountingEntropy, PipeEnd, identity, pipe

CRYPTO = NativeCrypto()
STATIC = KeyPair.of(CRYPTO, b"\x11" * 32)
OTHER_STATIC = KeyPair.of(CRYPTO, b"\x22" * 32)


def handshaker(who: Identity, label: str = "") -> Handshaker:
    return Handshaker(who, CRYPTO, CountingEntropy(label), DEFAULT_LIMITS)


async def shake(
    dialer: Identity, listener: Identity, *, expected: PeerId | None = None, prologues: tuple[bytes, bytes] = (b"", b"")
) -> tuple[HandshakeResult, HandshakeResult, PipeEnd, PipeEnd]:
    left, right = pipe()
    first, second = await asyncio.gather(
        handshaker(dialer, "d").initiate(BufferedStream(left), expected, muxers=["/m"], prologue=prologues[0]),
        handshaker(listener, "l").respond(BufferedStream(right), muxers=["/m", "/n"], prologue=prologues[1]),
    )
    return first, second, left, right


async def test_both_sides_learn_who_is_there_and_which_muxers_it_offers():
    alice, bob = await identity("alice"), await identity("bob")
    dialer, listener, _, _ = await shake(alice, bob, expected=bob.peer_id)
    assert (dialer.remote_peer, dialer.remote_muxers) == (bob.peer_id, ("/m", "/n"))
    assert (listener.remote_peer, listener.remote_muxers) == (alice.peer_id, ("/m",))
    assert listener.remote_key == alice.public_key


async def test_the_first_message_on_the_wire_is_a_bare_key():
    alice, bob = await identity("alice"), await identity("bob")
    left, right = pipe()
    left.record = True
    await asyncio.gather(
        handshaker(alice, "d").initiate(BufferedStream(left)), handshaker(bob, "l").respond(BufferedStream(right))
    )
    assert left.writes[0][:2] == b"\x00\x20"
    assert len(left.writes[0]) == 34


async def test_a_dialer_that_meets_another_peer_tells_nothing_of_itself():
    alice, bob, carol = await identity("alice"), await identity("bob"), await identity("carol")
    left, right = pipe()
    left.record = True
    responding = asyncio.create_task(handshaker(bob, "l").respond(BufferedStream(right)))
    with pytest.raises(PeerIdMismatch) as caught:
        await handshaker(alice, "d").initiate(BufferedStream(left), carol.peer_id)
    assert (caught.value.expected, caught.value.actual) == (str(carol.peer_id), str(bob.peer_id))
    assert len(left.writes) == 1, "message 3 carries our identity and must not leave"
    responding.cancel()


async def test_a_listener_that_expects_another_peer_refuses():
    """A relay names the peer behind a circuit; whoever then authenticates must be that one."""
    alice, bob, carol = await identity("alice"), await identity("bob"), await identity("carol")
    left, right = pipe()
    dialing = asyncio.create_task(handshaker(alice, "d").initiate(BufferedStream(left)))
    with pytest.raises(PeerIdMismatch):
        await handshaker(bob, "l").respond(BufferedStream(right), carol.peer_id)
    await dialing


async def _good(me: Identity, other: Identity) -> bytes:
    return encode_payload(HandshakePayload(me.public_key.to_protobuf(), await me.sign(signed_text(STATIC.public))))


async def _key_of_another(me: Identity, other: Identity) -> bytes:
    return encode_payload(HandshakePayload(other.public_key.to_protobuf(), await me.sign(signed_text(STATIC.public))))


async def _signature_changed(me: Identity, other: Identity) -> bytes:
    signature = bytearray(await me.sign(signed_text(STATIC.public)))
    signature[10] ^= 1
    return encode_payload(HandshakePayload(me.public_key.to_protobuf(), bytes(signature)))


async def _static_of_another_session(me: Identity, other: Identity) -> bytes:
    signature = await me.sign(signed_text(OTHER_STATIC.public))
    return encode_payload(HandshakePayload(me.public_key.to_protobuf(), signature))


async def _other_prefix(me: Identity, other: Identity) -> bytes:
    signature = await me.sign(b"noise-libp2p-static-key;" + STATIC.public)
    return encode_payload(HandshakePayload(me.public_key.to_protobuf(), signature))


async def _no_prefix(me: Identity, other: Identity) -> bytes:
    return encode_payload(HandshakePayload(me.public_key.to_protobuf(), await me.sign(STATIC.public)))


async def _no_signature(me: Identity, other: Identity) -> bytes:
    return encode_payload(HandshakePayload(me.public_key.to_protobuf(), b""))


async def _no_key(me: Identity, other: Identity) -> bytes:
    return encode_payload(HandshakePayload(b"", await me.sign(signed_text(STATIC.public))))


async def _empty(me: Identity, other: Identity) -> bytes:
    return b""


async def _truncated(me: Identity, other: Identity) -> bytes:
    return (await _good(me, other))[:-1]


async def _garbage(me: Identity, other: Identity) -> bytes:
    return b"\xff" * 100


async def _huge(me: Identity, other: Identity) -> bytes:
    return await _good(me, other) + bytes.fromhex("1a8040") + bytes(8192)


FORGERIES = [
    (_key_of_another, HandshakeFailed),
    (_signature_changed, HandshakeFailed),
    (_static_of_another_session, HandshakeFailed),
    (_other_prefix, HandshakeFailed),
    (_no_prefix, HandshakeFailed),
    (_no_signature, HandshakeFailed),
    (_no_key, MalformedMessage),
    (_empty, MalformedMessage),
    (_truncated, MalformedMessage),
    (_garbage, MalformedMessage),
    (_huge, MalformedMessage),
]


def _machine(initiator: bool) -> HandshakeMachine:
    ephemeral = KeyPair.of(CRYPTO, b"\x33" * 32)
    return HandshakeMachine(CRYPTO, initiator=initiator, static=STATIC, ephemeral=ephemeral)


async def _send(end: PipeEnd, message: bytes) -> None:
    await end.write(len(message).to_bytes(2, "big") + message)


async def _receive(end: BufferedStream) -> bytes:
    return await end.read_exactly(int.from_bytes(await end.read_exactly(2), "big"))


async def _forged_dialer(end: PipeEnd, payload: bytes) -> None:
    machine, buffered = _machine(True), BufferedStream(end)
    await _send(end, machine.write())
    machine.read(await _receive(buffered))
    await _send(end, machine.write(payload))


async def _forged_listener(end: PipeEnd, payload: bytes) -> None:
    machine, buffered = _machine(False), BufferedStream(end)
    machine.read(await _receive(buffered))
    await _send(end, machine.write(payload))


@pytest.mark.parametrize("role", ["dialer", "listener"])
@pytest.mark.parametrize(("forge", "error"), FORGERIES, ids=lambda each: getattr(each, "__name__", ""))
async def test_a_forged_identity_is_refused(forge, error: type[DarkSwapError], role: str):
    honest, mallory, victim = await identity("honest"), await identity("mallory"), await identity("victim")
    left, right = pipe()
    payload = await forge(mallory, victim)
    if role == "dialer":
        attack = asyncio.create_task(_forged_dialer(left, payload))
        attempt = handshaker(honest).respond(BufferedStream(right))
    else:
        attack = asyncio.create_task(_forged_listener(right, payload))
        attempt = handshaker(honest).initiate(BufferedStream(left))
    with pytest.raises(error):
        await attempt
    await attack


@pytest.mark.parametrize("role", ["dialer", "listener"])
async def test_the_same_attacker_with_a_true_payload_is_accepted(role: str):
    """The matrix above fails for its forgeries, not for the harness."""
    honest, mallory = await identity("honest"), await identity("mallory")
    left, right = pipe()
    payload = await _good(mallory, honest)
    if role == "dialer":
        attack = asyncio.create_task(_forged_dialer(left, payload))
        secured = await handshaker(honest).respond(BufferedStream(right))
    else:
        attack = asyncio.create_task(_forged_listener(right, payload))
        secured = await handshaker(honest).initiate(BufferedStream(left))
    assert secured.remote_peer == mallory.peer_id
    await attack


async def test_a_peer_that_hangs_up_during_the_handshake():
    left, right = pipe()
    await right.close()
    with pytest.raises(HandshakeFailed, match="hung up"):
        await handshaker(await identity("alice")).initiate(BufferedStream(left))


async def test_data_of_any_size_arrives_whole_in_frames_of_at_most_65519_bytes():
    alice, bob = await identity("alice"), await identity("bob")
    dialer, listener, left, _ = await shake(alice, bob)
    left.record = True
    for size in (1, 65519, 65520, 200_000):
        left.writes.clear()
        data = bytes(index * 7 & 255 for index in range(size))
        writing = asyncio.create_task(dialer.stream.write(data))
        received = b""
        while len(received) < size:
            received += await listener.stream.read()
        await writing
        assert received == data
        assert len(left.writes) == 1, "all frames of one write leave together"
        sizes = list(_frame_sizes(left.writes[0]))
        assert max(sizes) <= 65535
        assert sum(sizes) == size + 16 * len(sizes)


def _frame_sizes(data: bytes) -> Iterator[int]:
    while data:
        size = int.from_bytes(data[:2], "big")
        yield size
        data = data[2 + size :]


async def test_frames_split_and_joined_on_the_way_arrive_the_same():
    alice, bob = await identity("alice"), await identity("bob")
    dialer, listener, left, right = await shake(alice, bob)
    left.record = True
    sealed = []
    for word in (b"one", b"two", b"three"):
        left.writes.clear()
        await dialer.stream.write(word)
        sealed.append(left.writes[0])
        await right.read()
    for byte in b"".join(sealed):
        right.inbox.feed(bytes((byte,)))
    received = b""
    while len(received) < 11:
        received += await listener.stream.read()
    assert received == b"onetwothree"


async def test_several_frames_are_decrypted_per_read_and_reads_can_be_small():
    alice, bob = await identity("alice"), await identity("bob")
    dialer, listener, _, _ = await shake(alice, bob)
    for word in (b"one", b"two"):
        await dialer.stream.write(word)
    assert await listener.stream.read(4) == b"onet"
    assert await listener.stream.read(4) == b"wo"


async def test_a_changed_frame_is_a_violation():
    alice, bob = await identity("alice"), await identity("bob")
    _, listener, left, _ = await shake(alice, bob)
    await left.write(b"\x00\x14" + bytes(20))
    with pytest.raises(ProtocolViolation, match="authenticate"):
        await listener.stream.read()


async def test_a_frame_shorter_than_its_tag_is_a_violation():
    alice, bob = await identity("alice"), await identity("bob")
    _, listener, left, _ = await shake(alice, bob)
    await left.write(b"\x00\x0f" + bytes(15))
    with pytest.raises(ProtocolViolation, match="shorter"):
        await listener.stream.read()


async def test_the_end_between_frames_is_the_end_and_within_one_a_loss():
    alice, bob = await identity("alice"), await identity("bob")
    _, listener, left, _ = await shake(alice, bob)
    await left.close()
    with pytest.raises(EndOfStream):
        await listener.stream.read()
    _, listener, left, _ = await shake(alice, bob)
    await left.write(b"\x00\x20half")
    await left.close()
    with pytest.raises(ConnectionLost):
        await listener.stream.read()


async def test_the_identity_signs_once_for_many_handshakes():
    class CountingKey:
        def __init__(self, key) -> None:
            self.key = key
            self.signed = 0

        @property
        def public_bytes(self) -> bytes:
            return self.key.public_bytes

        async def sign(self, message: bytes) -> bytes:
            self.signed += 1
            return await self.key.sign(message)

    key = CountingKey((await identity("alice")).key)
    shaker = handshaker(Identity(key))
    for label in ("x", "y", "z"):
        left, right = pipe()
        await asyncio.gather(
            shaker.initiate(BufferedStream(left)),
            handshaker(await identity("bob"), label).respond(BufferedStream(right)),
        )
    assert key.signed == 1


@settings(max_examples=examples(40), deadline=None)
@given(st.binary(max_size=120), st.integers(0, 3))
def test_random_bytes_in_place_of_frames_end_the_channel(data: bytes, valid_before: int):
    async def attempt() -> int:
        dialer, listener, left, _ = await shake(await identity("alice"), await identity("bob"))
        for _ in range(valid_before):
            await dialer.stream.write(b"x")
        await left.write(data)
        await left.close()
        received = 0
        while True:
            try:
                received += len(await listener.stream.read())
            except (ProtocolViolation, ConnectionLost, EndOfStream):
                return received

    assert loop.run(attempt()) <= valid_before


@settings(max_examples=examples(20), deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes_in_place_of_a_handshake_are_a_remote_error(data: bytes):
    async def attempt() -> None:
        left, right = pipe()
        await right.write(data)
        await right.close()
        await handshaker(await identity("alice")).respond(BufferedStream(left))

    with pytest.raises((RemoteError, ConnectionLost)):
        loop.run(attempt())
