"""Data channels as streams of a connection, in the simulated world."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from darkswap_browser.errors import (
    ConnectionLost,
    EndOfStream,
    StreamBusy,
    StreamClosed,
    StreamReset,
    TooManyRequests,
)
from darkswap_browser.net.limits import DEFAULT_LIMITS, Limits
from darkswap_browser.net.stream import Stream
from darkswap_browser.testing.world import SimulatedWorld
from darkswap_browser.transports.webrtc.connection import DataChannelConnection, selected_path
from darkswap_browser.transports.webrtc.messages import data_frame
from darkswap_browser.transports.webrtc.stream import DataChannelStream
from tests.support.channels import connected_pair, make_world

Pair = tuple[DataChannelConnection, DataChannelConnection]


async def streams(
    world: SimulatedWorld, limits: Limits = DEFAULT_LIMITS, *, agent: str = ""
) -> tuple[Pair, Stream, Stream]:
    """A connected pair and one stream between them, seen from both ends."""
    one, two = await connected_pair(world, limits, agent=agent)
    arrived: asyncio.Queue[Stream] = asyncio.Queue()
    two.start(arrived.put_nowait)
    one.start(lambda _: None)
    opened = await one.open_stream()
    return (one, two), opened, await arrived.get()


async def read_all(stream: Stream) -> bytes:
    data = b""
    while True:
        try:
            data += await stream.read()
        except EndOfStream:
            return data


async def test_bytes_go_both_ways_and_each_direction_ends_by_itself() -> None:
    pair, near, far = await streams(make_world())
    await near.write(b"question")
    await near.close_write()
    assert await read_all(far) == b"question"
    await far.write(b"answer")
    await far.close_write()
    assert await read_all(near) == b"answer"
    await asyncio.sleep(1)
    assert [each.streams for each in pair] == [0, 0]


async def test_a_long_write_arrives_whole_and_in_order() -> None:
    _, near, far = await streams(make_world())
    data = bytes(range(256)) * 20_000
    writing = asyncio.create_task(near.write(data))
    received = b""
    while len(received) < len(data):
        received += await far.read()
    await writing
    assert received == data


async def test_the_init_channel_is_no_stream() -> None:
    one, two = await connected_pair(make_world())
    seen: list[Stream] = []
    two.start(seen.append)
    await asyncio.sleep(1)
    assert seen == []
    assert two.streams == one.streams == 0


async def test_streams_that_come_before_start_are_kept_up_to_a_budget() -> None:
    one, two = await connected_pair(make_world())
    one.start(lambda _: None)
    opened = [await one.open_stream() for _ in range(12)]
    for number, stream in enumerate(opened[:10]):
        await stream.write(b"%d" % number)
    await asyncio.sleep(1)
    seen: list[Stream] = []
    two.start(seen.append)
    assert len(seen) == 10
    assert [await stream.read() for stream in seen] == [b"%d" % number for number in range(10)]
    with pytest.raises(StreamReset):
        await opened[11].read()


async def test_a_reset_breaks_reads_and_writes_of_the_other_end() -> None:
    pair, near, far = await streams(make_world())
    await near.write(b"x")
    near.reset()
    await asyncio.sleep(1)
    with pytest.raises(StreamReset):
        await far.read()
    with pytest.raises(StreamReset):
        await far.write(b"y")
    with pytest.raises(StreamReset):
        await near.write(b"y")
    assert [each.streams for each in pair] == [0, 0]


async def test_closing_tells_the_peer_to_stop_and_drops_what_it_sent() -> None:
    _, near, far = await streams(make_world())
    await far.write(b"unread")
    await asyncio.sleep(0.1)
    await near.close()
    with pytest.raises(StreamClosed):
        await near.read()
    with pytest.raises(StreamClosed):
        await near.write(b"late")
    await asyncio.sleep(0.1)
    with pytest.raises(StreamReset):
        await far.write(b"more")
    with pytest.raises(EndOfStream):
        await far.read()


async def test_a_peer_that_never_finishes_does_not_hold_the_channel_for_ever() -> None:
    pair, near, far = await streams(make_world())
    await near.close()
    await asyncio.sleep(60)
    assert pair[0].streams == 0
    with pytest.raises(EndOfStream):
        await far.read()


async def test_towards_rust_the_acknowledgement_of_fin_waits_for_our_own() -> None:
    pair, near, far = await streams(make_world(), agent="rust-libp2p/0.55")
    await far.close_write()
    await asyncio.sleep(1)
    await near.write(b"still writing")
    await near.close_write()
    assert await read_all(far) == b"still writing"
    await asyncio.sleep(1)
    assert pair[0].streams == 0


async def test_a_writer_waits_at_the_high_water_mark_and_goes_on_when_the_channel_drains() -> None:
    world = make_world()
    world.shape("one", "two", latency=0.01, bandwidth=1_000_000)
    _, near, _ = await streams(world)
    assert isinstance(near, DataChannelStream)
    chunk = bytes(64 * 1024)
    accepted = 0
    while near.try_write(chunk):
        accepted += len(chunk)
    assert DEFAULT_LIMITS.channel_high_water <= accepted <= DEFAULT_LIMITS.channel_high_water + len(chunk)
    loop = asyncio.get_running_loop()
    before = loop.time()
    await near.write(chunk)
    # Down to the low-water mark at one megabyte per second.
    expected = (accepted - DEFAULT_LIMITS.channel_low_water) / 1_000_000
    assert loop.time() - before == pytest.approx(expected, rel=0.2)
    assert near.try_write(chunk)


async def test_a_second_writer_is_refused_while_one_waits() -> None:
    world = make_world()
    world.shape("one", "two", bandwidth=100_000)
    _, near, _ = await streams(world)
    waiting = asyncio.create_task(near.write(bytes(2_000_000)))
    await asyncio.sleep(0.1)
    with pytest.raises(StreamBusy):
        await near.write(b"x")
    near.reset()
    with pytest.raises(StreamReset):
        await waiting


async def test_all_channels_together_stay_below_the_budget_of_the_connection() -> None:
    world = make_world()
    world.shape("one", "two", bandwidth=1_000_000)
    limits = replace(DEFAULT_LIMITS, connection_high_water=1_500_000)
    (one, _), near, _ = await streams(world, limits)
    second = await one.open_stream()
    assert isinstance(near, DataChannelStream)
    assert isinstance(second, DataChannelStream)
    while near.try_write(bytes(65536)):
        pass
    total = 0
    while second.try_write(bytes(65536)):
        total += 65536
    assert total < 600_000
    await asyncio.wait_for(second.write(bytes(65536)), 5)


async def test_a_reader_that_falls_behind_without_end_loses_the_stream_not_the_memory() -> None:
    limits = replace(DEFAULT_LIMITS, webrtc_receive_buffer=500_000)
    _, near, far = await streams(make_world(), limits)
    with pytest.raises(StreamReset):
        for _ in range(100):
            await near.write(bytes(65536))
            await asyncio.sleep(0.1)
    with pytest.raises(StreamReset):
        await far.read()


async def test_pushed_data_comes_at_once_and_the_end_is_still_read() -> None:
    _, near, far = await streams(make_world())
    assert isinstance(far, DataChannelStream)
    await near.write(b"first")
    await asyncio.sleep(0.1)
    got: list[bytes] = []
    far.push_to(got.append)
    assert got == [b"first"]
    await near.write(b"second")
    await near.close_write()
    with pytest.raises(EndOfStream):
        await far.read()
    assert got == [b"first", b"second"]


async def test_bytes_that_are_no_frames_reset_the_stream_and_leave_the_connection() -> None:
    (one, two), _, _ = await streams(make_world())
    seen: list[Stream] = []
    channel = two.peer_connection.create_data_channel("")
    one_streams = one.streams

    class Listener:
        def opened(self) -> None:
            channel.send(b"\x02\x0b\x00")

        def received(self, data: bytes) -> None: ...

        def drained(self) -> None: ...

        def closed(self) -> None:
            seen.clear()

    channel.listen(Listener(), 0)
    await asyncio.sleep(1)
    assert one.streams == one_streams
    assert not one.is_closed


async def test_a_frame_may_come_in_pieces_as_js_sends_it() -> None:
    one, two = await connected_pair(make_world())
    seen: list[Stream] = []
    one.start(seen.append)
    channel = two.peer_connection.create_data_channel("")
    frame = data_frame(b"in two pieces")

    class Listener:
        def opened(self) -> None:
            channel.send(frame[:1])
            channel.send(frame[1:])
            channel.send(frame)

        def received(self, data: bytes) -> None: ...

        def drained(self) -> None: ...

        def closed(self) -> None: ...

    channel.listen(Listener(), 0)
    await asyncio.sleep(1)
    assert await seen[0].read() == b"in two piecesin two pieces"


async def test_no_more_streams_than_the_limit_are_opened() -> None:
    limits = replace(DEFAULT_LIMITS, webrtc_channels=3)
    one, two = await connected_pair(make_world(), limits)
    two.start(lambda _: None)
    for _ in range(3):
        await one.open_stream()
    with pytest.raises(TooManyRequests):
        await one.open_stream()


async def test_closing_finishes_the_streams_and_the_peer_notices_at_once() -> None:
    (one, two), near, far = await streams(make_world())
    await near.write(b"last words")
    await one.close()
    assert one.is_closed
    assert one.close_reason == ""
    assert await far.read() == b"last words"
    loop = asyncio.get_running_loop()
    before = loop.time()
    await two.wait_closed()
    assert loop.time() - before < 1
    with pytest.raises(ConnectionLost):
        await one.open_stream()
    with pytest.raises((ConnectionLost, StreamClosed)):
        await near.read()


async def test_a_path_that_comes_back_within_the_grace_keeps_everything() -> None:
    world = make_world()
    (one, _), near, far = await streams(world)
    world.cut("one", "two")
    await near.write(b"while cut")
    await asyncio.sleep(12)
    assert not one.is_closed
    world.heal("one", "two")
    assert await far.read() == b"while cut"
    await asyncio.sleep(60)
    assert not one.is_closed


async def test_a_path_that_stays_away_ends_the_connection_and_its_streams() -> None:
    world = make_world()
    (one, two), near, far = await streams(world)
    world.cut("one", "two")
    await asyncio.wait_for(asyncio.gather(one.wait_closed(), two.wait_closed()), 20)
    assert "path" in one.close_reason
    for stream in (near, far):
        with pytest.raises(ConnectionLost):
            await stream.read()
        with pytest.raises(ConnectionLost):
            await stream.write(b"x")


async def test_statistics_count_payload_and_outlive_the_streams() -> None:
    (one, two), near, far = await streams(make_world())
    await near.write(bytes(100_000))
    while two.stats()["bytes_received"] < 100_000:
        await far.read()
    near.reset()
    await asyncio.sleep(1)
    assert one.stats()["bytes_sent"] == 100_000
    assert two.stats()["bytes_received"] == 100_000
    assert one.streams == 0
    assert repr(one).startswith("<webrtc outbound 12D3KooW")


async def test_abort_drops_everything_at_once() -> None:
    (one, _), near, _ = await streams(make_world())
    one.abort()
    assert one.is_closed
    with pytest.raises(ConnectionLost):
        await near.write(b"x")
    await one.close()
    await one.wait_closed()


def test_the_path_is_read_from_the_rows_of_get_stats() -> None:
    rows: list[dict[str, object]] = [
        {"id": "T", "type": "transport", "selectedCandidatePairId": "P"},
        {
            "id": "P",
            "type": "candidate-pair",
            "localCandidateId": "L",
            "remoteCandidateId": "R",
            "currentRoundTripTime": 0.02,
        },
        {"id": "L", "type": "local-candidate", "candidateType": "relay", "protocol": "udp"},
        {"id": "R", "type": "remote-candidate", "candidateType": "host"},
    ]
    path = selected_path(rows)
    assert (path["rtt"], path["local_candidate"], path["remote_candidate"]) == (0.02, "relay", "host")
    firefox = [row | {"nominated": True} for row in rows if row["type"] != "transport"]
    assert selected_path(firefox)["local_candidate"] == "relay"
    assert selected_path([]) == {}


async def test_messages_stay_below_what_the_peer_takes() -> None:
    pair, near, far = await streams(make_world())
    pair[0].remote_sdp = "v=0\r\na=max-message-size:1200\r\n"
    channel = near._channel  # type: ignore[attr-defined]
    sizes: list[int] = []
    send = channel.send
    near._channel = Measured(channel, lambda data: (sizes.append(len(data)), send(data)))  # type: ignore[attr-defined]
    await near.write(bytes(50_000))
    assert near.try_write(bytes(5_000))
    await near.close_write()
    assert len(await read_all(far)) == 55_000
    assert 1184 <= max(sizes) <= 1200


class Measured:
    """A channel whose `send` another one sees."""

    def __init__(self, channel: object, send: object) -> None:
        self._channel = channel
        self.send = send

    def __getattr__(self, name: str) -> object:
        return getattr(self._channel, name)


async def test_only_one_init_channel_is_kept() -> None:
    one, two = await connected_pair(make_world())
    one.start(lambda _: None)
    two.start(lambda _: None)
    channels = [one.peer_connection.create_data_channel("init") for _ in range(50)]
    await asyncio.sleep(5)
    assert sum(channel.ready_state == "open" for channel in channels) <= 1
    assert not two.is_closed
