"""Unsigned LEB128 varints as multiformats restricts them: at most 9 bytes (63 bits), minimal form only.

https://github.com/multiformats/unsigned-varint
"""

from __future__ import annotations

from darkswap_browser.errors import MalformedMessage

MAX_VARINT_BYTES = 9
MAX_VARINT = 2**63 - 1


def encode_varint(value: int) -> bytes:
    """`value` must lie between 0 and 2^63 - 1."""
    if not 0 <= value <= MAX_VARINT:
        raise ValueError(f"varint out of range: {value}")
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def decode_varint_prefix(data: bytes | bytearray | memoryview, start: int = 0) -> tuple[int, int] | None:
    """(value, index after it), or None when more bytes are needed. Raises `MalformedMessage`."""
    value = shift = 0
    for index in range(start, min(len(data), start + MAX_VARINT_BYTES)):
        byte = data[index]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if byte == 0 and index > start:
                raise MalformedMessage("varint", "not in minimal form")
            return value, index + 1
        shift += 7
    if len(data) - start >= MAX_VARINT_BYTES:
        raise MalformedMessage("varint", "longer than 9 bytes")
    return None


def decode_varint(data: bytes | bytearray | memoryview, start: int = 0) -> tuple[int, int]:
    """(value, index after it). Raises `MalformedMessage`, also when `data` ends early."""
    header = decode_varint_prefix(data, start)
    if header is None:
        raise MalformedMessage("varint", "truncated")
    return header
