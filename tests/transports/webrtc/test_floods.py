"""A direct link whose other end sends what costs most to handle: the browser hands it all over, so it must be cut."""

from __future__ import annotations

import asyncio

import pytest

from darkswap_browser.net.limits import DEFAULT_LIMITS
from darkswap_browser.runtime.base.webrtc import DataChannel
from darkswap_browser.transports.webrtc.connection import DataChannelConnection
from darkswap_browser.transports.webrtc.messages import MAX_FRAMES, MAX_PAYLOAD, data_frame
from tests.support.channels import connected_pair, make_world

LIMITS = DEFAULT_LIMITS
STRANGERS_BURST = int(LIMITS.work_burst / LIMITS.work_strangers_part)


class Silent:
    """Listener of the hostile end's channel."""

    def opened(self) -> None: ...

    def received(self, data: bytes) -> None: ...

    def drained(self) -> None: ...

    def closed(self) -> None: ...


async def pair(*, is_ours: bool) -> tuple[DataChannelConnection, DataChannelConnection]:
    peer, victim = await connected_pair(make_world(), is_ours=is_ours)
    victim.start(lambda stream: None)
    return peer, victim


async def channel(peer: DataChannelConnection, label: str = "") -> DataChannel:
    made = peer.peer_connection.create_data_channel(label)
    made.listen(Silent(), 0)
    await asyncio.sleep(0.2)
    return made


async def flood(peer: DataChannelConnection, message: bytes, times: int) -> None:
    """On one channel after the other: a stream that is reset takes no more."""
    raw = await channel(peer)
    for _ in range(times):
        if peer.is_closed:
            return
        if raw.ready_state != "open":
            raw = await channel(peer)
        if raw.ready_state == "open":
            raw.send(message)
        await asyncio.sleep(0.01)


async def many_messages(peer: DataChannelConnection, message: bytes, count: int) -> None:
    raw = await channel(peer)
    for _ in range(count):
        raw.send(message)
    await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    "message",
    [
        data_frame(b"ab") * 4000,
        data_frame(b"x") * MAX_FRAMES,
        bytes.fromhex("020863") * MAX_FRAMES,
        bytes.fromhex("020801") * 4000,
        bytes(16_000),
        data_frame(b"x"),
    ],
    ids=["too many frames", "data", "unknown flags", "stop sending", "empty", "messages"],
)
async def test_flood_of_a_stranger_in_frames_that_carry_little_ends_the_link(message: bytes) -> None:
    peer, victim = await pair(is_ours=False)
    if len(message) < 10:
        await many_messages(peer, message, STRANGERS_BURST + 100)
    else:
        await flood(peer, message, 200)
    assert victim.is_closed
    assert "frames" in victim.close_reason


async def test_peer_of_ours_may_send_five_times_as_many_small_frames_and_is_then_cut_off_too() -> None:
    peer, victim = await pair(is_ours=True)
    await many_messages(peer, data_frame(b"x"), int(LIMITS.work_burst) - 100)
    assert not victim.is_closed
    await many_messages(peer, data_frame(b"x"), 5000)
    assert victim.is_closed


async def test_stranger_that_opens_channels_without_end_is_cut_off() -> None:
    peer, victim = await pair(is_ours=False)
    for _ in range(STRANGERS_BURST // 20 + 50):
        if peer.is_closed:
            break
        (await channel(peer)).close()
    for _ in range(STRANGERS_BURST // 20 + 50):
        if not peer.is_closed:
            peer.peer_connection.create_data_channel("").listen(Silent(), 0)
    await asyncio.sleep(1)
    assert victim.is_closed


async def test_stranger_may_send_as_many_small_frames_as_its_share_and_again_later() -> None:
    peer, victim = await pair(is_ours=False)
    raw = await channel(peer)
    for _ in range(3):
        for _ in range(STRANGERS_BURST - 200):
            raw.send(data_frame(b"hello"))
        await asyncio.sleep(STRANGERS_BURST / LIMITS.work_rate * LIMITS.work_strangers_part)
    assert not victim.is_closed


@pytest.mark.parametrize("apart", [False, True], ids=["whole", "as js"])
async def test_stranger_may_send_full_frames_as_fast_as_the_link_goes(apart: bool) -> None:
    peer, victim = await pair(is_ours=False)
    victim.start(lambda stream: stream.push_to(lambda data: None))  # type: ignore[attr-defined]
    raw = await channel(peer)
    frame = data_frame(bytes(MAX_PAYLOAD))
    for number in range(6000):
        if apart:
            raw.send(frame[:3])
            raw.send(frame[3:])
        else:
            raw.send(frame)
        if number % 100 == 0:
            await asyncio.sleep(0.01)
    await asyncio.sleep(1)
    assert not victim.is_closed
    assert victim.stats()["bytes_received"] == 6000 * MAX_PAYLOAD
