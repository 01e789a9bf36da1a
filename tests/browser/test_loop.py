"""Our scheduling on Pyodide's loop in a page: what it must do, and that the page's own Python notices nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.chrome import Chrome, Page
from web.build.server import WebServer

pytestmark = pytest.mark.takes(10)

INIT = """globalThis.pyodide = (await (await import("/darkswap.mjs")).default()).pyodide;"""
FOREIGN = """const { loadPyodide } = await import("/pyodide.mjs");
globalThis.pyodide = await loadPyodide();
await (await import("/darkswap.mjs")).default({ pyodide });"""
# Runs a text as a module of our package would be, so that its coroutines are ours.
OURS = """
import asyncio, json, time
import js
from pyodide.ffi import run_sync
def ours(text):
    space = {"__name__": "darkswap_browser.test_loop", "asyncio": asyncio, "time": time, "js": js, "run_sync": run_sync}
    exec(text, space)
    return space
"""


@pytest.fixture(scope="module")
def own(chrome: Chrome, site: WebServer) -> Iterator[Page]:
    """A page whose interpreter `init()` loaded."""
    page = chrome.new_page(site.url).open("/blank.html")
    page.run_js(INIT, timeout=60)
    yield page
    page.close()


def run(page: Page, code: str) -> Any:
    return json.loads(page.run_python(OURS + code, timeout=60))


# Counts the turns of the page's own event loop, for two seconds.
TICKS = """globalThis.ticks = 0;
const { port1, port2 } = new MessageChannel(), end = performance.now() + 2000;
port1.onmessage = () => { globalThis.ticks += 1; if (performance.now() < end) port2.postMessage(0); };
port2.postMessage(0);"""


def test_hops_of_our_tasks_share_a_turn_of_the_page(own: Page) -> None:
    own.run_js(TICKS)
    code = """
space = ours('''
async def hops(count):
    before = js.ticks
    for _ in range(count):
        await asyncio.sleep(0)
    return js.ticks - before
''')
json.dumps(await asyncio.ensure_future(space["hops"](20)))
"""
    assert run(own, code) < 10


def test_turn_ends_after_its_time_so_that_the_page_gets_its_own(own: Page) -> None:
    own.run_js(TICKS)
    code = """
space = ours('''
async def busy(seconds):
    before, end = js.ticks, time.monotonic() + seconds
    while time.monotonic() < end:
        await asyncio.sleep(0)
    return js.ticks - before
''')
json.dumps(await asyncio.ensure_future(space["busy"](0.5)))
"""
    assert run(own, code) > 10


def test_tasks_and_timers_of_ours_run_in_order(own: Page) -> None:
    code = """
space = ours('''
async def main():
    seen, loop = [], asyncio.get_running_loop()
    note = lambda word: seen.append(word)
    loop.call_later(0.03, note, "late")
    loop.call_later(0.01, note, "soon")
    loop.call_soon(note, "first")
    loop.call_soon(note, "second")
    loop.call_later(0.005, note, "never").cancel()
    await asyncio.sleep(0.06)
    try:
        async with asyncio.timeout(0.02):
            await asyncio.sleep(10)
    except TimeoutError:
        seen.append("timed out")
    return seen
''')
json.dumps(await asyncio.ensure_future(space["main"]()))
"""
    assert run(own, code) == ["first", "second", "soon", "late", "timed out"]


def test_cancelled_timers_are_released_before_their_time(own: Page) -> None:
    code = """
import gc, weakref
space = ours('''
class Kept:
    pass
def arm(loop, count):
    kept = Kept()
    for _ in range(count):
        loop.call_later(3600, lambda kept=kept: None).cancel()
    return kept
''')
loop = asyncio.get_running_loop()
kept = weakref.ref(space["arm"](loop, 1000))
gc.collect()
json.dumps([kept() is None, len(loop.call_soon.__self__._timers) < 200])
"""
    assert run(own, code) == [True, True]


FAULTS = """
seen = []
loop = asyncio.get_running_loop()
loop.set_exception_handler(lambda loop, context: seen.append(type(context["exception"]).__name__))
"""


def test_count_of_cancelled_timers_is_that_of_those_that_wait(own: Page) -> None:
    code = """
loop = asyncio.get_event_loop()
turns = loop.call_soon.__self__
space = ours('''
def nothing(): pass
async def fired(loop):
    timers = [loop.call_later(0.001, nothing) for _ in range(20)]
    await asyncio.sleep(0.05)
    for timer in timers:
        timer.cancel()
def waiting(loop, count):
    for timer in [loop.call_later(1000, nothing) for _ in range(count)]:
        timer.cancel()
''')
def cancelled():
    return sum(not timer._scheduled for _, _, timer in turns._timers)
await asyncio.ensure_future(space["fired"](loop))
told = [turns._cancelled == cancelled()]
for count in (3, 90, 200):
    space["waiting"](loop, count)
    told.append(turns._cancelled == cancelled() >= 0)
