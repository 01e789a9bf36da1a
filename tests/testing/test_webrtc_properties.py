"""Random cuts, pauses and ICE restarts: as long as nobody closes, every message arrives once and in order."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.testing import loop
from darkswap_browser.testing.conformance.rtc_pair import Channel, RtcPair
from darkswap_browser.testing.world import SimulatedWorld
from tests.support.native_identity import CRYPTO

DOINGS = st.tuples(st.sampled_from(["send", "answer", "cut", "heal", "restart"]), st.floats(0, 25))


async def play(seed: int, doings: list[tuple[str, float]]) -> None:
    world = SimulatedWorld(seed, crypto=CRYPTO)
    async with RtcPair((world.runtime("a").webrtc, world.runtime("b").webrtc)) as couple:
        ends = await couple.open()
        sent: tuple[list[bytes], list[bytes]] = ([], [])
        for number, (doing, seconds) in enumerate(doings):
            if doing in ("send", "answer"):
                index = int(doing == "answer")
                sent[index].append(number.to_bytes(2, "big") * 50)
                ends[index].channel.send(sent[index][-1])
            elif doing == "restart":
                await couple.negotiate(ice_restart=True)
            else:
                getattr(world, doing)("a", "b")
            await asyncio.sleep(seconds)
        world.heal("a", "b")
        await asyncio.sleep(20)
        await couple.negotiate(ice_restart=True)
        await _arrived(ends[1], sent[0])
        await _arrived(ends[0], sent[1])
        for side in couple.sides:
            await side.until(lambda: side.connection.connection_state == "connected")  # noqa: B023
            assert all(one != other for one, other in pairwise(side.states))
        assert ends[0].channel.buffered_amount == ends[1].channel.buffered_amount == 0


async def _arrived(end: Channel, messages: list[bytes]) -> None:
    await end.until(lambda: len(end.messages) == len(messages))
    assert end.messages == messages


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1000), st.lists(DOINGS, max_size=15))
def test_no_message_is_lost_while_both_sides_live(seed: int, doings: list[tuple[str, float]]) -> None:
    loop.run(play(seed, doings))
