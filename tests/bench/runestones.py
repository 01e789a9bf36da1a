"""How fast a block's runestones are decoded, beside the JavaScript implementation that indexes use."""

from __future__ import annotations

import statistics
import time

from darkswap_browser.bitcoin.runes.runestone import decipher
from tests.bench.row import Row
from tests.bitcoin.runes.blocks import block
from tests.bitcoin.runes.cases import transaction
from tests.interop.test_runestones import ask

HEIGHT = 849250
"""5131 transactions with 4849 runestones, nearly all of them mints of seven bytes."""
WARM, ROUNDS = 10, 30
"""Rounds of JavaScript before its compiler is done, and those that count on both sides."""


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
    if any(each["found"] != found for each in rounds):
        raise RuntimeError(f"{found} runestones here, and another number there")
    return [
        Row(
            name=f"{found} runestones of a mainnet block decoded",
            unit="ms",
            ours=statistics.median(times),
            against={"runestone-lib": statistics.median(each["milliseconds"] for each in rounds[WARM:])},
            aims={"runestone-lib": 3.0},
            more_is_better=False,
            note="CPython beside Node, one thread each",
        )
    ]
