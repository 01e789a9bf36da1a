"""What the swarm tells its subscribers, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass

from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Connection


@dataclass(frozen=True, slots=True)
class ConnectionOpened:
    connection: Connection


@dataclass(frozen=True, slots=True)
class ConnectionClosed:
    """`reason` is for people; empty after an orderly close."""

    connection: Connection
    reason: str


@dataclass(frozen=True, slots=True)
class PeerIdentified:
    """Identify (or its push) told who the peer is. `addresses` are those it listens on, by its own word."""

    peer: PeerId
    agent: str
    protocols: tuple[str, ...]
    addresses: tuple[Multiaddr, ...]
    connection: Connection


@dataclass(frozen=True, slots=True)
class AddressesChanged:
    """Our own addresses, all of them."""

    addresses: tuple[Multiaddr, ...]


@dataclass(frozen=True, slots=True)
class ProtocolsChanged:
    """A handler came or went; `Swarm.protocols` is the new list."""


@dataclass(frozen=True, slots=True)
class DialStep:
    """Progress of a dial: `step` as in js-libp2p, e.g. "webrtc:send-sdp-offer"; `detail` for people."""

    peer: PeerId | None
    step: str
    detail: str


@dataclass(frozen=True, slots=True)
class DirectFailed:
    """No direct link to a connected peer came about. `reason` is a stable word, `detail` and `hint` are for people;
    `local` and `remote` name the kinds of ICE candidates that each side found.
    """

    peer: PeerId
    reason: str
    detail: str
    hint: str
    local: tuple[str, ...]
    remote: tuple[str, ...]


Event = (
    ConnectionOpened | ConnectionClosed | PeerIdentified | AddressesChanged | ProtocolsChanged | DialStep | DirectFailed
)
