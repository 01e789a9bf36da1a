"""libp2p in pure Python that runs in the page: two peers meet at any relay and talk over a direct WebRTC channel.

    network = Network(NetworkConfig.preset("regtest"))
    await network.connect_through_relay(relay, peer)
    await network.send_webrtc_message(peer, b"hello")

Names are loaded at first use: importing the package touches no browser object and costs next to nothing.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING

# A library is silent until its application configures logging.
logging.getLogger(__name__).addHandler(logging.NullHandler())

if TYPE_CHECKING:
    from darkswap_browser.api.darkswap import DarkSwap
    from darkswap_browser.api.network import Network
    from darkswap_browser.api.records import RelayMetrics, RelayReservation
    from darkswap_browser.errors import DarkSwapError
    from darkswap_browser.identity.multiaddr import Multiaddr
    from darkswap_browser.identity.peer_id import PeerId
    from darkswap_browser.net.connection import Connection
    from darkswap_browser.net.routing import ProtocolHandler
    from darkswap_browser.net.stream import BufferedStream
    from darkswap_browser.net.swarm import NegotiatedStream, Swarm
    from darkswap_browser.node.config import NetworkConfig
    from darkswap_browser.node.connector import PeerConnector
    from darkswap_browser.protocols.channels.channel import Channel
    from darkswap_browser.protocols.signaling.exchange import Libp2pSignaling, Signaling
    from darkswap_browser.protocols.signaling.messages import SignalingEvent
    from darkswap_browser.runtime.base.webrtc import IceCandidate, SessionDescription
    from darkswap_browser.version import VERSION

_LAZY_EXPORTS = {
    "BufferedStream": "net.stream",
    "Channel": "protocols.channels.channel",
    "Connection": "net.connection",
    "DarkSwap": "api.darkswap",
    "DarkSwapError": "errors",
    "IceCandidate": "runtime.base.webrtc",
    "Libp2pSignaling": "protocols.signaling.exchange",
    "Multiaddr": "identity.multiaddr",
    "NegotiatedStream": "net.swarm",
    "Network": "api.network",
    "NetworkConfig": "node.config",
    "PeerId": "identity.peer_id",
    "ProtocolHandler": "net.routing",
    "RelayMetrics": "api.records",
    "RelayReservation": "api.records",
    "SessionDescription": "runtime.base.webrtc",
    "Signaling": "protocols.signaling.exchange",
    "SignalingEvent": "protocols.signaling.messages",
    "Swarm": "net.swarm",
    "VERSION": "version",
    "PeerConnector": "node.connector",
}
__all__ = [
    "VERSION",
    "BufferedStream",
    "Channel",
    "Connection",
    "DarkSwap",
    "DarkSwapError",
    "IceCandidate",
    "Libp2pSignaling",
    "Multiaddr",
    "NegotiatedStream",
    "Network",
    "NetworkConfig",
    "PeerConnector",
    "PeerId",
    "ProtocolHandler",
    "RelayMetrics",
    "RelayReservation",
    "SessionDescription",
    "Signaling",
    "SignalingEvent",
    "Swarm",
]


def __getattr__(name: str) -> object:
    if name not in _LAZY_EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LAZY_EXPORTS[name]}"), name)
