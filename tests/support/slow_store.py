"""A store whose every call takes time, as a browser's does, some longer; and which can die at any of its writes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from darkswap_browser.errors import NodeMoved, StorageError, StorageFull
from darkswap_browser.runtime.base.crypto import SigningKey
from darkswap_browser.runtime.base.storage import KeyValueStore

PACE = 0.001
"""Seconds: enough that everything else gets its turn meanwhile."""


class SlowStore:
    def __init__(self, inner: KeyValueStore) -> None:
        self._inner = inner
        self._dies: Callable[[str, bytes], bool] | None = None
        self._kept = False
        self._writes = 0
        self._told: Callable[[str, bytes], None] = lambda key, value: None
        self.died = asyncio.Event()
        self.broken = False
        """Every write fails, as when the disk is gone."""
        self.full = False
        """Nothing can be put; what is there can be read and deleted."""
        self.relieved = False
        """Another tab has taken over: as a fence tells it, and every write."""

    def die_at(self, when: Callable[[str, bytes], bool], *, kept: bool) -> None:
        """The first write (key, value) for which `when` holds is the last thing that happens: `kept`, or not. Whoever
        waits for it waits until cancelled, and what it writes then is lost.
        """
        self._dies, self._kept = when, kept

    def watch(self, told: Callable[[str, bytes], None]) -> None:
        """`told` of every write, once it is done."""
        self._told = told

    async def get(self, key: str) -> bytes | None:
        await asyncio.sleep(PACE)
        return await self._inner.get(key)

    async def put(self, key: str, value: bytes) -> None:
        self._writes += 1
        await asyncio.sleep(3 * PACE if self._writes % 2 else PACE)
        if self.died.is_set():
            return
        self._judge()
        if self.full:
            raise StorageFull("the store", "quota exceeded")
        fatal = self._dies is not None and self._dies(key, value)
        if self._kept or not fatal:
            await self._inner.put(key, value)
            self._told(key, value)
        if fatal:
            self.died.set()
            await asyncio.Event().wait()

    async def delete(self, key: str) -> None:
        await asyncio.sleep(PACE)
        if not self.died.is_set():
            self._judge()
            await self._inner.delete(key)

    async def move(self, key: str, to: str, value: bytes) -> bool:
        await asyncio.sleep(PACE)
        if self.died.is_set():
            return True
        self._judge()
        if self.full:
            raise StorageFull("the store", "quota exceeded")
        return await self._inner.move(key, to, value)

    async def keys(self, prefix: str) -> list[str]:
        await asyncio.sleep(PACE)
        return await self._inner.keys(prefix)

    async def load_signing_key(self, name: str) -> SigningKey | None:
        await asyncio.sleep(PACE)
        return await self._inner.load_signing_key(name)

    async def save_signing_key(self, name: str, key: SigningKey) -> None:
        await asyncio.sleep(PACE)
        await self._inner.save_signing_key(name, key)

    def guard(self, name: str, epoch: int) -> None: ...

    async def check(self) -> None:
        self._check_relieved()

    def _check_relieved(self) -> None:
        if self.relieved:
            raise NodeMoved("default")

    def _judge(self) -> None:
        self._check_relieved()
        if self.broken:
            raise StorageError("the store", "is gone")
