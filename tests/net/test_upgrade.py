"""From a raw link to a connection: both ways to the muxer, whom we expect, and every way it fails."""

from __future__ import annotations

import asyncio

import pytest

from darkswap_browser.errors import (
    ConnectionLost,
    DarkSwapError,
    HandshakeFailed,
    PeerIdMismatch,
    ProtocolUnsupported,
    TimedOut,
    TooManyRequests,
)
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.net.connection import CircuitLimit, Connection, Direction
from darkswap_browser.net.limits import DEFAULT_LIMITS, Limits
from darkswap_browser.net.negotiate import HEADER, answer, decode_line, encode_line, select_one
from darkswap_browser.net.noise.machine import HandshakeMachine, KeyPair
from darkswap_browser.net.noise.payload import HandshakePayload, encode_payload, signed_text
from darkswap_browser.net.noise.secure_stream import Handshaker, SecureStream
from darkswap_browser.net.stream import BufferedStream, Stream
from darkswap_browser.net.upgrade import Upgrader
from darkswap_browser.net.yamux.frames import ACK, PING, SYN, pack
from darkswap_browser.runtime.native.crypto import NativeCrypto
from tests.support.pipe import CountingEntropy, PipeEnd, identity, pipe

ADDRESS = Multiaddr.parse("/memory/1")
YAMUX = "/yamux/1.0.0"


async def upgrader(name: str, limits: Limits = DEFAULT_LIMITS) -> Upgrader:
    return Upgrader(await identity(name), NativeCrypto(), CountingEntropy(name), limits)


async def outbound(link: PipeEnd, name: str = "alice", expected: str | None = None) -> Connection:
    peer = (await identity(expected)).peer_id if expected else None
    return await (await upgrader(name)).upgrade_outbound(link, peer=peer, address=ADDRESS, transport="memory")


async def inbound(link: PipeEnd, name: str = "bob", expected: str | None = None) -> Connection:
    peer = (await identity(expected)).peer_id if expected else None
    return await (await upgrader(name)).upgrade_inbound(link, peer=peer, address=ADDRESS, transport="memory")


async def test_two_of_ours_make_a_connection_without_negotiating_the_muxer():
    left, right = pipe()
    right.record = True
    dialer, listener = await asyncio.gather(outbound(left, expected="bob"), inbound(right))
    assert (dialer.remote_peer, dialer.direction) == ((await identity("bob")).peer_id, Direction.OUTBOUND)
    assert (listener.remote_peer, listener.direction) == ((await identity("alice")).peer_id, Direction.INBOUND)
    assert len(right.writes) == 2, "multistream-select's answer and Noise's second message, nothing for a muxer"
    arrived: asyncio.Queue[Stream] = asyncio.Queue()
    listener.start(arrived.put_nowait)
    await (await dialer.open_stream()).write(b"hello")
    assert await (await arrived.get()).read() == b"hello"
    await dialer.close()
    await listener.wait_closed()


async def test_what_a_relay_allows_is_kept_with_the_connection():
    left, right = pipe()
    limit = CircuitLimit(120, 1 << 17)
    dialing = (await upgrader("alice")).upgrade_outbound(
        left, peer=None, address=ADDRESS, transport="circuit", limit=limit
    )
    dialer, _ = await asyncio.gather(dialing, inbound(right))
    assert (dialer.limit, dialer.transport, dialer.remote_addr) == (limit, "circuit", ADDRESS)
    dialer.abort()


async def peer_like_rust(end: PipeEnd, *, initiator: bool, muxers: tuple[str, ...], reply: bytes) -> bytes:
    """Names no muxer early (or another one), so multistream-select runs inside Noise; then sends a ping."""
    raw = BufferedStream(end)
    shaker = Handshaker(await identity("rust"), NativeCrypto(), CountingEntropy("rust"), DEFAULT_LIMITS)
    if initiator:
        await select_one(raw, ["/noise"], DEFAULT_LIMITS)
        stream = BufferedStream((await shaker.initiate(raw, muxers=muxers)).stream)
        # Lazily, as rust does: the muxer's first frame with the proposal.
        await stream.write(encode_line("/multistream/1.0.0") + encode_line(YAMUX) + reply)
        assert await stream.read_message(100) == b"/multistream/1.0.0\n"
        assert await stream.read_message(100) == YAMUX.encode() + b"\n"
    else:
        await answer(raw, "/noise".__eq__, DEFAULT_LIMITS)
        stream = BufferedStream((await shaker.respond(raw, muxers=muxers)).stream)
        await answer(stream, YAMUX.__eq__, DEFAULT_LIMITS)
        await stream.write(reply)
    return await stream.read_exactly(12)


@pytest.mark.parametrize("muxers", [(), ("/mplex/6.7.0",)], ids=["none", "no overlap"])
@pytest.mark.parametrize("theirs", ["dialer", "listener"])
async def test_a_peer_without_our_muxer_in_its_list_negotiates_it_inside_noise(theirs: str, muxers: tuple[str, ...]):
    ours, peer = pipe()
    task = asyncio.create_task(
        peer_like_rust(peer, initiator=theirs == "dialer", muxers=muxers, reply=pack(PING, SYN, 0, 5))
    )
    connection = await (inbound(ours) if theirs == "dialer" else outbound(ours))
    assert (await task).hex() == "000200020000000000000005"
    assert connection.remote_peer == (await identity("rust")).peer_id
    connection.abort()


