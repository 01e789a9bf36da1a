"""Own background tasks: start them, keep them, report their faults, end them together."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from darkswap_browser.concurrency.faults import ReportFault, log_fault
from darkswap_browser.errors import Aborted, DarkSwapError

T = TypeVar("T")

_OWNER_ENDS = "its owner ends"
"""The message of a cancellation by the owner of a task."""


class Tasks:
    """The tasks of one component.

    asyncio keeps only weak references to tasks, and an exception in a task that nobody awaits is lost or left to the
    application's exception handler. Every task of this package therefore has an owner of this class.
    """

    def __init__(self, report: ReportFault = log_fault) -> None:
        self.report = report
        self._running: dict[asyncio.Task[Any], bool] = {}
        """Whether each was told to end already: a second time would interrupt what it does to end. In order."""
        self._closed = False

    def __len__(self) -> int:
        return len(self._running)

    @property
    def is_closed(self) -> bool:
        return self._closed

    def spawn(
        self,
        work: Coroutine[Any, Any, T],
        name: str,
        *,
        expected: type[Exception] | tuple[type[Exception], ...] = (),
    ) -> asyncio.Task[T]:
        """Run `work` in a task that ends with its owner.

        Args:
            expected: Exceptions that are no fault, because whoever awaits the task handles them.

        Returns:
            The task. After `close` or `cancel` it is cancelled before its first step: nothing of `work` runs.
        """
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running[task] = False
        task.add_done_callback(lambda over: self._ended(over, expected))
        if self._closed:
            self._end(task)
        return task

    async def run(self, work: Coroutine[Any, Any, T], name: str) -> T:
        """Await `work` in a task that ends with its owner as well as with its caller.

        Raises:
            Aborted: The owner was closed meanwhile.

        Cancellation: Cancels `work` and waits for its end.
        """
        task = self.spawn(work, name, expected=Exception)
        try:
            return await result_of(task)
        except asyncio.CancelledError:
            await cancel_and_wait((task,))
            raise

    def cancel(self) -> None:
        """Ask every task to end, and let no other begin. Idempotent; does not wait."""
        self._closed = True
        for task in self._others():
            self._end(task)

    async def close(self) -> None:
        """Cancel every task but the caller's own, and wait until they have ended. Idempotent.

        Cancellation: Safe. Every task was told to end before the first await, and ends by itself.
        """
        self.cancel()
        await wait_ended(self._others())

    def _end(self, task: asyncio.Task[Any]) -> None:
        if not self._running[task]:
            self._running[task] = True
            cancel_owned(task)

    def _others(self) -> list[asyncio.Task[Any]]:
        current = asyncio.current_task()
        return [task for task in self._running if task is not current]

    def _ended(self, task: asyncio.Task[Any], expected: type[Exception] | tuple[type[Exception], ...]) -> None:
        del self._running[task]
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, expected):
            self.report(task.get_name(), error)


def finish_now(work: Coroutine[Any, Any, None]) -> None:
    """Run `work`, which waits for nothing, to its end: where the loop it belongs to has ended."""
    try:
        work.send(None)
    except StopIteration:
        return
    work.close()
    raise AssertionError("it waits for something")


def is_end_of_owner(error: asyncio.CancelledError) -> bool:
    """Whether a task is cancelled because its owner ends, who may wait for it: it must not wait for the owner."""
    return error.args == (_OWNER_ENDS,)


def cancel_owned(task: asyncio.Future[Any]) -> None:
    """Cancel a task of one's own that one will wait for; in the task, `is_end_of_owner` tells."""
    task.cancel(_OWNER_ENDS)


async def wait_ended(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Wait until all are done, whatever they end with.

    Cancellation: Safe; the tasks are not cancelled by it.
    """
    if waiting := [task for task in tasks if not task.done()]:
        await asyncio.wait(waiting)


async def result_of(future: asyncio.Future[T]) -> T:
    """The result of `future`, which others may wait for too.

    Raises:
        Aborted: The future itself was cancelled.
        Exception: What it ended with; a `DarkSwapError` as a copy for each caller.

    Cancellation: Safe; the future is not cancelled by it. (`asyncio.shield` reports an error that comes after its
    caller has gone to the loop, from Python 3.14 on.)
    """
    await wait_ended((future,))
    if future.cancelled():
        raise Aborted(future.get_name() if isinstance(future, asyncio.Task) else "waiting")
    error = future.exception()
    if isinstance(error, DarkSwapError):
        raise error.fresh()
    return future.result()


async def cancel_and_wait(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel all and wait until they have ended, whatever they end with.

    Cancellation: Safe; every task was told to end before the first await.
    """
    ending = list(tasks)
    for task in ending:
        task.cancel()
    await wait_ended(ending)
