"""Two yamux connections over a pipe: streams as applications see them, pressure, endings."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from darkswap_browser.errors import (
    ConnectionLost,
    EndOfStream,
    StreamBusy,
    StreamClosed,
    StreamReset,
)
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.net.connection import Direction
from darkswap_browser.net.limits import DEFAULT_LIMITS, Limits
from darkswap_browser.net.stream import BufferedStream, Stream
from darkswap_browser.net.yamux.frames import ACK, DATA, FIN, GO_AWAY, PING, RST, SYN, WINDOW_UPDATE, pack
from darkswap_browser.net.yamux.muxer import YamuxConnection
from tests.support.pipe import PipeEnd, identity, pipe

ADDRESS = Multiaddr.parse("/memory/1")


async def connection(end: PipeEnd, direction: Direction, limits: Limits = DEFAULT_LIMITS) -> YamuxConnection:
    return YamuxConnection(
        BufferedStream(end),
        remote_peer=(await identity("remote")).peer_id,
        remote_addr=ADDRESS,
        direction=direction,
        transport="memory",
        limit=None,
        limits=limits,
    )


async def pair(limits: Limits = DEFAULT_LIMITS) -> tuple[YamuxConnection, YamuxConnection, asyncio.Queue[Stream]]:
    """(dialer, listener, streams that arrive at the listener)."""
    left, right = pipe()
    dialer = await connection(left, Direction.OUTBOUND, limits)
    listener = await connection(right, Direction.INBOUND, limits)
    arrived: asyncio.Queue[Stream] = asyncio.Queue()
    listener.start(arrived.put_nowait)
    dialer.start(lambda stream: stream.reset())
    return dialer, listener, arrived


async def lone(limits: Limits = DEFAULT_LIMITS) -> tuple[PipeEnd, YamuxConnection, list[Stream]]:
    """(raw end of a peer that we play by hand, our listening side, its streams)."""
    peer, ours = pipe()
    side = await connection(ours, Direction.INBOUND, limits)
    streams: list[Stream] = []
    side.start(streams.append)
    return peer, side, streams


async def read_all(stream: Stream) -> bytes:
    data = b""
    while True:
        try:
            data += await stream.read()
        except EndOfStream:
            return data


async def settle() -> None:
    """Every task has done what it can without time passing."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_both_directions_of_a_stream_and_their_ends():
    dialer, listener, arrived = await pair()
    ours = await dialer.open_stream()
    theirs = await arrived.get()
    await ours.write(b"question")
    await ours.close_write()
    assert await read_all(theirs) == b"question"
    await theirs.write(b"answer")
    await theirs.close_write()
    assert await read_all(ours) == b"answer"
    await settle()
    assert dialer.streams == listener.streams == 0
    await dialer.close()
    await listener.wait_closed()


async def test_streams_that_arrive_before_start_are_kept_with_their_data():
    left, right = pipe()
    dialer = await connection(left, Direction.OUTBOUND)
    listener = await connection(right, Direction.INBOUND)
    await (await dialer.open_stream()).write(b"early")
    await settle()
    streams: list[Stream] = []
    listener.start(streams.append)
    assert await streams[0].read() == b"early"
    await dialer.close()
    await listener.wait_closed()


async def test_a_writer_waits_for_a_reader_and_nothing_is_lost():
    dialer, listener, arrived = await pair()
    ours = await dialer.open_stream()
    data = bytes(range(256)) * (12 * 1024)

    async def write() -> None:
        for at in range(0, len(data), 65536):
            await ours.write(data[at : at + 65536])
        await ours.close_write()

    writing = asyncio.create_task(write())
    await asyncio.sleep(60)
    assert not writing.done(), "nobody reads, so 3 MiB cannot be accepted"
    assert await read_all(await arrived.get()) == data
    await writing
    await dialer.close()
    await listener.wait_closed()


