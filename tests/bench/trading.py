"""Trades: how long two pages take to agree and sign, what verifying costs, what trading costs those who only talk."""

from __future__ import annotations

import contextlib
import json
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.bench.row import Row
from tests.bench.rows import INIT, site
from tests.browser.conftest import BLANK
from tests.interop.processes import our_relay
from tests.support.chrome import Chrome, Page
from tests.support.regtest import RegtestProcess
from web.build import dist
from web.build.server import Answer, Site, WebServer

DEAL = Path(__file__).resolve().parents[1] / "support" / "trade_fixture.py"
TAKES = 5
FAR = 50
"""Milliseconds: public chain servers answer in 30 to 200."""
STARTS = 5
ROUNDS = 9
# Seconds after which Chromium has compiled WebAssembly anew in the background, which takes a core until then.
COMPILED = 3.0

_START = """
const [config] = args;
const { default: init, DarkSwapWasm } = await import('/darkswap.mjs');
globalThis.pyodide = (await init()).pyodide;
globalThis.node = new DarkSwapWasm(config);
await node.make_webrtc_relay_reservation(config.network.relays[0]);
await node.connect_wallet({ type: 'seed' });
performance.setResourceTimingBufferSize(20000);
return { assets: await node.get_address('assets'), payment: await node.get_address('payment') };
"""
_ORDER = """
const [rune] = args;
const draft = { base_asset: rune, quote_asset: 'BTC', side: 'sell', amount: '1', total: '0.0001' };
return (await node.create_order(draft)).text;
"""
_TAKE = """
const [text] = args;
const order = await node.import_order(text);
await node.create_webrtc_connection(order.maker);
const trips = [];
for (let round = 0; round < 5; round++) trips.push(await node.ping(order.maker));
const both = new Promise((resolve) => node.on_event(({ trade }) => { if (trade?.raw) resolve(trade.id); }));
const started = performance.timeOrigin + performance.now();
await node.take_order(order.id);
const id = await both;
return { id, started, ended: performance.timeOrigin + performance.now(), trips };
"""
_ASKED = """
const [started, ended, chain] = args;
return performance.getEntriesByType('resource').filter((one) => one.name.startsWith(chain))
  .map((one) => [performance.timeOrigin + one.startTime, performance.timeOrigin + one.responseEnd])
  .filter(([from, to]) => to > started && from < ended);
"""
_SIGNATURES = """
import json, time
import trade_fixture as deals
from darkswap_browser.bitcoin import bip322, signing
from darkswap_browser.market.assets import BTC, Asset
from darkswap_browser.settlement.terms import Role

MINE = 'these coins are mine'
here = deals.deal(Asset.rune(840000, 1), BTC)
whole = here.settlement()


def cost(work, rounds):
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        times.append((time.perf_counter() - started) * 1000)
    return sorted(times)[len(times) // 2]


def proof(role):
    coins = here.declared[role].coins
    return [(coin.script, deals.keys_of(role)[coin.script]) for coin in {each.script: each for each in coins}.values()]


def prove():
    return [(script, bip322.sign_simple(script, key, MINE, deals.AUX)) for script, key in proof(Role.TAKER)]


proofs = prove()
found = {
    'prove': cost(prove, 9),
    'check': cost(lambda: [bip322.verify_simple(script, MINE, one) for script, one in proofs], 9),
    'sign': cost(lambda: [here.witnesses(role) for role in Role], 9),
}
both = dict((*here.witnesses(Role.MAKER), *here.witnesses(Role.TAKER)))
signed = signing.with_witnesses(whole.tx, whole.prevouts, both)
places = range(len(signed.inputs))
found['verify'] = cost(lambda: [signing.verify_input(signed, n, whole.prevouts) for n in places], 9)
json.dumps(found)
"""
_VERIFIED = """
import json, time
import trade_fixture as deals
from darkswap_browser.market.assets import BTC, Asset
from darkswap_browser.settlement import checks, signature_checks, transaction
from darkswap_browser.settlement.terms import Role
from darkswap_browser.bitcoin.psbt import with_witness

here = deals.deal(Asset.rune(840000, 1), BTC, left=5)
role = Role.MAKER
context, theirs = here.context(role), here.witnesses(Role.TAKER)
asked = here.asked(role)
answer = asked
for index, witness in here.witnesses(role):
    answer = with_witness(answer, index, witness)
returned = answer.serialize()
times = []
for _ in range(ROUNDS):
    started = time.perf_counter()
    built = transaction.build(here.terms, here.declared[Role.MAKER], here.declared[Role.TAKER])
    checks.check_before_signing(context)
    own = signature_checks.v15_v16_wallet_answer(returned, asked, built, role)
    signature_checks.v17_their_signatures(built, role.other, theirs)
    final = signature_checks.complete(built, own, theirs)
    signature_checks.v19_spendable(1, 1)
    signature_checks.v20_no_conflict(built, {})
    times.append((time.perf_counter() - started) * 1000)
json.dumps([times, len(final.inputs)])
"""


