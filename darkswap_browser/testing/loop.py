"""An asyncio event loop in virtual time: waiting costs nothing, and every run is the same."""

from __future__ import annotations

import asyncio
import logging
import selectors
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar, TypeVarTuple
from weakref import WeakSet

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

PACKAGE = "darkswap_browser"
"""The logger that every logger of the package is below."""


class DeadlockError(RuntimeError):
    """Every task waits for something that can no longer happen."""


class _VirtualSelector(selectors.SelectSelector):
    """Where the loop would block for `timeout` seconds, the clock is moved on by as much."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.turns = 0
        self.alarms: dict[int, tuple[int, Callable[[], object]]] = {}
        """Number → (turn, what is called then)."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.turns += 1
        for number, (turn, callback) in list(self.alarms.items()):
            if turn <= self.turns:
                del self.alarms[number]
                callback()
                timeout = 0  # what it made ready runs at this moment
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            raise DeadlockError("no task can run and no timer is set")
        self.now += max(timeout, 0.0)
        return []


class SimulatedLoop(asyncio.SelectorEventLoop):
    """`loop.time()` starts at 0 and jumps from timer to timer."""

    def __init__(self) -> None:
        self._virtual = _VirtualSelector()
        super().__init__(self._virtual)
        # A timer must never be due "within clock resolution" of a virtual now: exact steps only.
        self._clock_resolution = 1e-9
        self._timers: WeakSet[asyncio.TimerHandle] = WeakSet()

    def time(self) -> float:
        return self._virtual.now

    @property
    def timers(self) -> int:
        """How many are set."""
        return sum(not handle.cancelled() and handle.when() > self.time() for handle in self._timers)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        handle = super().call_at(when, callback, *args, context=context)
        self._timers.add(handle)
        return handle

    def call_on_turn(self, turn: int, callback: Callable[[], object]) -> Callable[[], None]:
        """Call `callback` when the loop has turned that often from now, 1 being the next turn; returns the end of it.

        For tests that do something at every point at which other code may run.
        """
        alarms = self._virtual.alarms
        number = max(alarms, default=0) + 1
        alarms[number] = self._virtual.turns + turn, callback

        def end() -> None:
            alarms.pop(number, None)

        return end


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
