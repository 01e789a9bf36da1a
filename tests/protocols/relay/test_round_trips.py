"""How many ways of a hop each step costs, in virtual time: nothing here waits for what it need not wait for."""

from __future__ import annotations

import asyncio

import pytest

from darkswap_browser.errors import RelayRefused
from darkswap_browser.protocols.relay.client import Circuit, RelayClient
from darkswap_browser.protocols.relay.early_data import MAX_EARLY_DATA, EarlyData
from darkswap_browser.transports.circuit import CircuitTransport
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


async def test_dial_through_our_own_relay_takes_one_round_trip_of_both_hops() -> None:
    it, relay, alice, bob = await meeting()
    started = asyncio.get_running_loop().time()
    connection = await alice.swarm.dial(bob.id, [bob.through(relay)])
    assert ways(started) == 4
    assert await alice.echoes(connection) == b"hello"
    await it.close()


@pytest.mark.parametrize("agent", ["", "rust-libp2p/0.56", "kubo/0.30", "not-darkswap-browser/1"])
async def test_dial_through_relay_of_unknown_kind_waits_for_its_answer(agent: str) -> None:
    it, relay, alice, bob = await meeting()
    alice.swarm.address_book.set_agent(relay.id, agent)
    started = asyncio.get_running_loop().time()
    connection = await alice.swarm.dial(bob.id, [bob.through(relay)])
    assert ways(started) == 8
    assert await alice.echoes(connection) == b"hello"
    await it.close()


@pytest.mark.parametrize(("mode", "agent", "expected"), [("always", "kubo/0.40", 4), ("never", "js-libp2p/3", 8)])
async def test_dial_follows_the_configured_early_data(mode: str, agent: str, expected: int) -> None:
    it, relay, _, bob = await meeting()
    carol = await it.peer("carol")
    client = RelayClient(carol.swarm, carol.runtime, early_data=EarlyData(mode))
    transport = CircuitTransport(client, carol.upgrader)
    await carol.swarm.dial_address(relay.address)
    await asyncio.sleep(5)
    carol.swarm.address_book.set_agent(relay.id, agent)
    started = asyncio.get_running_loop().time()
    connection = await transport.dial(bob.through(relay), bob.id, lambda step, detail: None)
    assert ways(started) == expected
    connection.abort()
    await it.close()


async def test_relay_keeps_early_data_from_target_of_unknown_kind_until_it_accepts() -> None:
    it, relay, alice, bob = await meeting()
    relay.swarm.address_book.set_agent(bob.id, "kubo/0.40")
    started = asyncio.get_running_loop().time()
    connection = await alice.swarm.dial(bob.id, [bob.through(relay)])
    assert ways(started) == 6
    assert await alice.echoes(connection) == b"hello"
    await it.close()


async def test_connect_sends_more_than_the_early_limit_behind_the_answer() -> None:
    it, relay, alice, bob = await meeting()
    got = asyncio.get_running_loop().create_future()
    arrived: list[float] = []

    async def take(circuit: Circuit) -> None:
        arrived.append(asyncio.get_running_loop().time())
        got.set_result(await circuit.stream.read_exactly(MAX_EARLY_DATA + 1))

    bob.client.accept(take)
    alice.client.add_relay(relay.address)
    await alice.client.connect(relay.id, bob.id, first=bytes(MAX_EARLY_DATA + 1))
    assert await got == bytes(MAX_EARLY_DATA + 1)
    assert ways(arrived[0]) == 4
    await it.close()


async def test_dial_refused_by_target_after_early_data_leaves_no_circuit() -> None:
    it, relay, alice, bob = await meeting()
    assert relay.server is not None
    await bob.client.release(relay.id)  # the relay holds its slot on; bob takes circuits from it no more
    with pytest.raises(RelayRefused):
        await alice.client.connect(relay.id, bob.id, [relay.address], first=b"early")
    await asyncio.sleep(5)
    assert relay.server.circuits == 0
    assert bob.swarm.connections(alice.id) == ()
    await it.close()
