"""The network fails at every moment of a dial: it ends within its time limits, in one error, and the nodes live on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from darkswap_browser.errors import ConnectionLost, DarkSwapError
from darkswap_browser.net.limits import DEFAULT_LIMITS
from darkswap_browser.runtime.base.links import ByteLink
from tests.support.world import SimPeer, SimWorld

LATENCY = 0.01
DIRECT_STEPS = range(1, 25, 2)
"""In half delays, so in the middle of each flight: WebSocket opening, negotiation, Noise with the muxer in it."""
CIRCUIT_STEPS = range(1, 73, 8)

Fault = Callable[[SimWorld, str, str], None]


def cut(world: SimWorld, a: str, b: str) -> None:
    world.world.cut(a, b)


def sever(world: SimWorld, a: str, b: str) -> None:
    world.world.sever(a, b)


def isolate(world: SimWorld, a: str, b: str) -> None:
    world.world.isolate(b)


def mend(world: SimWorld, a: str, b: str) -> None:
    world.world.heal(a, b)
    world.world.rejoin(b)


FAULTS = [cut, sever, isolate]


def now() -> float:
    return asyncio.get_running_loop().time()


async def dial_while(dialling: SimPeer, target: SimPeer, after: float, strike: Callable[[], None]) -> None:
    """`strike` after that many seconds; the dial must end by its deadline all the same."""
    began = now()
    work = asyncio.ensure_future(dialling.swarm.dial(target.id, [target.address]))
    await asyncio.sleep(after)
    strike()
    try:
        connection = await work
        assert connection.remote_peer == target.id
    except DarkSwapError as error:
        assert str(error)
    assert now() - began <= DEFAULT_LIMITS.dial_timeout + 1


async def talks(one: SimPeer, other: SimPeer) -> None:
    """After the fault: old connections are given up in time, and a new dial succeeds."""
    for connection in one.swarm.connections(other.id):
        connection.abort()
    connection = await one.swarm.dial_address(other.address)
    assert await one.echoes(connection, bytes(2000)) == bytes(2000)


@pytest.mark.parametrize("kind", ["tcp", "ws"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
async def test_a_dial_that_the_network_leaves_at_any_moment_ends(fault: Fault, kind: str) -> None:
    for step in DIRECT_STEPS:
        world = SimWorld(step, latency=LATENCY)
        one, two = await world.peer("one"), await world.peer("two", kind)
        await dial_while(one, two, step * LATENCY / 2, lambda: fault(world, "one", "two"))  # noqa: B023
        mend(world, "one", "two")
        await asyncio.sleep(1)
        await talks(one, two)
        await world.close()
        await asyncio.sleep(60)
        assert world.world.network.links("one") == world.world.network.links("two") == 0


@pytest.mark.parametrize("broken", [("one", "relay"), ("two", "relay")], ids=["dialler", "target"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
async def test_a_dial_through_a_relay_that_fails_at_any_moment_ends(fault: Fault, broken: tuple[str, str]) -> None:
    for step in CIRCUIT_STEPS:
        world = SimWorld(step, latency=LATENCY)
        relay, one, two = await world.relay(), await world.peer("one"), await world.peer("two")
        await two.swarm.dial_address(relay.address)
        await two.client.reserve(relay.id)
        began = now()
        work = asyncio.ensure_future(one.swarm.dial_address(two.through(relay)))
        await asyncio.sleep(step * LATENCY / 2)
        fault(world, *broken)
        try:
            connection = await work
            assert connection.remote_peer == two.id
        except DarkSwapError as error:
            assert str(error)
        assert now() - began <= DEFAULT_LIMITS.dial_timeout + DEFAULT_LIMITS.relay_connect_timeout + 1
        mend(world, *broken)
        await asyncio.sleep(1)
        await talks(one, relay)
        await talks(two, relay)
        await world.close()


@pytest.mark.parametrize("silent", [False, True])
async def test_a_listener_that_dies_at_any_moment_leaves_the_dialler_alive(silent: bool) -> None:
    for step in DIRECT_STEPS:
        world = SimWorld(step, latency=LATENCY)
        one, two = await world.peer("one"), await world.peer("two", "ws")
        three = await world.peer("three", "ws")
        await dial_while(one, two, step * LATENCY / 2, lambda: world.world.kill("two", silent=silent))  # noqa: B023
        await talks(one, three)
        await world.close()


@pytest.mark.parametrize("kind", ["tcp", "ws"])
async def test_a_caller_that_says_nothing_is_sent_away_in_time(kind: str) -> None:
    world = SimWorld(latency=LATENCY)
    two = await world.peer("two", kind)
    sockets = world.world.runtime("mute").sockets
    links: list[ByteLink] = []
    for _ in range(5):
        if kind == "tcp":
            links.append(await sockets.connect_tcp(world.world.ip("two"), 4001))
        else:
            links.append(await sockets.connect_websocket(f"ws://{world.world.ip('two')}:4001/"))
    began = now()
    for link in links:
        with pytest.raises(ConnectionLost):
            while True:
                await link.read()
    assert now() - began <= DEFAULT_LIMITS.upgrade_timeout + 1
    one = await world.peer("one")
    await talks(one, two)
    await world.close()


@pytest.mark.parametrize("seed", range(10))
async def test_streams_survive_cuts_and_end_on_breaks(seed: int) -> None:
    """A path that comes and goes delivers everything in the end; one that is severed ends every stream at once."""
    world = SimWorld(seed, latency=LATENCY)
    one, two = await world.peer("one"), await world.peer("two", "ws")
    connection = await one.swarm.dial_address(two.address)
    data = bytes(range(256)) * 2000
    world.world.shape("one", "two", bandwidth=200_000)
    work = [asyncio.ensure_future(one.echoes(connection, data)) for _ in range(3)]
    for _ in range(4):
        await asyncio.sleep(0.7 + seed / 10)
        world.world.cut("one", "two")
        await asyncio.sleep(5)
        world.world.heal("one", "two")
    assert await asyncio.gather(*work) == [data] * 3
    work = [asyncio.ensure_future(one.echoes(connection, data)) for _ in range(3)]
    await asyncio.sleep(0.5)
    world.world.sever("one")
    for each in await asyncio.gather(*work, return_exceptions=True):
        assert isinstance(each, DarkSwapError)
    await talks(one, two)
    await world.close()
