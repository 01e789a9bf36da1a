"""What the faces tell about relays, peers and connections, as frozen records of plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from darkswap_browser.net.connection import CircuitLimit, Connection, path_of
from darkswap_browser.protocols.relay.reservation_keeper import Reservation
from darkswap_browser.protocols.signaling.messages import SignalingEvent


@dataclass(frozen=True, slots=True)
class DarkSwapEvent:
    """`type` and the keys of `fields` are those of `DarkSwapEvent` in darkswap.d.ts; `at` is unix seconds."""

    type: str
    at: float
    fields: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class PeerSignal:
    """An offer, answer or candidate that `peer` sent."""

    peer: str
    event: SignalingEvent


@dataclass(frozen=True, slots=True)
class RelayReservation:
    """`expires_at` in whole unix seconds; `limit` is that of circuits through the relay."""

    relay_peer_id: str
    reservation_id: str
    expires_at: int
    addresses: tuple[str, ...]
    limit: CircuitLimit | None = None

    @classmethod
    def of(cls, reservation: Reservation) -> RelayReservation:
        return cls(
            str(reservation.relay),
            reservation.id,
            int(reservation.expires_at),
            tuple(str(address) for address in reservation.addresses),
            reservation.limit,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayMetrics:
    """`successful_connections` and `failed_connections` count since the start; the others are as of now."""

    successful_connections: int
    failed_connections: int
    active_connections: int
    reservations: int
    bytes_sent: int
    bytes_received: int
    direct_connections: int
    relayed_connections: int
    messages_sent: int
    messages_received: int


@dataclass(frozen=True, slots=True)
class ChannelInfo:
    """`path` is "direct", "turn", "relayed" or "none"."""

    peer_id: str
    state: str
    path: str
    limit: CircuitLimit | None = None


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    peer_id: str
    path: str
    transport: str
    direction: str
    remote_addr: str
    limit: CircuitLimit | None = None

    @classmethod
    def of(cls, connection: Connection) -> ConnectionInfo:
        return cls(
            str(connection.remote_peer),
            path_of(connection),
            connection.transport,
            connection.direction,
            str(connection.remote_addr),
            connection.limit,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerInfo:
    peer_id: str
    path: str
    channel: str
    relay: bool
    agent: str | None = None
    connections: tuple[ConnectionInfo, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionStats:
    """Bytes and messages since the peer connected; queues in bytes."""

    peer_id: str
    path: str
    channel: str
    transport: str | None = None
    rtt_ms: float | None = None
    bytes_sent: int = 0
    bytes_received: int = 0
    messages_sent: int = 0
    messages_received: int = 0
    send_queue: int = 0
    receive_queue: int = 0
    connected_at: float | None = None
    local_candidate_type: str | None = None
    remote_candidate_type: str | None = None
    limit: CircuitLimit | None = field(default=None)


NULL_IF_NONE: Mapping[str, bool] = {"null": True}
"""Metadata of a field that a dict of the record always has: None is an answer, and not its absence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayState:
    """`code` is that of the last failure, for a relay that holds no place."""

    relay_peer_id: str
    connected: bool
    reserved: bool
    code: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStats:
    """`uptime_ms` since the start; `peers` are those connected or with a channel, relays left out."""

    uptime_ms: int
    totals: RelayMetrics
    relays: tuple[RelayState, ...]
    peers: tuple[ConnectionStats, ...]
