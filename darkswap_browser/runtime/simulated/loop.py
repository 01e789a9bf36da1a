"""An asyncio event loop in virtual time: waiting costs nothing, and every run is the same."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Stuck(RuntimeError):
    """Every task waits for something that can no longer happen."""


class _VirtualSelector(selectors.SelectSelector):
    """Where the loop would block for `timeout` seconds, the clock is moved on by as much."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            raise Stuck("no task can run and no timer is set")
        self.now += max(timeout, 0.0)
        return []


class SimulatedLoop(asyncio.SelectorEventLoop):
    """`loop.time()` starts at 0 and jumps from timer to timer."""

    def __init__(self) -> None:
        self._virtual = _VirtualSelector()
        super().__init__(self._virtual)
        # A timer must never be due "within clock resolution" of a virtual now: exact steps only.
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self._virtual.now


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end in virtual time; an error that no task handled is raised too."""
    unhandled: list[BaseException] = []

    def collect(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        unhandled.append(context.get("exception") or RuntimeError(context["message"]))

    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        runner.get_loop().set_exception_handler(collect)
        result = runner.run(main)
    if unhandled:
        raise unhandled[0]
    return result
