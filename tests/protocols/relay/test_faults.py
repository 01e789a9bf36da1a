"""Somebody vanishes at every moment of reserving and dialling: a typed error in time or a success, never a hang."""

from __future__ import annotations

import asyncio

import pytest

from darkswap_browser.errors import DarkSwapError
from tests.support.world import SimPeer, SimWorld

STEP = 0.01
"""Seconds; latency is as long one way, so every message of a handshake is met."""
DEADLINE = 20.0
"""A dial ends within its own 15 s and the relay's answer."""

MOMENTS = [round(STEP * number, 2) for number in range(0, 24, 2)]


async def scene() -> tuple[SimWorld, SimPeer, SimPeer, SimPeer]:
    it = SimWorld(latency=STEP)
    relay = await it.relay()
    return it, relay, await it.peer("alice"), await it.peer("bob")


async def strike(it: SimWorld, victim: str, silent: bool, moment: float) -> None:
    await asyncio.sleep(moment)
    it.world.kill(victim, silent=silent)


async def outcome(work: asyncio.Future[object]) -> DarkSwapError | None:
    """The typed error, or None for success; fails the test when it takes longer than it may."""
    try:
        async with asyncio.timeout(DEADLINE):
            await work
    except DarkSwapError as error:
        return error
    return None


@pytest.mark.parametrize("silent", [False, True], ids=["reset", "silence"])
async def test_a_relay_that_vanishes_while_we_reserve(silent: bool) -> None:
    failures = 0
    for moment in MOMENTS:
        it, relay, _, bob = await scene()
        bob.client.add_relay(relay.address)
        striking = asyncio.create_task(strike(it, "relay", silent, moment))
        error = await outcome(asyncio.ensure_future(bob.client.reserve(relay.id)))
        await striking
        failures += error is not None
        assert error is None or error.hint
        if error is not None:
            assert bob.client.reservations() == ()
        await it.close()
    assert failures >= len(MOMENTS) // 3


@pytest.mark.parametrize("victim", ["relay", "bob"])
@pytest.mark.parametrize("silent", [False, True], ids=["reset", "silence"])
async def test_somebody_vanishes_while_a_circuit_is_dialled(victim: str, silent: bool) -> None:
    failures = 0
    for moment in MOMENTS[::2]:
        it, relay, alice, bob = await scene()
        bob.client.add_relay(relay.address)
        await bob.client.reserve(relay.id)
        striking = asyncio.create_task(strike(it, victim, silent, moment))
        error = await outcome(asyncio.ensure_future(alice.swarm.dial(bob.id, [bob.through(relay)])))
        await striking
        failures += error is not None
        await it.close()
    assert failures > 1


async def test_a_cut_line_is_found_out_and_the_reservation_comes_back() -> None:
    it, relay, _, bob = await scene()
    bob.client.add_relay(relay.address)
    await bob.client.reserve(relay.id)
    it.world.go_offline("bob")
    await asyncio.sleep(120)
    assert bob.client.reservation(relay.id) is None
    it.world.go_online("bob")
    await asyncio.sleep(2)
    assert bob.client.reservation(relay.id) is not None
    await it.close()


async def test_a_reloaded_page_is_reached_at_its_new_connection() -> None:
    it, relay, alice, bob = await scene()
    bob.client.add_relay(relay.address)
    await bob.client.reserve(relay.id)
    await alice.swarm.dial(bob.id, [bob.through(relay)])
    again = await it.reload(bob)
    assert again.id == bob.id
    again.client.add_relay(relay.address)
    await again.client.reserve(relay.id)
    await asyncio.sleep(1)
    await alice.swarm.dial(again.id, [again.through(relay)])
    assert await alice.echoes(again.id, b"welcome back") == b"welcome back"
    await it.close()
