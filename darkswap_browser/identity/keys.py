"""Keys of peers: public ones of four types to verify with, and our own Ed25519 one to sign with."""

from __future__ import annotations

from darkswap_browser.identity.peer_id import KeyType, PeerId, PublicKey
from darkswap_browser.runtime.base.crypto import Crypto, SigningKey
from darkswap_browser.runtime.base.host import Runtime

__all__ = ["Identity", "KeyType", "PublicKey", "load_or_make_key"]


async def load_or_make_key(runtime: Runtime, name: str, *, extractable: bool = False) -> SigningKey:
    """The key kept in the store under `name`, made at first use.

    Other tabs and processes that ask for it at once get the same: a key that another replaces would be lost, and all
    that is kept for its peer with it.
    """
    store = runtime.store
    key = await store.load_signing_key(name)
    if key is None:
        async with runtime.locks.hold(f"darkswap/{name}"):
            key = await store.load_signing_key(name)
            if key is None:
                key = await runtime.crypto.generate_signing_key(extractable=extractable)
                await store.save_signing_key(name, key)
    return key


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