json.dumps(told)
"""
    assert run(own, code) == [True] * 4


def test_exception_in_callback_goes_to_the_loops_handler_and_others_run_on(own: Page) -> None:
    code = """
space = ours('''
def fails(): raise LookupError("on purpose")
async def fails_as_task(): raise KeyError("on purpose")
''')
loop.call_soon(space["fails"])
loop.call_later(0.001, space["fails"])
task = asyncio.ensure_future(space["fails_as_task"]())
await asyncio.sleep(0.05)
loop.set_exception_handler(None)
json.dumps(sorted(seen))
"""
    assert run(own, FAULTS + code) == ["KeyError", "LookupError", "LookupError"]


def test_page_task_may_run_sync_and_be_awaited_by_ours_and_the_other_way_round(own: Page) -> None:
    code = """
space = ours('''
async def inner(): await asyncio.sleep(0.001); return "ours"
async def outer(page_coroutine): return await asyncio.create_task(page_coroutine)
''')
async def slow(): await asyncio.sleep(0.001); return "page"
async def syncs():
    await asyncio.sleep(0)
    return run_sync(slow()) + " and " + run_sync(space["inner"]())
json.dumps([
    await asyncio.create_task(syncs()),
    await asyncio.create_task(space["outer"](syncs())),
    await asyncio.create_task(space["inner"]()),
])
"""
    assert run(own, code) == ["page and ours", "page and ours", "ours"]


def test_callback_of_the_page_called_by_ours_cannot_run_sync_but_a_task_it_begins_can(own: Page) -> None:
    code = """
space = ours('''
async def tells(callback):
    await asyncio.sleep(0)
    callback()
''')
told, tasks = [], []
async def slow(): await asyncio.sleep(0.001); return "slow"
async def later(): told.append(run_sync(slow()))
def subscriber():
    tasks.append(asyncio.ensure_future(later()))
    waits = slow()
    try:
        told.append(run_sync(waits))
    except RuntimeError:
        waits.close()
        told.append("refused")
await asyncio.ensure_future(space["tells"](subscriber))
await tasks[0]
json.dumps(told)
"""
    assert run(own, code) == ["refused", "slow"]


def test_page_task_with_the_text_of_one_of_ours_may_run_sync(own: Page) -> None:
    code = """
text = '''
async def slow(): await asyncio.sleep(0.001); return "done"
async def syncs(really):
    await asyncio.sleep(0)
    return run_sync(slow()) if really else "skipped"
'''
space, page = ours(text), {"asyncio": asyncio, "run_sync": run_sync, "__name__": "__main__"}
exec(text, page)
json.dumps([await asyncio.create_task(space["syncs"](False)), await asyncio.create_task(page["syncs"](True))])
"""
    assert run(own, code) == ["skipped", "done"]


def test_our_work_goes_on_while_page_code_waits_in_run_sync(own: Page) -> None:
    code = """
space = ours('''
async def count(seen):
    for number in range(5):
        seen.append(number)
        await asyncio.sleep(0.001)
''')
seen = []
async def waits():
    run_sync(asyncio.sleep(0.2))
    return list(seen)
asyncio.ensure_future(space["count"](seen))
json.dumps(await asyncio.create_task(waits()))
"""
    assert run(own, code) == [0, 1, 2, 3, 4]


def test_coroutines_tasks_and_futures_are_promises_for_javascript(own: Page) -> None:
    page = own
    page.run_python(
        OURS
        + """
space = ours('''
async def double(number): await asyncio.sleep(0.001); return 2 * number
async def fails(): raise ValueError("told")
''')
async def page_double(number): return await space["double"](number)
double, fails = space["double"], space["fails"]
def as_task(number): return asyncio.ensure_future(double(number))
def as_future():
    future = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.001, future.set_result, 7)
    return future
def chained(): return as_task(4).then(lambda value: value + 1)
"""
    )
    found = page.run_js(
        """const call = (name, ...all) => pyodide.globals.get(name)(...all);
        const all = [await call("double", 1), await call("as_task", 2), await call("page_double", 3),
          await call("as_future"), await call("chained"), await call("double", 5).then((value) => value + 1)];
        const failed = await call("fails").catch((error) => String(error).includes("ValueError: told"));
        return [...all, failed];"""
    )
    assert found == [2, 4, 6, 7, 9, 11, True]


def test_failed_task_of_the_page_is_reported_once_as_by_pyodide(own: Page) -> None:
    code = """
async def fails(): raise KeyError("nobody looks")
asyncio.create_task(fails())
await asyncio.sleep(0.05)
loop.set_exception_handler(None)
json.dumps(seen)
"""
    assert run(own, FAULTS + code) == ["KeyError"]


def test_interpreter_of_the_page_keeps_pyodides_loop(page: Page) -> None:
    page.run_js(FOREIGN, timeout=60)
    code = """
import asyncio, gc, json
loop = asyncio.get_event_loop()
json.dumps([type(loop.call_soon.__self__).__module__, gc.get_freeze_count()])
"""
    module, frozen = json.loads(page.run_python(code))
    assert module == "pyodide.webloop"
    assert frozen == 0
