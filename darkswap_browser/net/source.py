"""Under what an IP address is counted, before anybody on it is known."""

from __future__ import annotations

import functools
import ipaddress

BLOCK = 4
"""How many times the share of an IPv6 /64 its /48 has: a company, or a customer who tries."""


def ip_key(address: str | None) -> str | None:
    """An IPv4 address itself, an IPv6 one by its /64, since whoever has one has 2^64.

    None (not counted) for loopback: it says only that a reverse proxy, a tunnel or a test stands in front of us.
    """
    if address is None:
        return None
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if ip.is_loopback:
        return None
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    return str(ipaddress.ip_network((int(ip), 64), strict=False).network_address) + "/64"


@functools.lru_cache(maxsize=4096)
def ip_block(source: str | None) -> str | None:
    """The /48 of a /64 as `ip_key` names it: what providers give to one customer at most (RFC 6177)."""
    if source is None or not source.endswith("/64"):
        return None
    return str(ipaddress.IPv6Network(source).supernet(new_prefix=48))


def shares(source: str | None, most: int) -> list[tuple[str, int]]:
    """What a key of `ip_key` counts under, and how many each may have where one address may have `most`."""
    block = ip_block(source)
    found = [] if source is None else [(source, most)]
    return found if block is None else [*found, (block, most * BLOCK)]
