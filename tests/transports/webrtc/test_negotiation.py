"""Signaling with peers that lie, flood, fall silent or speak an odd dialect."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import replace

import pytest

from darkswap_browser.errors import (
    ConnectionLost,
    DarkSwapError,
    HandshakeFailed,
    MalformedMessage,
    ProtocolUnsupported,
    ResourceLimit,
    TimedOut,
)
from darkswap_browser.net.limits import DEFAULT_LIMITS
from darkswap_browser.net.stream import BufferedStream
from darkswap_browser.protocols.signaling.exchange import Libp2pSignaling, ManualSignaling
from darkswap_browser.protocols.signaling.messages import (
    END_OF_CANDIDATES,
    SIGNALING_PROTOCOL,
    SignalingEvent,
    encode_event,
)
from darkswap_browser.runtime.base.webrtc import IceCandidate, SessionDescription
from tests.support.channels import make_world
from tests.support.direct import Peer, close_all, peer, relay_between


def changed_fingerprint(sdp: str) -> str:
    def turn(match: re.Match[str]) -> str:
        return match[1] + ("00" if match[2] != "00" else "11")

    return re.sub(r"(a=fingerprint:sha-256 )(..)", turn, sdp)


async def meddled(alter: Callable[[SignalingEvent], SignalingEvent]) -> tuple[Peer, Peer, DarkSwapError]:
    """A dial between honest nodes with someone between who alters what the answering side says."""
    world = make_world()
    alice = await peer("alice", world.runtime("alice"))
    bob = await peer("bob", world.runtime("bob"))
    await relay_between(alice, bob)
    bob.swarm.unhandle(SIGNALING_PROTOCOL)

    async def between(connection: object, stream: BufferedStream, protocol: str) -> None:
        outer = Libp2pSignaling(stream, DEFAULT_LIMITS)
        inner = ManualSignaling(DEFAULT_LIMITS, lambda event: sending.put_nowait(alter(event)))
        sending: asyncio.Queue[SignalingEvent] = asyncio.Queue()

        async def outwards() -> None:
            while True:
                event = await sending.get()
                if isinstance(event, SessionDescription):
                    await outer.send_answer(event)
                else:
                    await outer.send_ice_candidate(event)

        async def inwards() -> None:
            while True:
                inner.deliver(await outer.receive_event())

        async with asyncio.TaskGroup() as tasks:
            for work in (outwards(), inwards(), answer(inner)):
                tasks.create_task(quietly(work))

    async def answer(inner: ManualSignaling) -> None:
        await bob.transport.answer_by(inner, alice.id)

    async def quietly(work: Coroutine[None, None, None]) -> None:
        with suppress(DarkSwapError):
            await work

    bob.swarm.handle(SIGNALING_PROTOCOL, between, allow_limited=True)
    with pytest.raises(DarkSwapError) as caught:
        await alice.dial(bob)
    return alice, bob, caught.value


async def test_a_fingerprint_changed_on_the_way_is_never_connected() -> None:
    def alter(event: SignalingEvent) -> SignalingEvent:
        if isinstance(event, SessionDescription):
            return replace(event, sdp=changed_fingerprint(event.sdp))
        return event

    alice, bob, error = await meddled(alter)
    assert isinstance(error, ConnectionLost | TimedOut)
    assert alice.direct == bob.direct == []
    assert len(alice.swarm.connections()) == 1
    await close_all(alice, bob)


async def test_an_answer_that_is_no_answer_fails_the_dial_by_name() -> None:
    alice, bob, error = await meddled(
        lambda event: replace(event, type="offer") if isinstance(event, SessionDescription) else event
    )
    # Sent as an answer, but the type on the wire is that of an offer.
    assert isinstance(error, HandshakeFailed)
    await close_all(alice, bob)


async def hostile(serve: Callable[[BufferedStream], object]) -> tuple[Peer, Peer, DarkSwapError]:
    """A dial of someone who answers signaling in its own way."""
    world = make_world()
    alice = await peer("alice", world.runtime("alice"))
    bob = await peer("bob", world.runtime("bob"))
    await relay_between(alice, bob)
    bob.swarm.unhandle(SIGNALING_PROTOCOL)

    async def handler(connection: object, stream: BufferedStream, protocol: str) -> None:
        result = serve(stream)
        if asyncio.iscoroutine(result):
            await result

    bob.swarm.handle(SIGNALING_PROTOCOL, handler, allow_limited=True)
    with pytest.raises(DarkSwapError) as caught:
        await alice.dial(bob)
    await asyncio.sleep(1)
    assert alice.direct == []
    assert [connection.streams for connection in alice.swarm.connections()] == [0]
    return alice, bob, caught.value


async def test_a_peer_that_resets_the_signaling_fails_the_dial_at_once() -> None:
    alice, bob, error = await hostile(lambda stream: stream.reset())
    assert isinstance(error, ConnectionLost)
    await close_all(alice, bob)


async def test_a_peer_that_ends_the_signaling_without_an_answer_fails_the_dial() -> None:
    alice, bob, error = await hostile(lambda stream: stream.close())
    assert isinstance(error, HandshakeFailed)
    await close_all(alice, bob)


async def test_a_peer_that_never_answers_is_given_up_after_the_timeout() -> None:
    alice, bob, error = await hostile(lambda stream: asyncio.sleep(100))
    assert isinstance(error, TimedOut)
    assert asyncio.get_running_loop().time() <= DEFAULT_LIMITS.dial_timeout + 2
    await close_all(alice, bob)


async def test_an_answer_that_is_no_sdp_fails_the_dial() -> None:
    async def serve(stream: BufferedStream) -> None:
        await stream.write_message(encode_event(SessionDescription("answer", "v=0\r\nnonsense\r\n")))
        await asyncio.sleep(100)

    alice, bob, error = await hostile(serve)
    assert isinstance(error, MalformedMessage)
    await close_all(alice, bob)


async def test_a_flood_of_candidates_ends_the_dial() -> None:
    async def serve(stream: BufferedStream) -> None:
        for number in range(1000):
            candidate = IceCandidate(f"candidate:{number} 1 udp 1 192.0.2.1 9 typ host", "0", 0)
            await stream.write_message(encode_event(candidate))
        await asyncio.sleep(100)

    alice, bob, error = await hostile(serve)
    assert isinstance(error, ResourceLimit)
    await close_all(alice, bob)


async def test_a_message_above_the_cap_ends_the_dial_before_it_is_read() -> None:
    async def serve(stream: BufferedStream) -> None:
        await stream.write(b"\xff\xff\xff\x7f")
        await asyncio.sleep(100)

    alice, bob, error = await hostile(serve)
    assert isinstance(error, MalformedMessage)
    await close_all(alice, bob)


async def test_a_peer_without_signaling_is_named_as_such() -> None:
    world = make_world()
    alice = await peer("alice", world.runtime("alice"))
    bob = await peer("bob", world.runtime("bob"))
    await relay_between(alice, bob)
    bob.swarm.unhandle(SIGNALING_PROTOCOL)
    with pytest.raises(ProtocolUnsupported):
        await alice.dial(bob)
    await close_all(alice, bob)


async def test_candidates_before_the_answer_and_odd_endings_do_no_harm() -> None:
    """As peers other than js may send them."""
    world = make_world()
    alice = await peer("alice", world.runtime("alice"))
    bob = await peer("bob", world.runtime("bob"))
    await relay_between(alice, bob)
    stream = (await alice.swarm.new_stream(bob.id, [SIGNALING_PROTOCOL], allow_limited=True)).stream
    await stream.write_message(encode_event(IceCandidate("candidate:1 1 udp 1 192.0.2.1 9 typ host", "0", 0)))
    await stream.write_message(encode_event(END_OF_CANDIDATES))
    await stream.write_message(b"\x08\x09")
    await stream.close()
    await asyncio.sleep(1)
    await alice.dial(bob)
    assert await alice.echoes(bob)
    await close_all(alice, bob)
