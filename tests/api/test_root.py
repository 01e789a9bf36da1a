"""The package's root: its names, and that importing it costs nothing."""

from __future__ import annotations

import subprocess
import sys

import darkswap_browser

NAMES = {
    "DarkSwap", "DarkSwapError", "IceCandidate", "Libp2pSignaling", "Network", "NetworkConfig", "RelayMetrics",
    "RelayReservation", "SessionDescription", "Signaling", "SignalingEvent", "VERSION", "PeerConnector",
    "BufferedStream", "Channel", "Connection", "Multiaddr", "NegotiatedStream", "PeerId", "ProtocolHandler", "Swarm",
}  # fmt: skip


def test_the_public_names_are_these_and_all_of_them_load():
    assert set(darkswap_browser.__all__) == NAMES
    for name in NAMES:
        assert getattr(darkswap_browser, name) is not None


def test_importing_the_root_imports_nothing_else_of_the_package():
    code = "import sys, darkswap_browser; print([name for name in sys.modules if name.startswith('darkswap_browser.')])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
