"""Keys of peers: public ones of four types to verify with, and our own Ed25519 one to sign with."""

from __future__ import annotations

from darkswap_browser.identity.peer_id import KeyType, PeerId, PublicKey
from darkswap_browser.runtime.base.crypto import Crypto, SigningKey

__all__ = ["Identity", "KeyType", "PublicKey"]


class Identity:
    """Who we are. The private key stays behind `SigningKey` and may be out of Python's reach."""

    __slots__ = ("key", "peer_id", "public_key")

    def __init__(self, key: SigningKey) -> None:
        self.key = key
        self.public_key = PublicKey(KeyType.ED25519, key.public_bytes)
        self.peer_id: PeerId = self.public_key.peer_id()

    @classmethod
    async def generate(cls, crypto: Crypto, *, extractable: bool = False) -> Identity:
        return cls(await crypto.generate_signing_key(extractable=extractable))

    @classmethod
    async def from_seed(cls, crypto: Crypto, seed: bytes) -> Identity:
        """Of a 32-byte RFC 8032 seed."""
        return cls(await crypto.signing_key_from_seed(seed))

    async def sign(self, message: bytes) -> bytes:
        """64-byte Ed25519 signature."""
        return await self.key.sign(message)

    def __repr__(self) -> str:
        return f"<identity {self.peer_id}>"
