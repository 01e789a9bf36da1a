"""Wait for something that other code of the same loop says has happened."""

from __future__ import annotations

import asyncio


class Waiter:
    """`wait` ends with the next `wake`. What is waited for is checked by the caller, before and after."""

    __slots__ = ("_futures",)

    def __init__(self) -> None:
        self._futures: list[asyncio.Future[None]] = []

    @property
    def is_waiting(self) -> bool:
        return bool(self._futures)

    async def wait(self) -> None:
        """Return after the next `wake`.

        Cancellation: Safe; other callers are not affected.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._futures.append(future)
        try:
            await future
        finally:
            self._futures.remove(future)

    def wake(self) -> None:
        """Let everyone who waits go on. Without anyone waiting it does nothing: it is not remembered."""
        for future in self._futures:
            if not future.done():
                future.set_result(None)
