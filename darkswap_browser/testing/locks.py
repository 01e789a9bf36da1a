"""Locks of one simulated tab: shared with the other tabs of its site, freed when it is killed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from darkswap_browser.concurrency.named_locks import NamedLocks
from darkswap_browser.errors import Aborted


class SimulatedLocks:
    def __init__(self, shared: NamedLocks) -> None:
        self._shared = shared
        self._held: set[Callable[[], None]] = set()
        self._dropped = False

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[None]:
        release = await self._shared.acquire(name)
        if self._dropped:
            release()
            raise Aborted(f"waiting for lock {name} in a tab that is gone")
        self._held.add(release)
        try:
            yield
        finally:
            self._held.discard(release)
            release()

    def drop(self) -> None:
        """The tab is gone: what it holds is free, what it waits for it does not get."""
        self._dropped = True
        for release in self._held:
            release()
        self._held.clear()
