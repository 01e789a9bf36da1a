"""Dialling a peer over many addresses."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from darkswap_browser.errors import (
    ConnectionLost,
    DialFailed,
    InvalidArgument,
    NoAddress,
    PeerIdMismatch,
    TimedOut,
    TooManyRequests,
    Unsupported,
)
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.net.connection import CircuitLimit, Direction
from darkswap_browser.net.events import (
    DialStep,
)
from darkswap_browser.net.limits import DEFAULT_LIMITS
from tests.support.nodes import ECHO, A, B, C, Place, Places, end, node, two


async def test_a_stream_over_a_dialled_connection():
    alice, bob, _ = await two()
    connection = await alice.swarm.dial(bob.peer, [A])
    opened = await alice.swarm.new_stream(bob.peer, ["/other", ECHO])
    assert (opened.protocol, opened.connection) == (ECHO, connection)
    await opened.stream.write(b"hello")
    assert await opened.stream.read_exactly(5) == b"hello"
    assert bob.swarm.connections(alice.peer)[0].direction is Direction.INBOUND
    await end(alice, bob)


async def test_a_second_dial_reuses_the_connection():
    alice, bob, places = await two()
    assert await alice.swarm.dial(bob.peer, [A]) is await alice.swarm.dial(bob.peer)
    assert len(places["/memory/1"].dialled) == 1
    await end(alice, bob)


async def test_dials_of_the_same_peer_at_once_are_one():
    alice, bob, places = await two({"/memory/1": Place(delay=1)})
    first, second = await asyncio.gather(alice.swarm.dial(bob.peer, [A]), alice.swarm.dial(bob.peer, [A]))
    assert first is second
    assert len(places["/memory/1"].dialled) == 1
    await end(alice, bob)


async def test_a_dial_that_joins_brings_its_addresses_and_its_listener():
    alice, bob, _ = await two({"/memory/2": Place(delay=10)})
    steps: list[str] = []
    first = asyncio.create_task(alice.swarm.dial(bob.peer, [B]))
    await asyncio.sleep(0.1)
    second = asyncio.create_task(alice.swarm.dial(bob.peer, [A], on_step=lambda step, detail: steps.append(detail)))
    assert await first is await second
    assert asyncio.get_running_loop().time() < 1
    assert "/memory/1" in steps
    await end(alice, bob)


async def test_addresses_start_a_quarter_of_a_second_apart_and_the_first_to_connect_wins():
    alice, bob, places = await two({"/memory/2": Place(delay=9), "/memory/3": Place(delay=9)})
    connection = await alice.swarm.dial(bob.peer, [B, C, A])
    assert connection.remote_addr == A
    starts = [places[f"/memory/{number}"].dialled for number in (2, 3, 1)]
    assert starts == [[0], [DEFAULT_LIMITS.dial_stagger], [2 * DEFAULT_LIMITS.dial_stagger]]
    await end(alice, bob)


async def test_a_failure_starts_the_next_address_at_once():
    alice, bob, places = await two()
    await alice.swarm.dial(bob.peer, [B, A])
    assert places["/memory/1"].dialled == [0]
    await end(alice, bob)


async def test_when_all_fail_every_reason_is_told():
    alice, bob, _ = await two({"/memory/2": Place(error=ConnectionLost("link", "broken"))})
    places_silent = Multiaddr.parse("/memory/9")
    with pytest.raises(DialFailed) as caught:
        await alice.swarm.dial(bob.peer, [B, places_silent])
    assert [address for address, _ in caught.value.attempts] == ["/memory/2", "/memory/9"]
    assert [str(reason) for _, reason in caught.value.attempts] == ["link lost: broken", "link lost: nobody listens"]
    await end(alice, bob)


async def test_an_address_that_never_answers_is_given_up():
    alice, bob, _ = await two({"/memory/2": Place(delay=1000)})
    with pytest.raises(DialFailed) as caught:
        await alice.swarm.dial(bob.peer, [B])
    assert isinstance(caught.value.attempts[0][1], TimedOut)
    assert asyncio.get_running_loop().time() == DEFAULT_LIMITS.dial_timeout
    await end(alice, bob)


async def test_somebody_else_behind_the_address():
    alice, bob, places = await two()
    carol = await node("carol", places, "/memory/2")
    with pytest.raises(DialFailed) as caught:
        await alice.swarm.dial(bob.peer, [B])
    assert isinstance(caught.value.attempts[0][1], PeerIdMismatch)
    await end(alice, bob, carol)


async def test_without_a_usable_address_there_is_no_dial():
    alice, bob, _ = await two()
    undialable = Multiaddr.parse("/dns4/example.org/tcp/1")
    of_another = Multiaddr.parse(f"/memory/1/p2p/{alice.peer}")
    for addresses in ((), (undialable,), (of_another,)):
        with pytest.raises(NoAddress):
            await alice.swarm.dial(bob.peer, addresses)
    await end(alice, bob)


async def test_the_address_book_is_asked():
    alice, bob, _ = await two()
    alice.swarm.address_book.add(bob.peer, [A], now=0, ttl=10)
    await alice.swarm.dial(bob.peer)
    await end(alice, bob)


async def test_dialling_oneself_is_refused():
    alice, bob, _ = await two()
    with pytest.raises(InvalidArgument):
        await alice.swarm.dial(alice.peer, [A])
    with pytest.raises(InvalidArgument):
        await alice.swarm.dial_address(Multiaddr.parse(f"/memory/1/p2p/{alice.peer}"))
    await end(alice, bob)


async def test_dials_at_once_are_capped():
    places: Places = {"/memory/2": Place(delay=5)}
    alice = await node("alice", places, limits=dataclasses.replace(DEFAULT_LIMITS, pending_dials=1))
    bob, carol = await node("bob", places), await node("carol", places)
    first = asyncio.create_task(alice.swarm.dial(bob.peer, [B]))
    await asyncio.sleep(0)
    with pytest.raises(TooManyRequests):
        await alice.swarm.dial(carol.peer, [B])
    with pytest.raises(DialFailed):
        await first
    await end(alice, bob, carol)


async def test_a_dial_goes_on_while_one_caller_waits_and_stops_with_the_last():
    alice, bob, places = await two({"/memory/1": Place(delay=3)})
    first = asyncio.create_task(alice.swarm.dial(bob.peer, [A]))
    second = asyncio.create_task(alice.swarm.dial(bob.peer, [A]))
    await asyncio.sleep(1)
    first.cancel()
    assert (await second).remote_peer == bob.peer
    places["/memory/3"] = Place(delay=3)
    carol = await node("carol", places)
    third = asyncio.create_task(alice.swarm.dial(carol.peer, [C]))
    await asyncio.sleep(1)
    third.cancel()
    await asyncio.sleep(0.1)
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("dial")]
    await end(alice, bob, carol)


async def test_dial_address_makes_another_connection_to_the_same_peer():
    alice, bob, _ = await two()
    first = await alice.swarm.dial_address(A)
    second = await alice.swarm.dial_address(Multiaddr.parse(f"/memory/1/p2p/{bob.peer}"))
    assert alice.swarm.connections(bob.peer) == (first, second)
    with pytest.raises(Unsupported):
        await alice.swarm.dial_address(Multiaddr.parse("/dns4/example.org/tcp/1"))
    await end(alice, bob)


async def test_steps_of_a_dial_reach_the_caller_and_the_subscribers():
    alice, bob, _ = await two()
    steps: list[str] = []
    await alice.swarm.dial(bob.peer, [A], on_step=lambda step, detail: steps.append(step))
    await asyncio.sleep(0)
    assert steps == ["dial", "connect"]
    assert alice.seen(DialStep) == [DialStep(bob.peer, step, "/memory/1") for step in steps]
    await end(alice, bob)


async def test_a_plain_circuit_waits_for_private_webrtc_to_end():
    """Through the same relay the circuit alone is always the first to connect."""
    alice, bob, places = await two()
    relay = f"/memory/5/p2p/{alice.peer}"
    circuit, webrtc = f"{relay}/p2p-circuit", f"{relay}/p2p-circuit/webrtc"
    places[webrtc] = Place(transport=bob.transport, delay=2, kind="webrtc")
    places[circuit] = Place(transport=bob.transport, kind="circuit")
    addresses = [Multiaddr.parse(f"{text}/p2p/{bob.peer}") for text in (circuit, webrtc)]
    assert (await alice.swarm.dial(bob.peer, addresses)).transport == "webrtc"
    assert places[circuit].dialled == []
    await end(alice, bob)


async def test_a_limited_connection_does_not_answer_a_dial_for_an_unlimited_one():
    limited = Place(kind="circuit", limit=CircuitLimit(120, 1000))
    alice, bob, _ = await two({"/memory/1": limited})
    with pytest.raises(DialFailed) as caught:
        await alice.swarm.dial(bob.peer, [A], allow_limited=False)
    assert isinstance(caught.value.attempts[0][1], Unsupported)
    assert alice.swarm.best_connection(bob.peer) is not None
    assert alice.swarm.best_connection(bob.peer, allow_limited=False) is None
    await end(alice, bob)


async def test_of_two_addresses_that_connect_together_one_connection_stays():
    alice, bob, places = await two({"/memory/2": Place(delay=DEFAULT_LIMITS.dial_stagger)})
    places["/memory/2"].transport = bob.transport
    connection = await alice.swarm.dial(bob.peer, [B, A])
    await asyncio.sleep(5)
    assert alice.swarm.connections() == (connection,)
    assert len(bob.swarm.connections()) == 1
    await end(alice, bob)
