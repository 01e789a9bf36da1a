from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from darkswap_browser.errors import TooManyRequests
from darkswap_browser.storage import codec
from darkswap_browser.storage.records import QUARANTINE_PREFIX, RecordStore
from darkswap_browser.testing.host import SimulatedStore
from darkswap_browser.wire.fields import Text
from tests.support.slow_store import PACE, SlowStore


@dataclass(frozen=True, slots=True)
class Note:
    text: str


NOTE = codec.stored(Note, "Note", ("text", Text(100)))


class ReportingRecords:
    """Notes in a store, and what was reported of them."""

    def __init__(self, store: SimulatedStore | None = None, *, moves: bool = True) -> None:
        self.store = store or SimulatedStore()
        self.reports: list[tuple[str, str]] = []
        self.notes = RecordStore(
            self.store,
            "notes/regtest/",
            NOTE,
            version=1,
            cap=2,
            report=lambda *told: self.reports.append(told),
            moves=moves,
        )


async def test_records_are_kept_by_name_and_listed() -> None:
    kept = ReportingRecords()
    await kept.notes.put("b", Note("two"))
    await kept.notes.put("a", Note("one"))
    await kept.store.put("notes/mainnet/c", b"of another network")
    assert await kept.notes.get("a") == Note("one")
    assert await kept.notes.all() == {"a": Note("one"), "b": Note("two")}
    await kept.notes.delete("a")
    assert await kept.notes.get("a") is None
    assert kept.reports == []


async def test_no_more_than_the_cap_are_kept_but_those_there_can_change() -> None:
    kept = ReportingRecords()
    await kept.notes.put("a", Note("one"))
    await kept.notes.put("b", Note("two"))
    with pytest.raises(TooManyRequests):
        await kept.notes.put("c", Note("three"))
    await kept.notes.put("b", Note("again"))
    assert await kept.notes.get("b") == Note("again")


async def test_a_broken_record_is_set_aside_and_told_and_the_others_stay() -> None:
    kept = ReportingRecords()
    await kept.notes.put("good", Note("one"))
    await kept.store.put("notes/regtest/bad", b"\xff\x00")
    await kept.store.put("notes/regtest/newer", codec.encode(NOTE, Note("later"), 2))
    assert await kept.notes.all() == {"good": Note("one")}
    assert [key for key, _ in kept.reports] == ["notes/regtest/bad", "notes/regtest/newer"]
    assert await kept.store.get(QUARANTINE_PREFIX + "notes/regtest/bad") == b"\xff\x00"
    assert await kept.notes.names() == ["good"]
    assert await kept.notes.all() == {"good": Note("one")}
    assert len(kept.reports) == 2


class OvertakenStore(SimulatedStore):
    """Another tab replaces a record right after it was read."""

    def __init__(self) -> None:
        super().__init__()
        self.newer = b""

    async def get(self, key: str) -> bytes | None:
        found = await super().get(key)
        if self.newer:
            newer, self.newer = self.newer, b""
            await self.put(key, newer)
        return found


async def test_record_that_another_replaces_while_it_is_set_aside_is_read_and_stays() -> None:
    kept = ReportingRecords(OvertakenStore())
    await kept.store.put("notes/regtest/a", b"\xff\x00")
    kept.store.newer = codec.encode(NOTE, Note("good"), 1)
    assert await kept.notes.get("a") == Note("good")
    assert await kept.notes.all() == {"a": Note("good")}
    assert (kept.reports, await kept.store.keys(QUARANTINE_PREFIX)) == ([], [])


async def test_whoever_only_looks_leaves_a_broken_record_where_it_is() -> None:
    kept = ReportingRecords(moves=False)
    await kept.notes.put("good", Note("one"))
    await kept.store.put("notes/regtest/newer", newer := codec.encode(NOTE, Note("later"), 2))
    assert await kept.notes.all() == {"good": Note("one")}
    assert await kept.notes.get("newer") is None
    assert [key for key, _ in kept.reports] == ["notes/regtest/newer"] * 2
    assert await kept.store.get("notes/regtest/newer") == newer
    assert await kept.store.keys(QUARANTINE_PREFIX) == []


async def test_a_broken_record_on_a_full_store_stays_is_told_and_the_others_are_read() -> None:
    kept = ReportingRecords()
    await kept.notes.put("good", Note("one"))
    await kept.store.put("notes/regtest/bad", b"\xff\x00")
    kept.store.full = True
    assert await kept.notes.all() == {"good": Note("one")}
    assert [key for key, _ in kept.reports] == ["notes/regtest/bad"]
    assert await kept.store.get("notes/regtest/bad") == b"\xff\x00"


async def test_all_records_are_read_side_by_side() -> None:
    slow = SlowStore(SimulatedStore())
    notes = RecordStore(slow, "notes/", NOTE, version=1, cap=200, report=lambda *told: None)
    for number in range(100):
        await notes.put(f"{number:03}", Note(str(number)))
    loop = asyncio.get_running_loop()
    before = loop.time()
    assert list(await notes.all()) == [f"{number:03}" for number in range(100)]
    assert loop.time() - before < 5 * PACE
