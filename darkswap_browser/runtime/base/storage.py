"""Interface: the key-value store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from darkswap_browser.runtime.base.crypto import SigningKey

QUARANTINE_PREFIX = "quarantine/"
"""Before the key of a record that could not be read: its bytes stay for whoever can mend them."""


class KeyValueStore(Protocol):
    """Small durable records (IndexedDB, SQLite, a dict). Raises `Unsupported` when storage is blocked.

    A write that raises `StorageError` may still be made, as one that a program began before it crashed; never after a
    later one.
    """

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


class Fence(Protocol):
    """Which of several programs on one store goes on for an identity: the one that took over last."""

    def guard(self, name: str, epoch: int) -> None:
        """Write for identity `name` as the holder number `epoch` from now on.

        Whoever calls it has counted that number up in the store, under the lock by which programs of one identity are
        kept apart: whoever did so before can write no more.
        """
        ...

    async def check(self) -> None:
        """Call as a node starts, and before what cannot be taken back: a signature, a broadcast.

        Raises:
            NodeMoved: Another program has taken over.
            StorageError: The store does not answer.
        """
        ...


class NoFence:
    """Of hosts where a lock alone keeps programs apart."""

    def guard(self, name: str, epoch: int) -> None:
        pass

    async def check(self) -> None:
        pass
