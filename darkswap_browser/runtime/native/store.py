"""Durable records in one SQLite file that only its owner can read."""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from darkswap_browser.errors import InvalidArgument, StorageError, StorageFull
from darkswap_browser.errors.base import clipped
from darkswap_browser.runtime.base.crypto import SigningKey
from darkswap_browser.runtime.native.crypto import NativeSigningKey

# A write-ahead log, so that one process can read while another writes; synchronous=FULL syncs it at every commit, so
# that a record whose `put` returned survives a power cut (https://www.sqlite.org/pragma.html#pragma_synchronous).
SETUP = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS records (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS signing_keys (name TEXT PRIMARY KEY, seed BLOB NOT NULL) WITHOUT ROWID;
"""

BUSY_SECONDS = 2.0
"""How long a call waits for another process that writes the same file."""
HINT = "Check its folder, name another (the data argument, --data or DARKSWAP_DATA), or set identity.persist to false."

DAMAGED_HINT = "The file is damaged, or another program wrote to it. Put it back from a copy, or use another folder."
SEED = 32
"""Bytes of a private key."""


@contextmanager
def storage_errors(path: str) -> Iterator[None]:
    """Raises `StorageFull` or `StorageError` with the path for what SQLite or the file system raises inside."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        if full or (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)):
            raise StorageFull(path, str(error)) from error
        raise StorageError(path, str(error), HINT) from error


def make_folder_of(path: str) -> None:
    """The folder of a file, readable by its owner only when it is made here. Raises `OSError`."""
    os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)


class SqliteStore:
    """Opened at its first use, and again at the first use after `close`.

    Calls are short (one row, one commit), so they run on the event loop's own thread.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._database: sqlite3.Connection | None = None

    async def get(self, key: str) -> bytes | None:
        return self._one("SELECT value FROM records WHERE key = ?", (key,))

    async def put(self, key: str, value: bytes) -> None:
        self._run("INSERT OR REPLACE INTO records VALUES (?, ?)", (key, value))

    async def delete(self, key: str) -> None:
        self._run("DELETE FROM records WHERE key = ?", (key,))

    async def move(self, key: str, to: str, value: bytes) -> bool:
        statement = "UPDATE OR REPLACE records SET key = ? WHERE key = ? AND value = ?"
        return self._run(statement, (to, key, value)) > 0

    async def keys(self, prefix: str) -> list[str]:
        # SQLite compares UTF-8 bytes, whose order is that of the characters: a range, so the index answers.
        statement = "SELECT key FROM records WHERE key >= ? AND key < ? ORDER BY key"
        with storage_errors(self._path):
            return [row[0] for row in self._open().execute(statement, (prefix, prefix + chr(sys.maxunicode)))]

    async def load_signing_key(self, name: str) -> NativeSigningKey | None:
        seed = self._one("SELECT seed FROM signing_keys WHERE name = ?", (name,))
        if seed is not None and len(seed) != SEED:
            raise StorageError(self._path, f"the key {clipped(name)} has {len(seed)} bytes", DAMAGED_HINT)
        return None if seed is None else NativeSigningKey(seed)

    async def save_signing_key(self, name: str, key: SigningKey) -> None:
        if not isinstance(key, NativeSigningKey):
            raise InvalidArgument("key", "was not made by this runtime")
        self._run("INSERT OR REPLACE INTO signing_keys VALUES (?, ?)", (name, key.seed))

    def close(self) -> None:
        """Idempotent."""
        database, self._database = self._database, None
        if database is not None:
            database.close()

    def _run(self, statement: str, values: tuple[str | bytes, ...]) -> int:
        """How many rows it changed."""
        with storage_errors(self._path):
            return self._open().execute(statement, values).rowcount

    def _one(self, statement: str, values: tuple[str, ...]) -> bytes | None:
        with storage_errors(self._path):
            row = self._open().execute(statement, values).fetchone()
        if row is not None and not isinstance(row[0], bytes):
            raise StorageError(self._path, f"{clipped(values[0])} is no bytes", DAMAGED_HINT)
        return None if row is None else row[0]

    def _open(self) -> sqlite3.Connection:
        if self._database is None:
            make_folder_of(self._path)
            # Made before SQLite opens it: seeds must never lie in a file that others may read.
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
            os.chmod(self._path, 0o600)
            database = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
            try:
                database.executescript(SETUP)
            except BaseException:
                database.close()
                raise
            self._database = database
        return self._database
