"""Encrypted frames that cost more than they bring."""

from __future__ import annotations

import asyncio

import pytest

from darkswap_browser.errors import ProtocolViolation
from darkswap_browser.net.noise.secure_stream import MAX_EMPTY, SMALL_BURST, SMALL_RATE
from tests.net.noise.test_secure_stream import shake
from tests.support.pipe import identity


async def test_frames_without_a_byte_in_them_are_refused_beyond_a_few():
    first, second, left, _ = await shake(await identity("alice"), await identity("bob"))

    async def send_empty(count: int) -> None:
        for _ in range(count):
            sealed = first.stream._sending.encrypt(b"")
            await left.write(len(sealed).to_bytes(2, "big") + sealed)

    await send_empty(MAX_EMPTY)
    await first.stream.write(b"something")
    assert await second.stream.read() == b"something"
    await send_empty(MAX_EMPTY + 1)
    with pytest.raises(ProtocolViolation):
        await second.stream.read()


async def test_small_frames_beyond_the_burst_are_held_up_and_large_ones_are_not():
    first, second, _, _ = await shake(await identity("alice"), await identity("bob"))
    loop = asyncio.get_running_loop()

    async def send(data: bytes, times: int) -> float:
        started, left = loop.time(), len(data) * times

        async def write() -> None:
            for _ in range(times):
                await first.stream.write(data)

        writing = asyncio.create_task(write())
        while left:
            left -= len(await second.stream.read())
        await writing
        return loop.time() - started

    assert await send(bytes(20_000), 1000) == 0
    assert await send(b"x", SMALL_BURST - 500) == 0
    assert 1 < await send(b"x", 3 * SMALL_RATE) < 4
