"""Exclusive locks by name within one event loop; who came first is served first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class NamedLocks:
    """A `runtime.base.Locks` for one page or process. A name that nobody holds or waits for costs nothing."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._users: dict[str, int] = {}

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[None]:
        release = await self.acquire(name)
        try:
            yield
        finally:
            release()

    async def acquire(self, name: str) -> Callable[[], None]:
        """Returns the function that lets go, once; calling it again does nothing."""
        lock = self._locks.setdefault(name, asyncio.Lock())
        self._users[name] = self._users.get(name, 0) + 1
        try:
            await lock.acquire()
        except BaseException:
            self._leave(name)
            raise
        held = [lock]

        def release() -> None:
            if held:
                held.pop().release()
                self._leave(name)

        return release

    def _leave(self, name: str) -> None:
        self._users[name] -= 1
        if not self._users[name]:
            del self._users[name], self._locks[name]
