"""One way to reach a peer: the interface that every transport fulfils and the swarm uses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Connection

ConnectionHandler = Callable[[Connection], Awaitable[None]]
"""Called with each inbound connection once it is authenticated and multiplexed."""

StepHandler = Callable[[str, str], None]
"""Dial progress: (step name as in js-libp2p, e.g. "webrtc:send-sdp-offer"; detail for people)."""


def ignore_step(step: str, detail: str) -> None:
    """A `StepHandler` for callers that do not watch."""


class Transport(Protocol):
    @property
    def name(self) -> str: ...

    def can_dial(self, address: Multiaddr) -> bool: ...

    async def dial(self, address: Multiaddr, peer: PeerId | None, on_step: StepHandler) -> Connection:
        """An authenticated, multiplexed connection. `peer` is whom we expect (None: whoever answers).

        Raises `PeerIdMismatch`, `HandshakeFailed`, `ConnectionLost`, `TimedOut`, `RelayRefused` …
        """
        ...

    def can_listen(self, address: Multiaddr) -> bool: ...

    async def listen(self, address: Multiaddr, handler: ConnectionHandler) -> tuple[Multiaddr, ...]:
        """Start listening; returns the addresses actually bound (port 0 resolved). Ends with `close`."""
        ...

    async def close(self) -> None:
        """Stop listening and dialling. Connections live on; the swarm owns them."""
        ...
