"""Reservations that stay: renewal, relays that go and come back, circuits from them."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools

import pytest

from darkswap_browser.errors import DarkSwapError, InvalidArgument, UnknownRelay
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.protocols.relay.messages import (
    MAX_MESSAGE,
    STOP_PROTOCOL,
    CircuitPeer,
    Status,
    StopMessage,
    StopType,
    decode_stop,
    encode_stop,
)
from darkswap_browser.protocols.relay.server.limits import RelayLimits
from darkswap_browser.protocols.relay.server.relay_server import NoObserver
from darkswap_browser.protocols.relay.server.splice import CircuitEnd
from darkswap_browser.testing.host import SimulatedClock
from tests.support.native_identity import identity
from tests.support.relays import EPOCH, RELAY_LIMITS, Lan, Node, circuits, node, relay
from tests.support.world import SimWorld


class Counting(NoObserver):
    def __init__(self) -> None:
        self.granted: list[tuple[float, bool]] = []
        self.ends: list[CircuitEnd] = []

    def reservation_granted(self, peer: PeerId, renewed: bool) -> None:
        self.granted.append((asyncio.get_running_loop().time(), renewed))

    def circuit_closed(self, origin: PeerId, target: PeerId, end: CircuitEnd, seconds: float, carried: int) -> None:
        self.ends.append(end)


async def pair(limits: RelayLimits = RELAY_LIMITS) -> tuple[Node, Node, Counting]:
    lan, counting = Lan(), Counting()
    middle, bob = await relay(lan, limits=limits, observer=counting), await node(lan, "bob", "10.0.0.3")
    bob.client.add_relay(middle.full_address)
    return middle, bob, counting


async def test_a_reservation_is_renewed_in_place_between_half_and_three_quarters() -> None:
    middle, bob, counting = await pair(dataclasses.replace(RELAY_LIMITS, reservation_ttl=1000.0))
    first = await bob.client.reserve(middle.peer)
    announced: list[int] = []
    bob.swarm.subscribe(lambda event: announced.append(len(circuits(bob))))
    await asyncio.sleep(3000)
    times = [at for at, _ in counting.granted]
    assert [renewed for _, renewed in counting.granted] == [False] + [True] * (len(times) - 1)
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert len(gaps) >= 3
    assert all(500 <= gap <= 751 for gap in gaps), gaps
    assert len(set(gaps)) > 1, "chance spreads them"
    assert 0 not in announced, "never withdrawn meanwhile"
    standing = bob.client.reservation(middle.peer)
    assert standing is not None
    assert standing.expires_at > first.expires_at
    await bob.close()
    await middle.close()


async def test_reserving_twice_asks_once() -> None:
    middle, bob, counting = await pair()
    one, two = await asyncio.gather(bob.client.reserve(middle.peer), bob.client.reserve(middle.peer))
    assert one == two == await bob.client.reserve(middle.peer)
    assert len(counting.granted) == 1
    await bob.close()
    await middle.close()


async def test_asking_while_a_request_is_under_way_adds_none() -> None:
    it, counting = SimWorld(latency=0.1), Counting()
    relaying, bob = await it.relay(observer=counting), await it.peer("bob")
    first = asyncio.create_task(bob.client.reserve(bob.client.add_relay(relaying.address)))
    await asyncio.sleep(0.5)
    second = await bob.client.reserve(relaying.id)
    assert await first == second
    await asyncio.sleep(10)
    assert len(counting.granted) == 1
    await it.close()


async def test_a_lost_relay_is_withdrawn_at_once_and_reserved_again_when_it_returns() -> None:
    middle, bob, _ = await pair()
    await bob.client.reserve(middle.peer)
    assert circuits(bob)
    lan = middle.lan
    await middle.close()
    await asyncio.sleep(1)
    assert bob.client.reservation(middle.peer) is None
    assert not circuits(bob)
    before = lan.dials
    await asyncio.sleep(600)
    assert 100 <= lan.dials - before <= 250, "tried again every five to ten seconds, at two addresses, for ever"
    assert bob.client.last_error(middle.peer) is not None
    middle = await relay(lan)
    await asyncio.sleep(11)
    assert bob.client.reservation(middle.peer) is not None
    assert len(circuits(bob)) == 2
    assert bob.client.last_error(middle.peer) is None
    await bob.close()
    await middle.close()


@pytest.mark.parametrize("seconds", [-366 * 86400, 366 * 86400])
async def test_relay_whose_clock_is_a_year_off_grants_a_reservation(seconds: float) -> None:
    lan = Lan()
    middle, bob = await relay(lan), await node(lan, "bob", "10.0.0.3")
    middle.server._clock = SimulatedClock(EPOCH + seconds)  # type: ignore[union-attr]
    bob.client.add_relay(middle.full_address)
    held = await bob.client.reserve(middle.peer)
    assert held.lifetime_seconds >= 30 and len(circuits(bob)) == 2
    await bob.close()
    await middle.close()


@pytest.mark.parametrize("event", ["online", "visible", "resumed"])
async def test_a_host_that_wakes_up_tries_at_once(event: str) -> None:
    middle, bob, _ = await pair()
    await bob.client.reserve(middle.peer)
    lan = middle.lan
    await middle.close()
    await asyncio.sleep(300)
    middle = await relay(lan)
    bob.lifecycle.tell(event)
    await asyncio.sleep(0.5)
    assert bob.client.reservation(middle.peer) is not None
    await bob.close()
    await middle.close()


async def test_waking_up_with_a_sound_reservation_asks_at_most_once_a_minute() -> None:
    middle, bob, counting = await pair()
    await bob.client.reserve(middle.peer)
    for _ in range(300):
        bob.lifecycle.tell("visible")
        await asyncio.sleep(1)
    assert 2 <= len(counting.granted) <= 6
    await bob.close()
    await middle.close()


async def test_a_connection_cut_for_a_moment_costs_a_second() -> None:
    middle, bob, counting = await pair()
    await bob.client.reserve(middle.peer)
    bob.lan.cut(middle.address)
    await asyncio.sleep(1)
    assert bob.client.reservation(middle.peer) is not None
    assert len(counting.granted) == 2
    await bob.close()
    await middle.close()


async def test_a_relay_that_is_down_at_the_start_is_kept_and_reserved_later() -> None:
    lan = Lan()
    who = await identity("relay")
    bob = await node(lan, "bob", "10.0.0.3")
    bob.client.keep_reservation(bob.client.add_relay(Multiaddr.parse("/ip4/10.0.0.1/tcp/4001").with_peer(who.peer_id)))
    await asyncio.sleep(100)
    middle = await relay(lan)
    await asyncio.sleep(31)
    assert bob.client.reservation(middle.peer) is not None
    await bob.close()
    await middle.close()


async def test_a_first_request_that_fails_is_raised_and_not_kept() -> None:
    lan = Lan()
    bob = await node(lan, "bob", "10.0.0.3")
    relay_id = bob.client.add_relay(
        Multiaddr.parse("/ip4/10.0.0.1/tcp/4001").with_peer((await identity("relay")).peer_id)
    )
    with pytest.raises(DarkSwapError):
        await bob.client.reserve(relay_id)
    dials = lan.dials
    await asyncio.sleep(100)
    assert lan.dials == dials
    await bob.close()


async def test_a_relay_never_named_is_unknown() -> None:
    bob = await node(Lan(), "bob", "10.0.0.3")
    with pytest.raises(UnknownRelay):
        await bob.client.reserve((await identity("relay")).peer_id)
    with pytest.raises(InvalidArgument):
        bob.client.add_relay(Multiaddr.parse("/ip4/10.0.0.1/tcp/4001"))
    await bob.close()


async def test_released_means_withdrawn_and_not_renewed() -> None:
    middle, bob, counting = await pair(dataclasses.replace(RELAY_LIMITS, reservation_ttl=100.0))
    await bob.client.reserve(middle.peer)
    await bob.client.release(middle.peer)
    assert not circuits(bob)
    assert bob.client.reservations() == ()
    await asyncio.sleep(1000)
    assert len(counting.granted) == 1
    await bob.close()
    await middle.close()


async def test_a_wrong_clock_does_not_shorten_the_reservation_below_half_a_minute() -> None:
    middle, bob, counting = await pair(dataclasses.replace(RELAY_LIMITS, reservation_ttl=3600.0))
    bob.runtime.clock.skew = 7200.0  # type: ignore[attr-defined]
    got = await bob.client.reserve(middle.peer)
    assert got.lifetime_seconds == 30.0
    await asyncio.sleep(60)
    assert 3 <= len(counting.granted) <= 6
    assert circuits(bob)
    await bob.close()
    await middle.close()


# --- circuits from a relay


async def stop(middle: Node, bob: Node, message: StopMessage | bytes) -> int | None:
    stream = (await middle.swarm.new_stream(bob.peer, [STOP_PROTOCOL])).stream
    await stream.write_message(message if isinstance(message, bytes) else encode_stop(message))
    answer = decode_stop(await stream.read_message(MAX_MESSAGE))
    stream.reset()
    return answer.status


async def test_circuits_come_only_from_relays_that_hold_a_reservation() -> None:
    middle, bob, _ = await pair()
    request = StopMessage(StopType.CONNECT, CircuitPeer((await identity("alice")).peer_id))
    await bob.swarm.dial_address(middle.full_address)
    await asyncio.sleep(1)
    assert await stop(middle, bob, request) == Status.PERMISSION_DENIED
    await bob.client.reserve(middle.peer)
    assert await stop(middle, bob, request) == Status.OK
    assert await stop(middle, bob, StopMessage(StopType.STATUS)) == Status.UNEXPECTED_MESSAGE
    assert await stop(middle, bob, StopMessage(StopType.CONNECT)) == Status.MALFORMED_MESSAGE
    assert await stop(middle, bob, StopMessage(StopType.CONNECT, CircuitPeer(bob.peer))) == Status.MALFORMED_MESSAGE
    assert await stop(middle, bob, b"\xff") == Status.MALFORMED_MESSAGE
    await bob.close()
    await middle.close()


async def test_a_peer_other_than_the_relay_said_is_not_let_in() -> None:
    """The relay names carol and splices alice."""
    middle, bob, _ = await pair()
    await bob.client.reserve(middle.peer)
    alice = await node(bob.lan, "alice", "10.0.0.2")
    carol = (await identity("carol")).peer_id
    stream = (await middle.swarm.new_stream(bob.peer, [STOP_PROTOCOL])).stream
    await stream.write_message(encode_stop(StopMessage(StopType.CONNECT, CircuitPeer(carol))))
    assert decode_stop(await stream.read_message(MAX_MESSAGE)).status == Status.OK
    with pytest.raises(DarkSwapError):
        connection = await alice.upgrader.upgrade_outbound(
            stream, peer=bob.peer, address=middle.full_address, transport="circuit"
        )
        connection.start(lambda stream: None)
        await connection.wait_closed()
        await connection.open_stream()
    assert not bob.swarm.connections(alice.peer)
    assert not bob.swarm.connections(carol)
    for each in (alice, bob, middle):
        await each.close()


async def test_the_new_connection_of_a_reloaded_page_takes_over() -> None:
    middle, bob, _ = await pair()
    await bob.client.reserve(middle.peer)
    again = await node(bob.lan, "bob", "10.0.0.3")
    again.client.add_relay(middle.full_address)
    await again.client.reserve(middle.peer)
    alice = await node(bob.lan, "alice", "10.0.0.2")
    await alice.swarm.dial(bob.peer, circuits(again))
    await asyncio.sleep(1)
    assert again.swarm.connections(alice.peer)
    assert not bob.swarm.connections(alice.peer)
    await bob.close()
    await asyncio.sleep(1)
    assert middle.server is not None
    assert middle.server.reservations == 1, "the old connection's end took nothing away"
    for each in (alice, again, middle):
        await each.close()
