"""Interface: the key-value store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from darkswap_browser.runtime.base.crypto import SigningKey


class KeyValueStore(Protocol):
    """Small durable records (IndexedDB, SQLite, a dict). Raises `Unsupported` when storage is blocked."""

    async def get(self, key: str) -> bytes | None: ...

    async def put(self, key: str, value: bytes) -> None: ...

    async def delete(self, key: str) -> None: ...

    async def move(self, key: str, to: str, value: bytes) -> bool:
        """Put the record under `to` instead, in one step, if it still is `value`. Returns whether it was."""
        ...

    async def keys(self, prefix: str) -> Sequence[str]:
        """Keys that begin with `prefix`, sorted."""
        ...

    async def load_signing_key(self, name: str) -> SigningKey | None:
        """A key kept with `save_signing_key`; in the browser a non-extractable CryptoKey."""
        ...

    async def save_signing_key(self, name: str, key: SigningKey) -> None: ...
