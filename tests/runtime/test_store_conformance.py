"""One suite of `KeyValueStore` over the stores of CPython; `tests/browser/test_host.py` runs it over IndexedDB."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from darkswap_browser.errors import InvalidArgument, Unsupported
from darkswap_browser.runtime.base import Crypto, KeyValueStore
from darkswap_browser.runtime.native.store import SqliteStore
from darkswap_browser.runtime.simulated.host import MemoryStore
from tests.support.check_store import CHECKS
from tests.support.native_identity import CRYPTO

Check = Callable[[KeyValueStore, Crypto], Awaitable[None]]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_store(check: Check, tmp_path: Path) -> None:
    for store in (SqliteStore(None), SqliteStore(str(tmp_path / "store")), MemoryStore()):
        await check(store, CRYPTO)


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


async def test_two_processes_may_share_a_file(tmp_path: Path) -> None:
    one, two = SqliteStore(str(tmp_path / "store")), SqliteStore(str(tmp_path / "store"))
    await one.put("a", b"one")
    assert await two.get("a") == b"one"
    await two.put("a", b"two")
    assert await one.get("a") == b"two"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unsupported) as caught:
        SqliteStore(str(tmp_path / "missing" / "store"))
    assert str(tmp_path) in caught.value.hint


def test_a_file_that_is_no_store_is_named(tmp_path: Path) -> None:
    (tmp_path / "store").write_bytes(b"not a database at all" * 100)
    with pytest.raises(Unsupported) as caught:
        SqliteStore(str(tmp_path / "store"))
    assert str(tmp_path) in caught.value.hint


async def test_a_foreign_key_is_refused() -> None:
    class Foreign:
        public_bytes = bytes(32)

        async def sign(self, message: bytes) -> bytes:
            return bytes(64)

    with pytest.raises(InvalidArgument):
        await SqliteStore(None).save_signing_key("me", Foreign())


async def test_blocked_storage_is_unsupported() -> None:
    store = MemoryStore()
    store.blocked = True
    with pytest.raises(Unsupported):
        await store.get("a")
