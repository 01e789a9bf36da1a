"""Single flight: calls for the same thing at the same time are made once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from darkswap_browser.concurrency.tasks import cancel_owned, result_of, wait_ended

T = TypeVar("T")


class SharedCall(Generic[T]):
    """One running call that any number of callers wait for.

    It goes on as long as one of them waits, and is cancelled when the last one gave up.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._task: asyncio.Task[T] | None = None
        self._waiting = 0

    @property
    def has_callers(self) -> bool:
        """Whether somebody waits for it."""
        return self._waiting > 0

    @property
    def is_running(self) -> bool:
        """Whether there is a call to join; one that everybody gave up, or whose loop has ended, is none."""
        return self._task is not None and not self._task.done() and not self._task.get_loop().is_closed()

    def begin(self, work: Coroutine[Any, Any, T]) -> None:
        """Start `work` for the `join`s that follow. Must not be running."""
        assert not self.is_running, f"{self._what} is running already"
        self._task = asyncio.get_running_loop().create_task(work, name=self._what)
        self._task.add_done_callback(_observe)

    async def join(self) -> T:
        """The result of the call begun last.

        Raises:
            Aborted: The call itself was cancelled, by `close`.

        Cancellation: The last caller that is cancelled cancels the call and waits for its end.
        """
        task = self._task
        assert task is not None, f"{self._what} was not begun"
        self._waiting += 1
        try:
            return await result_of(task)
        finally:
            self._waiting -= 1
            if not self._waiting and not task.done():
                # From now on the next caller begins another call instead of joining one that ends.
                self._task = None
                task.cancel()
                await wait_ended((task,))

    def cancel(self) -> None:
        """Cancel the call without waiting; whoever joined it sees `Aborted`. Idempotent."""
        if self._task is not None and self.is_running:
            cancel_owned(self._task)

    async def close(self) -> None:
        """Cancel the call and wait for its end; whoever joined it sees `Aborted`. Idempotent.

        Cancellation: Safe; the call was told to end before the first await.
        """
        if self._task is not None and self.is_running:
            cancel_owned(self._task)
            await wait_ended((self._task,))


class SharedCalls:
    """`SharedCall`s by key."""

    def __init__(self) -> None:
        self._calls: dict[Hashable, SharedCall[Any]] = {}

    def __len__(self) -> int:
        return len(self._calls)

    async def run(self, key: Hashable, start: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of the call for `key` that is running, or of one that `start` makes now.

        `key` must name the question and the kind of its answer.

        Cancellation: As `SharedCall.join`.
        """
        call = self._calls.get(key)
        if call is None or not call.is_running:
            call = self._calls[key] = SharedCall(f"call {key}")
            call.begin(start())
        try:
            result: T = await call.join()
        finally:
            if not call.is_running and self._calls.get(key) is call:
                del self._calls[key]
        return result

    def cancel(self, key: Hashable) -> None:
        """Cancel the call for `key`, if it is running, without waiting; whoever joined it sees `Aborted`."""
        if key in self._calls:
            self._calls[key].cancel()

    async def close(self) -> None:
        """Cancel every call; whoever waits sees `Aborted`. Idempotent.

        Cancellation: Calls that were not reached yet go on; call it again.
        """
        for call in list(self._calls.values()):
            await call.close()


def _observe(task: asyncio.Task[Any]) -> None:
    """Those who joined get the exception; if all of them have gone it is no news for the loop."""
    if not task.cancelled():
        task.exception()
