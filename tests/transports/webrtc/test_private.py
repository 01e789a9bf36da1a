"""`/webrtc` between two nodes with a relayed connection, in the simulated world."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from darkswap_browser.errors import (
    ConnectionLost,
    DarkSwapError,
    RelayRefused,
    TimedOut,
    TooManyRequests,
)
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.net.connection import CircuitLimit
from darkswap_browser.net.events import ConnectionOpened
from darkswap_browser.net.limits import DEFAULT_LIMITS
from darkswap_browser.protocols.signaling.exchange import ManualSignaling
from darkswap_browser.protocols.signaling.messages import (
    SignalingEvent,
)
from darkswap_browser.runtime.base.webrtc import IceCandidate, IceServer, RtcConfiguration, SessionDescription
from darkswap_browser.testing.world import SimulatedWorld
from darkswap_browser.transports.webrtc.private import MAX_UNUSED_OFFERS
from tests.support.channels import make_world
from tests.support.direct import RELAY, Peer, close_all, peer, relay_between
from tests.support.nodes import PipeTransport, Place
from tests.support.pipe import PipeEnd

STEPS = [
    "dial",
    "webrtc:reuse-relay-connection",
    "webrtc:open-signaling-stream",
    "webrtc:send-sdp-offer",
    "webrtc:read-sdp-answer",
    "webrtc:read-ice-candidates",
    "webrtc:connection",
    "webrtc:close-signaling-stream",
]


class Watcher:
    """An observer that remembers, and can meddle through `on_event`."""

    def __init__(self) -> None:
        self.seen: list[tuple[SignalingEvent, bool]] = []
        self.on_event: Callable[[SignalingEvent, bool], None] = lambda event, outgoing: None

    def signaled(self, peer: str, event: SignalingEvent, *, outgoing: bool) -> None:
        self.seen.append((event, outgoing))
        self.on_event(event, outgoing)

    def kinds(self, *, outgoing: bool) -> list[str]:
        told = (event for event, out in self.seen if out is outgoing)
        return [event.type if isinstance(event, SessionDescription) else "candidate" for event in told]


async def two(world: SimulatedWorld | None = None) -> tuple[SimulatedWorld, Peer, Peer, PipeEnd]:
    world = world or make_world()
    alice = await peer("alice", world.runtime("alice"))
    bob = await peer("bob", world.runtime("bob"))
    near, _ = await relay_between(alice, bob)
    return world, alice, bob, near


async def test_a_dial_ends_with_one_direct_connection_on_both_sides() -> None:
    _, alice, bob, _ = await two()
    connection = await alice.dial(bob)
    assert alice.steps == STEPS
    assert connection.transport == "webrtc"
    assert connection.limit is None
    assert connection.remote_peer == bob.id
    assert connection.remote_addr == bob.address
    await asyncio.sleep(1)
    assert len(alice.direct) == len(bob.direct) == 1
    assert bob.direct[0].remote_addr == alice.address
    assert await alice.echoes(bob)
    assert await bob.echoes(alice)
    assert await alice.ping.ping(connection) < 1
    await close_all(alice, bob)


async def test_the_relayed_connection_and_no_stream_stay_behind() -> None:
    _, alice, bob, _ = await two()
    await alice.dial(bob)
    await asyncio.sleep(10)
    relayed = [c for c in (*alice.swarm.connections(), *bob.swarm.connections()) if c.transport == "circuit"]
    assert [c.streams for c in relayed] == [0, 0]
    assert [c.streams for c in (*alice.direct, *bob.direct)] == [0, 0]
    await close_all(alice, bob)


async def test_the_one_who_was_dialled_over_the_relay_may_dial_too() -> None:
    _, alice, bob, _ = await two()
    await bob.dial(alice)
    assert await alice.echoes(bob)
    await close_all(alice, bob)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("head_start", [0.0, 0.004, 0.02, 0.03, 0.05, 0.1])
async def test_two_who_dial_each_other_at_once_end_with_exactly_one_connection(seed: int, head_start: float) -> None:
    world = SimulatedWorld(seed, crypto=make_world().runtime("x").crypto)
    _, alice, bob, _ = await two(world)
    first, second = (alice, bob) if seed % 2 else (bob, alice)

    async def late() -> None:
        await asyncio.sleep(head_start)
        connection = await second.dial(first)
        assert await second.echoes(first), connection

    async def early() -> None:
        await first.dial(second)
        assert await first.echoes(second)

    await asyncio.gather(early(), late())
    await asyncio.sleep(20)
    assert len(alice.direct) == len(bob.direct) == 1
    assert len(world.rtc.connections) == 2
    assert await alice.echoes(bob)
    assert await bob.echoes(alice)
    await close_all(alice, bob)


@pytest.mark.parametrize("step", STEPS[3:-1])
async def test_a_peer_that_vanishes_during_a_step_fails_the_dial_within_its_time(step: str) -> None:
    world, alice, bob, wire = await two()
    loop = asyncio.get_running_loop()
    killed: list[float] = []

    def on_step(name: str, detail: str) -> None:
        if name == step:
            wire.reset()
            world.kill("bob")
            killed.append(loop.time())

    with pytest.raises(DarkSwapError):
        await alice.swarm.dial_address(bob.address, on_step)
    assert loop.time() - killed[0] <= DEFAULT_LIMITS.dial_timeout + 1
    await asyncio.sleep(60)
    assert alice.direct == []
    await close_all(alice)


async def test_a_dialler_that_vanishes_leaves_nothing_at_the_answering_side() -> None:
    world, alice, bob, wire = await two()

    def on_step(name: str, detail: str) -> None:
        if name == "webrtc:read-sdp-answer":
            wire.reset()
            world.kill("alice")

    with pytest.raises(DarkSwapError):
        await alice.swarm.dial_address(bob.address, on_step)
    await asyncio.sleep(60)
    assert bob.direct == []
    assert bob.swarm.connections() == ()
    await close_all(bob)


async def test_a_relayed_connection_that_dies_after_the_candidates_is_no_loss() -> None:
    _, alice, bob, wire = await two(make_world(latency=0.05))

    def on_step(name: str, detail: str) -> None:
        if name == "webrtc:connection":
            wire.reset()

    connection = await alice.swarm.dial_address(bob.address, on_step)
    assert not connection.is_closed
    assert await alice.echoes(bob)
    await close_all(alice, bob)


async def test_without_a_direct_path_the_dial_fails_and_the_relayed_connection_stays() -> None:
    world, alice, bob, _ = await two()
    world.block_udp("alice", "bob")
    with pytest.raises((TimedOut, ConnectionLost)):
        await alice.dial(bob)
    assert asyncio.get_running_loop().time() <= DEFAULT_LIMITS.dial_timeout + 2
    assert [connection.transport for connection in alice.swarm.connections()] == ["circuit"]
    await close_all(alice, bob)


async def test_a_peer_without_relayed_connection_is_dialled_through_the_relay_first() -> None:
    world = make_world()
    alice = await peer("alice", world.runtime("alice"))
    bob = await peer("bob", world.runtime("bob"))
    with pytest.raises(DarkSwapError):
        await alice.dial(bob)
    assert "webrtc:dial-relay" in alice.steps
    await close_all(alice, bob)


HOP = 0.1
"""Seconds that the relay of `behind_relay` takes."""


async def behind_relay(observer: Watcher | None = None) -> tuple[SimulatedWorld, Peer, Peer, Place]:
    """Two peers without a connection, and what is at bob's address behind the relay."""
    world, places = make_world(), dict[str, Place]()
    alice = await peer("alice", world.runtime("alice"), observer=observer)
    bob = await peer("bob", world.runtime("bob"))
    for each in (alice, bob):
        each.swarm.add_transport(PipeTransport(each.upgrader, places))
    await bob.swarm.listen(Multiaddr.parse(f"{RELAY}/p2p-circuit"))
    [place] = places.values()
    place.delay, place.kind, place.limit = HOP, "circuit", CircuitLimit(120, 1 << 17)
    return world, alice, bob, place


