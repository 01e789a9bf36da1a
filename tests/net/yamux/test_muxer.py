"""Two yamux connections over a pipe: streams as applications see them, and pressure."""

from __future__ import annotations

import asyncio

import pytest

from darkswap_browser.errors import (
    ConnectionLost,
    StreamBusy,
    StreamClosed,
    StreamReset,
)
from darkswap_browser.net.connection import Direction
from darkswap_browser.net.limits import DEFAULT_LIMITS
from darkswap_browser.net.stream import Stream
from darkswap_browser.net.yamux.frames import ACK, DATA, FIN, PING, RST, SYN, WINDOW_UPDATE, pack
from darkswap_browser.net.yamux.stream import YamuxStream
from tests.support.pipe import pipe
from tests.support.yamux_pair import connection, lone, pair, read_all, settle


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


async def test_data_is_pushed_as_it_arrives_and_counts_as_read():
    dialer, listener, arrived = await pair()
    ours = await dialer.open_stream()
    theirs = await arrived.get()
    assert isinstance(theirs, YamuxStream)
    await ours.write(b"early")
    await settle()
    received: list[bytes] = []
    theirs.push_to(received.append)
    assert received == [b"early"]
    for _ in range(40):
        await ours.write(bytes(65536))
    await settle()
    assert sum(map(len, received)) == 5 + 40 * 65536
    theirs.push_to(None)
    await ours.write(b"late")
    await ours.close_write()
    assert await read_all(theirs) == b"late"
    await dialer.close()
    await listener.wait_closed()


async def test_a_writer_that_will_not_wait_is_told_so():
    dialer, listener, arrived = await pair()
    ours = await dialer.open_stream()
    assert isinstance(ours, YamuxStream)
    taken = 0
    while ours.try_write(bytes(65536)):
        taken += 65536
    assert taken <= DEFAULT_LIMITS.yamux_stream_queue + 65536
    reading = asyncio.create_task(read_all(await arrived.get()))
    await settle()
    assert ours.try_write(b"more")
    await ours.close_write()
    with pytest.raises(StreamClosed):
        ours.try_write(b"x")
    assert len(await reading) == taken + 4
    await dialer.close()
    await listener.wait_closed()
