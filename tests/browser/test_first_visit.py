"""Two tabs that open a site at the same moment: one identity, whichever of them stands still in between."""

from __future__ import annotations

import pytest

from tests.browser.tabs import HELPERS, OPEN
from tests.support.chrome import Chrome, Page
from web.build.server import WebServer

pytestmark = pytest.mark.takes(15)


def test_two_tabs_of_a_first_visit_agree_on_one_identity(chrome: Chrome, site: WebServer) -> None:
    one = chrome.new_page(site.url).open("/blank.html")
    two = chrome.new_page(site.url, share_with=one).open("/blank.html")
    opening = [page.start(HELPERS + OPEN, {}) for page in (one, two)]
    first, second = [each.wait(60)["id"] for each in opening]
    assert first == second
    kept = two.run_js("return (await indexedDB.databases()).map(({ name }) => name)")
    assert kept == ["darkswap"]
    _relieved_as_it_begins(one, two)
    _stopped_as_it_writes(one, two)
    one.close()
    assert two.run_js("return await node.local_peer_id()") == first
    two.close()


def _relieved_as_it_begins(one: Page, two: Page) -> None:
    """`one` hangs as it gets the lock of an identity, and does not count its epoch after `two`, which relieves it."""
    use = """globalThis.hung = new lib.DarkSwapWasm({ identity: { name: "hung" } });
    globalThis.hungId = hung.local_peer_id();"""
    go_on = one.debug()
    hanging = one.start(
        f"""const request = navigator.locks.request.bind(navigator.locks);
        navigator.locks.request = (name, options, granted) => request(name, options, (lock) => {{
          const isFirst = lock && options.ifAvailable && name === "darkswap/node/hung";
          if (isFirst) {{ debugger; globalThis.hasHung = true; }}
          return granted(lock);
        }});
        {use}"""
    )
    two.run_js(f"{use} await hungId;", timeout=40)
    go_on()
    hanging.wait()
    assert one.run_js("await until(() => globalThis.hasHung); return await hungId;") == two.run_js(
        "return await hungId"
    )
    epoch = """const opening = indexedDB.open("darkswap");
    await new Promise((resolve) => { opening.onsuccess = resolve; });
    const record = opening.result.transaction("records").objectStore("records").get("epoch/hung");
    await new Promise((resolve) => { record.onsuccess = resolve; });
    opening.result.close();
    return record.result;"""
    assert two.run_js(epoch) == 1


def _stopped_as_it_writes(one: Page, two: Page) -> None:
    """`one` stops right after it began to write, and keeps the store from no other tab."""
    two.run_js(
        """const channel = new BroadcastChannel("stopping");
        globalThis.now = new Promise((resolve) => { channel.onmessage = resolve; });"""
    )
    writing = one.start(
        """const { pyodide } = await lib.default();
        await pyodide.runPythonAsync(`
import asyncio, time, js
from darkswap_browser.runtime.select import load
store = load().store
store.guard("stopping", 1)
await store.get("stopping")
writing = asyncio.ensure_future(store.put("stopping", b"one"))
reading = asyncio.ensure_future(store.keys("stopping"))
await asyncio.sleep(0)
js.BroadcastChannel.new("stopping").postMessage("now")
end = time.monotonic() + 3
while time.monotonic() < end:
    pass
await asyncio.gather(writing, reading)
store.close()
`);"""
    )
    ms = two.run_js(
        """const opening = indexedDB.open("darkswap");
        await new Promise((resolve) => { opening.onsuccess = resolve; });
        await now;
        const began = performance.now();
        const transaction = opening.result.transaction("records", "readwrite");
        transaction.objectStore("records").put(2, "stopping");
        await new Promise((resolve) => { transaction.oncomplete = resolve; });
        opening.result.close();
        return performance.now() - began;"""
    )
    writing.wait()
    assert ms < 1500
