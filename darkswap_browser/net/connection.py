"""What an authenticated, multiplexed connection to one peer offers, whatever carries it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.stream import Stream


class Direction(StrEnum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"


@dataclass(frozen=True, slots=True)
class CircuitLimit:
    """What a relay allows one circuit: seconds and bytes per direction; 0 = unlimited."""

    duration: int = 0
    data: int = 0


StreamHandler = Callable[[Stream], None]
"""Called synchronously with each raw stream the peer opens, before anything is negotiated on it."""


class Connection(Protocol):
    """Streams to one peer. `opened_at` is loop time in seconds."""

    remote_peer: PeerId
    remote_addr: Multiaddr
    direction: Direction
    opened_at: float

    @property
    def transport(self) -> str:
        """ "tcp", "websocket", "circuit", "webrtc", "webrtc-direct" or "memory"."""
        ...

    @property
    def limit(self) -> CircuitLimit | None:
        """Set on a relayed connection that the relay limits in time or data ("limited" in libp2p's words)."""
        ...

    @property
    def streams(self) -> int:
        """How many streams are open."""
        ...

    @property
    def is_closed(self) -> bool: ...

    @property
    def close_reason(self) -> str:
        """Why the connection is gone, for people; empty while it is open and after an orderly close."""
        ...

    def start(self, on_stream: StreamHandler) -> None:
        """Begin to deliver inbound streams; those that came earlier are delivered first. Called once."""
        ...

    async def open_stream(self) -> Stream:
        """A raw outbound stream. Raises `ConnectionLost`, or `TooManyRequests` at the stream limit."""
        ...

    async def close(self) -> None:
        """Tell the peer, end every stream, close the medium below. Idempotent."""
        ...

    def abort(self) -> None:
        """Drop everything at once."""
        ...

    async def wait_closed(self) -> None:
        """Returns when the connection is gone, for whatever reason."""
        ...

    def stats(self) -> Mapping[str, Any]:
        """At least `bytes_sent` and `bytes_received` (payload of streams)."""
        ...


def is_direct(connection: Connection) -> bool:
    """Whether no libp2p relay carries it; a TURN server may."""
    return connection.transport != "circuit"


@runtime_checkable
class MayUseTurn(Protocol):
    """A connection whose packets may go through a TURN server."""

    @property
    def through_turn(self) -> bool: ...


def path_of(connection: Connection) -> str:
    """ "direct", "turn" (WebRTC through a TURN server) or "relayed"."""
    if not is_direct(connection):
        return "relayed"
    return "turn" if isinstance(connection, MayUseTurn) and connection.through_turn else "direct"
