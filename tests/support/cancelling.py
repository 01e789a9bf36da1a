"""Cancel a coroutine at each of its awaits, or at each turn of the loop while it runs, and look what it leaves.

for number in count(1):
    outcome = await cancel_at(node.ping(peer), number)
    ... the node still works ...
    if not outcome.was_cancelled:
        break
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator, Iterable
from dataclasses import dataclass
from typing import Any

from darkswap_browser.concurrency.tasks import wait_ended
from darkswap_browser.testing.loop import SimulatedLoop


@dataclass(frozen=True)
class Outcome:
    """What became of a coroutine. `was_cancelled`: the moment to cancel it came before its end."""

    was_cancelled: bool
    result: Any = None
    error: BaseException | None = None
    """What it raised in the end; `CancelledError` where it passed the cancellation on, as it should."""


async def cancel_at(work: Coroutine[Any, Any, Any], number: int) -> Outcome:
    """Run `work` in a task that is cancelled at its suspension of that number, counted from 1.

    Work that is done in tasks of others (a start that callers share) suspends its caller once: use `cancel_on_turn`.
    """
    counted = _Counted(work, number)
    task = asyncio.ensure_future(counted.run())
    await wait_ended([task])
    return _outcome(task, counted.reached)


async def cancel_on_turn(work: Coroutine[Any, Any, Any], turn: int) -> Outcome:
    """Run `work` in a task that is cancelled when the loop turned that often since; 0: before its first step."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimulatedLoop)
    task = asyncio.ensure_future(work)
    reached = False

    def cancel() -> None:
        nonlocal reached
        reached = task.cancel()

    end = loop.call_on_turn(turn + 1, cancel)
    try:
        await wait_ended([task])
    finally:
        end()
    return _outcome(task, reached)


def tasks_left(before: Iterable[asyncio.Task[Any]]) -> list[str]:
    """Names of the tasks that run now and did not run `before`."""
    known = {*before, asyncio.current_task()}
    return sorted(task.get_name() for task in asyncio.all_tasks() if task not in known)


def timers() -> int:
    """Timers that are set on the running loop."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimulatedLoop)
    return loop.timers


def _outcome(task: asyncio.Task[Any], reached: bool) -> Outcome:
    if task.cancelled():
        return Outcome(reached, error=asyncio.CancelledError())
    if (error := task.exception()) is not None:
        return Outcome(reached, error=error)
    return Outcome(reached, result=task.result())


class _Counted:
    """Steps a coroutine and counts its suspensions."""

    def __init__(self, work: Coroutine[Any, Any, Any], number: int) -> None:
        self._work = work
        self._number = number
        self._seen = 0
        self.reached = False

    async def run(self) -> Any:
        return await self

    def __await__(self) -> Generator[Any, Any, Any]:
        error: BaseException | None = None
        while True:
            try:
                waited_for = self._work.send(None) if error is None else self._work.throw(error)
            except StopIteration as end:
                return end.value
            self._seen += 1
            task = asyncio.current_task()
            if self._seen == self._number and task is not None:
                self.reached = task.cancel()
            error = None
            try:
                yield waited_for
            except BaseException as thrown:  # noqa: BLE001 (handed to the coroutine at its next step)
                error = thrown