async def test_streams_nobody_reads_do_not_stop_the_others():
    dialer, listener, arrived = await pair()
    stuck = [await dialer.open_stream() for _ in range(8)]
    writers = [asyncio.create_task(stream.write(bytes(1 << 20))) for stream in stuck]
    await asyncio.sleep(1)
    for _ in stuck:
        await arrived.get()
    healthy = await dialer.open_stream()
    theirs = await arrived.get()
    echoing = asyncio.create_task(read_all(theirs))
    for _ in range(64):
        await healthy.write(bytes(65536))
    await healthy.close_write()
    assert len(await echoing) == 64 * 65536
    assert not any(writer.done() for writer in writers)
    dialer.abort()
    for outcome in await asyncio.gather(*writers, return_exceptions=True):
        assert isinstance(outcome, ConnectionLost)
    await listener.wait_closed()


async def test_pings_are_answered_while_the_application_does_not_read():
    dialer, listener, _ = await pair()
    stuck = await dialer.open_stream()
    writing = asyncio.create_task(stuck.write(bytes(4 << 20)))
    await asyncio.sleep(1)
    assert await dialer.ping() < 0.1
    assert await listener.ping() < 0.1
    writing.cancel()
    await dialer.close()
    await listener.wait_closed()


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


async def test_a_second_writer_and_a_second_reader_are_refused():
    dialer, listener, _ = await pair()
    ours = await dialer.open_stream()
    writing = asyncio.create_task(ours.write(bytes(2 << 20)))
    reading = asyncio.create_task(ours.read())
    await asyncio.sleep(1)
    with pytest.raises(StreamBusy):
        await ours.write(b"x")
    with pytest.raises(StreamBusy):
        await ours.read()
    dialer.abort()
    await asyncio.gather(writing, reading, return_exceptions=True)
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
    assert "answers" in side.close_reason


async def test_frames_of_one_turn_leave_in_one_write():
    peer, side, streams = await lone()
    await peer.write(pack(WINDOW_UPDATE, SYN, 1, 0) + pack(PING, SYN, 0, 3))
    await settle()
    assert await peer.read() == pack(WINDOW_UPDATE, ACK, 1, 0) + pack(PING, ACK, 0, 3)
    await streams[0].write(b"one")
    await streams[0].write(b"two")
    await streams[0].close_write()
    await settle()
    assert await peer.read() == pack(DATA, 0, 1, 6) + b"onetwo" + pack(WINDOW_UPDATE, FIN, 1, 0)
    side.abort()


async def test_stats_count_payload_both_ways():
    dialer, listener, arrived = await pair()
    ours = await dialer.open_stream()
    await ours.write(b"12345")
    assert await (await arrived.get()).read() == b"12345"
    assert dialer.stats()["bytes_sent"] == listener.stats()["bytes_received"] == 5
    await dialer.close()
    await listener.wait_closed()


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


async def test_a_stream_refused_on_arrival_does_not_disturb_others_that_end_in_the_same_read():
    peer, ours = pipe()
    side = await connection(ours, Direction.INBOUND)
    side.start(lambda stream: stream.reset())
    stream = await side.open_stream()
    await stream.write(b"question")
    await stream.close_write()
    await settle()
    await peer.write(pack(WINDOW_UPDATE, SYN, 1, 0) + pack(DATA, 0, 2, 6) + b"answer" + pack(WINDOW_UPDATE, FIN, 2, 0))
    assert await read_all(stream) == b"answer"
    side.abort()


async def test_streams_opened_and_reset_in_one_read_leave_nothing_behind():
    peer, side, streams = await lone()
    await peer.write(b"".join(pack(WINDOW_UPDATE, SYN, n, 0) + pack(WINDOW_UPDATE, RST, n, 0) for n in range(1, 99, 2)))
    await settle()
    assert side.streams == 0
    for stream in streams:
        with pytest.raises(StreamReset):
            await stream.read()
    side.abort()
