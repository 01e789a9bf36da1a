"""Tell subscribers about events, outside the code that the events happen in."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from darkswap_browser.concurrency.faults import Guard, log_fault

E = TypeVar("E")


class Subscribers(Generic[E]):
    """Call subscribers with every event: in order, from the event loop, after the call that caused it.

    One that raises disturbs neither the publisher nor the others, also when it raises `CancelledError`.

    Args:
        on_failure: Called with the exception of a subscriber and the event it was given. Must not raise; it may
            publish. Default: log it.
    """

    def __init__(self, on_failure: Callable[[BaseException, E], None] | None = None) -> None:
        self._on_failure = on_failure or _log_failure
        self._callbacks: dict[int, Callable[[E], object]] = {}
        self._next = 0
        self._waiting: deque[tuple[E, tuple[int, ...]]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        """The loop that was asked to deliver what waits."""

    def __len__(self) -> int:
        return len(self._callbacks)

    def subscribe(self, callback: Callable[[E], object]) -> Callable[[], None]:
        """Call `callback` with every event from now on.

        Returns:
            The function that ends it: nothing is told after it, not even what was published before. Idempotent.
        """
        self._next += 1
        number = self._next
        self._callbacks[number] = callback

        def unsubscribe() -> None:
            self._callbacks.pop(number, None)

        return unsubscribe

    def publish(self, event: E) -> None:
        """Tell everyone who is subscribed at this moment, from the loop's next turn."""
        if not self._callbacks:
            return
        self._waiting.append((event, tuple(self._callbacks)))
        loop = asyncio.get_running_loop()
        # Another loop than now: it was closed before it delivered.
        if self._loop is not loop:
            self._loop = loop
            loop.call_soon(self._deliver, loop)

    def flush(self) -> None:
        """Deliver now what waits: for the moment before the application goes on or the loop may end."""
        while self._waiting:
            event, numbers = self._waiting.popleft()
            for number in numbers:
                callback = self._callbacks.get(number)
                if callback is not None:
                    self._call(callback, event)

    def _call(self, callback: Callable[[E], object], event: E) -> None:
        with Guard(lambda error: self._on_failure(error, event)):
            callback(event)

    def _deliver(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._loop is loop:
            self._loop = None
        self.flush()


def _log_failure(error: BaseException, event: object) -> None:
    log_fault(f"a subscriber of {type(event).__name__}", error)
