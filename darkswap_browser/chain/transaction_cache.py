"""Transactions kept on the device: their ids prove them, so they are asked for once. What can change is never kept."""

from __future__ import annotations

from darkswap_browser.bitcoin.transaction import Transaction
from darkswap_browser.errors import MalformedMessage, StorageError, Unsupported
from darkswap_browser.runtime.base.storage import KeyValueStore

PREFIX = "chain/tx/"
MAX_ENTRIES = 2000
"""Of some 300 bytes each; a trade needs the transactions behind its inputs, a handful."""
MAX_ENTRY = 20_000
"""Bytes: larger ones are rare and would fill the store."""
EVICTED = 200
"""How many leave when the store is full. Ids are random, so the first of them are as good as any."""


class TransactionCache:
    """A cache: a store that is blocked, full or broken only costs another request."""

    def __init__(self, store: KeyValueStore) -> None:
        self._store = store
        self._count: int | None = None

    async def get(self, txid: str) -> bytes | None:
        try:
            raw = await self._store.get(PREFIX + txid)
        except (Unsupported, StorageError):
            return None
        return raw if raw is not None and proves(raw, txid) else None

    async def put(self, txid: str, raw: bytes) -> None:
        if len(raw) > MAX_ENTRY:
            return
        try:
            if self._count is None or self._count >= MAX_ENTRIES:
                await self._make_room()
            await self._store.put(PREFIX + txid, raw)
        except (Unsupported, StorageError):
            return
        self._count = (self._count or 0) + 1

    async def _make_room(self) -> None:
        keys = await self._store.keys(PREFIX)
        surplus = keys[:EVICTED] if len(keys) >= MAX_ENTRIES else ()
        for key in surplus:
            await self._store.delete(key)
        self._count = len(keys) - len(surplus)


def proves(raw: bytes, txid: str) -> bool:
    """Whether these are bytes of the transaction with this id."""
    try:
        return Transaction.parse(raw).txid == txid
    except MalformedMessage:
        return False
