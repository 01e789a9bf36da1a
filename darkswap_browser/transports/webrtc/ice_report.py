"""What ICE found while a direct connection was being made, and why it came to nothing.

Kinds of candidates are those of RFC 8839: host (an own address), srflx (the public one, as STUN tells it) and relay (a
TURN server's).
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from darkswap_browser.runtime.base.webrtc import IceServer, RtcConfiguration

PUBLIC = "public"
"""A host candidate that is a public address itself."""
_SILENT = 701
"""icecandidateerror: the server could not be reached (https://www.w3.org/TR/webrtc/#dom-rtcpeerconnectioniceerrorevent)."""
_MAX_COUNTED = 64


class NoDirect(StrEnum):
    """Why there is no direct link."""

    NO_WEBRTC = "no_webrtc"
    """This host has no WebRTC."""
    NO_STUN = "no_stun"
    """No server was asked for our public address."""
    NO_TURN = "no_turn"
    """Only TURN candidates are allowed, and no TURN server is named."""
    STUN_SILENT = "stun_silent"
    TURN_REFUSED = "turn_refused"
    UDP_BLOCKED = "udp_blocked"
    """Several servers, or a TURN server too, were asked, and none answered."""
    PEER_NO_STUN = "peer_no_stun"
    """The peer told no address outside its own network."""
    BOTH_SYMMETRIC = "both_symmetric"
    """Both told public addresses, and no packet came through."""
    PEER_REFUSED = "peer_refused"
    """The peer has no WebRTC, or lets us have no direct link."""
    FAILED = "failed"


SENTENCES = {
    NoDirect.NO_WEBRTC: "direct links are not available here, since this host has no WebRTC",
    NoDirect.NO_STUN: "no STUN server is known, so this side has no address to tell outside its own network",
    NoDirect.NO_TURN: "only TURN may be used, and no TURN server is named",
    NoDirect.STUN_SILENT: "the STUN server did not answer",
    NoDirect.TURN_REFUSED: "the TURN server refused us",
    NoDirect.UDP_BLOCKED: "no server answered: UDP seems to be blocked here",
    NoDirect.PEER_NO_STUN: "the peer told no address outside its own network",
    NoDirect.BOTH_SYMMETRIC: "no packet came through between the public addresses of the two: their routers do not "
    "let it (symmetric NAT)",
    NoDirect.PEER_REFUSED: "the peer makes no direct link with us",
    NoDirect.FAILED: "the attempt broke off",
}
HINTS = {
    NoDirect.NO_WEBRTC: "Messages go through the relay; direct links need a browser with WebRTC, and no worker.",
    NoDirect.NO_STUN: "Name a STUN server in ice_servers, or use a relay that answers STUN.",
    NoDirect.NO_TURN: "Name a TURN server in ice_servers.",
    NoDirect.STUN_SILENT: "Check the address of the STUN server, and whether UDP may leave this network.",
    NoDirect.TURN_REFUSED: "Check username and credential of the TURN server.",
    NoDirect.UDP_BLOCKED: "Name a TURN server that takes TCP, such as turn:…:443?transport=tcp.",
    NoDirect.PEER_NO_STUN: "The peer needs a STUN server, or a network that lets UDP out.",
    NoDirect.BOTH_SYMMETRIC: "Name a TURN server in ice_servers; messages go through the relay meanwhile.",
}


@dataclass(slots=True)
class IceReport:
    """Filled by the negotiation of one connection."""

    configuration: RtcConfiguration = field(default_factory=RtcConfiguration)
    local: Counter[str] = field(default_factory=Counter)
    remote: Counter[str] = field(default_factory=Counter)
    errors: dict[str, int] = field(default_factory=dict)
    """URL of a server → the last error code."""

    def add_local(self, candidate: str) -> None:
        _count(self.local, candidate)

    def add_remote(self, candidate: str) -> None:
        _count(self.remote, candidate)

    def describe_remote(self, sdp: str) -> None:
        """The peer's description, with the candidates that it has."""
        for line in sdp.splitlines():
            if line.startswith("a=candidate:"):
                self.add_remote(line[2:])

    def add_error(self, url: str, code: int) -> None:
        if len(self.errors) < _MAX_COUNTED:
            self.errors[url] = code

    @property
    def has_turn(self) -> bool:
        """Whether a pair may lead through a TURN server."""
        return bool(self.local["relay"] or self.remote["relay"])

    def reason(self) -> NoDirect:
        """Why no pair came about, as far as this side can see."""
        servers = self.configuration.ice_servers
        turn = [url for url in _urls(servers) if url.startswith("turn")]
        if self.configuration.relay_only and not turn:
            return NoDirect.NO_TURN
        if not self.local["relay"] and any(self._refused(url) for url in turn):
            return NoDirect.TURN_REFUSED
        if not servers:
            return NoDirect.PEER_NO_STUN if _is_public(self.local) and not _is_public(self.remote) else NoDirect.NO_STUN
        if not _is_public(self.local):
            several = len({_host(url) for url in _urls(servers)}) > 1
            return NoDirect.UDP_BLOCKED if turn or several else NoDirect.STUN_SILENT
        return NoDirect.BOTH_SYMMETRIC if _is_public(self.remote) else NoDirect.PEER_NO_STUN

    def _refused(self, url: str) -> bool:
        return any(code != _SILENT and _host(failed) == _host(url) for failed, code in self.errors.items())


def _count(kinds: Counter[str], candidate: str) -> None:
    """`candidate` as in `a=candidate:` or RTCIceCandidate; one without an address is not counted."""
    words = candidate.split()
    if len(words) < 8 or words[6] != "typ" or kinds.total() >= _MAX_COUNTED:
        return
    kinds[words[7][:16]] += 1
    if words[7] == "host" and _is_global(words[4]):
        kinds[PUBLIC] += 1


def _is_global(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False  # a name, as browsers hide their addresses behind


def _is_public(kinds: Counter[str]) -> bool:
    return bool(kinds["srflx"] or kinds["relay"] or kinds[PUBLIC])


def _urls(servers: Iterable[IceServer]) -> list[str]:
    return [url for server in servers for url in server.urls]


def _host(url: str) -> str:
    """`turn:host:port?transport=tcp` → `host`."""
    rest = url.partition(":")[2].partition("?")[0]
    return rest.rpartition("]")[0] if rest.startswith("[") else rest.partition(":")[0]
