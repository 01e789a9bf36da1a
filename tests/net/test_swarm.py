"""The swarm keeps connections, tells what happens, and ends without a trace."""

from __future__ import annotations

import asyncio
import dataclasses
from contextlib import suppress

import pytest

from darkswap_browser.errors import (
    Aborted,
    ConnectionLost,
    NotConnected,
    ObjectClosed,
    TooManyRequests,
    Unsupported,
)
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import CircuitLimit, Connection
from darkswap_browser.net.events import (
    AddressesChanged,
    ConnectionClosed,
    ConnectionOpened,
    Event,
)
from darkswap_browser.net.limits import DEFAULT_LIMITS
from darkswap_browser.net.stream import BufferedStream
from tests.support.cancelling import cancel_on_turn, tasks_left
from tests.support.nodes import ECHO, A, B, C, Node, Place, Places, echo, end, node, two


async def test_direct_before_relayed_unlimited_before_limited_then_the_newest():
    limit = CircuitLimit(120, 1000)
    kinds = [Place(kind="circuit", limit=limit), Place(kind="circuit"), Place(kind="webrtc"), Place(kind="webrtc")]
    places: Places = {f"/memory/{index}": place for index, place in enumerate(kinds)}
    alice, bob = await node("alice", places), await node("bob", places, *places)
    for index in range(4):
        connection = await alice.swarm.dial_address(Multiaddr.parse(f"/memory/{index}"))
        assert alice.swarm.best_connection(bob.peer) is connection
    first = await alice.swarm.dial_address(Multiaddr.parse("/memory/0"))
    assert alice.swarm.best_connection(bob.peer) is not first
    await end(alice, bob)


async def test_after_a_reload_with_the_same_identity_the_new_connection_is_best():
    alice, bob, places = await two()
    await alice.swarm.dial(bob.peer, [A])
    reloaded = await node("alice", places)
    await reloaded.swarm.dial(bob.peer, [A])
    await asyncio.sleep(0.1)
    old, new = bob.swarm.connections(alice.peer)
    assert bob.swarm.best_connection(alice.peer) is new
    assert old is not new
    await end(alice, reloaded, bob)


async def test_a_peer_with_too_many_connections_loses_an_idle_one():
    limits = dataclasses.replace(DEFAULT_LIMITS, connections_per_peer=2)
    places: Places = {}
    alice, bob = await node("alice", places), await node("bob", places, "/memory/1", limits=limits)
    bob.swarm.handle(ECHO, echo)
    first = await alice.swarm.dial_address(A)
    busy = await alice.swarm.new_stream(first, [ECHO])
    second = await alice.swarm.dial_address(A)
    third = await alice.swarm.dial_address(A)
    await asyncio.sleep(3)
    assert (first.is_closed, second.is_closed, third.is_closed) == (False, True, False)
    assert len(bob.swarm.connections()) == 2
    busy.stream.reset()
    await end(alice, bob)


async def visitor(name: str, places: Places, *, busy: bool = True) -> Node:
    """One who came to address 1, and holds a stream there or not."""
    guest = await node(name, places)
    connection = await guest.swarm.dial_address(A)
    if busy:
        with suppress(ConnectionLost):  # where it is refused
            await (await guest.swarm.new_stream(connection, [ECHO])).stream.write(b"hello")
    await asyncio.sleep(0.1)
    return guest


async def host(places: Places, **limits: int) -> Node:
    """Who listens at address 1 and echoes."""
    bob = await node("bob", places, "/memory/1", limits=dataclasses.replace(DEFAULT_LIMITS, **limits))
    bob.swarm.handle(ECHO, echo)
    return bob


def peers_of(bob: Node) -> set[PeerId]:
    return {connection.remote_peer for connection in bob.swarm.connections()}


async def test_node_full_of_strangers_in_use_refuses_another_until_one_is_silent():
    places: Places = {}
    bob = await host(places, connections_of_strangers=2)
    guests = [await visitor(name, places) for name in ("ann", "ben", "cid")]
    assert peers_of(bob) == {guest.peer for guest in guests[:2]}
    await asyncio.sleep(DEFAULT_LIMITS.stranger_idle)
    late = await visitor("dan", places)
    assert late.peer in peers_of(bob) and len(peers_of(bob)) == 2
    await asyncio.sleep(3)
    await end(bob, late, *guests)


