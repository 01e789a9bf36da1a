"""IndexedDB under the suite that every store passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from darkswap_browser.testing.conformance import check_store
from tests.support.chrome import Page


@pytest.mark.parametrize("check", [check.__name__ for check in check_store.CHECKS])
def test_store(python_page: Page, check: str) -> None:
    text = Path(check_store.__file__).read_text("utf-8")
    python_page.run_js(
        """pyodide.FS.writeFile(args[0], args[1]);
        await new Promise((resolve, reject) => {
            const request = indexedDB.deleteDatabase("darkswap");
            request.onsuccess = resolve; request.onerror = request.onblocked = () => reject(new Error("blocked"));
        });""",
        "/home/pyodide/check_store.py",
        text,
    )
    python_page.run_python(
        f"""import check_store
from darkswap_browser.runtime.select import load
runtime = load()
await check_store.{check}(runtime.store, runtime.crypto)"""
    )


def test_store_whose_database_the_browser_closed_opens_it_again(python_page: Page) -> None:
    python_page.run_js(
        """const real = IDBFactory.prototype.open;
        globalThis.opened = [];
        globalThis.realOpen = real;
        IDBFactory.prototype.open = function (...all) {
            const request = real.apply(this, all);
            request.addEventListener("success", () => opened.push(request.result));
            return request;
        };"""
    )
    python_page.run_python(
        """from darkswap_browser.runtime.browser.store import IndexedDbStore
from darkswap_browser.runtime.select import load
store = IndexedDbStore(load().crypto.primitives, "closed")
await store.put("a", b"one")"""
    )
    python_page.run_js("opened[0].close();")  # tells nobody: the next transaction throws InvalidStateError
    again = python_page.run_python("(await store.get('a')).decode()")
    python_page.run_python("store.close()")
    python_page.run_js("IDBFactory.prototype.open = realOpen;")
    assert again == "one"


def test_store_with_a_used_up_quota_is_full(python_page: Page) -> None:
    python_page.run_js(
        """globalThis.realPut = IDBObjectStore.prototype.put;
        IDBObjectStore.prototype.put = function () { throw new DOMException("no room", "QuotaExceededError"); };"""
    )
    told = python_page.run_python(
        """from darkswap_browser.errors import StorageFull
from darkswap_browser.runtime.browser.store import IndexedDbStore
from darkswap_browser.runtime.select import load
store = IndexedDbStore(load().crypto.primitives, "full")
try:
    await store.put("a", b"one")
except StorageFull as error:
    told = f"{error.code} {error}"
await store.delete("a")
store.close()
told"""
    )
    python_page.run_js("IDBObjectStore.prototype.put = realPut;")
    assert told == "STORAGE_FULL IndexedDB takes no more: QuotaExceededError: no room"


def test_store_that_another_tab_keeps_busy_fails_in_time_and_may_write_later(python_page: Page) -> None:
    python_page.run_js(
        """globalThis.keepBusy = () => new Promise((resolve) => {
          const opening = indexedDB.open("hanging");
          opening.onsuccess = () => {
            const transaction = opening.result.transaction("records", "readwrite");
            const records = transaction.objectStore("records");
            let isOver = false;
            const again = () => isOver || (records.get("a").onsuccess = again);
            again();
            globalThis.endBusy = () => new Promise((ended) => {
              isOver = true;
              transaction.oncomplete = () => { opening.result.close(); ended(); };
            });
            resolve();
          };
        });"""
    )
    told = python_page.run_python(
        """import js
from darkswap_browser.errors import StorageError
from darkswap_browser.runtime.browser.store import IndexedDbStore
from darkswap_browser.runtime.select import load
store = IndexedDbStore(load().crypto.primitives, "hanging", 0.2)
await store.get("a")
await js.keepBusy()
try:
    await store.put("a", b"one")
except StorageError as error:
    told = str(error)
await js.endBusy()
left = await store.get("a")
store.close()
told + f" {left}"
"""
    )
    assert told == "IndexedDB failed: does not answer within 0.2 seconds b'one'"


def test_database_that_is_not_opened_in_time_is_a_failure_and_not_forbidden(python_page: Page) -> None:
    python_page.run_js(
        "globalThis.realOpen = IDBFactory.prototype.open; IDBFactory.prototype.open = () => new EventTarget();"
    )
    told = python_page.run_python(
        """from darkswap_browser.errors import DarkSwapError
from darkswap_browser.runtime.browser.store import IndexedDbStore
from darkswap_browser.runtime.select import load
try:
    await IndexedDbStore(load().crypto.primitives, "late", 0.2).load_signing_key("identity/default")
except DarkSwapError as error:
    told = f"{error.code} {error}"
told"""
    )
    python_page.run_js("IDBFactory.prototype.open = realOpen;")
    assert told == "STORAGE IndexedDB failed: does not answer within 0.2 seconds"


def test_store_of_whoever_was_relieved_writes_nothing(python_page: Page) -> None:
    # As the page does before it makes a node.
    python_page.run_js(
        """globalThis.counted = (name, epoch) => new Promise((resolve, reject) => {
          const opening = indexedDB.open("darkswap", 1);
          opening.onupgradeneeded = () => ["records", "keys"].forEach((name) => opening.result.createObjectStore(name));
          opening.onsuccess = () => {
            const transaction = opening.result.transaction("records", "readwrite");
            const records = transaction.objectStore("records");
            records.put(epoch, `epoch/${name}`);
            records.put(true, ["relieved", name, epoch - 1]);
            transaction.oncomplete = () => { opening.result.close(); resolve(); };
          };
          opening.onerror = reject;
        });"""
    )
    told = python_page.run_python(
        """import js
from darkswap_browser.errors import NodeMoved
from darkswap_browser.runtime.select import load
first, second, stranger = load(), load(), load()

async def refused(work):
    try:
        await work
    except NodeMoved as error:
        return error.code
    return None

async def count(name, epoch):
    await js.counted(name, epoch)

await count("default", 1)
first.fence.guard("default", 1)
await first.store.put("fenced", b"first")
await first.fence.check()
await count("somebody else", 1)
stranger.fence.guard("somebody else", 1)
await first.fence.check()
await count("default", 2)
second.fence.guard("default", 2)
key = await first.crypto.generate_signing_key()
codes = [
    await refused(first.store.put("fenced", b"late")),
    await refused(first.store.delete("fenced")),
    await refused(first.store.save_signing_key("identity/fenced", key)),
    await refused(first.fence.check()),
    await refused(second.fence.check()),
    await refused(second.store.put("other", b"second")),
]
left = (await first.store.get("fenced")).decode()
kept = await second.store.load_signing_key("identity/fenced")
await second.store.delete("fenced")
for each in (first, second, stranger):
    each.close()
[*codes, left, kept]"""
    )
    assert told == [*["NODE_MOVED"] * 4, None, None, "first", None]
