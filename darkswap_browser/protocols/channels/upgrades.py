"""A direct connection takes over from a relayed one, and any new one from a path on which nothing is heard."""

from __future__ import annotations

import asyncio

from darkswap_browser.concurrency.tasks import Tasks
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Connection, is_direct
from darkswap_browser.net.events import ConnectionOpened, Event
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.protocols.channels.channel import Channel
from darkswap_browser.protocols.channels.circuits import Attach
from darkswap_browser.protocols.channels.listener import ChannelState
from darkswap_browser.protocols.channels.table import ChannelTable

STEP_BACK = 1.0
"""Seconds by which the peer with the greater id lets the other one go first, so that they seldom do it both. Also how
long the connections of a page that leaves may take to end."""


class Upgrades:
    """Moves a channel to a better connection as soon as there is one."""

    def __init__(self, swarm: Swarm, tasks: Tasks, table: ChannelTable, attach: Attach) -> None:
        self._swarm = swarm
        self._tasks = tasks
        self._table = table
        self._attach = attach

    def event(self, event: Event) -> None:
        if isinstance(event, ConnectionOpened):
            peer = event.connection.remote_peer
            channel = self._table.get(peer)
            if channel is not None and self._is_better(event.connection, channel):
                self._tasks.spawn(self._improve(peer, channel, event.connection), "channel upgrade")

    def _is_better(self, connection: Connection, channel: Channel) -> bool:
        link = channel.link
        if link is None or link.connection is connection:
            return False
        # Reconnecting with a stream: nothing is heard on it.
        is_silent = channel.state is ChannelState.RECONNECTING
        return is_silent or (is_direct(connection) and not is_direct(link.connection))

    async def _improve(self, peer: PeerId, channel: Channel, connection: Connection) -> None:
        if peer < self._swarm.local_peer:
            await asyncio.sleep(STEP_BACK)
        if self._is_better(connection, channel) and not connection.is_closed:
            await self._attach(peer, channel, connection)
