"""Finds connections that died without a word: a host fell asleep, a page was reloaded, a path is gone.

Muxers that can ping are asked every `ping_interval` unless bytes came in; WebRTC has ICE consent checks for that.
A new connection of a peer that already has some puts the old ones to the test at once, as a reloaded page
leaves them behind, and so does waking up. A direct link that answers nothing is given up only when somebody else
answers: where nobody does, the network is away, and ICE may find the link's path again when no relay is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from darkswap_browser.concurrency.tasks import Tasks
from darkswap_browser.errors import DarkSwapError, TimedOut
from darkswap_browser.net.connection import Connection
from darkswap_browser.net.events import ConnectionClosed, ConnectionOpened, Event
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.protocols.ping import Ping


@runtime_checkable
class PingingSession(Protocol):
    """A connection whose muxer measures the round trip itself."""

    async def ping(self) -> float: ...


class Liveness:
    def __init__(self, swarm: Swarm, ping: Ping) -> None:
        self._swarm = swarm
        self._ping = ping
        self._limits = swarm.limits
        self._received: dict[Connection, int] = {}
        self._misses: dict[Connection, int] = {}
        self._probing: dict[Connection, asyncio.Task[None]] = {}
        self._answered_at: dict[Connection, float] = {}
        self._spared: dict[Connection, int] = {}
        """Direct links that missed while nobody answered, and the bytes that they had received."""
        self._unsubscribe: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._tasks = Tasks(swarm.faults.report)

    def start(self) -> None:
        self._unsubscribe = self._swarm.subscribe(self._on_event)
        self._schedule()

    async def close(self) -> None:
        """Idempotent.

        Cancellation: Safe; everything was told to end before the first await.
        """
        self.abort()
        await self._tasks.close()

    def abort(self) -> None:
        """As `close`, without waiting."""
        if self._timer is not None:
            self._timer.cancel()
        if self._unsubscribe is not None:
            self._unsubscribe()
        self._tasks.cancel()

    def check_now(self) -> None:
        """Put every connection to the test: the host was asleep, or a peer is silent."""
        for connection in self._swarm.connections():
            self._probe(connection, self._limits.probe_timeout, misses_allowed=0)

    def network_changed(self) -> None:
        """Put every connection to a shorter test, instead of one that is under way."""
        for task in list(self._probing.values()):
            task.cancel()
        self._probing.clear()
        for connection in self._swarm.connections():
            self._probe(connection, self._limits.network_probe_timeout, misses_allowed=0)

    def _schedule(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._limits.ping_interval, self._round)

    def _round(self) -> None:
        self._schedule()
        for connection in self._swarm.connections():
            if not isinstance(connection, PingingSession):
                continue
            received = connection.stats()["bytes_received"]
            if self._received.get(connection) == received:
                self._probe(connection, self._limits.ping_timeout, misses_allowed=1)
            self._received[connection] = received

    def _on_event(self, event: Event) -> None:
        if isinstance(event, ConnectionOpened):
            for spared, received in tuple(self._spared.items()):
                if spared.stats()["bytes_received"] == received:
                    self._give_up(spared)
            self._spared.clear()
            for older in self._swarm.connections(event.connection.remote_peer):
                if older is not event.connection and older.opened_at <= event.connection.opened_at:
                    self._probe(older, self._limits.probe_timeout, misses_allowed=0)
        elif isinstance(event, ConnectionClosed):
            self._received.pop(event.connection, None)
            self._misses.pop(event.connection, None)
            self._answered_at.pop(event.connection, None)
            self._spared.pop(event.connection, None)

    def _probe(self, connection: Connection, patience: float, misses_allowed: int) -> None:
        if connection in self._probing:
            return
        task = self._tasks.spawn(self._test(connection, patience, misses_allowed), "liveness")
        self._probing[connection] = task
        task.add_done_callback(
            lambda over: self._probing.pop(connection) if self._probing.get(connection) is over else None
        )

    async def _test(self, connection: Connection, patience: float, misses_allowed: int) -> None:
        began = asyncio.get_running_loop().time()
        if await self._answers(connection, patience):
            self._misses.pop(connection, None)
            self._spared.pop(connection, None)
            self._answered_at[connection] = asyncio.get_running_loop().time()
            return
        misses = self._misses[connection] = self._misses.get(connection, 0) + 1
        if misses <= misses_allowed:
            return
        if isinstance(connection, PingingSession) or self._is_somebody_there(connection, began):
            self._give_up(connection)
        else:
            self._spared[connection] = connection.stats()["bytes_received"]

    def _is_somebody_there(self, connection: Connection, since: float) -> bool:
        """Whether another connection answered or was opened since, or a newer one leads to the same peer."""
        for other in self._swarm.connections():
            is_newer = other.remote_peer == connection.remote_peer and other.opened_at > connection.opened_at
            if other is not connection and (
                is_newer or other.opened_at >= since or self._answered_at.get(other, -1.0) >= since
            ):
                return True
        return False

    def _give_up(self, connection: Connection) -> None:
        if not connection.is_closed:
            connection.abort()

    async def _answers(self, connection: Connection, patience: float) -> bool:
        try:
            async with asyncio.timeout(patience):
                if isinstance(connection, PingingSession):
                    await connection.ping()
                else:
                    await self._ping.ping(connection)
        except (TimeoutError, TimedOut):
            return False
        except DarkSwapError:
            # "na", a reset, even a loss: whoever says no is there, and a loss needs nobody to find it.
            return True
        return True
