"""What happens to simulated connections when paths die, heal, or were never there. Times as measured in Chromium."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from darkswap_browser.runtime.base.webrtc import IceServer, RtcConfiguration
from darkswap_browser.testing.conformance.rtc_pair import Channel, RtcPair, Side
from darkswap_browser.testing.world import SimulatedWorld
from tests.support.native_identity import CRYPTO


def now() -> float:
    return asyncio.get_running_loop().time()


@asynccontextmanager
async def connected(world: SimulatedWorld) -> AsyncIterator[tuple[RtcPair, Channel, Channel]]:
    async with RtcPair((world.runtime("a").webrtc, world.runtime("b").webrtc)) as couple:
        yield couple, *(await couple.open())


async def talk(channel: Channel, seconds: int) -> int:
    """Ten messages a second; returns how many."""
    for number in range(seconds * 10):
        channel.channel.send(number.to_bytes(4, "big"))
        await asyncio.sleep(0.1)
    return seconds * 10


async def test_a_short_cut_is_not_even_noticed() -> None:
    world = SimulatedWorld(1, crypto=CRYPTO)
    async with connected(world) as (couple, ours, theirs):
        world.cut("a", "b")
        sent = await talk(ours, 4)
        assert theirs.messages == []
        world.heal("a", "b")
        await theirs.until(lambda: len(theirs.messages) == sent)
        assert all(side.states == ["connecting", "connected"] for side in couple.sides)


async def test_a_longer_cut_heals_by_itself() -> None:
    world = SimulatedWorld(1, crypto=CRYPTO)
    async with connected(world) as (couple, ours, theirs):
        world.cut("a", "b")
        sent = await talk(ours, 12)
        world.heal("a", "b")
        healed = now()
        await theirs.until(lambda: len(theirs.messages) == sent)
        assert now() - healed < 0.1
        assert all(side.states[2:] == ["disconnected", "connected"] for side in couple.sides)


async def test_after_failure_messages_wait_for_an_ice_restart() -> None:
    world = SimulatedWorld(1, crypto=CRYPTO)
    async with connected(world) as (couple, ours, theirs):
        world.cut("a", "b")
        began = now()
        sent = await talk(ours, 45)
        for side in couple.sides:
            assert side.states[2:] == ["disconnected", "failed"]
        world.heal("a", "b")
        sent += await talk(ours, 8)
        assert theirs.messages == []
        assert ours.channel.ready_state == "open"
        assert now() - began > 50
        await couple.negotiate(ice_restart=True)
        restarted = now()
        await theirs.until(lambda: len(theirs.messages) == sent)
        assert now() - restarted < 0.1
        assert theirs.messages == ours_in_order(sent)
        assert all(side.states[4:] == ["connecting", "connected"] for side in couple.sides)


def ours_in_order(sent: int) -> list[bytes]:
    return [number.to_bytes(4, "big") for number in [*range(450), *range(sent - 450)]]


async def test_states_follow_a_dead_path_after_seconds() -> None:
    for seed in range(5):
        world = SimulatedWorld(seed, crypto=CRYPTO)
        async with connected(world) as (couple, _, _):
            world.cut("a", "b")
            cut = now()
            for side in couple.sides:
                await side.until(lambda: "disconnected" in side.states)  # noqa: B023
            assert 5.3 <= now() - cut <= 7.7
            for side in couple.sides:
                await side.until(lambda: "failed" in side.states, 20)  # noqa: B023
            assert 15.3 <= now() - cut <= 17.8


async def test_a_host_without_power_is_like_a_cut() -> None:
    world = SimulatedWorld(1, crypto=CRYPTO)
    async with connected(world) as (couple, ours, _):
        world.kill("b", silent=True)
        await asyncio.sleep(20)
        assert couple.sides[0].states[2:] == ["disconnected", "failed"]
        assert "closed" not in ours.events


async def test_a_reload_is_heard_at_once() -> None:
    world = SimulatedWorld(1, crypto=CRYPTO)
    async with connected(world) as (_, ours, _):
        before = now()
        world.reload("b")
        await ours.has("closed")
        assert now() - before < 0.1


async def test_bandwidth_holds_messages_back() -> None:
    world = SimulatedWorld(1, crypto=CRYPTO)
    world.shape("a", "b", bandwidth=100_000)
    async with connected(world) as (_, ours, theirs):
        began = now()
        for _ in range(62):
            ours.channel.send(bytes(16384))
        await theirs.until(lambda: len(theirs.messages) == 62, 60)
        assert 10 < now() - began < 11


async def test_without_udp_a_connection_fails() -> None:
    world = SimulatedWorld(1, crypto=CRYPTO)
    world.runtime("a"), world.runtime("b")
    world.block_udp("a", "b")
    async with RtcPair((world.runtime("a").webrtc, world.runtime("b").webrtc)) as couple:
        couple.sides[0].connection.create_data_channel("init")
        await couple.negotiate()
        await couple.sides[0].until(lambda: "failed" in couple.sides[0].states, 20)
        assert couple.sides[0].states == couple.sides[1].states == ["connecting", "failed"]


@pytest.mark.parametrize("credential", ["right", "wrong"])
async def test_a_turn_server_helps_those_it_knows(credential: str) -> None:
    world = SimulatedWorld(1, crypto=CRYPTO)
    world.rtc.add_turn("turn", "user", "right")
    server = IceServer(("turn:turn:3478?transport=udp",), "user", credential)
    configuration = RtcConfiguration(ice_servers=(server,), relay_only=True)
    one, two = (Side(world.runtime(name).webrtc, configuration) for name in "ab")
    one.other, two.other = two, one
    world.block_udp("a", "b")
    ours = Channel(one.connection.create_data_channel("init"))
    await RtcPair((world.runtime("a").webrtc,) * 2, sides=[one, two]).negotiate()
    if credential == "right":
        await ours.has("opened")
        assert [" typ relay " in each.candidate for each in one.candidates + two.candidates] == [True, True]
        rows = await one.connection.stats()
        assert any(row["type"] == "local-candidate" and row["candidateType"] == "relay" for row in rows)
    else:
        await one.until(lambda: one.states == ["connecting", "failed"], 20)
        assert one.candidates == []


async def test_a_world_is_the_same_every_time() -> None:
    texts = []
    for _ in range(2):
        world = SimulatedWorld(7, crypto=CRYPTO)
        async with connected(world) as (couple, _, _):
            description = couple.sides[0].connection.local_description
            assert description is not None
            texts.append(description.sdp)
            key = await world.runtime("a").crypto.generate_signing_key()
            texts.append(key.public_bytes.hex())
    assert texts[:2] == texts[2:]