async def test_dial_offers_candidates_found_while_the_relay_was_dialled() -> None:
    watcher = Watcher()
    _, alice, bob, _ = await behind_relay(watcher)
    await alice.dial(bob)
    assert watcher.kinds(outgoing=True) == ["offer"], "no candidate had to be sent on its own"
    offer = watcher.seen[0][0]
    assert isinstance(offer, SessionDescription)
    assert "a=candidate:" in offer.sdp
    assert await alice.echoes(bob)
    await asyncio.sleep(10)
    assert [c.streams for c in (*alice.direct, *bob.direct)] == [0, 0]
    await close_all(alice, bob)


async def test_dial_refused_by_the_relay_leaves_no_peer_connection() -> None:
    world, alice, bob, place = await behind_relay()
    place.error = RelayRefused("relay", 204, "NO_RESERVATION")
    with pytest.raises(RelayRefused):
        await alice.dial(bob)
    assert world.rtc.connections == {}
    await close_all(alice, bob)


@pytest.mark.parametrize("after", [0.0, 0.0005, HOP / 2, HOP + 0.001])
async def test_dial_cancelled_leaves_no_peer_connection(after: float) -> None:
    world, alice, bob, _ = await behind_relay()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(after):
            await alice.dial(bob)
    await asyncio.sleep(60)
    assert world.rtc.connections == {}
    await close_all(alice, bob)


