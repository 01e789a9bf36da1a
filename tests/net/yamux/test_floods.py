"""What a peer may send that costs more than it brings, by hand."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from darkswap_browser.errors import ConnectionLost
from darkswap_browser.net.connection import Direction
from darkswap_browser.net.limits import DEFAULT_LIMITS, Limits
from darkswap_browser.net.memory import MemoryBudget
from darkswap_browser.net.stream import BufferedStream, Stream
from darkswap_browser.net.yamux.frames import ACK, DATA, FIN, PING, RST, SYN, WINDOW_UPDATE, pack
from darkswap_browser.net.yamux.machine import YamuxMachine
from darkswap_browser.net.yamux.muxer import YamuxConnection
from tests.support.pipe import PipeEnd, identity, pipe
from tests.support.yamux_pair import ADDRESS

TURN = DEFAULT_LIMITS.yamux_frames_per_turn
OPENED = pack(WINDOW_UPDATE, SYN, 1, 0)
TINY = pack(DATA, 0, 1, 1) + b"x"


async def victim(
    *, is_ours: bool = False, limits: Limits = DEFAULT_LIMITS, memory: MemoryBudget | None = None
) -> tuple[PipeEnd, YamuxConnection, list[Stream]]:
    peer, link = pipe()
    side = YamuxConnection(
        BufferedStream(link),
        remote_peer=(await identity("remote")).peer_id,
        remote_addr=ADDRESS,
        direction=Direction.INBOUND,
        transport="memory",
        limit=None,
        limits=limits,
        account=(memory or MemoryBudget(limits)).account(lambda: is_ours),
        is_ours=lambda: is_ours,
    )
    streams: list[Stream] = []
    side.start(streams.append)
    return peer, side, streams


def test_one_turn_handles_a_thousand_frames_and_the_rest_is_not_lost() -> None:
    machine = YamuxMachine(initiator=False, limits=DEFAULT_LIMITS)
    events = machine.receive(OPENED + TINY * (TURN + 5) + b"\0")
    assert len(events) == TURN and machine.has_more
    events += machine.receive(b"")
    assert len(events) == TURN + 6 and not machine.has_more
    small, wasted = machine.take_work()
    assert small >= TURN + 5 and not wasted
    assert machine.take_work() == (0, 0)


@pytest.mark.parametrize(
    ("frame", "wasted"),
    [
        (pack(DATA, 0, 1, 0), 1),
        (pack(WINDOW_UPDATE, 0, 1, 0), 1),
        (pack(PING, SYN, 0, 7), 1),
        (pack(PING, ACK, 0, 7), 1),
        (TINY, 0),
        (pack(WINDOW_UPDATE, 0, 1, 1), 0),
        (pack(DATA, FIN, 1, 0), 0),
        (pack(DATA, 0, 1, 2000) + bytes(2000), 0),
    ],
    ids=["empty data", "no credit", "ping", "unasked answer", "data", "credit", "end", "much data"],
)
def test_frames_count_as_waste_when_they_carry_nothing(frame: bytes, wasted: int) -> None:
    machine = YamuxMachine(initiator=False, limits=DEFAULT_LIMITS)
    machine.receive(OPENED)
    machine.take_work()
    machine.receive(frame)
    assert machine.take_work()[1] == wasted


def test_answer_to_our_own_ping_is_no_waste() -> None:
    machine = YamuxMachine(initiator=False, limits=DEFAULT_LIMITS)
    machine.ping(7)
    machine.receive(pack(PING, ACK, 0, 7))
    assert machine.take_work()[1] == 0


@pytest.mark.parametrize("frame", [pack(DATA, 0, 1, 0), pack(WINDOW_UPDATE, 0, 1, 0), pack(PING, SYN, 0, 1)])
@pytest.mark.parametrize(("is_ours", "share"), [(False, 1), (True, 5)])
async def test_flood_of_frames_that_carry_nothing_ends_the_connection(frame: bytes, is_ours: bool, share: int) -> None:
    peer, side, _ = await victim(is_ours=is_ours)
    burst = int(DEFAULT_LIMITS.waste_burst) // 5 * share
    await peer.write(OPENED + frame * (burst - 10))
    await asyncio.sleep(1)
    assert not side.is_closed
    with pytest.raises(ConnectionLost):
        while True:
            await peer.write(frame * 1000)
            await asyncio.sleep(0.01)
    await side.wait_closed()
    assert "carry nothing" in side.close_reason


@pytest.mark.parametrize(("is_ours", "rate"), [(False, 1000), (True, 5000)])
async def test_sender_of_tiny_frames_beyond_its_burst_waits_and_nothing_is_lost(is_ours: bool, rate: int) -> None:
    peer, side, streams = await victim(is_ours=is_ours)
    count = rate * 5 + 3 * rate
    loop = asyncio.get_running_loop()
    started = loop.time()
    await peer.write(OPENED)
    sending = asyncio.create_task(peer.write(TINY * count))
    received = 0
    while received < count:
        await asyncio.sleep(0.01)
        received += len(await streams[0].read()) if streams else 0
    assert 2 < loop.time() - started < 4.5
    await sending
    side.abort()


async def test_full_frames_are_never_held_up() -> None:
    peer, side, streams = await victim()
    loop = asyncio.get_running_loop()
    started = loop.time()
    body = bytes(16_000)
    await peer.write(OPENED)
    for _ in range(2000):
        await peer.write(pack(DATA, 0, 1, len(body)) + body)
        left = len(body)
        while left:
            left -= len(await streams[0].read()) if streams else await asyncio.sleep(0, 0)
    assert loop.time() - started < 0.1
    side.abort()


async def test_streams_opened_and_reset_without_end_are_slowed_down() -> None:
    peer, side, streams = await victim()
    frames = b"".join(
        pack(WINDOW_UPDATE, SYN, 2 * number + 1, 0) + pack(WINDOW_UPDATE, RST, 2 * number + 1, 0)
        for number in range(1000)
    )
    sending = asyncio.create_task(peer.write(frames))
    await asyncio.sleep(1)
    assert len(streams) < 1000
    sending.cancel()
    side.abort()


async def test_unread_bytes_of_many_strangers_have_one_budget_and_small_ones_go_on() -> None:
    limits = dataclasses.replace(
        DEFAULT_LIMITS, unread_bytes_of_strangers=300_000, unread_least=10_000, yamux_unread=250_000
    )
    memory = MemoryBudget(limits)
    crowd = [await victim(limits=limits, memory=memory) for _ in range(4)]
    for peer, _, _ in crowd:
        await peer.write(OPENED)
        for _ in range(10):
            await peer.write(pack(DATA, 0, 1, 20_000) + bytes(20_000))
            await asyncio.sleep(0.01)
    assert memory.held <= 300_000 + 4 * 20_000
    peer, side, streams = await victim(limits=limits, memory=memory)
    await peer.write(OPENED + pack(DATA, 0, 1, 9_000) + bytes(9_000))
    await asyncio.sleep(0.1)
    assert len(await streams[0].read(9_000)) == 9_000
    for _, each, _ in (*crowd, (peer, side, streams)):
        each.abort()
    await asyncio.sleep(1)
    assert memory.held == 0
