"""Which way to a peer is tried when, and what is remembered of relays. Time is an argument."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from darkswap_browser.identity.peer_id import PeerId

Way = TypeVar("Way")

MAX_RUNNING = 8
"""Ways tried at once: those begun first have had their seconds when this is reached."""
MAX_REMEMBERED = 1024
"""Peers and relays of which something is remembered; the oldest goes first."""
SLOW_SECONDS = 120.0
"""How long a relay that failed, or was overtaken, is tried behind the others."""


class RelayMemory:
    """Through which relay a peer was reached, and which relays failed lately."""

    def __init__(self) -> None:
        self._met: dict[PeerId, PeerId] = {}
        self._slow_until: dict[PeerId, float] = {}

    def met(self, peer: PeerId, relay: PeerId) -> None:
        _put(self._met, peer, relay)
        self._slow_until.pop(relay, None)

    def failed(self, relay: PeerId, now: float) -> None:
        """It could not be reached, or another one was faster though it began later."""
        _put(self._slow_until, relay, now + SLOW_SECONDS)

    def order(
        self, peer: PeerId, relays: Iterable[PeerId], now: float, is_connected: Callable[[PeerId], bool]
    ) -> list[PeerId]:
        """The relay where we met the peer, those that we are connected to, the others; slow ones last in each."""
        met = self._met.get(peer)
        return sorted(
            relays,
            key=lambda relay: (self._slow_until.get(relay, 0.0) > now, relay != met, not is_connected(relay)),
        )


def _put(table: dict[PeerId, Way], key: PeerId, value: Way) -> None:
    table.pop(key, None)
    table[key] = value
    while len(table) > MAX_REMEMBERED:
        del table[next(iter(table))]


@dataclass
class PathSearch(Generic[Way]):
    """Several ways to one peer, in the order of their promise: the next begins `stagger` seconds after the one before
    it, or as soon as one has failed.
    """

    waiting: list[Way]
    stagger: float
    running: dict[Way, float] = field(default_factory=dict)
    """Way → when it began, in order."""
    attempts: list[tuple[Way, Exception]] = field(default_factory=list)
    _next_at: float = 0.0

    @classmethod
    def over(cls, ways: Sequence[Way], stagger: float) -> PathSearch[Way]:
        return cls(list(ways), stagger)

    def begin(self, now: float) -> Way | None:
        """The way to be tried from now on; None when it is not yet time for another."""
        if not self.waiting or len(self.running) >= MAX_RUNNING or (self.running and now < self._next_at):
            return None
        way = self.waiting.pop(0)
        self.running[way] = now
        self._next_at = now + self.stagger
        return way

    def wait(self, now: float) -> float | None:
        """Seconds until `begin` may have another way; None: not before one has failed."""
        if not self.waiting or len(self.running) >= MAX_RUNNING:
            return None
        return max(self._next_at - now, 0.0)

    def failed(self, way: Way, error: Exception, now: float) -> None:
        del self.running[way]
        self.attempts.append((way, error))
        self._next_at = now

    def won(self, way: Way) -> list[Way]:
        """`way` led to the peer: those that began before it, and have not answered."""
        begun = self.running[way]
        return [each for each, at in self.running.items() if each != way and at < begun]

    @property
    def is_over(self) -> bool:
        """Every way has failed."""
        return not self.waiting and not self.running
