"""One suite over the hosts that CPython can run: `cryptography`, and the plain Python of the page."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from darkswap_browser.runtime import fallback_crypto
from darkswap_browser.runtime.base.crypto import Aead, Crypto, KeyAlgorithm, SigningKey
from darkswap_browser.runtime.ecdsa import fixed_signature
from darkswap_browser.runtime.native.crypto import NativeCrypto
from darkswap_browser.testing.conformance.check_crypto import CHECKS, read_signed, signed_by_others

SIGNED = read_signed(json.loads((Path(__file__).parent.parent / "vectors/signatures.json").read_text()))


class PlainKey:
    def __init__(self, seed: bytes) -> None:
        self._seed = seed

    @property
    def public_bytes(self) -> bytes:
        return fallback_crypto.ed25519_public(self._seed)

    async def sign(self, message: bytes) -> bytes:
        return fallback_crypto.ed25519_sign(self._seed, message)


class PlainCrypto(NativeCrypto):
    """Everything that `fallback_crypto` has, from there; keys and the rest from the native host."""

    async def signing_key_from_seed(self, seed: bytes) -> SigningKey:  # type: ignore[override]
        await super().signing_key_from_seed(seed)
        return PlainKey(seed)

    async def verify(self, algorithm: KeyAlgorithm, public_key: bytes, message: bytes, signature: bytes) -> bool:
        if algorithm is KeyAlgorithm.ED25519:
            return fallback_crypto.ed25519_verify(public_key, message, signature)
        if algorithm is KeyAlgorithm.SECP256K1:
            fixed = fixed_signature(signature, 32)
            return fixed is not None and fallback_crypto.secp256k1_verify(public_key, message, fixed)
        return await super().verify(algorithm, public_key, message, signature)

    def x25519_public(self, private: bytes) -> bytes:
        return fallback_crypto.x25519_public(private)

    def x25519(self, private: bytes, public: bytes) -> bytes:
        return fallback_crypto.x25519(private, public)

    def chacha20poly1305(self, key: bytes) -> Aead:
        return fallback_crypto.PythonAead(key)


HOSTS = [NativeCrypto(), PlainCrypto()]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("crypto", HOSTS, ids=lambda crypto: type(crypto).__name__)
async def test_crypto(crypto: Crypto, check: Callable[[Crypto], Awaitable[None]]) -> None:
    await check(crypto)


@pytest.mark.parametrize("case", SIGNED, ids=lambda case: case.name)
@pytest.mark.parametrize("crypto", HOSTS, ids=lambda crypto: type(crypto).__name__)
async def test_signatures_of_every_key_type(crypto: Crypto, case: object) -> None:
    await signed_by_others(crypto, [signed for signed in SIGNED if signed is case])
