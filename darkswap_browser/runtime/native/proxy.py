"""What a reverse proxy says of the client that it stands for.

The PROXY protocol, versions 1 and 2 (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt), in front of any
stream, and `X-Forwarded-For` in HTTP. Both count only where the socket itself comes from a proxy that is trusted.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from darkswap_browser.errors import MalformedMessage

V1 = b"PROXY "
V2 = b"\r\n\r\n\x00\r\nQUIT\n"
MAX_HEADER = 536
"""Bytes: version 1 has 107 at most; version 2 as many as fit any TCP segment."""
_V2_FIXED = 16
_PROXIED = 1
_INET, _INET6 = 1, 2


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """`ip` is None where the proxy speaks for itself. `size`: bytes of the header."""

    ip: str | None
    size: int


def parse_proxy_header(data: bytes) -> ProxyHeader | None:
    """The header that `data` begins with; a size of 0 where there is none, None while it is not whole.

    Raises `MalformedMessage`.
    """
    if data.startswith(V2[: len(data)]) and data:
        return _version_2(data) if len(data) >= _V2_FIXED else None
    if data.startswith(V1[: len(data)]) and data:
        return _version_1(data)
    return ProxyHeader(None, 0) if data else None


def _version_1(data: bytes) -> ProxyHeader | None:
    line, found, _ = data.partition(b"\r\n")
    if not found:
        if len(data) > 107:
            raise MalformedMessage("PROXY header", "has no end")
        return None
    words = line.decode("ascii", "replace").split(" ")
    size = len(line) + 2
    if words[1:2] == ["UNKNOWN"]:
        return ProxyHeader(None, size)
    if len(words) != 6 or words[1] not in ("TCP4", "TCP6"):
        raise MalformedMessage("PROXY header", f"{words[:2]}")
    return ProxyHeader(_ip(words[2]), size)


def _version_2(data: bytes) -> ProxyHeader | None:
    if data[12] >> 4 != 2:
        raise MalformedMessage("PROXY header", f"version {data[12] >> 4}")
    size = _V2_FIXED + int.from_bytes(data[14:16], "big")
    if size > MAX_HEADER:
        raise MalformedMessage("PROXY header", f"{size} bytes; at most {MAX_HEADER} are allowed")
    if len(data) < size:
        return None
    length = {_INET: 4, _INET6: 16}.get(data[13] >> 4, 0)
    if data[12] & 0xF != _PROXIED or not length:
        return ProxyHeader(None, size)
    if size < _V2_FIXED + 2 * length:
        raise MalformedMessage("PROXY header", "ends in the middle of an address")
    return ProxyHeader(str(ipaddress.ip_address(data[_V2_FIXED : _V2_FIXED + length])), size)


def forwarded_for(values: Iterable[str], trusts: Callable[[str], bool]) -> str | None:
    """The client of `X-Forwarded-For` headers: the last address that is no trusted proxy. None where there is none.

    What stands in front of it the client may have written itself.
    """
    for text in reversed([part.strip() for value in values for part in value.split(",")]):
        try:
            ip = _ip(text.removeprefix("[").partition("]")[0])
        except MalformedMessage:
            return None
        if not trusts(ip):
            return ip
    return None


def _ip(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise MalformedMessage("PROXY header", f"{text[:80]!r} is no IP address") from None
