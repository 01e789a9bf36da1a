"""Records of one kind in the host's store. What cannot be read is set aside and told: never lost, never in the way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from darkswap_browser.errors import MalformedMessage, StorageError, TooManyRequests
from darkswap_browser.runtime.base.storage import QUARANTINE_PREFIX, KeyValueStore
from darkswap_browser.storage import codec
from darkswap_browser.wire.fields import Kind

QuarantineListener = Callable[[str, str], None]
"""(key, reason): a record was set aside."""

T = TypeVar("T")


class RecordStore(Generic[T]):
    """Records below one prefix.

    Args:
        prefix: Ends with "/".
        version: That of the shape of `kind`.
        cap: How many there may be.
        report: Told of each record that cannot be read.
        moves: Whether such a record is moved to quarantine. Not by whoever only looks: another program, maybe of
            another version, reads it and goes on with it.
    """

    def __init__(
        self,
        store: KeyValueStore,
        prefix: str,
        kind: Kind[T],
        *,
        version: int,
        cap: int,
        report: QuarantineListener,
        moves: bool = True,
    ) -> None:
        self._store = store
        self._prefix = prefix
        self._kind = kind
        self._version = version
        self._cap = cap
        self._report = report
        self._moves = moves

    async def get(self, name: str) -> T | None:
        """None: there is none that can be read."""
        return await self._read(self._prefix + name)

    async def put(self, name: str, record: T) -> None:
        """Durable when it returns. Raises `TooManyRequests` for one more than `cap`."""
        key = self._prefix + name
        if await self._store.get(key) is None and len(await self.names()) >= self._cap:
            raise TooManyRequests(f"records of {self._prefix}", self._cap)
        await self._store.put(key, codec.encode(self._kind, record, self._version))

    async def delete(self, name: str) -> None:
        await self._store.delete(self._prefix + name)

    async def names(self) -> list[str]:
        return [key.removeprefix(self._prefix) for key in await self._store.keys(self._prefix)]

    async def all(self) -> dict[str, T]:
        """Those that can be read, by name."""
        names = await self.names()
        # Side by side: a page's store takes about a millisecond for each, however many are asked for at once.
        found = await asyncio.gather(*(self._read(self._prefix + name) for name in names))
        return {name: record for name, record in zip(names, found, strict=True) if record is not None}

    async def _read(self, key: str) -> T | None:
        while (data := await self._store.get(key)) is not None:
            try:
                return codec.decode(self._kind, data, self._version)
            except MalformedMessage as error:
                if not self._moves or await self._set_aside(key, data):
                    self._report(key, str(error))
                    return None
        return None

    async def _set_aside(self, key: str, data: bytes) -> bool:
        """False: the record is another by now, to be read again."""
        try:
            return await self._store.move(key, QUARANTINE_PREFIX + key, data)
        except StorageError:
            return True  # full: it stays where it is and is told at the next start too
