"""The README's JavaScript, run as it stands in two pages under the strict policy."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.interop.processes import our_relay
from tests.support.chrome import Page
from tests.support.readme import blocks

# What the README leaves to the page: its imports become dynamic, and the names it uses are given.
_PAGE = """
const [relay, peer] = args;
const { default: init, DarkSwapWasm } = await import("/darkswap.mjs");
const lines = (globalThis.lines = []);
const console = { log: (...words) => { lines.push(words.join(" ")); globalThis.told?.(); } };
%s
globalThis.darkswap = darkswap;
return darkswap.local_peer_id();
"""


@pytest.fixture(scope="module")
def relay() -> Iterator[str]:
    with our_relay() as address:
        yield address


def test_the_javascript_of_the_readme_carries_a_message(two_pages: tuple[Page, Page], relay: str) -> None:
    alice, bob = two_pages
    code = re.sub(r"^import .*$", "", blocks("javascript")[0], flags=re.MULTILINE)
    listening, _, _ = code.partition("\nawait darkswap.connect_through")
    bob_id = bob.run_js(_PAGE % listening, relay, "", timeout=60)
    alice_id = alice.run_js(_PAGE % code, relay, bob_id, timeout=60)
    waiting = "while (!lines.some((line) => line === args[0])) await new Promise((go) => { globalThis.told = go; });"
    bob.run_js(waiting, f"{alice_id} hello")
    assert bob.faults() == []
