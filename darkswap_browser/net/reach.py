"""Which addresses lead into a network that is not the Internet: this host itself, or a private one.

A peer may name any address, and whoever dials it sends packets there, into the network of the visitor. So those that a
peer named are used only where we are in that network as well.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from darkswap_browser.identity.multiaddr import Multiaddr

LOOPBACK = "loopback"
# RFC 1122, 1918, 3927, 6598; RFC 4193, 4291. Not those for documentation, which lead nowhere.
_PRIVATE_IPV4 = tuple(
    ipaddress.IPv4Network(text)
    for text in ("10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")
)
_LOOPBACK_IPV4 = tuple(ipaddress.IPv4Network(text) for text in ("0.0.0.0/8", "127.0.0.0/8"))
_PRIVATE_IPV6 = tuple(ipaddress.IPv6Network(text) for text in ("fc00::/7", "fe80::/10", "fec0::/10"))
_LOOPBACK_IPV6 = (ipaddress.IPv6Address("::"), ipaddress.IPv6Address("::1"))
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def private_network(host: str | None) -> str | None:
    """The network that is not the Internet in which a host is, as text to compare; None for a public address.

    A /24 of IPv4 or /64 of IPv6 counts as one network, and every address of this host as one. Of names only `localhost`
    and those below it are known.
    """
    if host is None:
        return None
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        name = host.rstrip(".").lower()
        return LOOPBACK if name == "localhost" or name.endswith(".localhost") else None
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or (ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None)
        if inner is None:
            return _private_ipv6(ip)
        ip = inner
    if any(ip in network for network in _LOOPBACK_IPV4):
        return LOOPBACK
    if any(ip in network for network in _PRIVATE_IPV4):
        return str(ipaddress.ip_network((int(ip), 24), strict=False))
    return None


def _private_ipv6(ip: ipaddress.IPv6Address) -> str | None:
    if ip in _LOOPBACK_IPV6:
        return LOOPBACK
    if any(ip in network for network in _PRIVATE_IPV6):
        return str(ipaddress.ip_network((int(ip), 64), strict=False))
    return None


def usable(addresses: Iterable[Multiaddr], hosts: Iterable[str | None]) -> tuple[Multiaddr, ...]:
    """Public addresses, and those in a network in which one of `hosts` is."""
    ours = {private_network(host) for host in hosts} | {None}
    return tuple(address for address in addresses if private_network(address.host()) in ours)
