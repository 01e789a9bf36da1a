"""Where a relay's STUN server is, as its identify tells it: a protocol id that is only a fact.

libp2p's identify has no place for facts of one's own; implementations that do not know this id pass over it. The host
is the relay's own, so that a relay can name no other.
"""

from __future__ import annotations

from collections.abc import Iterable

STUN_FACT = "/darkswap/stun/1.0.0/"
"""Followed by the UDP port in decimal digits."""


def stun_fact(port: int) -> str:
    return f"{STUN_FACT}{port}"


def stun_port(protocols: Iterable[str]) -> int | None:
    """The UDP port among what a peer says it speaks; None when it tells none that can be."""
    for protocol in protocols:
        digits = protocol.removeprefix(STUN_FACT)
        if digits != protocol and digits.isascii() and digits.isdecimal() and 0 < int(digits[:6]) < 2**16:
            return int(digits[:6])
    return None


def stun_url(host: str, port: int) -> str:
    """RFC 7064's form of an IP address or name and a port."""
    return f"stun:[{host}]:{port}" if ":" in host else f"stun:{host}:{port}"
