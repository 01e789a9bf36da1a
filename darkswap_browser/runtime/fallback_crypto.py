"""The primitives in plain Python, for pages that load the wheel without our JavaScript module.

RFC 8439 (ChaCha20-Poly1305), RFC 7748 (X25519), RFC 8032 (Ed25519), SEC 2 (secp256k1). Not constant in time: Python's
integers are not. Keys of the session live for minutes and the page's own, long-lived key stays with WebCrypto.

ChaCha20 works on all blocks of a message at once: each of the sixteen state words is one big integer with a lane of
64 bits per block, so that a few thousand operations serve a whole frame (20 times the speed of a loop over blocks).
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from array import array
from functools import lru_cache

_CONSTANTS = struct.unpack("<4I", b"expand 32-byte k")
_QUARTERS = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
             (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))  # fmt: skip


@lru_cache(maxsize=64)
def _lanes(blocks: int) -> tuple[int, int, int]:
    """(1 in every lane, 2^32-1 in every lane, the lane's own number in every lane)"""
    ones = int.from_bytes(b"\1\0\0\0\0\0\0\0" * blocks, "little")
    numbers = int.from_bytes(struct.pack(f"<{blocks}Q", *range(blocks)), "little")
    return ones, ones * 0xFFFFFFFF, numbers


def chacha20_stream(key: bytes, nonce: bytes, counter: int, blocks: int) -> bytes:
    """`blocks` of 64 bytes, the first with block number `counter`."""
    ones, mask, numbers = _lanes(blocks)
    words = (*_CONSTANTS, *struct.unpack("<8I", key), counter, *struct.unpack("<3I", nonce))
    start = [word * ones for word in words]
    start[12] = (start[12] + numbers) & mask
    x = start.copy()
    for _ in range(10):
        for a, b, c, d in _QUARTERS:
            xa, xb, xc, xd = x[a], x[b], x[c], x[d]
            xa = (xa + xb) & mask
            xd ^= xa
            xd = (xd << 16 | xd >> 16) & mask
            xc = (xc + xd) & mask
            xb ^= xc
            xb = (xb << 12 | xb >> 20) & mask
            xa = (xa + xb) & mask
            xd ^= xa
            xd = (xd << 8 | xd >> 24) & mask
            xc = (xc + xd) & mask
            xb ^= xc
            x[a], x[b], x[c], x[d] = xa, (xb << 7 | xb >> 25) & mask, xc, xd
    out = array("I", bytes(64 * blocks))
    for index in range(16):
        lanes = array("I", ((x[index] + start[index]) & mask).to_bytes(8 * blocks, "little"))
        out[index::16] = lanes[::2]
    return out.tobytes()


def poly1305(key: bytes, message: bytes) -> bytes:
    """`message` is a multiple of 16 bytes, as in the AEAD."""
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    s = int.from_bytes(key[16:], "little")
    prime = (1 << 130) - 5
    total = 0
    for at in range(0, len(message), 16):
        total = (total + int.from_bytes(message[at : at + 16], "little") + (1 << 128)) * r % prime
    return ((total + s) & ((1 << 128) - 1)).to_bytes(16, "little")


class PythonAead:
    """ChaCha20-Poly1305 under one 32-byte key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def seal(self, nonce: bytes, plaintext: bytes, associated_data: bytes) -> bytes:
        one_time, stream = self._stream(nonce, len(plaintext))
        ciphertext = _xor(plaintext, stream)
        return ciphertext + _tag(one_time, associated_data, ciphertext)

    def open(self, nonce: bytes, ciphertext: bytes, associated_data: bytes) -> bytes | None:
        if len(ciphertext) < 16:
            return None
        body, tag = ciphertext[:-16], ciphertext[-16:]
        one_time, stream = self._stream(nonce, len(body))
        if not hmac.compare_digest(_tag(one_time, associated_data, body), tag):
            return None
        return _xor(body, stream)

    def _stream(self, nonce: bytes, size: int) -> tuple[bytes, bytes]:
        """(Poly1305 key from block 0, key stream from block 1)"""
        stream = chacha20_stream(self._key, nonce, 0, 1 + (size + 63) // 64)
        return stream[:32], stream[64 : 64 + size]


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one, "little") ^ int.from_bytes(other, "little")).to_bytes(len(one), "little")


def _tag(key: bytes, associated_data: bytes, ciphertext: bytes) -> bytes:
    return poly1305(
        key,
        associated_data + bytes(-len(associated_data) % 16)
        + ciphertext + bytes(-len(ciphertext) % 16)
        + struct.pack("<QQ", len(associated_data), len(ciphertext)),
    )  # fmt: skip


P25519 = (1 << 255) - 19


def x25519(private: bytes, public: bytes) -> bytes:
    """The shared secret; zero for a point of low order."""
    scalar = int.from_bytes(private, "little") & ~(7 | 1 << 255) | 1 << 254
    u = (int.from_bytes(public, "little") & ((1 << 255) - 1)) % P25519
    p = P25519
    x2, z2, x3, z3, swap = 1, 0, u, 1, 0
    for position in range(254, -1, -1):
        bit = scalar >> position & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        da, cb = d * a % p, c * b % p
        aa, bb = a * a % p, b * b % p
        e = aa - bb
        x3 = (da + cb) ** 2 % p
        z3 = u * (da - cb) ** 2 % p
        x2 = aa * bb % p
        z2 = e * (aa + 121665 * e) % p
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, p - 2, p) % p).to_bytes(32, "little")


def x25519_public(private: bytes) -> bytes:
    return x25519(private, b"\x09" + bytes(31))


# Ed25519 points are (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z.
Point = tuple[int, int, int, int]
L25519 = (1 << 252) + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, P25519 - 2, P25519) % P25519
_ROOT = pow(2, (P25519 - 1) // 4, P25519)
_NEUTRAL: Point = (0, 1, 1, 0)


def _add(one: Point, other: Point) -> Point:
    p = P25519
    a = (one[1] - one[0]) * (other[1] - other[0]) % p
    b = (one[1] + one[0]) * (other[1] + other[0]) % p
    c = 2 * one[3] * other[3] * _D % p
    d = 2 * one[2] * other[2] % p
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % p, g * h % p, f * g % p, e * h % p


def _times(scalar: int, point: Point) -> Point:
    result = _NEUTRAL
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point = _add(point, point)
        scalar >>= 1
    return result


def _decompress(data: bytes) -> Point | None:
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    p = P25519
    if y >= p:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, p - 2, p) % p
    x = pow(square, (p + 3) // 8, p)
    if (x * x - square) % p:
        x = x * _ROOT % p
    if (x * x - square) % p or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = p - x
    return x, y, 1, x * y % p


def _compress(point: Point) -> bytes:
    inverse = pow(point[2], P25519 - 2, P25519)
    x, y = point[0] * inverse % P25519, point[1] * inverse % P25519
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _base() -> Point:
    point = _decompress((4 * pow(5, P25519 - 2, P25519) % P25519).to_bytes(32, "little"))
    if point is None:
        raise AssertionError("the base point lies on the curve")
    return point


BASE = _base()


def _hash(*parts: bytes) -> int:
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little") % L25519


def _expand(seed: bytes) -> tuple[int, bytes]:
    digest = hashlib.sha512(seed).digest()
    return int.from_bytes(digest[:32], "little") & ~(7 | 1 << 255) | 1 << 254, digest[32:]


def ed25519_public(seed: bytes) -> bytes:
    return _compress(_times(_expand(seed)[0], BASE))


def ed25519_sign(seed: bytes, message: bytes) -> bytes:
    scalar, prefix = _expand(seed)
    public = _compress(_times(scalar, BASE))
    nonce = _hash(prefix, message)
    commitment = _compress(_times(nonce, BASE))
    s = (nonce + _hash(commitment, public, message) * scalar) % L25519
    return commitment + s.to_bytes(32, "little")


def ed25519_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    if len(public) != 32 or len(signature) != 64:
        return False
    key, commitment = _decompress(public), signature[:32]
    s = int.from_bytes(signature[32:], "little")
    if key is None or s >= L25519:
        return False
    negative = (P25519 - key[0], key[1], 1, P25519 - key[3])
    found = _add(_times(s, BASE), _times(_hash(commitment, public, message), negative))
    return _compress(found) == commitment


# secp256k1: y² = x³ + 7 over P, points of order N in Jacobian coordinates (x = X/Z², y = Y/Z³), None for infinity.
Jacobian = tuple[int, int, int]
P256K1 = (1 << 256) - (1 << 32) - 977
N256K1 = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G256K1: Jacobian = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
    1,
)


def _double(point: Jacobian) -> Jacobian:
    x, y, z = point
    p = P256K1
    yy = y * y % p
    s = 4 * x * yy % p
    m = 3 * x * x % p
    x3 = (m * m - 2 * s) % p
    return x3, (m * (s - x3) - 8 * yy * yy) % p, 2 * y * z % p


def _sum(one: Jacobian | None, other: Jacobian | None) -> Jacobian | None:
    if one is None or other is None:
        return one or other
    p = P256K1
    za, zb = one[2] * one[2] % p, other[2] * other[2] % p
    ua, ub = one[0] * zb % p, other[0] * za % p
    sa, sb = one[1] * zb * other[2] % p, other[1] * za * one[2] % p
    h, r = (ub - ua) % p, (sb - sa) % p
    if h == 0:
        return _double(one) if r == 0 else None
    hh = h * h % p
    hhh, v = h * hh % p, ua * hh % p
    x = (r * r - hhh - 2 * v) % p
    return x, (r * (v - x) - sa * hhh) % p, h * one[2] * other[2] % p


def secp256k1_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """`public`: compressed point; `signature`: r and s of 32 bytes each, over SHA-256 of `message`."""
    if len(public) != 33 or public[0] not in (2, 3) or len(signature) != 64:
        return False
    p, n = P256K1, N256K1
    x = int.from_bytes(public[1:], "big")
    y = pow(x**3 + 7, (p + 1) // 4, p)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if x >= p or (y * y - x**3 - 7) % p or not (0 < r < n and 0 < s < n):
        return False
    key: Jacobian = (x, y if y & 1 == public[0] & 1 else p - y, 1)
    digest = int.from_bytes(hashlib.sha256(message).digest(), "big")
    inverse = pow(s, -1, n)
    u, v = digest * inverse % n, r * inverse % n
    both = _sum(G256K1, key)
    found: Jacobian | None = None
    for position in range(255, -1, -1):
        found = found and _double(found)
        match u >> position & 1, v >> position & 1:
            case 1, 1:
                found = _sum(found, both)
            case 1, 0:
                found = _sum(found, G256K1)
            case 0, 1:
                found = _sum(found, key)
    if found is None or found[2] == 0:
        return False
    return found[0] * pow(found[2], -2, p) % p % n == r
