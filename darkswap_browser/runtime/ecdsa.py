"""The little DER that ECDSA keys and signatures need, so that WebCrypto and noble can take them.

Both want a signature as r and s of fixed size; libp2p carries SEQUENCE { INTEGER r, INTEGER s }.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Curve:
    """`name` as WebCrypto calls it; `size`: bytes of a coordinate and of r and s."""

    name: str
    size: int


# SubjectPublicKeyInfo up to the point, with the curve's object identifier (RFC 5480).
_SPKI = {
    bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200"): Curve("P-256", 32),
    bytes.fromhex("3076301006072a8648ce3d020106052b81040022036200"): Curve("P-384", 48),
    bytes.fromhex("30819b301006072a8648ce3d020106052b8104002303818600"): Curve("P-521", 66),
}


def curve_of(spki: bytes) -> Curve | None:
    """The NIST curve of an uncompressed key in DER; None for anything else."""
    for prefix, curve in _SPKI.items():
        if spki.startswith(prefix + b"\x04") and len(spki) == len(prefix) + 1 + 2 * curve.size:
            return curve
    return None


def fixed_signature(der: bytes, size: int) -> bytes | None:
    """r and s of `size` bytes each; None when `der` is not the DER of two positive integers that fit."""
    body = _content(der, 0x30)
    if body is None or len(der) != body[1]:
        return None
    content = body[0]
    r = _content(content, 0x02)
    if r is None:
        return None
    s = _content(content[r[1] :], 0x02)
    if s is None or r[1] + s[1] != len(content):
        return None
    out = b""
    for number in (r[0], s[0]):
        # DER: never negative here, and a leading zero only where the next bit would read as a sign.
        if not number or number[0] & 0x80 or (number[0] == 0 and (len(number) == 1 or not number[1] & 0x80)):
            return None
        number = number.lstrip(b"\0")
        if len(number) > size:
            return None
        out += number.rjust(size, b"\0")
    return out


def _content(data: bytes, tag: int) -> tuple[bytes, int] | None:
    """(content of the element at the start, length of the element). Lengths up to 255, in the shortest form."""
    if len(data) < 2 or data[0] != tag:
        return None
    start, length = 2, data[1]
    if length == 0x81:
        if len(data) < 3 or data[2] < 0x80:
            return None
        start, length = 3, data[2]
    elif length >= 0x80:
        return None
    return (data[start : start + length], start + length) if len(data) >= start + length else None
