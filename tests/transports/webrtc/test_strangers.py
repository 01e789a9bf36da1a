"""What strangers may take of a node's direct links."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from darkswap_browser.errors import ConnectionLost, DarkSwapError, TooManyRequests
from darkswap_browser.net.limits import DEFAULT_LIMITS
from darkswap_browser.testing.world import SimulatedWorld
from tests.support.channels import make_world
from tests.support.direct import ECHO, Peer, close_all, peer, relay_between

FEW = replace(DEFAULT_LIMITS, peer_connections=4, peer_connections_of_strangers=2)


async def victim(world: SimulatedWorld, *, answers_strangers: bool = True) -> Peer:
    return await peer("victim", world.runtime("victim"), limits=FEW, answers_strangers=answers_strangers)


async def stranger(world: SimulatedWorld, name: str, target: Peer, *, busy: bool) -> Peer:
    """One who got a direct link to `target`, and says something on it or not."""
    made = await peer(name, world.runtime(name))
    await relay_between(made, target)
    await made.dial(target)
    if busy:
        await (await made.swarm.new_stream(target.id, [ECHO])).stream.write(b"hello")
    await asyncio.sleep(1)
    return made


def linked(target: Peer) -> set[str]:
    return {str(connection.remote_peer) for connection in target.direct}


async def test_idle_links_of_strangers_keep_neither_a_friend_nor_our_own_dials_out() -> None:
    world = make_world()
    target = await victim(world)
    crowd = [await stranger(world, f"stranger {number}", target, busy=False) for number in range(6)]
    assert len(target.direct) == FEW.peer_connections_of_strangers
    friend = await stranger(world, "friend", target, busy=True)
    others = [await peer(f"other {number}", world.runtime(f"other {number}")) for number in range(4)]
    for other in others[:3]:
        await relay_between(target, other)
        await target.dial(other)
    assert {str(each.id) for each in (friend, *others[:3])} == linked(target)
    await relay_between(target, others[3])
    await target.dial(others[3])
    assert {str(each.id) for each in others} == linked(target)
    with pytest.raises((ConnectionLost, TooManyRequests, DarkSwapError)):
        await stranger(world, "too late", target, busy=False)
    await close_all(target, friend, *crowd, *others)


async def test_links_of_strangers_in_use_are_kept_until_they_are_silent_for_a_minute() -> None:
    world = make_world()
    target = await victim(world)
    first = [await stranger(world, f"stranger {number}", target, busy=True) for number in range(2)]
    with pytest.raises(DarkSwapError):
        await stranger(world, "early", target, busy=True)
    assert linked(target) == {str(each.id) for each in first}
    await asyncio.sleep(FEW.stranger_idle)
    late = await stranger(world, "late", target, busy=True)
    assert str(late.id) in linked(target) and len(target.direct) == 2
    await close_all(target, late, *first)


async def test_node_that_answers_no_strangers_gives_links_only_to_its_own_peers() -> None:
    world = make_world()
    target = await victim(world, answers_strangers=False)
    with pytest.raises(DarkSwapError):
        await stranger(world, "stranger", target, busy=False)
    assert target.direct == []
    friend = await peer("friend", world.runtime("friend"))
    target.swarm.ours.add(friend.id)
    await relay_between(friend, target)
    await friend.dial(target)
    assert len(target.direct) == 1
    await close_all(target, friend)
