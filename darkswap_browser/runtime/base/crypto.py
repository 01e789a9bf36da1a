"""Interfaces: randomness, keys, signatures, ciphers."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol


class Entropy(Protocol):
    def bytes(self, count: int) -> bytes:
        """`count` cryptographically strong random bytes."""


class KeyAlgorithm(StrEnum):
    """Signature algorithms a remote identity may use; messages are hashed as libp2p's key types say."""

    ED25519 = "ed25519"
    RSA = "rsa"
    SECP256K1 = "secp256k1"
    ECDSA = "ecdsa"


class SigningKey(Protocol):
    """An Ed25519 private key that may never leave its host (WebCrypto, non-extractable)."""

    @property
    def public_bytes(self) -> bytes:
        """32 raw bytes."""
        ...

    async def sign(self, message: bytes) -> bytes:
        """64-byte RFC 8032 signature."""
        ...


class Aead(Protocol):
    """ChaCha20-Poly1305 (RFC 8439) under one key. Synchronous: a frame costs one call."""

    def seal(self, nonce: bytes, plaintext: bytes, associated_data: bytes) -> bytes:
        """Ciphertext followed by the 16-byte tag; `nonce` is 12 bytes."""
        ...

    def open(self, nonce: bytes, ciphertext: bytes, associated_data: bytes) -> bytes | None:
        """The plaintext, or None when the tag does not hold."""
        ...


class Crypto(Protocol):
    """Primitives; the same functions whichever library is under them."""

    async def generate_signing_key(self, *, extractable: bool = False) -> SigningKey: ...

    async def signing_key_from_seed(self, seed: bytes) -> SigningKey:
        """Ed25519 key of a 32-byte seed."""
        ...

    async def verify(self, algorithm: KeyAlgorithm, public_key: bytes, message: bytes, signature: bytes) -> bool:
        """`public_key` is the Data field of libp2p's PublicKey: raw for Ed25519 and secp256k1, SPKI DER otherwise.

        False for a bad signature and for a malformed key or signature.
        """
        ...

    def x25519_public(self, private: bytes) -> bytes:
        """32-byte public key of 32 random bytes."""
        ...

    def x25519(self, private: bytes, public: bytes) -> bytes:
        """32-byte shared secret (RFC 7748); all zero for a low-order `public`, which callers refuse."""
        ...

    def chacha20poly1305(self, key: bytes) -> Aead: ...

    async def pbkdf2_sha256(self, password: bytes, salt: bytes, rounds: int) -> bytes:
        """32 bytes (RFC 8018). In a page only in a secure context, as the next two (`Unsupported` elsewhere)."""
        ...

    async def seal_aes_gcm(self, key: bytes, nonce: bytes, plaintext: bytes, associated_data: bytes) -> bytes:
        """AES-256-GCM: 32-byte key, 12-byte nonce; the ciphertext followed by the 16-byte tag."""
        ...

    async def open_aes_gcm(self, key: bytes, nonce: bytes, ciphertext: bytes, associated_data: bytes) -> bytes | None:
        """The plaintext, or None when the tag does not hold."""
        ...
