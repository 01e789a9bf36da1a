"""Durable records in one SQLite file that only its owner can read; without a path, in memory."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from darkswap_browser.errors import InvalidArgument, Unsupported
from darkswap_browser.runtime.base import SigningKey
from darkswap_browser.runtime.native.crypto import NativeSigningKey

SCHEMA = """
CREATE TABLE IF NOT EXISTS records (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS signing_keys (name TEXT PRIMARY KEY, seed BLOB NOT NULL) WITHOUT ROWID;
"""

BUSY_SECONDS = 2.0
"""How long a call waits for another process that writes the same file."""


@contextmanager
def _storage_errors(path: str) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise Unsupported("storage", f"Check {path}: {error}") from error


class SqliteStore:
    """Calls are short (one row, one commit), so they run on the event loop's own thread."""

    def __init__(self, path: str | None) -> None:
        self._path = path or ":memory:"
        with _storage_errors(self._path):
            if path is not None:
                # Made before SQLite opens it: seeds must never lie in a file that others may read.
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
                os.chmod(path, 0o600)
            self._database = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
            self._database.executescript(SCHEMA)

    async def get(self, key: str) -> bytes | None:
        return self._one("SELECT value FROM records WHERE key = ?", (key,))

    async def put(self, key: str, value: bytes) -> None:
        self._run("INSERT OR REPLACE INTO records VALUES (?, ?)", (key, value))

    async def delete(self, key: str) -> None:
        self._run("DELETE FROM records WHERE key = ?", (key,))

    async def keys(self, prefix: str) -> list[str]:
        # SQLite compares UTF-8 bytes, whose order is that of the characters: a range, so the index answers.
        statement = "SELECT key FROM records WHERE key >= ? AND key < ? ORDER BY key"
        with _storage_errors(self._path):
            return [row[0] for row in self._database.execute(statement, (prefix, prefix + chr(sys.maxunicode)))]

    async def load_signing_key(self, name: str) -> NativeSigningKey | None:
        seed = self._one("SELECT seed FROM signing_keys WHERE name = ?", (name,))
        return None if seed is None else NativeSigningKey(seed)

    async def save_signing_key(self, name: str, key: SigningKey) -> None:
        if not isinstance(key, NativeSigningKey):
            raise InvalidArgument("key", "was not made by this runtime")
        self._run("INSERT OR REPLACE INTO signing_keys VALUES (?, ?)", (name, key.seed))

    def close(self) -> None:
        self._database.close()

    def _run(self, statement: str, values: tuple[str | bytes, ...]) -> None:
        with _storage_errors(self._path):
            self._database.execute(statement, values)

    def _one(self, statement: str, values: tuple[str, ...]) -> bytes | None:
        with _storage_errors(self._path):
            row = self._database.execute(statement, values).fetchone()
        return None if row is None else bytes(row[0])