async def test_stranger_without_a_stream_gives_way_to_another():
    places: Places = {}
    bob = await host(places, connections_of_strangers=2)
    guests = [await visitor("ann", places), await visitor("ben", places, busy=False), await visitor("cid", places)]
    assert peers_of(bob) == {guests[0].peer, guests[2].peer}
    await asyncio.sleep(3)
    await end(bob, *guests)


async def test_peer_of_ours_takes_the_place_of_a_stranger_and_never_the_other_way_round():
    places: Places = {}
    carol = await node("carol", places, "/memory/3")
    bob = await host(places, connections=2, connections_of_strangers=1)
    ann = await visitor("ann", places)
    await bob.swarm.dial(carol.peer, [C])
    dora = await node("dora", places, "/memory/2")
    await bob.swarm.dial(dora.peer, [B])
    await asyncio.sleep(3)
    assert peers_of(bob) == {carol.peer, dora.peer}
    ben = await visitor("ben", places, busy=False)
    await asyncio.sleep(3)
    assert peers_of(bob) == {carol.peer, dora.peer}
    eve = await node("eve", places, "/memory/4")
    with pytest.raises(TooManyRequests):
        await bob.swarm.dial_address(Multiaddr.parse("/memory/4"))
    await end(bob, ann, ben, carol, dora, eve)


async def test_whoever_we_dialled_once_is_ours_when_it_dials_us():
    places: Places = {}
    carol = await node("carol", places, "/memory/3")
    bob = await host(places, connections_of_strangers=1)
    await (await bob.swarm.dial(carol.peer, [C])).close()
    ann = await visitor("ann", places)
    await carol.swarm.dial_address(A)
    await asyncio.sleep(0.1)
    assert peers_of(bob) == {ann.peer, carol.peer}
    await end(bob, ann, carol)


async def test_node_that_accepts_no_strangers_takes_only_whom_it_asked_for():
    places: Places = {}
    carol = await node("carol", places, "/memory/3")
    bob = await host(places)
    bob.swarm.accepts_strangers = False
    bob.swarm.ours.add(carol.peer)
    ann = await visitor("ann", places, busy=False)
    await carol.swarm.dial_address(A)
    await asyncio.sleep(1)
    assert peers_of(bob) == {carol.peer}
    await end(bob, ann, carol)


async def test_opening_and_closing_are_told_to_both():
    alice, bob, _ = await two()
    connection = await alice.swarm.dial(bob.peer, [A])
    await connection.close()
    await asyncio.sleep(1)
    assert alice.seen(ConnectionOpened) == [ConnectionOpened(connection)]
    assert alice.seen(ConnectionClosed) == [ConnectionClosed(connection, "")]
    assert len(bob.seen(ConnectionClosed)) == 1
    assert alice.swarm.connections() == bob.swarm.connections() == ()
    with pytest.raises(NotConnected):
        await alice.swarm.new_stream(bob.peer, [ECHO])
    await end(alice, bob)


async def test_a_lost_connection_is_told_with_its_reason():
    alice, bob, _ = await two()
    await alice.swarm.dial(bob.peer, [A])
    await asyncio.sleep(0)
    bob.swarm.connections()[0].abort()
    await asyncio.sleep(0.1)
    (closed,) = alice.seen(ConnectionClosed)
    assert isinstance(closed, ConnectionClosed)
    assert "lost" in closed.reason
    await end(alice, bob)


async def test_announced_addresses_join_the_bound_ones():
    alice, bob, _ = await two()
    bob.swarm.set_announced("relay", [B, C])
    bob.swarm.set_announced("relay", [B, C])
    assert bob.swarm.listen_addresses() == (A, B, C)
    bob.swarm.set_announced("relay", [])
    assert bob.swarm.listen_addresses() == (A,)
    await asyncio.sleep(0)
    assert [event.addresses for event in bob.seen(AddressesChanged)] == [(A,), (A, B, C), (A,)]
    with pytest.raises(Unsupported):
        await bob.swarm.listen(Multiaddr.parse("/dns4/example.org/tcp/1"))
    await end(alice, bob)


