"""The README's JavaScript, run as it stands in two pages under the strict policy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interop.processes import our_relay
from tests.support.chrome import Job, Page
from tests.support.readme import blocks
from tests.support.regtest import RegtestProcess

pytestmark = pytest.mark.takes(25)

# What the README leaves to the page: its imports become dynamic, and the names it uses are given.
_PAGE = """
const { relay, peer, chain, rune, link } = args[0];
const { default: init, DarkSwapWasm } = await import("/darkswap.mjs");
const lines = (globalThis.lines ??= []);
const console = { log: (...words) => { lines.push(words.join(" ")); globalThis.told?.(); } };
"""
_SAID = """
while (!lines.some((line) => line.startsWith(args[0]))) await new Promise((go) => { globalThis.told = go; });
return lines.find((line) => line.startsWith(args[0]));
"""


@pytest.fixture(scope="module")
def relay() -> Iterator[str]:
    with our_relay() as address:
        yield address


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[RegtestProcess]:
    with RegtestProcess(tmp_path) as process:
        yield process


def code_of(number: int) -> str:
    return re.sub(r"^import .*$", "", blocks("javascript")[number], flags=re.MULTILINE)


def run(page: Page, code: str, given: dict[str, Any]) -> str:
    end = "globalThis.darkswap = darkswap; return darkswap.local_peer_id();"
    return str(page.run_js(f"{_PAGE}{code}\n{end}", given, timeout=60))


def go_on(page: Page, code: str, given: dict[str, Any]) -> Job:
    return page.start(f"{_PAGE}const darkswap = globalThis.darkswap;\n{code}", given)


def said(page: Page, beginning: str) -> str:
    return str(page.run_js(_SAID, beginning, timeout=60))


def test_the_javascript_of_the_readme_carries_a_message(two_pages: tuple[Page, Page], relay: str) -> None:
    alice, bob = two_pages
    code = code_of(0)
    listening, _, _ = code.partition("\nawait darkswap.connect_through")
    bob_id = run(bob, listening, {"relay": relay})
    alice_id = run(alice, code, {"relay": relay, "peer": bob_id})
    said(bob, f"{alice_id} hello")
    assert bob.faults() == []


def test_the_javascript_of_the_readme_sells_half_of_an_order(
    two_pages: tuple[Page, Page], relay: str, chain: RegtestProcess
) -> None:
    maker, taker = two_pages
    rune = next(each["asset"] for each in chain.assets if each["name"].startswith("DARK"))
    given = {"relay": relay, "chain": chain.config["chain"], "rune": rune}
    rests = []
    for page, code in ((maker, code_of(1)), (taker, code_of(2))):
        beginning, mark, rest = code.partition("const order =")
        run(page, beginning, given)
        rests.append(mark + rest)
    for page, purpose, asset in ((maker, "assets", rune), (maker, "payment", "BTC"), (taker, "payment", "BTC")):
        chain.faucet(page.run_js("return darkswap.get_address(args[0])", purpose), asset)
    go_on(maker, rests[0], given).wait(60)
    buying = go_on(taker, rests[1], {**given, "link": said(maker, "darkswap:1")})
    assert said(taker, "give") == f"give 0.00025 BTC get 50 {rune} true"
    signed = """while (!(await darkswap.get_trades())[0]?.raw) await new Promise((go) => { darkswap.on_event(go); });
        return (await darkswap.get_trades())[0].txid;"""
    chain.mine_with(taker.run_js(signed, timeout=60))
    buying.wait(60)
    txid = said(taker, "completed").split()[1]
    assert said(maker, "sold") == f"sold 50 {txid}"
    assert chain.get(f"/api/tx/{txid}/status")["confirmed"]
    # A chain server's "no" (not there yet, there already) is an answer, though the browser logs it.
    assert [line for page in (maker, taker) for line in page.faults() if chain.url not in line] == []
