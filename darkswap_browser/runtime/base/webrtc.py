"""Interfaces: peer connections and data channels (https://www.w3.org/TR/webrtc/)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """RTCSessionDescriptionInit: `type` is "offer" or "answer"."""

    type: str
    sdp: str


@dataclass(frozen=True, slots=True)
class IceCandidate:
    """RTCIceCandidateInit; an empty `candidate` says that there will be no more."""

    candidate: str
    sdp_mid: str | None = None
    sdp_m_line_index: int | None = None
    username_fragment: str | None = None


@dataclass(frozen=True, slots=True)
class IceServer:
    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RtcConfiguration:
    ice_servers: tuple[IceServer, ...] = ()
    relay_only: bool = False
    """iceTransportPolicy "relay": only TURN candidates are used and sent, so no own address leaves."""


class DataChannelListener(Protocol):
    """Callbacks of one data channel, called synchronously from the host's event."""

    def opened(self) -> None: ...

    def received(self, data: bytes) -> None: ...

    def drained(self) -> None:
        """`buffered_amount` fell to the low threshold."""
        ...

    def closed(self) -> None:
        """The channel is gone; called once, after all messages."""
        ...


class DataChannel(Protocol):
    """RTCDataChannel: ordered, reliable, binary."""

    @property
    def label(self) -> str: ...

    @property
    def ready_state(self) -> str:
        """ "connecting", "open", "closing" or "closed"."""
        ...

    @property
    def buffered_amount(self) -> int: ...

    def listen(self, listener: DataChannelListener, low_threshold: int) -> None:
        """Attach the one listener; messages that came earlier are delivered to it first."""
        ...

    def send(self, data: bytes) -> None:
        """One SCTP message. Raises `StreamClosed` when not open, `TooManyRequests` when the UA's queue is full."""
        ...

    def close(self) -> None: ...


class PeerConnectionListener(Protocol):
    """Callbacks of one peer connection, called synchronously from the host's event."""

    def ice_candidate(self, candidate: IceCandidate | None) -> None:
        """A local candidate to send; None when gathering ended."""
        ...

    def ice_candidate_error(self, url: str, code: int) -> None:
        """A STUN or TURN server gave no candidate. 701: it could not be reached; else what it answered (RFC 8489)."""
        ...

    def data_channel(self, channel: DataChannel) -> None:
        """The peer opened a channel. `channel.listen` must be called before this returns."""
        ...

    def state_changed(self, state: str) -> None:
        """connectionState: new, connecting, connected, disconnected, failed.

        "closed": the peer closed the connection. A host tells it as soon as DTLS does, long before the state changes;
        our own `close` is not told.
        """
        ...


class PeerConnection(Protocol):
    """RTCPeerConnection in our words."""

    @property
    def connection_state(self) -> str: ...

    @property
    def local_description(self) -> SessionDescription | None: ...

    def create_data_channel(self, label: str, *, negotiated_id: int | None = None) -> DataChannel:
        """`negotiated_id`: both sides make the channel of that number by themselves; nothing is said about it."""
        ...

    async def create_offer(self, *, ice_restart: bool = False) -> SessionDescription: ...

    async def create_answer(self) -> SessionDescription: ...

    async def set_local_description(self, description: SessionDescription) -> None: ...

    async def set_remote_description(self, description: SessionDescription) -> None:
        """Raises `MalformedMessage` when the host refuses the SDP."""
        ...

    async def add_ice_candidate(self, candidate: IceCandidate) -> None:
        """Raises `MalformedMessage` when the host refuses the candidate."""
        ...

    async def stats(self) -> Sequence[Mapping[str, Any]]:
        """The rows of getStats() as plain mappings with the W3C names."""
        ...

    def close(self) -> None:
        """Close and destroy every proxy of it and of its channels. Idempotent."""
        ...


class WebRtc(Protocol):
    """Raises `Unsupported` on a host without RTCPeerConnection (CPython, a worker)."""

    @property
    def available(self) -> bool: ...

    def create_peer_connection(
        self, configuration: RtcConfiguration, listener: PeerConnectionListener
    ) -> PeerConnection: ...