async def failures(*attempts) -> list[BaseException]:
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    return [outcome for outcome in outcomes if isinstance(outcome, BaseException)]


async def test_the_wrong_peer_behind_an_address():
    left, right = pipe()
    dialer_error, listener_error = await failures(outbound(left, expected="carol"), inbound(right))
    assert isinstance(dialer_error, PeerIdMismatch)
    assert isinstance(listener_error, DarkSwapError)
    assert left.closed
    assert right.closed


async def test_the_wrong_peer_behind_a_circuit():
    left, right = pipe()
    listening = asyncio.create_task(inbound(right, expected="carol"))
    dialer = await outbound(left)
    with pytest.raises(PeerIdMismatch):
        await listening
    await dialer.wait_closed()
    assert right.closed


async def test_a_peer_that_speaks_no_noise():
    ours, peer = pipe()
    await peer.write(encode_line("/multistream/1.0.0") + encode_line("na"))
    with pytest.raises(ProtocolUnsupported):
        await outbound(ours)
    assert ours.closed


async def test_a_peer_that_speaks_http():
    ours, peer = pipe()
    await peer.write(b"\x05HTTP\n")
    with pytest.raises(HandshakeFailed):
        await outbound(ours)


@pytest.mark.parametrize("direction", ["in", "out"])
async def test_a_silent_peer_costs_no_more_than_the_deadline(direction: str):
    ours, _ = pipe()
    with pytest.raises(TimedOut) as caught:
        await (inbound(ours) if direction == "in" else outbound(ours))
    assert caught.value.seconds == DEFAULT_LIMITS.upgrade_timeout
    assert asyncio.get_running_loop().time() == DEFAULT_LIMITS.upgrade_timeout
    assert ours.closed


async def test_a_peer_that_hangs_up_before_saying_anything():
    ours, peer = pipe()
    await peer.close()
    with pytest.raises(ConnectionLost):
        await inbound(ours)


async def test_giving_up_drops_the_link():
    ours, _ = pipe()
    attempt = asyncio.create_task(outbound(ours))
    await asyncio.sleep(1)
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    assert ours.closed
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_handshakes_at_once_are_capped():
    busy = await upgrader("bob", Limits(pending_upgrades=1))
    first, _ = pipe()
    waiting = asyncio.create_task(busy.upgrade_inbound(first, peer=None, address=ADDRESS, transport="memory"))
    await asyncio.sleep(0)
    second, _ = pipe()
    with pytest.raises(TooManyRequests):
        await busy.upgrade_inbound(second, peer=None, address=ADDRESS, transport="memory")
    assert second.closed
    with pytest.raises(TimedOut):
        await waiting


async def test_silent_links_of_one_address_leave_room_for_others():
    busy = await upgrader("bob", Limits(pending_upgrades=10, pending_upgrades_per_address=2))
    waiting: list[asyncio.Task[Connection]] = []

    async def begins(address: str) -> bool:
        link, _ = pipe()
        task = asyncio.create_task(
            busy.upgrade_inbound(link, peer=None, address=Multiaddr.parse(address), transport="tcp")
        )
        waiting.append(task)
        await asyncio.sleep(0.01)
        return not task.done()

    assert [await begins("/ip4/192.0.2.1") for _ in range(3)] == [True, True, False]
    assert await begins("/ip4/192.0.2.2")
    assert [await begins(f"/ip6/2001:db8::{n}") for n in range(3)] == [True, True, False]
    assert [await begins("/ip4/192.0.2.3/tcp/1/p2p-circuit") for _ in range(3)] == [True] * 3
    assert [await begins("/ip4/127.0.0.1") for _ in range(3)] == [True, True, False], "now all ten are taken"
    for task in waiting:
        with pytest.raises((TimedOut, TooManyRequests)):
            await task
    assert not busy._pending_by


async def test_a_lazy_dialer_that_never_waits_for_an_answer_it_can_foresee():
    """rust's V1Lazy: proposal and Noise's first message in one flight, the third with the muxer's first frame."""
    ours, peer = pipe()
    upgrading = asyncio.create_task(inbound(ours))
    crypto, who = NativeCrypto(), await identity("rust")
    static, ephemeral = KeyPair.of(crypto, b"\x11" * 32), KeyPair.of(crypto, b"\x22" * 32)
    machine = HandshakeMachine(crypto, initiator=True, static=static, ephemeral=ephemeral)
    first = machine.write()
    await peer.write(encode_line(HEADER) + encode_line("/noise") + len(first).to_bytes(2, "big") + first)
    answers = BufferedStream(peer)
    assert decode_line(await answers.read_message(100)) == HEADER
    assert decode_line(await answers.read_message(100)) == "/noise"
    machine.read(await answers.read_exactly(int.from_bytes(await answers.read_exactly(2), "big")))
    signature = await who.sign(signed_text(static.public))
    third = machine.write(encode_payload(HandshakePayload(who.public_key.to_protobuf(), signature)))
    sending, receiving = machine.split()
    early = sending.encrypt(encode_line(HEADER) + encode_line(YAMUX) + pack(PING, SYN, 0, 5))
    await peer.write(b"".join(len(part).to_bytes(2, "big") + part for part in (third, early)))
    stream = BufferedStream(SecureStream(answers, sending, receiving))
    assert decode_line(await stream.read_message(100)) == HEADER
    assert decode_line(await stream.read_message(100)) == YAMUX
    assert await stream.read_exactly(12) == pack(PING, ACK, 0, 5)
    (await upgrading).abort()
