"""What every `runtime.base.KeyValueStore` must do. No pytest here: it is sent to the page as well."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from darkswap_browser.runtime.base.crypto import Crypto, KeyAlgorithm
from darkswap_browser.runtime.base.storage import KeyValueStore


async def records_are_kept_replaced_and_deleted(store: KeyValueStore, _: Crypto) -> None:
    assert await store.get("a") is None
    await store.put("a", b"one")
    await store.put("b", b"other")
    await store.put("a", b"two")
    assert await store.get("a") == b"two"
    await store.delete("a")
    await store.delete("a")
    assert await store.get("a") is None
    assert await store.get("b") == b"other"


async def a_record_is_moved_only_as_it_was_seen(store: KeyValueStore, _: Crypto) -> None:
    await store.put("move/from", b"seen")
    await store.put("move/to", b"older")
    assert not await store.move("move/from", "move/to", b"other")
    assert not await store.move("move/none", "move/to", b"seen")
    assert (await store.get("move/from"), await store.get("move/to")) == (b"seen", b"older")
    assert await store.move("move/from", "move/to", b"seen")
    assert (await store.get("move/from"), await store.get("move/to")) == (None, b"seen")


async def values_are_any_bytes(store: KeyValueStore, _: Crypto) -> None:
    for value in (b"", b"\x00", bytes(range(256)) * 4096):
        await store.put("any", value)
        assert await store.get("any") == value


async def keys_are_any_text(store: KeyValueStore, _: Crypto) -> None:
    names = ["", " ", "a/b", "Ä€語", "'; DROP TABLE records; --", "k" * 1000]
    for number, name in enumerate(names):
        await store.put(name, bytes([number]))
    for number, name in enumerate(names):
        assert await store.get(name) == bytes([number])


async def signing_keys_come_back_as_themselves(store: KeyValueStore, crypto: Crypto) -> None:
    assert await store.load_signing_key("identity") is None
    for _ in range(2):  # the second replaces the first
        key = await crypto.generate_signing_key()
        await store.save_signing_key("identity", key)
        again = await store.load_signing_key("identity")
        assert again is not None
        assert again.public_bytes == key.public_bytes
        assert await crypto.verify(KeyAlgorithm.ED25519, key.public_bytes, b"text", await again.sign(b"text"))


async def keys_and_records_have_names_of_their_own(store: KeyValueStore, crypto: Crypto) -> None:
    await store.save_signing_key("same", await crypto.generate_signing_key())
    assert await store.get("same") is None
    await store.put("same", b"record")
    assert await store.load_signing_key("same") is not None


async def keys_are_found_by_their_beginning_in_order(store: KeyValueStore, _: Crypto) -> None:
    names = ["list", "list/", "list/b", "list/a", "list/語", "list/\U0001f600", "list/ä", "list0", "lisu", "lis"]
    for name in names:
        await store.put(name, b"")
    assert list(await store.keys("list/")) == ["list/", "list/a", "list/b", "list/ä", "list/語", "list/\U0001f600"]
    assert set(await store.keys("")) >= set(names)
    assert list(await store.keys("list/none")) == []
    await store.delete("list/b")
    assert "list/b" not in await store.keys("list")


CHECKS: tuple[Callable[[KeyValueStore, Crypto], Awaitable[None]], ...] = (
    records_are_kept_replaced_and_deleted,
    a_record_is_moved_only_as_it_was_seen,
    values_are_any_bytes,
    keys_are_any_text,
    signing_keys_come_back_as_themselves,
    keys_and_records_have_names_of_their_own,
    keys_are_found_by_their_beginning_in_order,
)
