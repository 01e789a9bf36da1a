"""Identities for tests on CPython."""

from __future__ import annotations

import hashlib

from darkswap_browser.identity.keys import Identity
from darkswap_browser.runtime.native.crypto import NativeCrypto

CRYPTO = NativeCrypto()


async def identity(name: str = "alice") -> Identity:
    """The same name gives the same identity."""
    return await Identity.from_seed(CRYPTO, hashlib.sha256(name.encode()).digest())
