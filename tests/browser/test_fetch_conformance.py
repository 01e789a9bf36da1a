"""The page's `fetch` under the suite that every host passes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from darkswap_browser.testing.conformance import check_fetch
from tests.support.chrome import Chrome, Page
from tests.support.http_server import HttpServer
from web.build.server import WebServer


@pytest.fixture(scope="module")
def server() -> Iterator[HttpServer]:
    server = HttpServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def page(chrome: Chrome, site: WebServer) -> Iterator[Page]:
    """Its policy is switched off: which servers a page may ask is no matter of the host."""
    page = chrome.new_page(site.url)
    page.focus()
    page.driver.execute_cdp_cmd("Page.setBypassCSP", {"enabled": True})
    page.open("/blank.html").load_python()
    text = Path(check_fetch.__file__).read_text("utf-8")
    page.run_js("pyodide.FS.writeFile(args[0], args[1]);", "/home/pyodide/check_fetch.py", text)
    page.run_python("from darkswap_browser.runtime.select import load; runtime = load()")
    yield page
    page.close()


@pytest.mark.parametrize("check", [check.__name__ for check in check_fetch.CHECKS])
def test_fetch(page: Page, server: HttpServer, check: str) -> None:
    page.run_python(f"import check_fetch; await check_fetch.{check}(runtime.fetch, {server.url!r})")
