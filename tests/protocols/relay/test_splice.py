"""Splicing: exact limits, half-closing, back-pressure."""

from __future__ import annotations

import asyncio

import pytest

from darkswap_browser.errors import ConnectionLost, EndOfStream, StreamReset
from darkswap_browser.net.connection import CircuitLimit
from darkswap_browser.net.stream import ReceiveBuffer
from darkswap_browser.protocols.relay.server.splice import CircuitEnd, splice

CHUNK = 64 * 1024


class End:
    """One end of a stream as the relay holds it: what the remote sends is `feed`ed, what it gets is `got`."""

    def __init__(self) -> None:
        self._in = ReceiveBuffer()
        self.got = bytearray()
        self.finished = False
        self.was_reset = False
        self.taken = 0
        self.open = asyncio.Event()
        self.open.set()

    def feed(self, data: bytes) -> None:
        self._in.feed(data)

    def finish(self) -> None:
        self._in.end(EndOfStream())

    def fail(self, error: Exception) -> None:
        self._in.end(error, drop=True)

    async def read(self, max_bytes: int = CHUNK) -> bytes:
        data = await self._in.read(max_bytes)
        self.taken += len(data)
        return data

    async def write(self, data: bytes) -> None:
        await self.open.wait()
        self.got += data

    async def close_write(self) -> None:
        self.finished = True

    async def close(self) -> None:
        self.finished = True

    def reset(self) -> None:
        self.was_reset = True
        self._in.end(StreamReset(), drop=True)


class Running:
    def __init__(self, limit: CircuitLimit | None = None, *, already: int = 0) -> None:
        self.left, self.right, self.carried = End(), End(), 0
        self.task = asyncio.create_task(splice(self.left, self.right, limit, CHUNK, self._count, already=already))

    def _count(self, passed: int) -> None:
        self.carried += passed


async def test_bytes_pass_both_ways_and_are_counted() -> None:
    run = Running()
    run.left.feed(b"ab")
    run.right.feed(b"xyz")
    await asyncio.sleep(1)
    assert (bytes(run.right.got), bytes(run.left.got), run.carried) == (b"ab", b"xyz", 5)
    run.left.finish()
    run.right.finish()
    assert await run.task is CircuitEnd.FINISHED


async def test_an_end_is_passed_on_in_its_direction_only() -> None:
    run = Running()
    run.left.finish()
    await asyncio.sleep(1)
    assert run.right.finished
    assert not run.left.finished
    run.right.feed(b"still here")
    await asyncio.sleep(1)
    assert run.left.got == b"still here"
    run.right.finish()
    assert await run.task is CircuitEnd.FINISHED
    assert not run.left.was_reset


@pytest.mark.parametrize("error", [StreamReset(), ConnectionLost()])
async def test_a_broken_side_breaks_the_other(error: Exception) -> None:
    run = Running()
    run.left.fail(error)
    assert await run.task is CircuitEnd.BROKEN
    assert run.right.was_reset


@pytest.mark.parametrize("sizes", [(1000,), (999, 1), (1,) * 1000])
async def test_exactly_the_data_limit_passes(sizes: tuple[int, ...]) -> None:
    run = Running(CircuitLimit(0, 1000))
    for size in sizes:
        run.left.feed(bytes(size))
    run.left.finish()
    run.right.finish()
    assert await run.task is CircuitEnd.FINISHED
    assert len(run.right.got) == 1000


@pytest.mark.parametrize("sizes", [(1001,), (1000, 1), (999, 2)])
async def test_one_byte_more_resets_both_after_the_limit_passed(sizes: tuple[int, ...]) -> None:
    run = Running(CircuitLimit(0, 1000))
    for size in sizes:
        run.left.feed(bytes(size))
    assert await run.task is CircuitEnd.DATA_LIMIT
    assert len(run.right.got) == 1000
    assert run.left.was_reset
    assert run.right.was_reset


async def test_the_limit_counts_each_direction_by_itself() -> None:
    run = Running(CircuitLimit(0, 1000))
    run.left.feed(bytes(1000))
    run.right.feed(bytes(1000))
    await asyncio.sleep(1)
    assert not run.task.done()
    run.right.feed(b"!")
    assert await run.task is CircuitEnd.DATA_LIMIT


async def test_the_time_limit_is_kept_to_the_second() -> None:
    run = Running(CircuitLimit(60, 0))
    await asyncio.sleep(59.999)
    assert not run.task.done()
    await asyncio.sleep(0.002)
    assert await run.task is CircuitEnd.TIME_LIMIT
    assert run.left.was_reset
    assert run.right.was_reset


async def test_a_side_that_does_not_read_leaves_at_most_64_kib_with_us() -> None:
    run = Running()
    run.right.open.clear()
    for _ in range(100):
        run.left.feed(bytes(50_000))
    await asyncio.sleep(10)
    assert run.left.taken - len(run.right.got) <= CHUNK
    run.right.feed(b"the other way is free")
    await asyncio.sleep(1)
    assert run.left.got == b"the other way is free"
    run.right.open.set()
    run.left.finish()
    run.right.finish()
    await run.task
    assert len(run.right.got) == 5_000_000


async def test_giving_up_resets_both() -> None:
    run = Running()
    await asyncio.sleep(1)
    run.task.cancel()
    await asyncio.wait([run.task])
    assert run.left.was_reset
    assert run.right.was_reset


async def test_splice_counts_bytes_sent_before_it_against_their_direction_only() -> None:
    run = Running(CircuitLimit(0, 10), already=6)
    run.right.feed(bytes(10))
    run.left.feed(b"12345")
    assert await run.task is CircuitEnd.DATA_LIMIT
    assert (bytes(run.right.got), len(run.left.got)) == (b"1234", 10)
