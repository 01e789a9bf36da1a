"""Channels over relays that limit their circuits in bytes and in time."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from darkswap_browser.concurrency.tasks import Tasks
from darkswap_browser.errors import DarkSwapError
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import CircuitLimit, Connection
from darkswap_browser.net.limits import Limits
from darkswap_browser.protocols.channels.channel import Channel
from darkswap_browser.protocols.channels.circuits import CircuitRenewer
from tests.protocols.channels.limited import Relay
from tests.protocols.channels.paths import MutePathEnd, connect, node

LIMITS = Limits()
KIB = 1024


@pytest.mark.parametrize("data", [64 * KIB, 128 * KIB, 140_000])
@pytest.mark.parametrize("sizes", [[300_000], [60_000] * 5, [10_000] * 30, [1000] * 300], ids=str)
async def test_more_than_a_circuit_carries_arrives_and_no_circuit_is_cut(data: int, sizes: list[int]) -> None:
    alice, bob = await node("alice", LIMITS), await node("bob", LIMITS)
    relay = Relay(alice, bob, announced=CircuitLimit(120, data))
    channel = await alice.channels.open(bob.peer)
    theirs = bob.channels.get(alice.peer)
    for number, size in enumerate(sizes):
        await channel.send(number.to_bytes(2, "big") * (size // 2))
    async with asyncio.timeout(60):
        for number, size in enumerate(sizes):
            assert await theirs.receive() == number.to_bytes(2, "big") * (size // 2)
    assert max(relay.used()) <= data
    assert len(relay.circuits) <= 2 + sum(sizes) // (data // 2)


@pytest.mark.parametrize("data", [128 * KIB])
async def test_the_side_that_was_dialled_sends_more_than_a_circuit_carries(data: int) -> None:
    alice, bob = await node("alice", LIMITS), await node("bob", LIMITS)
    relay = Relay(alice, bob, announced=CircuitLimit(120, data))
    channel = await alice.channels.open(bob.peer)
    theirs = await bob.channels.open(alice.peer)
    await theirs.send(bytes(300_000))
    async with asyncio.timeout(60):
        assert await channel.receive() == bytes(300_000)
    assert max(relay.used()) <= data


async def test_another_circuit_is_there_before_the_time_of_one_is_over() -> None:
    alice, bob = await node("alice", LIMITS), await node("bob", LIMITS)
    relay = Relay(alice, bob, announced=CircuitLimit(40, 0))
    channel = await alice.channels.open(bob.peer)
    theirs = await bob.channels.open(alice.peer)
    for number in range(200):
        await channel.send(b"%d" % number)
        async with asyncio.timeout(1):
            assert await theirs.receive() == b"%d" % number
        await asyncio.sleep(1)
    assert 5 <= len(relay.circuits) <= 9
    assert {state for state, _, _ in alice.told} == {"open"}


async def test_circuits_that_are_cut_before_they_carry_anything_become_rare() -> None:
    alice, bob = await node("alice", LIMITS), await node("bob", LIMITS)
    relay = Relay(alice, bob, announced=CircuitLimit(120, 128 * KIB), most=400)
    channel = await alice.channels.open(bob.peer)
    await bob.channels.open(alice.peer)
    await channel.send(bytes(100_000))
    await asyncio.sleep(600)
    assert len(relay.circuits) < 40


async def test_circuits_that_carry_nothing_for_days_are_still_renewed() -> None:
    alice, bob = await node("alice", LIMITS), await node("bob", LIMITS)
    connect(alice, bob, "circuit")
    channel = await alice.channels.open(bob.peer)
    renewer = CircuitRenewer(alice.swarm, Tasks(alice.swarm.faults.report), never_attached)
    for _ in range(1100):
        await renewer.pause(bob.peer, channel)


async def never_attached(peer: PeerId, channel: Channel, connection: Connection) -> DarkSwapError | None:
    raise AssertionError("no stream was to be opened")


async def test_circuits_that_are_gone_are_not_kept_until_their_time_is_over() -> None:
    alice, bob = await node("alice", LIMITS), await node("bob", LIMITS)
    kept = []
    for _ in range(10):
        path = connect(alice, bob, "circuit")
        kept.append(weakref.ref(path))
        channel = alice.channels.begin(bob.peer)
        await channel.send(b"progress")
        await asyncio.sleep(10)
        assert bob.channels.get(alice.peer).delivery.take() == [b"progress"]
        path.abort()
        await asyncio.sleep(0.1)
    del path
    gc.collect()
    assert len([each for each in kept if each() is not None]) <= 1
    alice.channels.abort("stopped")
    bob.channels.abort("stopped")
    await asyncio.sleep(0.1)
    gc.collect()
    assert [each for each in kept if each() is not None] == []


async def test_a_pause_between_circuits_ends_when_a_direct_path_is_there() -> None:
    alice, bob = await node("alice", LIMITS), await node("bob", LIMITS)
    channel = alice.channels.begin(bob.peer)
    for _ in range(6):
        path = connect(alice, bob, "circuit", end=MutePathEnd)
        await asyncio.sleep(7)
        path.abort()
    connect(alice, bob, "circuit", end=MutePathEnd)
    await asyncio.sleep(1)
    connect(alice, bob)
    async with asyncio.timeout(2):
        await channel.wait_open()
