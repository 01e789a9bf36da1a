"""Both carriers of signaling: a libp2p stream, and the page's own hands."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from darkswap_browser.errors import ConnectionLost, EndOfStream, MalformedMessage, ResourceLimit, TooManyRequests
from darkswap_browser.net.limits import DEFAULT_LIMITS
from darkswap_browser.net.stream import BufferedStream
from darkswap_browser.protocols.signaling.exchange import Libp2pSignaling, ManualSignaling, ObservedSignaling
from darkswap_browser.protocols.signaling.messages import SignalingEvent
from darkswap_browser.runtime.base.webrtc import IceCandidate, SessionDescription
from tests.support.pipe import pipe

OFFER = SessionDescription("offer", "v=0\r\n")
ANSWER = SessionDescription("answer", "v=0\r\n")
CANDIDATE = IceCandidate("candidate:1 1 udp 1 192.0.2.1 9 typ host", "0", 0)


def carried() -> tuple[Libp2pSignaling, Libp2pSignaling, BufferedStream]:
    near, far = pipe()
    raw = BufferedStream(near)
    return Libp2pSignaling(raw, DEFAULT_LIMITS), Libp2pSignaling(BufferedStream(far), DEFAULT_LIMITS), raw


async def test_everything_said_is_heard_in_order_and_the_end_too() -> None:
    near, far, _ = carried()
    await near.send_offer(OFFER)
    await near.send_ice_candidate(CANDIDATE)
    await far.send_answer(ANSWER)
    assert await far.receive_event() == OFFER
    assert await far.receive_event() == CANDIDATE
    assert await near.receive_event() == ANSWER
    await near.close()
    with pytest.raises(EndOfStream):
        await far.receive_event()


async def test_a_message_that_means_nothing_leaves_the_next_readable() -> None:
    near, far, raw = carried()
    await raw.write_message(b"\x08\x02\x12\x01{")
    await near.send_ice_candidate(CANDIDATE)
    with pytest.raises(MalformedMessage):
        await far.receive_event()
    assert await far.receive_event() == CANDIDATE


async def test_surplus_candidates_are_left_aside_and_what_comes_behind_them_is_read() -> None:
    near, far, _ = carried()
    for _ in range(200):
        await near.send_ice_candidate(CANDIDATE)
    await near.send_answer(ANSWER)
    for _ in range(DEFAULT_LIMITS.signaling_candidates):
        assert await far.receive_event() == CANDIDATE
    assert await far.receive_event() == ANSWER


async def test_a_flood_of_messages_ends_the_negotiation() -> None:
    near, far, _ = carried()
    limits = DEFAULT_LIMITS
    for _ in range(limits.signaling_messages + 1):
        await near.send_ice_candidate(CANDIDATE)
    for _ in range(limits.signaling_candidates):
        await far.receive_event()
    with pytest.raises(ResourceLimit):
        await far.receive_event()


async def test_a_message_above_the_cap_is_refused_on_its_length() -> None:
    _, far, raw = carried()
    await raw.write(b"\x81\x80\x02")
    with pytest.raises(MalformedMessage):
        await far.receive_event()


async def test_by_hand_what_is_said_goes_to_the_page_and_what_it_brings_is_heard() -> None:
    said: list[SignalingEvent] = []
    signaling = ManualSignaling(DEFAULT_LIMITS, said.append)
    await signaling.send_offer(OFFER)
    await signaling.send_answer(ANSWER)
    await signaling.send_ice_candidate(CANDIDATE)
    assert said == [OFFER, ANSWER, CANDIDATE]
    waiting = asyncio.create_task(signaling.receive_event())
    await asyncio.sleep(1)
    signaling.deliver(ANSWER)
    assert await waiting == ANSWER
    await signaling.close()
    with pytest.raises(ConnectionLost):
        await signaling.receive_event()
    with pytest.raises(ConnectionLost):
        await signaling.send_offer(OFFER)


async def test_by_hand_the_queue_has_an_end() -> None:
    signaling = ManualSignaling(replace(DEFAULT_LIMITS, signaling_candidates=1), lambda _: None)
    for _ in range(3):
        signaling.deliver(CANDIDATE)
    with pytest.raises(TooManyRequests):
        signaling.deliver(CANDIDATE)


async def test_an_observer_is_shown_both_ways() -> None:
    seen: list[tuple[str, SignalingEvent, bool]] = []

    class Observer:
        def signaled(self, peer: str, event: SignalingEvent, *, outgoing: bool) -> None:
            seen.append((peer, event, outgoing))

    near, far, _ = carried()
    observed = ObservedSignaling(near, "peer", Observer())
    await observed.send_offer(OFFER)
    await far.send_answer(ANSWER)
    await observed.receive_event()
    await observed.send_answer(ANSWER)
    await observed.send_ice_candidate(CANDIDATE)
    assert seen == [
        ("peer", OFFER, True),
        ("peer", ANSWER, False),
        ("peer", ANSWER, True),
        ("peer", CANDIDATE, True),
    ]
    observed.reset()
    await observed.close()
