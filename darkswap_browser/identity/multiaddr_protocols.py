"""The table of multiaddr protocols: name, code, size of the value, and how the value is written.

https://github.com/multiformats/multiaddr/blob/master/protocols.csv
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from urllib.parse import quote, unquote_to_bytes

from darkswap_browser.errors import InvalidArgument, MalformedMessage
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.wire.multibase import BASE64URL, multibase_decode, multibase_encode
from darkswap_browser.wire.multihash import Multihash


class Size(IntEnum):
    """Bytes of a value; `NONE` for no value, `PREFIXED` for one behind its varint length."""

    PREFIXED = -1
    NONE = 0
    ONE = 1
    TWO = 2
    FOUR = 4
    EIGHT = 8
    SIXTEEN = 16


@dataclass(frozen=True, slots=True)
class Protocol:
    """`to_bytes` takes text as people write it, `to_text` gives the canonical one; both raise `MalformedMessage`."""

    name: str
    code: int
    size: Size
    to_bytes: Callable[[str], bytes]
    to_text: Callable[[bytes], str]


def _bad(reason: str) -> MalformedMessage:
    return MalformedMessage("multiaddr", reason)


def _no_value(text: str | bytes) -> bytes:
    raise _bad(f"no value is expected, got {text!r}")


def _no_text(data: bytes) -> str:
    raise _bad(f"no value is expected, got {len(data)} bytes")


def _ip4_bytes(text: str) -> bytes:
    try:
        return ipaddress.IPv4Address(text).packed
    except ipaddress.AddressValueError as error:
        raise _bad(f"{text!r} is not an IPv4 address") from error


def _ip4_text(data: bytes) -> str:
    return str(ipaddress.IPv4Address(data))


def _ip6_bytes(text: str) -> bytes:
    if "%" in text:
        raise _bad("an IPv6 zone belongs into /ip6zone")
    try:
        return ipaddress.IPv6Address(text).packed
    except ipaddress.AddressValueError as error:
        raise _bad(f"{text!r} is not an IPv6 address") from error


def _ip6_text(data: bytes) -> str:
    """RFC 5952. IPv4-mapped addresses stay in hexadecimal: Python's releases differ in how they write them."""
    text = str(ipaddress.IPv6Address(data))
    if "." in text:
        return f"::ffff:{data[12] << 8 | data[13]:x}:{data[14] << 8 | data[15]:x}"
    return text


def _number(size: int) -> tuple[Callable[[str], bytes], Callable[[bytes], str]]:
    """Decimal text, big-endian bytes."""

    def to_bytes(text: str) -> bytes:
        if not (text.isascii() and text.isdecimal()) or len(text) > 20 or int(text) >= 1 << (8 * size):
            raise _bad(f"{text!r} is not a number of {size} bytes")
        return int(text).to_bytes(size, "big")

    def to_text(data: bytes) -> str:
        return str(int.from_bytes(data, "big"))

    return to_bytes, to_text


def _name_bytes(text: str) -> bytes:
    if not text:
        raise _bad("a name is empty")
    return text.encode("utf-8", "surrogatepass")


def _name_text(data: bytes) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _bad("a name is not UTF-8") from error
    if not text or "/" in text or any(ord(character) < 0x21 for character in text):
        raise _bad("a name is empty, or holds a slash, a space or a control character")
    return text


def _path_bytes(text: str) -> bytes:
    if len(text) < 2:
        raise _bad("a path is empty")
    return text.encode("utf-8", "surrogatepass")


def _path_text(data: bytes) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _bad("a path is not UTF-8") from error
    if not text.startswith("/") or len(text) < 2 or text.endswith("/"):
        raise _bad("a path must be absolute and not end in a slash")
    return text


def _http_path_bytes(text: str) -> bytes:
    if not text:
        raise _bad("an HTTP path is empty")
    return unquote_to_bytes(text.encode("utf-8", "surrogatepass"))


def _http_path_text(data: bytes) -> str:
    if not data:
        raise _bad("an HTTP path is empty")
    return quote(data, safe="")


def _peer_bytes(text: str) -> bytes:
    try:
        return PeerId.parse(text).to_bytes()
    except InvalidArgument as error:
        raise _bad(error.reason) from error


def _peer_text(data: bytes) -> str:
    return str(PeerId.from_bytes(data))


def _hash_bytes(text: str) -> bytes:
    data = multibase_decode(text)
    Multihash.from_bytes(data)
    return data


def _hash_text(data: bytes) -> str:
    Multihash.from_bytes(data)
    return multibase_encode(BASE64URL, data)


def _table() -> tuple[Protocol, ...]:
    port = _number(2)
    name = (_name_bytes, _name_text)
    flags = {
        "p2p-webrtc-star": 275, "p2p-webrtc-direct": 276, "p2p-stardust": 277, "webrtc-direct": 280, "webrtc": 281,
        "p2p-circuit": 290, "https": 443, "tls": 448, "noise": 454, "quic": 460, "quic-v1": 461, "webtransport": 465,
        "ws": 477, "wss": 478, "p2p-websocket-star": 479, "http": 480,
    }  # fmt: skip
    return (
        Protocol("ip4", 4, Size.FOUR, _ip4_bytes, _ip4_text),
        Protocol("tcp", 6, Size.TWO, *port),
        Protocol("ip6", 41, Size.SIXTEEN, _ip6_bytes, _ip6_text),
        Protocol("ip6zone", 42, Size.PREFIXED, *name),
        Protocol("ipcidr", 43, Size.ONE, *_number(1)),
        Protocol("dns", 53, Size.PREFIXED, *name),
        Protocol("dns4", 54, Size.PREFIXED, *name),
        Protocol("dns6", 55, Size.PREFIXED, *name),
        Protocol("dnsaddr", 56, Size.PREFIXED, *name),
        Protocol("sctp", 132, Size.TWO, *port),
        Protocol("udp", 273, Size.TWO, *port),
        Protocol("unix", 400, Size.PREFIXED, _path_bytes, _path_text),
        Protocol("p2p", 421, Size.PREFIXED, _peer_bytes, _peer_text),
        Protocol("sni", 449, Size.PREFIXED, *name),
        Protocol("certhash", 466, Size.PREFIXED, _hash_bytes, _hash_text),
        Protocol("http-path", 481, Size.PREFIXED, _http_path_bytes, _http_path_text),
        Protocol("memory", 777, Size.EIGHT, *_number(8)),
        *(Protocol(flag, code, Size.NONE, _no_value, _no_text) for flag, code in flags.items()),
    )


BY_CODE = {protocol.code: protocol for protocol in _table()}
BY_NAME = {protocol.name: protocol for protocol in BY_CODE.values()}
# The old name of p2p; always written as p2p.
BY_NAME["ipfs"] = BY_NAME["p2p"]
