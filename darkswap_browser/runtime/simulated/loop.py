"""An asyncio event loop in virtual time: waiting costs nothing, and every run is the same."""

from __future__ import annotations

import asyncio
import logging
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

PACKAGE = "darkswap_browser"
"""The logger that every logger of the package is below."""


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


class _FaultCollector(logging.Handler):
    """Takes the exceptions that the package logs as its own faults."""

    def __init__(self, faults: list[BaseException]) -> None:
        super().__init__(logging.ERROR)
        self._faults = faults

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info is not None and record.exc_info[1] is not None:
            self._faults.append(record.exc_info[1])


def run(main: Coroutine[Any, Any, T], faults: list[BaseException] | None = None) -> T:
    """Run `main` to its end in virtual time.

    Args:
        faults: Takes the errors that nobody handled: those the loop was told, and those that the package logged as
            its own. Without it the first of them is raised at the end.
    """
    unhandled = [] if faults is None else faults

    def collect(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        unhandled.append(context.get("exception") or RuntimeError(context["message"]))

    collector, logger = _FaultCollector(unhandled), logging.getLogger(PACKAGE)
    logger.addHandler(collector)
    try:
        with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
            runner.get_loop().set_exception_handler(collect)
            result = runner.run(main)
    finally:
        logger.removeHandler(collector)
    if faults is None and unhandled:
        raise unhandled[0]
    return result
