"""What every `runtime.base.ByteLink` must do, over a pair of its ends. No pytest here: it may be sent to a page."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from darkswap_browser.errors import ConnectionLost, DarkSwapError, EndOfStream
from darkswap_browser.runtime.base.links import ByteLink

Pair = Callable[[], AbstractAsyncContextManager[tuple[ByteLink, ByteLink]]]
PATTERN = bytes(range(256)) * 4096


async def read_exactly(link: ByteLink, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        data += await link.read(count - len(data))
    return bytes(data)


async def outcome(work: Awaitable[object]) -> type[DarkSwapError] | None:
    """The class of the error that `work` ends with; None when it succeeds."""
    try:
        await work
    except DarkSwapError as error:
        return type(error)
    return None


async def bytes_go_both_ways(pair: Pair) -> None:
    async with pair() as (one, two):
        await one.write(b"to two")
        await two.write(b"to one")
        assert await read_exactly(two, 6) == b"to two"
        assert await read_exactly(one, 6) == b"to one"


async def borders_of_writes_mean_nothing(pair: Pair) -> None:
    async with pair() as (one, two):
        for at in range(0, 3000, 7):
            await one.write(PATTERN[at : min(at + 7, 3000)])
        assert await read_exactly(two, 3000) == PATTERN[:3000]


async def a_read_gives_one_byte_at_least_and_no_more_than_asked(pair: Pair) -> None:
    async with pair() as (one, two):
        await one.write(PATTERN[:1000])
        data = b""
        while len(data) < 1000:
            piece = await two.read(13)
            assert 1 <= len(piece) <= 13
            data += piece
        assert data == PATTERN[:1000]


async def empty_writes_are_nothing(pair: Pair) -> None:
    async with pair() as (one, two):
        await one.write(b"")
        await one.write(b"x")
        assert await two.read() == b"x"


async def a_mebibyte_in_one_write_arrives_whole(pair: Pair) -> None:
    async with pair() as (one, two):
        writing = asyncio.ensure_future(one.write(PATTERN))
        assert await read_exactly(two, len(PATTERN)) == PATTERN
        await writing


async def a_writer_waits_for_a_reader_that_does_not_read(pair: Pair) -> None:
    """And is let on when it does. 64 MiB is more than all buffers of any host on the way."""
    async with pair() as (one, two):
        accepted = 0

        async def write() -> None:
            nonlocal accepted
            for _ in range(64):
                await one.write(PATTERN)
                accepted += 1

        writing = asyncio.ensure_future(write())
        await asyncio.sleep(0.5)
        assert accepted < 64
        assert not writing.done()
        stuck = accepted
        await read_exactly(two, 40 * len(PATTERN))
        assert accepted > stuck
        one.reset()
        assert await outcome(writing) is ConnectionLost


async def closing_lets_all_arrive_and_then_ends(pair: Pair) -> None:
    async with pair() as (one, two):
        await one.write(PATTERN[:5000])
        closing = asyncio.ensure_future(one.close())
        assert await read_exactly(two, 5000) == PATTERN[:5000]
        assert await outcome(two.read()) is EndOfStream
        assert await outcome(two.read()) is EndOfStream
        await two.close()
        await closing


async def last_words_arrive_although_their_speaker_did_not_listen(pair: Pair) -> None:
    """What the closing side never read must not turn its end into a break. Small enough for every host's buffers."""
    async with pair() as (one, two):
        await two.write(PATTERN[:200_000])
        await asyncio.sleep(0.05)
        await one.write(b"last words")
        closing = asyncio.ensure_future(one.close())
        assert await read_exactly(two, 10) == b"last words"
        assert await outcome(two.read()) is EndOfStream
        await two.close()
        await closing


async def closing_both_ends_under_pressure_takes_no_time(pair: Pair) -> None:
    """Both have written until they wait; whoever closes throws away what the other still says."""
    async with pair() as (one, two):
        writing = [asyncio.ensure_future(_write_on(link)) for link in (one, two)]
        await asyncio.sleep(0.2)
        async with asyncio.timeout(4):
            await asyncio.gather(one.close(), two.close())
            assert set(await asyncio.gather(*map(outcome, writing))) == {ConnectionLost}


async def closing_after_the_other_has_closed_takes_no_time(pair: Pair) -> None:
    async with pair() as (one, two):
        await two.write(b"never read")
        closing = asyncio.ensure_future(two.close())
        await asyncio.sleep(0.1)
        async with asyncio.timeout(2):
            await one.close()
            await closing


async def _write_on(link: ByteLink) -> None:
    while True:
        await link.write(PATTERN)


async def what_was_closed_here_is_lost_here(pair: Pair) -> None:
    async with pair() as (one, two):
        closing = asyncio.ensure_future(one.close())
        await outcome(two.read())
        await two.close()
        await closing
        await one.close()
        one.reset()
        assert await outcome(one.write(b"x")) is ConnectionLost
        assert await outcome(one.read()) is ConnectionLost


async def a_reset_breaks_the_other_end(pair: Pair) -> None:
    async with pair() as (one, two):
        await one.write(b"x")
        assert await two.read() == b"x"
        reading = asyncio.ensure_future(two.read())
        await asyncio.sleep(0)
        one.reset()
        one.reset()
        assert await outcome(reading) in (ConnectionLost, EndOfStream)
        assert await outcome(one.read()) is ConnectionLost
        assert await outcome(one.write(b"x")) is ConnectionLost


async def a_reader_that_waits_is_told_of_our_own_end(pair: Pair) -> None:
    async with pair() as (one, _):
        reading = asyncio.ensure_future(one.read())
        await asyncio.sleep(0)
        one.reset()
        assert await outcome(reading) is ConnectionLost


async def a_writer_learns_that_the_other_end_is_gone(pair: Pair) -> None:
    async with pair() as (one, two):
        two.reset()
        for _ in range(200):
            if await outcome(one.write(PATTERN[:65536])) is ConnectionLost:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("writes go on succeeding")


CHECKS: tuple[Callable[[Pair], Awaitable[None]], ...] = (
    bytes_go_both_ways,
    borders_of_writes_mean_nothing,
    a_read_gives_one_byte_at_least_and_no_more_than_asked,
    empty_writes_are_nothing,
    a_mebibyte_in_one_write_arrives_whole,
    a_writer_waits_for_a_reader_that_does_not_read,
    closing_lets_all_arrive_and_then_ends,
    last_words_arrive_although_their_speaker_did_not_listen,
    closing_both_ends_under_pressure_takes_no_time,
    closing_after_the_other_has_closed_takes_no_time,
    what_was_closed_here_is_lost_here,
    a_reset_breaks_the_other_end,
    a_reader_that_waits_is_told_of_our_own_end,
    a_writer_learns_that_the_other_end_is_gone,
)
