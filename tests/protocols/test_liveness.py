"""Connections that died without a word are found, and living ones are left alone."""

from __future__ import annotations

import asyncio

from darkswap_browser.net.connection import Connection
from darkswap_browser.net.limits import DEFAULT_LIMITS
from darkswap_browser.protocols.liveness import Liveness
from darkswap_browser.protocols.ping import Ping
from tests.support.nodes import ECHO, A, Node, Places, echo, end, node, two
from tests.support.pipe import CountingEntropy


def watched(each: Node) -> Liveness:
    liveness = Liveness(each.swarm, Ping(each.swarm, CountingEntropy()))
    liveness.start()
    return liveness


def cut(places: Places, connection: Connection) -> None:
    """From now on nothing arrives either way, and nobody is told."""
    for ours in places[str(connection.remote_addr.without_peer())].links:
        ours.cut()
        ours.other.cut()


async def test_an_idle_connection_is_kept_while_it_answers() -> None:
    alice, bob, _ = await two()
    liveness = watched(alice)
    connection = await alice.swarm.dial(bob.peer, [A])
    await asyncio.sleep(20 * DEFAULT_LIMITS.ping_interval)
    assert not connection.is_closed
    await liveness.close()
    await end(alice, bob)


async def test_a_connection_that_answers_nothing_is_dropped_after_two_misses() -> None:
    alice, bob, places = await two()
    liveness = watched(alice)
    connection = await alice.swarm.dial(bob.peer, [A])
    cut(places, connection)
    await asyncio.sleep(DEFAULT_LIMITS.ping_interval + DEFAULT_LIMITS.ping_timeout)
    assert not connection.is_closed
    await asyncio.sleep(2 * DEFAULT_LIMITS.ping_interval + DEFAULT_LIMITS.ping_timeout)
    assert connection.is_closed
    await liveness.close()
    await end(alice, bob)


async def test_after_a_reload_the_connection_left_behind_is_dropped_and_the_new_one_kept() -> None:
    alice, bob, places = await two()
    liveness = watched(bob)
    cut(places, await alice.swarm.dial(bob.peer, [A]))
    reloaded = await node("alice", places)
    new = await reloaded.swarm.dial(bob.peer, [A])
    await asyncio.sleep(DEFAULT_LIMITS.probe_timeout + 1)
    assert len(bob.swarm.connections(alice.peer)) == 1
    assert not new.is_closed
    await liveness.close()
    await end(alice, reloaded, bob)


async def test_a_stream_asked_for_on_a_dead_connection_opens_on_the_living_one() -> None:
    alice, bob, places = await two()
    liveness = watched(bob)
    places["/memory/1"].kind = "webrtc"
    cut(places, await alice.swarm.dial(bob.peer, [A]))
    places["/memory/1"].kind = "circuit"
    reloaded = await node("alice", places)
    reloaded.swarm.handle(ECHO, echo)
    await reloaded.swarm.dial(bob.peer, [A])
    await asyncio.sleep(0.1)
    dead = bob.swarm.best_connection(alice.peer)
    assert dead is not None
    assert dead.transport == "webrtc"
    opened = await bob.swarm.new_stream(alice.peer, [ECHO])
    assert opened.connection.transport == "circuit"
    assert dead.is_closed
    await liveness.close()
    await end(alice, reloaded, bob)


async def test_a_second_connection_of_a_living_peer_costs_the_first_nothing() -> None:
    alice, bob, _ = await two()
    liveness = watched(bob)
    first = await alice.swarm.dial_address(A)
    second = await alice.swarm.dial_address(A)
    await asyncio.sleep(2 * DEFAULT_LIMITS.probe_timeout)
    assert not first.is_closed
    assert not second.is_closed
    await liveness.close()
    await end(alice, bob)


async def test_waking_up_finds_what_was_lost_meanwhile() -> None:
    alice, bob, places = await two()
    liveness = watched(alice)
    connection = await alice.swarm.dial(bob.peer, [A])
    liveness.check_now()
    await asyncio.sleep(1)
    assert not connection.is_closed
    cut(places, connection)
    liveness.check_now()
    await asyncio.sleep(DEFAULT_LIMITS.probe_timeout + 0.1)
    assert connection.is_closed
    await liveness.close()
    await end(alice, bob)