async def test_dial_makes_no_more_offers_ahead_after_many_refusals_in_a_row() -> None:
    world, alice, bob, place = await behind_relay()
    made: list[int] = []

    async def dial() -> None:
        def on_step(step: str, detail: str) -> None:
            if step == "connect":
                made.append(len(world.rtc.connections))

        await alice.swarm.dial_address(bob.address, on_step)

    place.error = RelayRefused("relay", 204, "NO_RESERVATION")
    for _ in range(MAX_UNUSED_OFFERS + 2):
        with pytest.raises(RelayRefused):
            await dial()
    assert made == [1] * MAX_UNUSED_OFFERS + [0, 0]
    place.error = None
    await dial()
    for connection in alice.swarm.connections():
        connection.abort()
    await asyncio.sleep(60)
    await dial()
    assert made[-2:] == [0, 1]
    await close_all(alice, bob)


async def test_relay_only_lets_no_own_address_leave() -> None:
    world = make_world()
    world.rtc.add_turn("turn")
    watcher = Watcher()
    server = IceServer((f"turn:{world.network.hosts['turn'].ip}:3478",))
    configuration = RtcConfiguration(ice_servers=(server,), relay_only=True)
    alice = await peer("alice", world.runtime("alice"), configuration=configuration, observer=watcher)
    bob = await peer("bob", world.runtime("bob"))
    await relay_between(alice, bob)
    await alice.dial(bob)
    assert await alice.echoes(bob)
    own = world.ip("alice")
    candidates = [event.candidate for event, out in watcher.seen if out and isinstance(event, IceCandidate)]
    assert candidates
    assert all(" typ relay" in candidate for candidate in candidates)
    for event, out in watcher.seen:
        text = event.sdp if isinstance(event, SessionDescription) else event.candidate
        assert not out or own not in text
    await close_all(alice, bob)


async def test_an_observer_sees_both_ways_in_the_browsers_own_shapes() -> None:
    world = make_world()
    near, far = Watcher(), Watcher()
    alice = await peer("alice", world.runtime("alice"), observer=near)
    bob = await peer("bob", world.runtime("bob"), observer=far)
    await relay_between(alice, bob)
    await alice.dial(bob)
    assert near.kinds(outgoing=True)[0] == "offer"
    assert near.kinds(outgoing=False)[0] == "answer"
    assert far.kinds(outgoing=False)[0] == "offer"
    assert "candidate" in near.kinds(outgoing=True)
    await close_all(alice, bob)


async def test_two_pages_can_carry_the_signaling_themselves() -> None:
    world = make_world()
    alice = await peer("alice", world.runtime("alice"))
    bob = await peer("bob", world.runtime("bob"))
    to_bob = ManualSignaling(DEFAULT_LIMITS, lambda event: to_alice.deliver(event))
    to_alice = ManualSignaling(DEFAULT_LIMITS, lambda event: to_bob.deliver(event))
    one, other = await asyncio.gather(
        alice.transport.offer_by(to_bob, bob.id, lambda step, _: None), bob.transport.answer_by(to_alice, alice.id)
    )
    alice.swarm.add_connection(one)
    bob.swarm.add_connection(other)
    assert await alice.echoes(bob)
    await close_all(alice, bob)


async def test_no_more_peer_connections_than_the_budget() -> None:
    world = make_world()
    limits = replace(DEFAULT_LIMITS, peer_connections=1)
    alice = await peer("alice", world.runtime("alice"), limits=limits)
    bob = await peer("bob", world.runtime("bob"))
    carol = await peer("carol", world.runtime("carol"))
    await relay_between(alice, bob)
    await relay_between(alice, carol)
    await alice.dial(bob)
    with pytest.raises(TooManyRequests):
        await alice.dial(carol)
    with pytest.raises(DarkSwapError):
        await carol.dial(alice)
    assert len(alice.direct) == 1
    await close_all(alice, bob, carol)


async def test_a_stream_opened_at_once_by_the_answering_side_is_not_lost() -> None:
    _, alice, bob, _ = await two()
    arrived = asyncio.Event()
    bob.swarm.subscribe(lambda event: arrived.set() if isinstance(event, ConnectionOpened) else None)
    dialling = asyncio.create_task(alice.dial(bob))
    await arrived.wait()
    assert await bob.echoes(alice)
    await dialling
    await close_all(alice, bob)


async def test_only_the_shape_of_the_address_decides_what_is_dialled() -> None:
    _, alice, bob, _ = await two()
    assert alice.transport.can_dial(bob.address)
    assert not alice.transport.can_dial(Multiaddr.parse(f"/ip4/192.0.2.1/tcp/1/ws/p2p/{bob.id}"))
    assert alice.transport.can_listen(Multiaddr.parse("/webrtc"))
    assert not alice.transport.can_listen(bob.address)
    assert alice.transport.name == "webrtc"
    await close_all(alice, bob)
