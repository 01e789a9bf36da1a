"""Ends connections that nobody misses: circuits that a direct link replaced, and what strangers leave unused."""

from __future__ import annotations

import asyncio

from darkswap_browser.concurrency.tasks import Tasks
from darkswap_browser.net.swarm import Swarm

INTERVAL = 5.0
"""Seconds between two looks."""


class IdleConnections:
    """The rules are in `ConnectionTable.unused`."""

    def __init__(self, swarm: Swarm) -> None:
        self._swarm = swarm
        self._timer: asyncio.TimerHandle | None = None
        self._tasks = Tasks(swarm.faults.report)

    def start(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(INTERVAL, self._look)

    def abort(self) -> None:
        """Look no more. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._tasks.cancel()

    async def close(self) -> None:
        """As `abort`. Cancellation: Safe; everything was told to end before the first await."""
        self.abort()
        await self._tasks.close()

    def _look(self) -> None:
        self.start()
        for connection in self._swarm.table.unused(asyncio.get_running_loop().time()):
            self._tasks.spawn(connection.close(), "close unused connection")
