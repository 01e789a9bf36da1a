"""What every stream can rely on: the receive buffer and the look-ahead of `BufferedStream`."""

from __future__ import annotations

import asyncio

import pytest

from darkswap_browser.errors import EndOfStream, MalformedMessage, StreamBusy, StreamReset
from darkswap_browser.net.stream import BufferedStream, ReceiveBuffer
from darkswap_browser.wire.varint import encode_varint
from tests.support.pipe import pipe


async def test_a_reader_waits_until_bytes_arrive():
    buffer = ReceiveBuffer()
    reading = asyncio.create_task(buffer.read(10))
    await asyncio.sleep(5)
    assert not reading.done()
    buffer.feed(b"hello")
    assert await reading == b"hello"


async def test_buffered_bytes_are_delivered_before_the_end():
    buffer = ReceiveBuffer()
    buffer.feed(b"last")
    buffer.end(EndOfStream())
    assert await buffer.read(2) == b"la"
    assert await buffer.read(2) == b"st"
    with pytest.raises(EndOfStream):
        await buffer.read(2)


async def test_a_second_reader_is_refused():
    buffer = ReceiveBuffer()
    first = asyncio.create_task(buffer.read(1))
    await asyncio.sleep(0)
    with pytest.raises(StreamBusy):
        await buffer.read(1)
    buffer.feed(b"x")
    assert await first == b"x"


async def test_small_chunks_are_read_together_as_far_as_they_fit():
    taken: list[int] = []
    buffer = ReceiveBuffer(taken.append)
    one, two, three = b"1" * 2000, b"2" * 2000, b"3" * 3000
    for chunk in (one, two, three):
        buffer.feed(chunk)
    assert await buffer.read(5000) == one + two
    assert await buffer.read(2) == b"33"
    assert await buffer.read(10_000) == three[2:]
    assert taken == [4000, 2, 2998]
    assert len(buffer) == 0


@pytest.mark.parametrize("size", [1, 2, 1023])
async def test_tiny_chunks_are_kept_as_few_large_ones_in_their_order(size: int):
    buffer = ReceiveBuffer()
    data = bytes(number % 251 for number in range(60_000))
    for start in range(0, len(data), size):
        buffer.feed(data[start : start + size])
    assert len(buffer._chunks) <= 4
    assert len(buffer) == len(data)
    buffer.feed(b"x" * 5000)
    buffer.feed(b"y")
    assert await buffer.read(60_000) == data
    assert await buffer.read(65536) == b"x" * 5000 + b"y"


async def test_dropping_at_the_end_forgets_what_was_buffered():
    buffer = ReceiveBuffer()
    buffer.feed(b"unread")
    buffer.end(EndOfStream())
    buffer.end(StreamReset(), drop=True)
    with pytest.raises(StreamReset):
        await buffer.read(10)


async def test_a_whole_message_in_the_look_ahead_is_known_without_reading():
    left, right = pipe()
    stream = BufferedStream(left)
    assert not stream.has_message()
    stream.unread(b"\x03ab")
    assert not stream.has_message()
    stream.unread(b"\x00")
    assert stream.has_message()
    assert await stream.read_message(10) == b""
    await right.write(b"cd")
    assert await stream.read_message(10) == b"abc"
    assert await stream.read() == b"d"


async def test_an_announced_size_over_the_cap_is_refused_before_the_body():
    left, right = pipe()
    await right.write(b"\x81\x08")
    with pytest.raises(MalformedMessage, match="1025"):
        await BufferedStream(left).read_message(1024)


async def test_a_stream_that_ends_within_a_message_is_malformed_and_between_two_is_the_end():
    for data, error in ((b"\x05abc", MalformedMessage), (b"\x85", MalformedMessage), (b"", EndOfStream)):
        left, right = pipe()
        await right.write(data)
        await right.close()
        with pytest.raises(error):
            await BufferedStream(left).read_message(1024)


async def test_messages_cut_anywhere_arrive_whole():
    data = b"".join(encode_varint(size) + bytes(size) for size in (0, 1, 127, 128, 300))
    for step in (1, 2, 7, 200):
        left, right = pipe()
        stream = BufferedStream(left)
        for at in range(0, len(data), step):
            await right.write(data[at : at + step])
        assert [len(await stream.read_message(1000)) for _ in range(5)] == [0, 1, 127, 128, 300]
