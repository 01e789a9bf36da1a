"""Report faults of background work: an exception that no caller waits for.

A library must not use the event loop's exception handler for this: the handler belongs to the application.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from types import TracebackType

from darkswap_browser.errors import SubscriberFailed

logger = logging.getLogger(__name__)

ReportFault = Callable[[str, BaseException], None]
"""(what failed, why). Must not raise."""


def log_fault(what: str, error: BaseException) -> None:
    """Log `error` with its traceback."""
    logger.error("%s failed", what, exc_info=error)


def subscriber_failed(what: str, error: BaseException) -> SubscriberFailed:
    """The fault of a callback of the application that raised `error`."""
    failure = SubscriberFailed(what, f"{type(error).__name__}: {error}")
    failure.__cause__ = error
    return failure


class FaultReporter:
    """The one place to which the background work of a node reports: `logging`, then `listener` where one is set."""

    def __init__(self) -> None:
        self.listener: ReportFault | None = None

    def report(self, what: str, error: BaseException) -> None:
        """A `ReportFault`."""
        log_fault(what, error)
        if self.listener is not None:
            self.listener(what, error)


class Guard:
    """Run foreign code inside ours: `with Guard(on_error): callback()`.

    An `Exception` of the block is given to `on_error` and goes no further. So is a `CancelledError` of its own, as the
    result of a cancelled future raises it. `KeyboardInterrupt` and `SystemExit` pass.

    Args:
        awaits: Whether the block awaits. The running task may then be cancelled in it, and that passes. A block that
            does not is not where a cancellation of the task arrives: it comes at the next await after the block.
    """

    def __init__(self, on_error: Callable[[BaseException], None], *, awaits: bool = False) -> None:
        self._on_error = on_error
        self._awaits = awaits

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if isinstance(error, asyncio.CancelledError):
            if self._awaits and _is_being_cancelled():
                return False
        elif not isinstance(error, Exception):
            return False
        self._on_error(error)
        return True


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
