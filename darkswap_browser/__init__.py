"""libp2p in pure Python that runs in the page: two peers meet at any relay and talk over a direct WebRTC channel.

    network = Network(NetworkConfig.preset("regtest"))
    await network.connect_through_relay(relay, peer)
    await network.send_webrtc_message(peer, b"hello")

Names are loaded at first use: importing the package touches no browser object and costs next to nothing.
"""

from __future__ import annotations

import importlib
import logging

# A library is silent until its application configures logging.
logging.getLogger(__name__).addHandler(logging.NullHandler())

_HOMES = {
    "DarkSwap": "api.darkswap",
    "DarkSwapError": "errors",
    "IceCandidate": "runtime.base",
    "Libp2pSignaling": "protocols.signaling.exchange",
    "Network": "api.network",
    "NetworkConfig": "node.config",
    "RelayMetrics": "api.records",
    "RelayReservation": "api.records",
    "SessionDescription": "runtime.base",
    "Signaling": "protocols.signaling.exchange",
    "SignalingEvent": "protocols.signaling.messages",
    "VERSION": "version",
    "WebRtcCircuitRelay": "node.connector",
    "WebRtcDataChannel": "api.network",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
