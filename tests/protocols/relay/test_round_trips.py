"""How many ways of a hop each step costs, in virtual time: nothing here waits for what it need not wait for."""

from __future__ import annotations

import asyncio

from tests.support.world import SimPeer, SimWorld

WAY = 0.1
"""Seconds from one host to the next."""


async def meeting() -> tuple[SimWorld, SimPeer, SimPeer, SimPeer]:
    """A relay, bob with a reservation on it, alice with a connection to it; everybody is identified."""
    it = SimWorld(latency=WAY)
    relay = await it.relay()
    alice, bob = await it.peer("alice"), await it.peer("bob")
    bob.client.add_relay(relay.address)
    await bob.client.reserve(relay.id)
    await alice.swarm.dial_address(relay.address)
    await asyncio.sleep(5)
    return it, relay, alice, bob


def ways(since: float) -> float:
    return round((asyncio.get_running_loop().time() - since) / WAY, 1)


async def test_reserve_on_open_connection_takes_one_round_trip() -> None:
    it, relay, alice, _ = await meeting()
    alice.client.add_relay(relay.address)
    started = asyncio.get_running_loop().time()
    await alice.client.reserve(relay.id)
    assert ways(started) == 2
    await it.close()


async def test_connect_through_relay_takes_one_round_trip_of_both_hops() -> None:
    it, relay, alice, bob = await meeting()
    alice.client.add_relay(relay.address)
    started = asyncio.get_running_loop().time()
    circuit = await alice.client.connect(relay.id, bob.id)
    assert ways(started) == 4
    circuit.stream.reset()
    await it.close()