@contextlib.contextmanager
def _table() -> Iterator[tuple[Page, Page, RegtestProcess, str]]:
    with contextlib.ExitStack() as stack:
        chain = stack.enter_context(RegtestProcess(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
        relay = stack.enter_context(our_relay())
        pages = stack.enter_context(site())
        chrome = Chrome()
        stack.callback(chrome.quit)
        yield chrome.new_page(pages.url), chrome.new_page(pages.url), chain, relay


def _covered(spans: list[list[float]], start: float, end: float) -> float:
    """Milliseconds of `start` to `end` in which at least one span goes on."""
    total, reached = 0.0, start
    for begin, stop in sorted(spans):
        begin, stop = max(begin, reached), min(stop, end)
        if stop > begin:
            total += stop - begin
            reached = stop
    return total


def _with_deal(page: Page, code: str) -> Any:
    """Runs Python in a page that has `tests/support/trade_fixture.py` beside it."""
    page.run_js("pyodide.FS.writeFile('trade_fixture.py', args[0])", DEAL.read_text("utf-8"))
    return json.loads(page.run_python(code, timeout=120))


def take() -> list[Row]:
    """From `take_order` until the taker holds the transaction signed by both, seed wallets. With the chain on this
    machine, where what Python does for each question counts, and as far away as servers are.
    """
    found = []
    with _table() as (maker, taker, chain, relay):
        config = {**chain.config, "network": {"relays": [relay]}, "identity": {"persist": False}}
        addresses = [page.open("/blank.html").run_js(_START, config, timeout=60) for page in (maker, taker)]
        rune = next(each["asset"] for each in chain.assets if each["asset"].startswith("RUNE"))
        for _ in range(2 * TAKES):
            chain.faucet(addresses[0]["assets"], rune)
            chain.faucet(addresses[0]["payment"])
            chain.faucet(addresses[1]["payment"])
        keys = _with_deal(taker, _SIGNATURES)
        for place, delay in (("on this machine", 0), (f"{FAR} ms away", FAR)):
            if delay:
                chain.post("/regtest/fault", {"kind": "delay", "amount": delay})
            figures = [_take(maker, taker, chain, rune, keys) for _ in range(TAKES)]
            totals, sums = zip(*figures, strict=True)
            found.append(
                Row(
                    name=f"take to both signed, two pages, chain {place}",
                    unit="ms",
                    ours=statistics.median(totals),
                    against={"its round trips and signatures": statistics.median(sums)},
                    aims={"its round trips and signatures": 1.5},
                    more_is_better=False,
                )
            )
    return found


def _take(maker: Page, taker: Page, chain: RegtestProcess, rune: str, keys: dict[str, float]) -> tuple[float, float]:
    """Milliseconds of one, and of its round trips and signatures alone."""
    text = maker.run_js(_ORDER, rune, timeout=60)
    took = taker.run_js(_TAKE, text, timeout=60)
    start, end = took["started"], took["ended"]
    asked = [span for page in (maker, taker) for span in page.run_js(_ASKED, start, end, chain.url)]
    # Request and answer, signatures and transaction: two round trips between the pages.
    trips = 2 * statistics.median(took["trips"])
    # One proves its coins, the other checks that; both sign; both verify the other's, and the last one the whole.
    signatures = keys["prove"] + keys["check"] + keys["sign"] + 2 * keys["verify"]
    chain.mine(7)
    return end - start, _covered(asked, start, end) + trips + signatures


def verification() -> list[Row]:
    """One settlement built and held against V1 to V20 in the page, the chain's answers at hand."""
    with site() as pages:
        chrome = Chrome()
        try:
            page = chrome.new_page(pages.url).open("/blank.html")
            page.run_js(
                """const { default: init, DarkSwapWasm } = await import('/darkswap.mjs');
                globalThis.pyodide = (await init()).pyodide;
                const node = new DarkSwapWasm({ identity: { persist: false } });
                await node.get_available_wallets();
                await new Promise((resolve) => setTimeout(resolve, args[0] * 1000));""",
                COMPILED,
                timeout=60,
            )
            times, inputs = _with_deal(page, f"ROUNDS = {ROUNDS}\n{_VERIFIED}")
        finally:
            chrome.quit()
    return [
        Row(
            name=f"settlement of {inputs} inputs built and verified in the page",
            unit="ms",
            ours=statistics.median(times),
            aims={"absolute": 100},
            more_is_better=False,
        )
    ]


def start_up() -> list[Row]:
    """`init()` of a page that only talks, against a site that has no trading half at all; alternating, medians."""
    whole, without = [], []
    with site() as pages, _talking_only() as bare:
        chrome = Chrome()
        try:
            for _ in range(STARTS):
                for server, times in ((bare, without), (pages, whole)):
                    page = chrome.new_page(server.url).open("/blank.html")
                    times.append(page.run_js(INIT, timeout=60))
                    page.close()
        finally:
            chrome.quit()
    return [
        Row(
            name="init() with the trading half beside it",
            unit="ms",
            ours=statistics.median(whole),
            against={"init() without it": statistics.median(without)},
            aims={"init() without it": 1.05},
            more_is_better=False,
        )
    ]


@contextlib.contextmanager
def _talking_only() -> Iterator[WebServer]:
    """`dist/` with a lock and a manifest that know nothing of what trades."""
    gone = ("darkswap-browser-trade", "embit")
    lock = json.loads((dist.DIST / "pyodide-lock.json").read_text())
    for name in gone:
        del lock["packages"][name]
    kind = "application/json"
    pages = {"/blank.html": BLANK, "/pyodide-lock.json": Answer(json.dumps(lock).encode(), kind)}
    server = WebServer(Site({"/": dist.DIST}, pages))
    try:
        yield server
    finally:
        server.close()
