"""A store that ends with its process: what `persist: false` gives on CPython, and what simulated hosts have."""

from __future__ import annotations

from darkswap_browser.runtime.base.crypto import SigningKey


class MemoryStore:
    """A `KeyValueStore` in two dictionaries."""

    def __init__(self) -> None:
        self._records: dict[str, bytes] = {}
        self._signing_keys: dict[str, SigningKey] = {}

    async def get(self, key: str) -> bytes | None:
        return self._records.get(key)

    async def put(self, key: str, value: bytes) -> None:
        self._records[key] = bytes(value)

    async def delete(self, key: str) -> None:
        self._records.pop(key, None)

    async def move(self, key: str, to: str, value: bytes) -> bool:
        is_there = self._records.get(key) == value
        if is_there:
            self._records[to] = self._records.pop(key)
        return is_there

    async def keys(self, prefix: str) -> list[str]:
        return sorted(key for key in self._records if key.startswith(prefix))

    async def load_signing_key(self, name: str) -> SigningKey | None:
        return self._signing_keys.get(name)

    async def save_signing_key(self, name: str, key: SigningKey) -> None:
        self._signing_keys[name] = key

    def close(self) -> None:
        """Nothing to let go of: the records stay for another start of the same node."""
