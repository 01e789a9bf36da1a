"""The connections of one node: how many there may be, whose they are, and which one goes when there is no room."""

from __future__ import annotations

from collections.abc import Iterable

from darkswap_browser.errors import TooManyRequests
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Connection, is_direct
from darkswap_browser.net.limits import Limits
from darkswap_browser.net.our_peers import OurPeers
from darkswap_browser.net.routing import ConnectionStreams


class ConnectionTable:
    """Rules only: what is to be closed is returned, and closed by the caller. Times are loop seconds."""

    def __init__(self, limits: Limits, ours: OurPeers) -> None:
        self._limits = limits
        self._ours = ours
        self._held: dict[PeerId, list[ConnectionStreams]] = {}
        self._of: dict[Connection, ConnectionStreams] = {}
        self._going: set[Connection] = set()
        """Told to close for others; they take no place any more."""

    def __len__(self) -> int:
        return len(self._of)

    def __contains__(self, connection: Connection) -> bool:
        return connection in self._of

    def all(self) -> tuple[Connection, ...]:
        """Those of one peer behind one another, oldest first; without those that are closed."""
        return tuple(held.connection for each in self._held.values() for held in each if not held.connection.is_closed)

    def of(self, peer: PeerId) -> tuple[Connection, ...]:
        return tuple(held.connection for held in self._held.get(peer, ()) if not held.connection.is_closed)

    def best(self, peer: PeerId, *, allow_limited: bool) -> Connection | None:
        """Direct before relayed, unlimited before limited, then the newest: after a reload the old one is dead."""
        best: Connection | None = None
        for each in self.of(peer):
            if (allow_limited or each.limit is None) and (best is None or _rank(each) >= _rank(best)):
                best = each
        return best

    def is_stranger(self, connection: Connection) -> bool:
        return connection.remote_peer not in self._ours

    def make_room(self, connection: Connection, now: float) -> list[Connection]:
        """The connections that have to be closed for this new one.

        Raises:
            TooManyRequests: None may go for it.
        """
        victims = self._surplus_of(connection.remote_peer)
        limits = self._limits
        stranger = self.is_stranger(connection)
        share = min(limits.connections_of_strangers, limits.connections) if stranger else limits.connections
        if len(self._of) - len(self._going) - len(victims) >= share:
            there = [each for each in self.all() if each not in self._going and each not in victims]
            strangers = [each for each in there if self.is_stranger(each)]
            if len(there) >= limits.connections or (stranger and len(strangers) >= share):
                victims.append(self._least_missed(strangers, stranger, share, now))
        self._going.update(victims)
        return victims

    def _surplus_of(self, peer: PeerId) -> list[Connection]:
        """Of a peer that has too many: its oldest idle one."""
        mine = [each for each in self.of(peer) if each not in self._going]
        if len(mine) < self._limits.connections_per_peer:
            return []
        return [next((each for each in mine if not each.streams), mine[0])]

    def _least_missed(self, strangers: list[Connection], for_stranger: bool, share: int, now: float) -> Connection:
        """For a stranger, only one that is not in use: whoever comes cannot be told from whoever is there."""
        victim = self.idlest(strangers, now)
        in_use = victim is not None and victim.streams and self.idle_seconds(victim, now) < self._limits.stranger_idle
        if victim is None or (for_stranger and in_use):
            raise TooManyRequests("connections of strangers" if for_stranger else "connections", share)
        return victim

    def idlest(self, among: Iterable[Connection], now: float) -> Connection | None:
        """The connection whose end is missed least: without streams, and silent for longest."""
        return max(among, key=lambda each: (not each.streams, self.idle_seconds(each, now)), default=None)

    def idle_seconds(self, connection: Connection, now: float) -> float:
        """Since bytes of streams were last seen to move. Whoever wants it exact asks often."""
        return self._of[connection].idle_seconds(now)

    def unused(self, now: float) -> list[Connection]:
        """Connections to be closed because nothing goes on in them; each is named once."""
        found = [each for each in self.all() if each not in self._going and not each.streams]
        found = [each for each in found if self._is_unused(each, self.idle_seconds(each, now), now)]
        self._going.update(found)
        return found

    def _is_unused(self, connection: Connection, idle: float, now: float) -> bool:
        limits = self._limits
        if self.is_stranger(connection) and idle >= limits.stranger_idle:
            return True
        if is_direct(connection) or idle < limits.replaced_idle:
            return False
        # Proven, and with a path at this moment: otherwise the circuit is what a new path is agreed on over.
        direct = [each for each in self.of(connection.remote_peer) if is_direct(each) and each not in self._going]
        return any(now - each.opened_at >= limits.replaced_after and _has_path(each) for each in direct)

    def add(self, connection: Connection) -> ConnectionStreams:
        held = self._of[connection] = ConnectionStreams(connection)
        self._held.setdefault(connection.remote_peer, []).append(held)
        return held

    def remove(self, held: ConnectionStreams) -> None:
        peer = held.connection.remote_peer
        self._of.pop(held.connection, None)
        self._going.discard(held.connection)
        mine = self._held.get(peer, [])
        if held in mine:
            mine.remove(held)
        if not mine:
            self._held.pop(peer, None)


def _has_path(connection: Connection) -> bool:
    return bool(connection.stats().get("state", "connected") == "connected")


def _rank(connection: Connection) -> tuple[bool, bool]:
    return connection.transport != "circuit", connection.limit is None
