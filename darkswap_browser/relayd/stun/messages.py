"""STUN Binding: requests read, answers written. https://www.rfc-editor.org/rfc/rfc8489

No credentials, no other method and no attribute that a request may demand: a client learns the address that its packet
came from, and nothing else.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

MAGIC = 0x2112A442
HEADER = 20
_BINDING_REQUEST = 0x0001
_BINDING_SUCCESS = 0x0101
_XOR_MAPPED_ADDRESS = 0x0020
_FINGERPRINT = 0x8028
_IGNORED = frozenset((0x0006, 0x0008, 0x001C))
"""USERNAME and MESSAGE-INTEGRITY: comprehended, and of no use to a server without credentials."""
_OPTIONAL = 0x8000
"""Attribute types from here on may be passed over (§14)."""
_FAMILIES = {4: 1, 6: 2}


@dataclass(frozen=True, slots=True)
class BindingRequest:
    transaction: bytes
    """96 bits, echoed in the answer."""
    size: int
    """Bytes of the whole request."""


def decode_request(data: bytes) -> BindingRequest | None:
    """A Binding request; None for anything else, which gets no answer.

    Also None where the request demands an attribute that is not known here: §6.3.1 answers that with an error, which
    would be longer than the question.
    """
    if len(data) < HEADER:
        return None
    kind, length, magic, transaction = struct.unpack_from("!HHI12s", data)
    if kind != _BINDING_REQUEST or magic != MAGIC or length != len(data) - HEADER or length % 4:
        return None
    at = HEADER
    while at < len(data):
        if at + 4 > len(data):
            return None
        attribute, size = struct.unpack_from("!HH", data, at)
        if attribute < _OPTIONAL and attribute not in _IGNORED:
            return None
        at += 4 + (size + 3 & ~3)
    return BindingRequest(transaction, len(data)) if at == len(data) else None


def encode_answer(transaction: bytes, ip: str, port: int) -> bytes:
    """The success response with nothing but the address: 32 bytes for IPv4, 44 for IPv6."""
    address = ipaddress.ip_address(ip)
    mask = struct.pack("!I", MAGIC) + transaction
    hidden = bytes(a ^ b for a, b in zip(address.packed, mask, strict=False))
    value = struct.pack("!xBH", _FAMILIES[address.version], port ^ MAGIC >> 16) + hidden
    attribute = struct.pack("!HH", _XOR_MAPPED_ADDRESS, len(value)) + value
    return struct.pack("!HHI", _BINDING_SUCCESS, len(attribute), MAGIC) + transaction + attribute