async def test_a_subscriber_that_fails_disturbs_nobody(faults: list[BaseException]):
    alice, bob, _ = await two()

    def failing(event: Event) -> None:
        raise ZeroDivisionError

    unsubscribe = alice.swarm.subscribe(failing)
    late: list[Event] = []
    alice.swarm.subscribe(late.append)
    await alice.swarm.dial(bob.peer, [A])
    await asyncio.sleep(0)
    assert len(faults) == len(late) == 3
    unsubscribe()
    unsubscribe()
    await end(alice, bob)
    assert len(faults) == 3


async def test_close_ends_dials_handlers_and_connections():
    alice, bob, places = await two({"/memory/3": Place(delay=10)})
    carol = await node("carol", places)
    await alice.swarm.dial(bob.peer, [A])
    opened = await alice.swarm.new_stream(bob.peer, [ECHO])
    reading = asyncio.create_task(opened.stream.read())
    dialling = asyncio.create_task(alice.swarm.dial(carol.peer, [C]))
    await asyncio.sleep(1)
    await alice.swarm.close()
    for waiting, error in ((dialling, Aborted), (reading, Exception)):
        with pytest.raises(error):
            await waiting
    with pytest.raises(ObjectClosed):
        await alice.swarm.dial(bob.peer, [A])
    assert alice.transport.closed
    await alice.swarm.close()
    await end(bob, carol)


async def test_a_handler_may_close_the_node():
    alice, bob, _ = await two()

    async def shut(connection: Connection, stream: BufferedStream, protocol: str) -> None:
        await bob.swarm.close()

    bob.swarm.handle("/shut", shut)
    connection = await alice.swarm.dial(bob.peer, [A])
    await alice.swarm.new_stream(bob.peer, ["/shut"])
    await connection.wait_closed()
    await end(alice)


async def test_close_cancelled_drops_connections_and_ends_every_task():
    for turn in range(1, 40):
        alice, bob, _ = await two()
        before = asyncio.all_tasks()
        connection = await alice.swarm.dial(bob.peer, [A])
        stream = (await alice.swarm.new_stream(bob.peer, [ECHO])).stream
        await stream.write(b"unread")
        outcome = await cancel_on_turn(alice.swarm.close(), turn)
        await asyncio.sleep(DEFAULT_LIMITS.close_timeout + 1)
        assert connection.is_closed and not alice.swarm.connections() and alice.transport.closed
        assert not bob.swarm.connections()
        await alice.swarm.close()
        await bob.swarm.close()
        await asyncio.sleep(1)
        assert tasks_left(before) == []
        if not outcome.was_cancelled:
            return
    raise AssertionError("closing takes more turns than were tried")


async def test_close_while_an_address_is_dialled_aborts_the_dial():
    alice, bob, _ = await two({"/memory/1": Place(delay=5)})
    before = asyncio.all_tasks()
    dialling = asyncio.create_task(alice.swarm.dial_address(A.with_peer(bob.peer)))
    sharing = asyncio.create_task(alice.swarm.dial(bob.peer, [A]))
    await asyncio.sleep(1)
    await alice.swarm.close()
    for task in (dialling, sharing):
        with pytest.raises(Aborted):
            await task
    assert tasks_left(before) == []
    await end(alice, bob)


async def test_dial_given_up_while_it_gives_up_the_rest_drops_what_was_made():
    """A connection that comes up in an attempt which is being cancelled belongs to nobody."""
    for turn in range(1, 60):
        alice, bob, _ = await two({"/memory/2": Place(delay=0.3), "/memory/3": Place(delay=0.3)})
        before = asyncio.all_tasks()
        outcome = await cancel_on_turn(alice.swarm.dial(bob.peer, [A, B, C]), turn)
        await asyncio.sleep(1)
        if outcome.was_cancelled and isinstance(outcome.error, asyncio.CancelledError):
            assert len(alice.swarm.connections()) == len(bob.swarm.connections(alice.peer))
        await end(alice, bob)
        await asyncio.sleep(1)
        assert tasks_left(before) == []
        if not outcome.was_cancelled:
            return
    raise AssertionError("dialling takes more turns than were tried")
