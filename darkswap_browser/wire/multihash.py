"""Multihash: which hash, how long, the digest. https://github.com/multiformats/multihash"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from darkswap_browser.errors import MalformedMessage
from darkswap_browser.wire.cursor import Cursor
from darkswap_browser.wire.varint import encode_varint

IDENTITY = 0x00
SHA2_256 = 0x12

MAX_DIGEST = 128
"""Bytes. The longest hash in the table in practical use has 64; the identity of a peer id has at most 42."""


@dataclass(frozen=True, slots=True)
class Multihash:
    code: int
    digest: bytes

    def to_bytes(self) -> bytes:
        return encode_varint(self.code) + encode_varint(len(self.digest)) + self.digest

    @classmethod
    def from_bytes(cls, data: bytes) -> Multihash:
        """The whole of `data`. Raises `MalformedMessage`; unknown hash codes pass, a wrong SHA-256 length does not."""
        cursor = Cursor(data, "multihash")
        code = cursor.varint()
        length = cursor.varint()
        if length > MAX_DIGEST:
            raise MalformedMessage("multihash", f"digest of {length} bytes; at most {MAX_DIGEST} are allowed")
        if code == SHA2_256 and length != 32:
            raise MalformedMessage("multihash", f"sha2-256 digest of {length} bytes")
        digest = cursor.take(length)
        cursor.expect_end()
        return cls(code, digest)


def sha2_256(data: bytes) -> Multihash:
    return Multihash(SHA2_256, hashlib.sha256(data).digest())
