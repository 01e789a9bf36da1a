"""One suite of `KeyValueStore` over the stores of CPython; `tests/browser/test_host.py` runs it over IndexedDB."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from darkswap_browser.errors import InvalidArgument, StorageError, StorageFull, Unsupported
from darkswap_browser.runtime.base.crypto import Crypto
from darkswap_browser.runtime.base.storage import KeyValueStore
from darkswap_browser.runtime.memory_store import MemoryStore
from darkswap_browser.runtime.native.store import SqliteStore
from darkswap_browser.testing.conformance.check_store import CHECKS
from darkswap_browser.testing.host import SimulatedStore
from tests.support.native_identity import CRYPTO

Check = Callable[[KeyValueStore, Crypto], Awaitable[None]]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_store(check: Check, tmp_path: Path) -> None:
    for store in (MemoryStore(), SqliteStore(str(tmp_path / "store")), SimulatedStore()):
        await check(store, CRYPTO)
        store.close()


async def test_a_file_keeps_everything_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "store"
    path.touch(0o644)
    store = SqliteStore(str(path))
    key = await CRYPTO.generate_signing_key()
    await store.put("a", b"one")
    await store.save_signing_key("me", key)
    store.close()
    assert path.stat().st_mode & 0o777 == 0o600
    again = SqliteStore(str(path))
    assert await again.get("a") == b"one"
    loaded = await again.load_signing_key("me")
    assert loaded is not None
    assert loaded.public_bytes == key.public_bytes
    assert key.seed.hex() not in repr(loaded)
    again.close()
    again.close()
    assert await again.get("a") == b"one"
    again.close()


async def test_sqlite_store_logs_ahead_so_that_readers_do_not_wait_for_writers(tmp_path: Path) -> None:
    store = SqliteStore(str(tmp_path / "store"))
    await store.put("a", b"one")
    with closing(sqlite3.connect(tmp_path / "store")) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        other.execute("BEGIN IMMEDIATE")
        assert await store.get("a") == b"one"
    store.close()


@pytest.mark.parametrize("seed", [b"x", bytes(33), b"", "text", 5, 2**62, 1.5])
async def test_sqlite_store_tells_a_damaged_key_and_record(seed: bytes | str | float, tmp_path: Path) -> None:
    path = str(tmp_path / "store")
    store = SqliteStore(path)
    await store.put("a", b"one")
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("INSERT INTO signing_keys VALUES ('me', ?)", (seed,))
        other.execute("UPDATE records SET value = ?", (seed,))
    with pytest.raises(StorageError, match="me"):
        await store.load_signing_key("me")
    if not isinstance(seed, bytes):
        with pytest.raises(StorageError, match="a is no bytes"):
            await store.get("a")
    store.close()


async def test_sqlite_store_with_a_used_up_quota_is_full_and_can_still_be_read_and_emptied(tmp_path: Path) -> None:
    path = tmp_path / "store"
    store = SqliteStore(str(path))
    await store.put("a", bytes(100_000))
    store.close()
    limited = LimitedStore(str(path))
    with pytest.raises(StorageFull) as caught:
        await limited.put("b", bytes(10_000_000))
    assert (caught.value.code, caught.value.place) == ("STORAGE_FULL", str(path))
    assert await limited.get("a") == bytes(100_000)
    await limited.delete("a")
    await limited.put("b", b"small")
    limited.close()


class LimitedStore(SqliteStore):
    """SQLite's own quota, since a test cannot fill a disk."""

    def _open(self) -> sqlite3.Connection:
        database = super()._open()
        database.execute("PRAGMA max_page_count = 40")
        return database


async def test_two_processes_may_share_a_file(tmp_path: Path) -> None:
    one, two = SqliteStore(str(tmp_path / "store")), SqliteStore(str(tmp_path / "store"))
    await one.put("a", b"one")
    assert await two.get("a") == b"one"
    await two.put("a", b"two")
    assert await one.get("a") == b"two"


async def test_sqlite_store_in_a_place_that_cannot_be_written_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError) as caught:
        await SqliteStore(str(tmp_path / "file" / "store")).get("a")
    assert str(tmp_path) in str(caught.value) and "DARKSWAP_DATA" in caught.value.hint


async def test_sqlite_store_in_a_file_that_is_none_names_it(tmp_path: Path) -> None:
    (tmp_path / "store").write_bytes(b"not a database at all" * 100)
    with pytest.raises(StorageError) as caught:
        await SqliteStore(str(tmp_path / "store")).get("a")
    assert str(tmp_path) in str(caught.value)


async def test_a_foreign_key_is_refused() -> None:
    class Foreign:
        public_bytes = bytes(32)

        async def sign(self, message: bytes) -> bytes:
            return bytes(64)

    with pytest.raises(InvalidArgument):
        await SqliteStore("never opened").save_signing_key("me", Foreign())


async def test_blocked_storage_is_unsupported() -> None:
    store = SimulatedStore()
    store.blocked = True
    with pytest.raises(Unsupported):
        await store.get("a")
