"""How yamux streams and connections end: resets, goodbyes, violations, floods, lost links."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from darkswap_browser.errors import (
    ConnectionLost,
    StreamClosed,
    StreamReset,
)
from darkswap_browser.net.connection import Direction
from darkswap_browser.net.limits import DEFAULT_LIMITS
from darkswap_browser.net.yamux.frames import DATA, GO_AWAY, PING, RST, SYN, WINDOW_UPDATE, pack
from tests.support.pipe import pipe
from tests.support.yamux_pair import connection, lone, pair, read_all, settle


async def test_a_reset_reaches_both_directions_of_the_peer():
    dialer, listener, arrived = await pair()
    ours = await dialer.open_stream()
    theirs = await arrived.get()
    await theirs.write(b"unread")
    ours.reset()
    with pytest.raises(StreamReset):
        await ours.read()
    with pytest.raises(StreamReset):
        await ours.write(b"x")
    await settle()
    with pytest.raises(StreamReset):
        await theirs.read()
    with pytest.raises(StreamReset):
        await theirs.write(b"x")
    assert dialer.streams == listener.streams == 0
    await dialer.close()
    await listener.wait_closed()


async def test_a_reset_wakes_a_waiting_writer():
    dialer, listener, arrived = await pair()
    ours = await dialer.open_stream()
    writing = asyncio.create_task(ours.write(bytes(2 << 20)))
    theirs = await arrived.get()
    await asyncio.sleep(1)
    theirs.reset()
    with pytest.raises(StreamReset):
        await writing
    await dialer.close()
    await listener.wait_closed()


async def test_after_close_what_still_comes_is_dropped_but_lets_the_peer_finish():
    dialer, listener, arrived = await pair()
    ours = await dialer.open_stream()
    theirs = await arrived.get()
    await ours.write(b"last words")
    await ours.close()
    await theirs.write(bytes(2 << 20))
    await theirs.close_write()
    assert await read_all(theirs) == b"last words"
    await settle()
    assert dialer.streams == listener.streams == 0
    with pytest.raises(StreamClosed):
        await ours.read()
    with pytest.raises(StreamClosed):
        await ours.write(b"x")
    await ours.close()
    await dialer.close()
    await listener.wait_closed()


async def test_a_peer_that_never_finishes_a_closed_stream_is_reset_in_time():
    dialer, listener, arrived = await pair()
    ours = await dialer.open_stream()
    theirs = await arrived.get()
    await ours.close()
    await asyncio.sleep(DEFAULT_LIMITS.yamux_linger - 1)
    assert dialer.streams == 1
    await asyncio.sleep(2)
    assert dialer.streams == 0
    with pytest.raises(StreamReset):
        await theirs.write(b"x")
    await dialer.close()
    await listener.wait_closed()


async def test_close_sends_what_was_written_then_says_goodbye():
    dialer, listener, arrived = await pair()
    ours = await dialer.open_stream()
    await ours.write(bytes(200_000))
    await dialer.close()
    theirs = await arrived.get()
    await listener.wait_closed()
    received = 0
    with pytest.raises(ConnectionLost, match="closed by the peer"):
        while True:
            received += len(await theirs.read())
    assert received == 200_000
    assert dialer.close_reason == listener.close_reason == ""
    with pytest.raises(ConnectionLost):
        await dialer.open_stream()
    await dialer.close()


async def test_close_gives_up_on_a_peer_that_takes_nothing():
    left, _ = pipe()
    dialer = await connection(left, Direction.OUTBOUND)
    stream = await dialer.open_stream()
    writing = asyncio.create_task(stream.write(bytes(4 << 20)))
    await asyncio.sleep(1)
    started = asyncio.get_running_loop().time()
    await dialer.close()
    assert asyncio.get_running_loop().time() - started <= 3 * DEFAULT_LIMITS.close_timeout
    with pytest.raises(StreamClosed):
        await writing


async def test_a_lost_link_ends_everything_with_its_reason():
    dialer, listener, _ = await pair()
    ours = await dialer.open_stream()
    reading = asyncio.create_task(ours.read())
    pinging = asyncio.create_task(dialer.ping())
    await asyncio.sleep(0)
    listener.abort()
    await dialer.wait_closed()
    for waiting in (reading, pinging):
        with pytest.raises(ConnectionLost):
            await waiting
    assert "reset" in dialer.close_reason
    assert dialer.is_closed
    with pytest.raises(ConnectionLost):
        await dialer.ping()


async def test_a_link_that_ends_without_goodbye_says_so():
    peer, side, _ = await lone()
    await peer.close()
    await side.wait_closed()
    assert "hung up" in side.close_reason


async def test_a_violation_is_answered_with_go_away_1_and_the_end():
    peer, side, _ = await lone()
    await peer.write(pack(DATA, 0, 0, 0))
    await side.wait_closed()
    assert pack(GO_AWAY, 0, 0, 1) in await peer.read()
    assert "stream 0" in side.close_reason


async def test_go_away_0_lets_streams_end_and_then_closes():
    peer, side, streams = await lone()
    await peer.write(pack(WINDOW_UPDATE, SYN, 1, 0) + pack(GO_AWAY, 0, 0, 0))
    await settle()
    with pytest.raises(ConnectionLost):
        await side.open_stream()
    await streams[0].write(b"still here")
    await settle()
    assert b"still here" in await peer.read()
    await side.wait_closed()
    assert side.close_reason == ""


async def test_go_away_with_a_code_is_the_end_at_once():
    peer, side, _ = await lone()
    await peer.write(pack(GO_AWAY, 0, 0, 2))
    await side.wait_closed()
    assert "code 2" in side.close_reason


async def test_a_flood_of_streams_is_reset_beyond_the_cap():
    limits = dataclasses.replace(DEFAULT_LIMITS, yamux_streams=10)
    peer, side, streams = await lone(limits)
    await peer.write(b"".join(pack(WINDOW_UPDATE, SYN, number, 0) for number in range(1, 101, 2)))
    await settle()
    assert len(streams) == 10
    replies = await peer.read()
    assert replies.count(pack(WINDOW_UPDATE, RST, 99, 0)) == 1
    assert not side.is_closed
    side.abort()


async def test_a_ping_flood_by_a_peer_that_does_not_read_ends_the_connection():
    peer, side, _ = await lone()

    async def flood() -> None:
        while True:
            await peer.write(pack(PING, SYN, 0, 1) * 1000)

    with pytest.raises(ConnectionLost):
        await flood()
    await side.wait_closed()
    assert "carry nothing" in side.close_reason


async def test_no_task_outlives_its_connection():
    dialer, listener, _ = await pair()
    await dialer.open_stream()
    await dialer.close()
    await listener.wait_closed()
    await settle()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_closing_from_both_sides_at_once():
    dialer, listener, _ = await pair()
    await asyncio.gather(dialer.close(), listener.close())
    assert dialer.is_closed
    assert listener.is_closed


async def test_a_connection_may_be_dropped_before_it_ever_ran():
    left, _ = pipe()
    (await connection(left, Direction.OUTBOUND)).abort()
    left, _ = pipe()
    await (await connection(left, Direction.OUTBOUND)).close()
