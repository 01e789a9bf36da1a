"""The relay's books: who holds a reservation on which connection, and which circuits run. Pure rules.

Time is an argument, any monotonic seconds. Connections are opaque keys compared by identity; `source` is the text
under which an address is counted (`ip_key`), or None where addresses are not counted.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.rate_limit import TokenBuckets
from darkswap_browser.net.source import BLOCK, ip_block
from darkswap_browser.protocols.relay.messages import HopMessage, HopType, Status
from darkswap_browser.protocols.relay.server.limits import RelayLimits

NEWCOMERS = 8
"""One in so many reservations is left to addresses that hold none."""


class RefusalReason(StrEnum):
    """Why something was refused: a closed list, so it may label metrics and logs."""

    RELAYED = "relayed"
    SELF = "self"
    DRAINING = "draining"
    TOTAL = "total"
    PEER = "peer"
    IP = "ip"
    PEER_RATE = "peer-rate"
    IP_RATE = "ip-rate"
    NO_RESERVATION = "no-reservation"
    UNREACHABLE = "unreachable"
    MALFORMED = "malformed"
    UNEXPECTED = "unexpected"


@dataclass(frozen=True, slots=True)
class Refusal:
    status: Status
    reason: RefusalReason
    retry_after: float = 0.0
    """Seconds; 0 where it is not known."""

    def message(self) -> HopMessage:
        """What the refused peer is told."""
        return HopMessage(
            HopType.STATUS, status=self.status, reason=self.reason, retry_after=math.ceil(self.retry_after)
        )


@dataclass(frozen=True, slots=True)
class Granted:
    """`expires` by the caller's monotonic time."""

    expires: float
    renewed: bool


@dataclass(slots=True)
class _Slot:
    connection: object
    source: str | None
    expires: float


class CircuitCounts:
    """The circuits that run, counted for everybody whose share they are."""

    def __init__(self, limits: RelayLimits) -> None:
        self._limits = limits
        self.running = 0
        self._counts: Counter[Hashable] = Counter()

    def refusal(self, origin: PeerId, target: PeerId, source: str | None) -> RefusalReason | None:
        """Why there may not be another one, if so."""
        if self.running >= self._limits.circuits:
            return RefusalReason.TOTAL
        full = (reason for key, most, reason in self._shares(origin, target, source) if self._counts[key] >= most)
        return next(full, None)

    def add(self, origin: PeerId, target: PeerId, source: str | None, change: int) -> None:
        self.running += change
        for key, _, _ in self._shares(origin, target, source):
            self._counts[key] += change
            if not self._counts[key]:
                del self._counts[key]

    def _shares(
        self, origin: PeerId, target: PeerId, source: str | None
    ) -> Iterator[tuple[Hashable, int, RefusalReason]]:
        limits = self._limits
        yield ("from", origin), limits.circuits_per_peer, RefusalReason.PEER
        yield (origin, target), limits.circuits_per_pair, RefusalReason.PEER
        yield ("to", target), limits.circuits_per_target, RefusalReason.PEER
        if source is not None:
            yield source, limits.circuits_per_ip, RefusalReason.IP
            yield (source, target), limits.circuits_per_ip_and_target, RefusalReason.IP
        if (block := ip_block(source)) is not None:
            yield block, limits.circuits_per_ip * BLOCK, RefusalReason.IP


