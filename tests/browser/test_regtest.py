"""A page under the strict policy asks the regtest service, as it asks any chain server: CORS and CSP let it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import BLANK
from tests.support.chrome import Chrome, Page
from tests.support.regtest import RegtestProcess
from web.build.server import Site, WebServer


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[RegtestProcess]:
    with RegtestProcess(tmp_path) as process:
        yield process


@pytest.fixture
def page(chrome: Chrome, tmp_path: Path) -> Iterator[Page]:
    server = WebServer(Site({"/": tmp_path}, {"/blank.html": BLANK}))
    opened = chrome.new_page(server.url).open("/blank.html")
    yield opened
    opened.close()
    server.close()


def test_a_page_asks_and_commands_the_chain(page: Page, chain: RegtestProcess) -> None:
    assert page.run_js("return await (await fetch(args[0] + '/api/blocks/tip/height')).text();", chain.url).isdigit()
    asking = """
        const body = JSON.stringify(args[1]);
        const headers = {"Content-Type": "application/json", "X-Key": "needs a preflight"};
        return await (await fetch(args[0], {method: "POST", body, headers})).json();
    """
    call = {"jsonrpc": "2.0", "id": 1, "method": "metashrew_height", "params": []}
    assert page.run_js(asking, f"{chain.url}/alkanes", call)["result"].isdigit()
    assert page.run_js(asking, f"{chain.url}/regtest/mine", {"blocks": 2})["height"] > 100


def test_a_page_may_not_ask_others_without_encryption(page: Page) -> None:
    refused = page.run_js("try { await fetch('http://192.0.2.1/'); return ''; } catch (error) { return error.name; }")
    assert refused == "TypeError"
