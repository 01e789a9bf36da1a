"""How fast a block's runestones are decoded, beside the JavaScript implementation that indexes use."""

from __future__ import annotations

import json
import statistics
import time

from darkswap_browser.bitcoin.runes.runestone import decipher
from tests.bench.row import Row
from tests.bench.rows import site
from tests.bitcoin.runes.blocks import block
from tests.bitcoin.runes.cases import transaction
from tests.interop.test_runestones import ask
from tests.support.chrome import Chrome

HEIGHT = 849250
"""5131 transactions with 4849 runestones, nearly all of them mints of seven bytes."""
WARM, ROUNDS = 10, 30
"""Rounds of JavaScript before its compiler is done, and those that count on both sides."""


_IN_PAGE = """
import json, time
from darkswap_browser.bitcoin.runes.runestone import decipher
from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput

source = (TxInput(OutPoint('00' * 32, 0)),)
given = json.loads(open('block.json').read())
block = [Transaction(source, tuple(TxOutput(0, bytes.fromhex(each)) for each in scripts)) for scripts in given]
times = []
for _ in range(ROUNDS):
    started = time.perf_counter()
    found = sum(decipher(each) is not None for each in block)
    times.append((time.perf_counter() - started) * 1000)
json.dumps([times, found])
"""


def _in_page(hexadecimal: list[list[str]]) -> tuple[list[float], int]:
    """Milliseconds of each round in Chromium, and how many runestones were found."""
    with site() as pages:
        chrome = Chrome()
        try:
            page = chrome.new_page(pages.url).open("/blank.html").load_python()
            page.run_js(
                """await pyodide.loadPackage('darkswap_browser_trade', { messageCallback: () => {} });
                pyodide.FS.writeFile('block.json', args[0]);""",
                json.dumps(hexadecimal),
            )
            times, found = json.loads(page.run_python(f"ROUNDS = {ROUNDS}\n{_IN_PAGE}", timeout=120))
            return times, found
        finally:
            chrome.quit()


def runestones() -> list[Row]:
    """Medians. Both start from what they take: outputs as bytes here, as hexadecimal there."""
    transactions = [transaction(*scripts) for scripts in block(HEIGHT)]
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        found = sum(decipher(each) is not None for each in transactions)
        times.append((time.perf_counter() - started) * 1000)
    hexadecimal = [[script.hex() for script in scripts] for scripts in block(HEIGHT)]
    (rounds,) = ask({"time": hexadecimal, "rounds": WARM + ROUNDS})
    in_page, found_there = _in_page(hexadecimal)
    if any(each["found"] != found for each in rounds) or found_there != found:
        raise RuntimeError(f"{found} runestones here, and another number there")
    theirs = {"runestone-lib": statistics.median(each["milliseconds"] for each in rounds[WARM:])}
    return [
        Row(
            name=f"{found} runestones of a mainnet block decoded",
            unit="ms",
            ours=statistics.median(times),
            against=theirs,
            aims={"runestone-lib": 3.0},
            more_is_better=False,
            note="CPython beside Node, one thread each",
        ),
        Row(
            name="the same in a page",
            unit="ms",
            ours=statistics.median(in_page),
            against=theirs,
            more_is_better=False,
            note="Pyodide in Chromium beside Node",
        ),
    ]