class ReservationStore:
    """One reservation per peer, bound to the connection that asked last; circuits counted at both ends."""

    def __init__(self, limits: RelayLimits) -> None:
        self._limits = limits
        self._slots: dict[PeerId, _Slot] = {}
        self._per_source: Counter[str] = Counter()
        self._circuits = CircuitCounts(limits)
        self._peer_rate = TokenBuckets(limits.peer_reservations, limits.tracked)
        self._ip_rate = TokenBuckets(limits.ip_reservations, limits.tracked)
        self._peer_circuit_rate = TokenBuckets(limits.peer_circuits, limits.tracked)
        self._ip_circuit_rate = TokenBuckets(limits.ip_circuits, limits.tracked)
        self.draining = False

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def circuits(self) -> int:
        return self._circuits.running

    def reserve(self, peer: PeerId, connection: object, source: str | None, now: float) -> Granted | Refusal:
        """Grant or renew. A renewal keeps its slot, needs no room, and moves to the connection that asked."""
        held = self._slots.get(peer)
        if (held is not None and held.expires <= now) or len(self._slots) >= self._limits.reservations:
            self.sweep(now)
            held = self._slots.get(peer)
        if (refusal := self._reserve_refusal(peer, held, source, now)) is not None:
            return refusal
        self._peer_rate.take(peer, now)
        if source is not None:
            self._ip_rate.take(source, now)
        if held is not None:
            self._count_source(held.source, -1)
        self._count_source(source, 1)
        expires = now + self._limits.reservation_ttl
        self._slots[peer] = _Slot(connection, source, expires)
        return Granted(expires, held is not None)

    def connection_of(self, peer: PeerId, now: float) -> object | None:
        """The connection that the live reservation of `peer` is bound to."""
        held = self._live(peer, now)
        return None if held is None else held.connection

    def connection_closed(self, peer: PeerId, connection: object) -> bool:
        """Drop the reservation bound to exactly this connection; a newer one of the same peer stays."""
        held = self._slots.get(peer)
        if held is None or held.connection is not connection:
            return False
        self._drop(peer)
        return True

    def open_circuit(self, origin: PeerId, target: PeerId, source: str | None, now: float) -> Refusal | None:
        """Count a circuit from `origin`, who comes from `source`, to `target` in, or say why not.

        Pair with `close_circuit`.
        """
        if (refusal := self._circuit_refusal(origin, target, source, now)) is not None:
            return refusal
        self._peer_circuit_rate.take(origin, now)
        if source is not None:
            self._ip_circuit_rate.take(source, now)
        self._circuits.add(origin, target, source, 1)
        return None

    def close_circuit(self, origin: PeerId, target: PeerId, source: str | None) -> None:
        self._circuits.add(origin, target, source, -1)

    def sweep(self, now: float) -> int:
        """Drop what has expired; returns how many reservations."""
        expired = [peer for peer, slot in self._slots.items() if slot.expires <= now]
        for peer in expired:
            self._drop(peer)
        for buckets in (self._peer_rate, self._ip_rate, self._peer_circuit_rate, self._ip_circuit_rate):
            buckets.sweep(now)
        return len(expired)

    def _reserve_refusal(self, peer: PeerId, held: _Slot | None, source: str | None, now: float) -> Refusal | None:
        limits = self._limits
        if self.draining:
            return Refusal(Status.RESERVATION_REFUSED, RefusalReason.DRAINING)
        if not self._peer_rate.allows(peer, now):
            return Refusal(Status.RESERVATION_REFUSED, RefusalReason.PEER_RATE, self._peer_rate.wait(peer, now))
        if source is not None and not self._ip_rate.allows(source, now):
            return Refusal(Status.RESERVATION_REFUSED, RefusalReason.IP_RATE, self._ip_rate.wait(source, now))
        if held is None and len(self._slots) >= limits.reservations:
            return Refusal(Status.RESOURCE_LIMIT_EXCEEDED, RefusalReason.TOTAL)
        if held is not None and held.source == source:
            return None
        is_new = source is not None and not self._per_source[source]
        if held is None and not is_new and len(self._slots) >= limits.reservations - limits.reservations // NEWCOMERS:
            return Refusal(Status.RESOURCE_LIMIT_EXCEEDED, RefusalReason.TOTAL)
        if source is not None and self._per_source[source] >= limits.reservations_per_ip:
            return Refusal(Status.RESERVATION_REFUSED, RefusalReason.IP)
        block = ip_block(source)
        if block is not None and self._per_source[block] >= limits.reservations_per_ip * BLOCK:
            return Refusal(Status.RESERVATION_REFUSED, RefusalReason.IP)
        return None

    def _circuit_refusal(self, origin: PeerId, target: PeerId, source: str | None, now: float) -> Refusal | None:
        if self.draining:
            return Refusal(Status.RESOURCE_LIMIT_EXCEEDED, RefusalReason.DRAINING)
        if origin == target:
            return Refusal(Status.PERMISSION_DENIED, RefusalReason.SELF)
        if self._live(target, now) is None:
            return Refusal(Status.NO_RESERVATION, RefusalReason.NO_RESERVATION)
        if (reason := self._circuits.refusal(origin, target, source)) is not None:
            return Refusal(Status.RESOURCE_LIMIT_EXCEEDED, reason)
        if not self._peer_circuit_rate.allows(origin, now):
            wait = self._peer_circuit_rate.wait(origin, now)
            return Refusal(Status.RESOURCE_LIMIT_EXCEEDED, RefusalReason.PEER_RATE, wait)
        if source is not None and not self._ip_circuit_rate.allows(source, now):
            wait = self._ip_circuit_rate.wait(source, now)
            return Refusal(Status.RESOURCE_LIMIT_EXCEEDED, RefusalReason.IP_RATE, wait)
        return None

    def _live(self, peer: PeerId, now: float) -> _Slot | None:
        held = self._slots.get(peer)
        return held if held is not None and held.expires > now else None

    def _drop(self, peer: PeerId) -> None:
        self._count_source(self._slots.pop(peer).source, -1)

    def _count_source(self, source: str | None, change: int) -> None:
        for key in (source, ip_block(source)):
            if key is not None:
                self._per_source[key] += change
                if not self._per_source[key]:
                    del self._per_source[key]
