"""One direction of anything that carries something through the virtual network."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")

EXACT = 1e-9
"""Timers of the loop may run this much early, in seconds."""


class Route(Protocol):
    """The way of a pipe at this moment."""

    def is_up(self) -> bool: ...

    def delay(self) -> float: ...

    def bandwidth(self) -> float | None: ...


class Pipe(Generic[T]):
    """One direction: items leave in order, arrive after the delay, and wait while the route is down."""

    def __init__(self, route: Route, deliver: Callable[[T], None]) -> None:
        self._route = route
        self._deliver = deliver
        self._loop = asyncio.get_running_loop()
        self._queue: deque[tuple[float, int, T]] = deque()
        self._free_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.pending = 0
        """Bytes under way."""

    def send(self, item: T, size: int) -> None:
        rate = self._route.bandwidth()
        self._free_at = max(self._loop.time(), self._free_at) + (size / rate if rate else 0.0)
        due = self._free_at + self._route.delay()
        if self._queue:
            due = max(due, self._queue[-1][0])
        self._queue.append((due, size, item))
        self.pending += size
        self.resume()

    def clear(self) -> None:
        self._queue.clear()
        self.pending = 0

    def resume(self) -> None:
        """Look again: called after every change of the route."""
        if self._timer is None and self._queue and self._route.is_up():
            self._timer = self._loop.call_at(self._queue[0][0], self._run)

    def _run(self) -> None:
        self._timer = None
        while self._queue and self._queue[0][0] <= self._loop.time() + EXACT and self._route.is_up():
            _, size, item = self._queue.popleft()
            self.pending -= size
            self._deliver(item)
        self.resume()
