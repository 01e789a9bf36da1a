"""What every stream can rely on: the receive buffer and the look-ahead of `BufferedStream`."""

from __future__ import annotations

import asyncio

import pytest

from darkswap_browser.errors import EndOfStream, StreamBusy
from darkswap_browser.net.stream import ReceiveBuffer


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
