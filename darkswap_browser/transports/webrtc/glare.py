"""Two direct connections where one is enough: both peers dialled at once, and neither saw the other's dial in time.

The connection whose dialler has the lower peer id stays, as `private` has it where it can tell before; the other one's
dialler closes it. What it carries moves first: channels lose nothing when a connection ends. Only between two of ours:
others keep both.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from darkswap_browser.concurrency.tasks import Tasks
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Direction
from darkswap_browser.net.events import ConnectionOpened, Event
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.transports.webrtc.connection import DataChannelConnection
from darkswap_browser.transports.webrtc.sdp import is_darkswap_sdp

SETTLE_SECONDS = 2.0
"""After the second connection is up: the peer may have just opened a stream on the first."""


class GlareSettler:
    def __init__(self, swarm: Swarm) -> None:
        self._swarm = swarm
        self._tasks = Tasks(swarm.faults.report)
        self._unsubscribe: Callable[[], None] = lambda: None

    def start(self) -> None:
        self._unsubscribe = self._swarm.subscribe(self._event)

    async def close(self) -> None:
        """Idempotent. Cancellation: Safe; everything was told to end before the first await."""
        self._unsubscribe()
        await self._tasks.close()

    def _event(self, event: Event) -> None:
        if isinstance(event, ConnectionOpened) and isinstance(event.connection, DataChannelConnection):
            peer = event.connection.remote_peer
            if self._surplus(peer):
                self._tasks.spawn(self._settle(peer), "close a second direct connection")

    async def _settle(self, peer: PeerId) -> None:
        await asyncio.sleep(SETTLE_SECONDS)
        for connection in self._surplus(peer):
            await connection.close()

    def _surplus(self, peer: PeerId) -> list[DataChannelConnection]:
        """Connections that we dialled, beside one that the peer dialled, whose id is the lower one."""
        if self._swarm.local_peer < peer:
            return []
        direct = [
            each
            for each in self._swarm.connections(peer)
            if isinstance(each, DataChannelConnection)
            and each.transport == "webrtc"
            and is_darkswap_sdp(each.remote_sdp)
        ]
        ours = [each for each in direct if each.direction is Direction.OUTBOUND]
        return ours if len(ours) < len(direct) else []
