"""Locks of all processes that share one store: each name a small SQLite file beside it, held by a transaction.

SQLite, not `fcntl`: its locks work on every system that CPython runs on, and between two users of one process too. The
system drops them with the process that held them.
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

from darkswap_browser.concurrency.named_locks import NamedLocks
from darkswap_browser.runtime.native.store import make_folder_of, storage_errors

FIRST_WAIT, LONGEST_WAIT = 0.005, 0.1
"""Seconds between two attempts; there is no call-back when another process lets go."""


class NativeLocks:
    """`path` is the store's; None: a store in memory, which no other process sees."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._own = NamedLocks()

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[None]:
        # Not `hold`: a loop that ends closes all generators at once, and one within another must not end first.
        release = await self._own.acquire(name)
        try:
            if self._path is None:
                yield
                return
            file = f"{self._path}.{hashlib.sha256(name.encode()).hexdigest()[:16]}.lock"
            with storage_errors(file):
                make_folder_of(file)
                database = sqlite3.connect(file, timeout=0, isolation_level=None)
            with closing(database):
                await _take(database, file)
                yield
        finally:
            release()


async def _take(database: sqlite3.Connection, file: str) -> None:
    wait = FIRST_WAIT
    while True:
        with storage_errors(file):
            try:
                database.execute("BEGIN EXCLUSIVE")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                    raise
        await asyncio.sleep(wait)
        wait = min(2 * wait, LONGEST_WAIT)
