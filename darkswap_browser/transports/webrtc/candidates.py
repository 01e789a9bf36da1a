"""Which ICE candidates of a stranger are heeded: each makes the browser send packets to an address of its choice."""

from __future__ import annotations

import ipaddress
from dataclasses import replace

from darkswap_browser.runtime.base.webrtc import SessionDescription
from darkswap_browser.transports.webrtc.sdp import lines

MOST = 16
"""Candidates: a host with four interfaces, STUN and TURN has as many, mDNS names among them."""
MOST_HOSTS = 6
"""Different addresses: so that no list of candidates is a list of machines to scan."""
MOST_PORTS = 4
"""Of one address, for the same reason."""


class StrangersCandidates:
    """Of one negotiation: UDP only, never loopback, link-local or multicast addresses, and few of the rest."""

    def __init__(self) -> None:
        self._heeded = 0
        self._ports: dict[str, set[str]] = {}

    def heeds(self, candidate: str) -> bool:
        """`candidate` with or without `a=`, as RFC 8839 §5.1 writes it."""
        words = candidate.removeprefix("a=").removeprefix("candidate:").split()
        if len(words) < 8 or words[2].lower() != "udp" or self._heeded >= MOST:
            return False
        host, port = words[4].lower(), words[5]
        ports = self._ports.get(host, set())
        is_new_host = not ports and len(self._ports) >= MOST_HOSTS
        if not _is_fit(host) or is_new_host or (port not in ports and len(ports) >= MOST_PORTS):
            return False
        self._heeded += 1
        self._ports.setdefault(host, ports).add(port)
        return True

    def filtered(self, description: SessionDescription) -> SessionDescription:
        """The description with those of its candidates that are heeded."""
        kept = [line for line in lines(description.sdp) if not line.startswith("a=candidate:") or self.heeds(line)]
        return replace(description, sdp="".join(f"{line}\r\n" for line in kept))


def _is_fit(host: str) -> bool:
    if host.endswith(".local"):
        return True  # mDNS: resolved on this network only, to who answers to a random name
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False  # a name: the browser would ask its resolver for it
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return not (ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip.is_reserved)
