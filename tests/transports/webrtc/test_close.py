"""Closing a direct connection that is given up half-way."""

from __future__ import annotations

import asyncio

from tests.api.world import place
from tests.support.cancelling import cancel_on_turn


async def test_close_cancelled_while_it_flushes_ends_the_connection():
    for turn in range(1, 200, 4):
        here = await place()
        alice, bob = await here.node("alice"), await here.node("bob")
        peer = await bob.local_peer_id()
        await alice.connect_through_relay(here.relay_id, peer)
        swarm = await alice.swarm()
        direct = next(each for each in swarm.connections() if each.transport == "webrtc")
        here.world.shape("alice", "bob", latency=2.0)
        stream = await direct.open_stream()
        await stream.write(b"x" * 10)
        outcome = await cancel_on_turn(direct.close(), turn)
        await direct.close()
        assert direct.is_closed and direct.streams == 0 and direct not in swarm.connections()
        assert direct.stats()["state"] == "closed"
        await asyncio.gather(alice.stop(), bob.stop())
        if not outcome.was_cancelled:
            return
    raise AssertionError("closing takes more turns than were tried")


async def test_close_by_two_callers_at_once_ends_for_both_when_one_gives_up():
    here = await place()
    alice, bob = await here.node("alice"), await here.node("bob")
    await alice.connect_through_relay(here.relay_id, await bob.local_peer_id())
    direct = next(each for each in (await alice.swarm()).connections() if each.transport == "webrtc")
    here.world.shape("alice", "bob", latency=2.0)
    await (await direct.open_stream()).write(b"x" * 10)
    one, two = asyncio.create_task(direct.close()), asyncio.create_task(direct.close())
    await asyncio.sleep(0.2)
    assert not one.done() and not two.done()
    one.cancel()
    await two
    assert direct.is_closed
    await asyncio.gather(alice.stop(), bob.stop())
