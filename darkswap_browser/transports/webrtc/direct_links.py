"""How many direct links there may be, whose, and which one goes for another."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from darkswap_browser.errors import TooManyRequests
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Connection
from darkswap_browser.net.swarm import Swarm


class DirectLinks:
    """Counts the connections of one transport, and the negotiations that may end in one.

    A host has few of them (Chrome: 500 a page) and a stranger's costs as much as a friend's, so strangers have a share.
    """

    def __init__(self, swarm: Swarm, transport: str) -> None:
        self._swarm = swarm
        self._transport = transport
        self._limits = swarm.limits
        self._negotiating: Counter[PeerId] = Counter()

    @contextmanager
    def negotiating(self, peer: PeerId) -> Iterator[None]:
        """A negotiation with `peer` counts as a link."""
        self._negotiating[peer] += 1
        try:
            yield
        finally:
            self._negotiating[peer] -= 1
            if not self._negotiating[peer]:
                del self._negotiating[peer]

    def make_room(self) -> None:
        """For a link that we make: a stranger's goes where there is no room. Raises `TooManyRequests`."""
        links, most = self._open(), self._limits.peer_connections
        if len(links) + self._negotiating.total() >= most:
            victim = self._idlest_stranger(links)
            if victim is None:
                raise TooManyRequests("direct connections", most)
            # At once: a peer connection that closes politely takes its place until the end.
            victim.abort()

    def make_room_for(self, peer: PeerId) -> None:
        """For a link that `peer` asks for. Raises `TooManyRequests`."""
        ours, limits = self._swarm.ours, self._limits
        if peer in ours:
            self.make_room()
            return
        links = self._open()
        strangers = sum(self._swarm.table.is_stranger(each) for each in links)
        strangers += sum(count for each, count in self._negotiating.items() if each not in ours)
        is_full = len(links) + self._negotiating.total() >= limits.peer_connections
        if not is_full and strangers < limits.peer_connections_of_strangers:
            return
        victim = self._idlest_stranger(links)
        if victim is None or (victim.streams and self._idle_seconds(victim) < limits.stranger_idle):
            raise TooManyRequests("direct connections of strangers", limits.peer_connections_of_strangers)
        victim.abort()

    def _open(self) -> list[Connection]:
        return [each for each in self._swarm.connections() if each.transport == self._transport]

    def _idlest_stranger(self, links: list[Connection]) -> Connection | None:
        table = self._swarm.table
        return table.idlest(filter(table.is_stranger, links), asyncio.get_running_loop().time())

    def _idle_seconds(self, connection: Connection) -> float:
        return self._swarm.table.idle_seconds(connection, asyncio.get_running_loop().time())
