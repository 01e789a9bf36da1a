"""Who a peer is: a public key, and the peer id that is the multihash of its protobuf form.

https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md
Both stand in one file because each can be had from the other: short keys are carried whole in the id.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from darkswap_browser.errors import InvalidArgument, MalformedMessage
from darkswap_browser.runtime.base.crypto import Crypto, KeyAlgorithm
from darkswap_browser.wire.cursor import Cursor
from darkswap_browser.wire.multibase import BASE32, b58decode, b58encode, multibase_decode, multibase_encode
from darkswap_browser.wire.multihash import IDENTITY, SHA2_256, Multihash, sha2_256
from darkswap_browser.wire.varint import encode_varint

MAX_INLINE_KEY = 42
"""Keys whose protobuf form is at most this long are the id themselves (identity multihash)."""
MAX_KEY_DATA = 2048
"""Bytes of a key's Data field; an RSA-8192 SubjectPublicKeyInfo has 1,062."""
MAX_ID_TEXT = 128
"""Characters. The longest id (identity of 42 bytes, base 16, CID) has 95."""
LIBP2P_KEY_CODEC = 0x72
"""Multicodec of a CID that names a key."""

_TYPE_TAG = 0x08
_DATA_TAG = 0x12


class KeyType(IntEnum):
    RSA = 0
    ED25519 = 1
    SECP256K1 = 2
    ECDSA = 3


_ALGORITHMS = {
    KeyType.RSA: KeyAlgorithm.RSA,
    KeyType.ED25519: KeyAlgorithm.ED25519,
    KeyType.SECP256K1: KeyAlgorithm.SECP256K1,
    KeyType.ECDSA: KeyAlgorithm.ECDSA,
}
_RAW_LENGTHS = {KeyType.ED25519: 32, KeyType.SECP256K1: 33}


@dataclass(frozen=True, slots=True)
class PublicKey:
    """`data`: raw 32 bytes (Ed25519), compressed point of 33 (secp256k1), DER SubjectPublicKeyInfo (RSA, ECDSA)."""

    type: KeyType
    data: bytes

    def to_protobuf(self) -> bytes:
        """The one canonical encoding: it is what ids hash and signatures cover."""
        return bytes((_TYPE_TAG, self.type, _DATA_TAG)) + encode_varint(len(self.data)) + self.data

    @classmethod
    def from_protobuf(cls, data: bytes) -> PublicKey:
        """Accepts the canonical encoding only (both fields, in order, minimal varints). Raises `MalformedMessage`."""
        cursor = Cursor(data, "public key")
        if cursor.u8() != _TYPE_TAG:
            raise MalformedMessage("public key", "does not begin with its type")
        number = cursor.varint()
        if cursor.u8() != _DATA_TAG:
            raise MalformedMessage("public key", "type is not followed by data")
        length = cursor.varint()
        if length > MAX_KEY_DATA:
            raise MalformedMessage("public key", f"key of {length} bytes; at most {MAX_KEY_DATA} are allowed")
        key = cursor.take(length)
        cursor.expect_end()
        if number not in KeyType._value2member_map_:
            raise MalformedMessage("public key", f"unknown key type {number}")
        kind = KeyType(number)
        if _RAW_LENGTHS.get(kind, length) != length:
            raise MalformedMessage("public key", f"{kind.name} key of {length} bytes")
        return cls(kind, key)

    async def verify(self, crypto: Crypto, message: bytes, signature: bytes) -> bool:
        """Whether `signature` is this key's over `message`; False for a malformed key or signature too."""
        return await crypto.verify(_ALGORITHMS[self.type], self.data, message, signature)

    def peer_id(self) -> PeerId:
        encoded = self.to_protobuf()
        if len(encoded) <= MAX_INLINE_KEY:
            return PeerId(Multihash(IDENTITY, encoded).to_bytes())
        return PeerId(sha2_256(encoded).to_bytes())


@dataclass(frozen=True, slots=True, order=True)
class PeerId:
    """A multihash. Ids are compared as bytes, never as text. The constructor trusts; the class methods check."""

    data: bytes

    @classmethod
    def from_bytes(cls, data: bytes) -> PeerId:
        """Raises `MalformedMessage` unless `data` is an identity multihash of a plausible key or a SHA-256 one."""
        multihash = Multihash.from_bytes(data)
        if multihash.code == IDENTITY:
            if not 0 < len(multihash.digest) <= MAX_INLINE_KEY:
                raise MalformedMessage("peer id", f"inline key of {len(multihash.digest)} bytes")
        elif multihash.code != SHA2_256:
            raise MalformedMessage("peer id", f"hash code {multihash.code:#x} is neither identity nor sha2-256")
        return cls(data)

    @classmethod
    def parse(cls, text: str) -> PeerId:
        """`12D3KooW…`, `16Uiu2…`, `Qm…` or a CIDv1 (`bafz…`, `k51…`). Raises `InvalidArgument`."""
        hint = "A peer id looks like 12D3KooW… (52 characters)."
        if not isinstance(text, str):
            raise InvalidArgument("peer id", f"is {type(text).__name__} and not a text", hint)
        if not 0 < len(text) <= MAX_ID_TEXT:
            raise InvalidArgument("peer id", f"text of {len(text)} characters is not a peer id", hint)
        try:
            return _parsed(text)
        except MalformedMessage as error:
            raise InvalidArgument("peer id", f"{text!r}: {error}", hint) from error

    @classmethod
    def from_cid(cls, data: bytes) -> PeerId:
        """Raises `MalformedMessage`."""
        cursor = Cursor(data, "peer id")
        version = cursor.varint()
        if version != 1:
            raise MalformedMessage("peer id", f"CID version {version}")
        codec = cursor.varint()
        if codec != LIBP2P_KEY_CODEC:
            raise MalformedMessage("peer id", f"CID with codec {codec:#x} does not name a key")
        return cls.from_bytes(cursor.take(cursor.remaining))

    def to_bytes(self) -> bytes:
        return self.data

    def to_cid_text(self) -> str:
        """CIDv1 in base 32, `bafz…`."""
        return multibase_encode(BASE32, bytes((1, LIBP2P_KEY_CODEC)) + self.data)

    def embedded_key(self) -> PublicKey | None:
        """The key itself when the id carries it; None when the id is a hash. Raises `MalformedMessage`."""
        multihash = Multihash.from_bytes(self.data)
        return PublicKey.from_protobuf(multihash.digest) if multihash.code == IDENTITY else None

    @property
    def short(self) -> str:
        """The end of the text, enough to tell peers apart in logs and pictures."""
        return str(self)[-8:]

    def __str__(self) -> str:
        return _text(self.data)

    def __repr__(self) -> str:
        return f"<peer {self}>"


# Every call of the application names its peer by text: reading it anew cost a tenth of a round trip.
@lru_cache(maxsize=1024)
def _parsed(text: str) -> PeerId:
    if text.startswith(("1", "Qm")):
        return PeerId.from_bytes(b58decode(text))
    return PeerId.from_cid(multibase_decode(text))


@lru_cache(maxsize=1024)
def _text(data: bytes) -> str:
    return b58encode(data)
