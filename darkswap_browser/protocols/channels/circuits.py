"""Relayed paths with limits: what is sent stays below them, and another circuit is there before one ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from darkswap_browser.concurrency.tasks import Tasks
from darkswap_browser.errors import DarkSwapError
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Connection, Direction, is_direct
from darkswap_browser.net.events import ConnectionOpened, Event
from darkswap_browser.net.rate_limit import Rate
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.protocols.channels.channel import Channel

logger = logging.getLogger(__name__)

Attach = Callable[[PeerId, Channel, Connection], Awaitable[DarkSwapError | None]]

CIRCUITS = Rate(6, 5.0)
"""Of one peer: a relay's own limits are of this order (ours: 30, then one in 10 s)."""
MAX_PAUSE = 60.0
"""Seconds before another circuit when several carried nothing."""
_DOUBLINGS = 6
"""Of the pause, until it is the longest."""
_PATIENCE = 2.0
"""Seconds by which the side that was dialled lets the dialler go first: that one can reach it for sure."""
_LAST_SECONDS = 10.0
"""Before a circuit's time is over: a dial takes one or two."""
_TRACKED = 1024


@dataclass(slots=True)
class _Past:
    """Of one peer: where its session stood when the last circuit was opened, and how many there were of late."""

    progress: int
    failures: int = 0
    full_at: float = 0.0
    """When the token bucket is full again."""


class CircuitRenewer:
    """Opens a new circuit to a peer when what one may carry, or its time, is nearly spent."""

    def __init__(self, swarm: Swarm, tasks: Tasks, attach: Attach) -> None:
        self._swarm = swarm
        self._tasks = tasks
        self._attach = attach
        self._past: dict[PeerId, _Past] = {}
        self._running: dict[PeerId, asyncio.Task[None]] = {}
        self._timers: dict[PeerId, asyncio.TimerHandle] = {}
        self._loop = asyncio.get_running_loop()

    def watch(self, peer: PeerId, channel: Channel) -> None:
        """A stream was attached: renew before the time of its circuit is over."""
        self.unwatch(peer)
        link = channel.link
        if link is None or is_direct(link.connection):
            self._past.pop(peer, None)
            return
        self._remember(peer, channel)
        limit = link.connection.limit
        if limit is not None and limit.duration:
            margin = min(_LAST_SECONDS, limit.duration / 4)
            age = self._loop.time() - link.connection.opened_at
            wait = max(limit.duration - margin - age, 0.0)
            self._timers[peer] = self._loop.call_later(wait, self._due, peer, channel, link.connection)

    def forget(self, peer: PeerId) -> None:
        """The channel has ended: what its circuits carried says nothing of the next one's."""
        self.unwatch(peer)
        self._past.pop(peer, None)

    def unwatch(self, peer: PeerId) -> None:
        """The stream is gone, or another one is there."""
        if (timer := self._timers.pop(peer, None)) is not None:
            timer.cancel()

    def _due(self, peer: PeerId, channel: Channel, connection: Connection) -> None:
        self._timers.pop(peer, None)
        if channel.link is not None and channel.link.connection is connection:
            self.renew(peer, channel)

    def renew(self, peer: PeerId, channel: Channel) -> None:
        """The circuit below `channel` is nearly spent."""
        if peer not in self._running and channel.link is not None:
            task = self._tasks.spawn(self._renew(peer, channel, channel.link.connection), "renew circuit")
            self._running[peer] = task
            task.add_done_callback(lambda _: self._running.pop(peer, None))

    async def _renew(self, peer: PeerId, channel: Channel, old: Connection) -> None:
        def is_used() -> bool:
            return channel.link is not None and channel.link.connection is old

        if old.direction is Direction.INBOUND:
            await asyncio.sleep(_PATIENCE)
        while is_used():
            await self.pause(peer, channel)
            # A stranger renews what it made itself.
            if not is_used() or peer not in self._swarm.ours:
                return
            try:
                connection = await self._swarm.dial_address(old.remote_addr)
            except DarkSwapError as error:
                logger.info("circuit not renewed peer=%s: %s", peer.short, error)
                continue
            if is_used():
                await self._attach(peer, channel, connection)
        if not old.streams:
            await old.close()

    async def pause(self, peer: PeerId, channel: Channel) -> None:
        """Before another circuit is opened or used: a moment when there were many, longer when the last one carried
        nothing. It ends when there is a direct connection."""
        is_first = peer not in self._past
        past = self._remember(peer, channel)
        progress = _progress(channel)
        wait = 0.0
        if is_first or past.progress != progress:
            past.progress, past.failures = progress, 0
        else:
            past.failures += 1
            wait = min(2.0 ** min(past.failures, _DOUBLINGS), MAX_PAUSE)
        now = self._loop.time()
        past.full_at = max(past.full_at, now) + CIRCUITS.interval
        await self._wait_for_direct(peer, max(wait, past.full_at - now - CIRCUITS.burst * CIRCUITS.interval))

    async def _wait_for_direct(self, peer: PeerId, seconds: float) -> None:
        best, found = self._swarm.best_connection(peer), asyncio.Event()

        def opened(event: Event) -> None:
            if not isinstance(event, ConnectionOpened) or event.connection.remote_peer != peer:
                return
            if is_direct(event.connection):
                found.set()

        if seconds > 0 and not (best is not None and is_direct(best)):
            unsubscribe = self._swarm.subscribe(opened)
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await found.wait()
            finally:
                unsubscribe()

    def _remember(self, peer: PeerId, channel: Channel) -> _Past:
        past = self._past.setdefault(peer, _Past(_progress(channel)))
        if len(self._past) > _TRACKED:
            del self._past[next(iter(self._past))]
        return past


def _progress(channel: Channel) -> int:
    return channel.machine.outbox.consumed + channel.machine.inbox.received
