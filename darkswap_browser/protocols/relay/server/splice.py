"""Two streams made one: what a relay does for the length of a circuit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import StrEnum

from darkswap_browser.errors import ConnectionLost, EndOfStream, ResourceLimit, StreamError
from darkswap_browser.net.connection import CircuitLimit
from darkswap_browser.net.stream import Stream

UNLIMITED = CircuitLimit()


class CircuitEnd(StrEnum):
    """How a circuit ended; a closed list for metrics and logs."""

    FINISHED = "finished"
    BROKEN = "broken"
    DATA_LIMIT = "data-limit"
    TIME_LIMIT = "time-limit"


async def splice(
    left: Stream,
    right: Stream,
    limit: CircuitLimit | None,
    chunk: int,
    on_bytes: Callable[[int], None],
    *,
    already: int = 0,
) -> CircuitEnd:
    """Carry bytes both ways until both directions finished, something broke, or `limit` is reached.

    A side is read again only once the other has accepted what was read before, so at most `chunk` bytes per
    direction rest here. An end of stream is passed on per direction; any other end resets both streams. Of
    each direction exactly `limit.data` bytes pass; the next one ends the circuit. `on_bytes` hears each count.
    `already`: bytes of `left` that `right` was sent before; they count against the limit and are not told again.
    """
    limit = limit or UNLIMITED
    end = CircuitEnd.BROKEN
    try:
        async with asyncio.timeout(limit.duration or None):
            end = await _both_ways(left, right, limit.data, chunk, on_bytes, already)
    except TimeoutError:
        end = CircuitEnd.TIME_LIMIT
    finally:
        if end is not CircuitEnd.FINISHED:
            left.reset()
            right.reset()
    return end


async def _both_ways(
    left: Stream, right: Stream, allowed: int, chunk: int, on_bytes: Callable[[int], None], already: int
) -> CircuitEnd:
    end = CircuitEnd.FINISHED
    try:
        async with asyncio.TaskGroup() as pumps:
            pumps.create_task(_pump(left, right, allowed, chunk, on_bytes, already))
            pumps.create_task(_pump(right, left, allowed, chunk, on_bytes))
    except* ResourceLimit:
        end = CircuitEnd.DATA_LIMIT
    except* (StreamError, ConnectionLost):
        end = CircuitEnd.BROKEN
    return end


async def _pump(
    source: Stream, sink: Stream, allowed: int, chunk: int, on_bytes: Callable[[int], None], passed: int = 0
) -> None:
    """Raises `ResourceLimit` at the first byte beyond `allowed` (0 = no limit), after passing on all before it."""
    while True:
        try:
            data = await source.read(chunk)
        except EndOfStream:
            await sink.close_write()
            return
        surplus = passed + len(data) - allowed if allowed else 0
        if surplus > 0:
            data = data[: len(data) - surplus]
        if data:
            await sink.write(data)
            passed += len(data)
            on_bytes(len(data))
        if surplus > 0:
            raise ResourceLimit("bytes on a circuit", allowed)
