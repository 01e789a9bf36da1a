"""Chromium's own WebRTC through the FFI, under the suite that the simulated one passes too."""

from __future__ import annotations

from pathlib import Path

import pytest

import darkswap_browser
from darkswap_browser import testing
from darkswap_browser.testing import conformance
from darkswap_browser.testing.conformance import check_rtc, rtc_pair
from tests.support.chrome import Page

PACKAGE = Path(darkswap_browser.__file__ or "").parent


@pytest.fixture(scope="module")
def rtc_page(python_page: Page) -> Page:
    folder = "/home/pyodide/testing_only/testing/conformance"
    python_page.run_js("pyodide.FS.mkdirTree(args[0]);", folder)
    for suite in (testing, conformance, rtc_pair, check_rtc):
        path = Path(suite.__file__ or "")
        python_page.run_js(
            "pyodide.FS.writeFile(args[0], args[1]);",
            f"/home/pyodide/testing_only/{path.relative_to(PACKAGE).as_posix()}",
            path.read_text("utf-8"),
        )
    # The wheels of a page lack the package `testing`.
    python_page.run_python("import darkswap_browser; darkswap_browser.__path__.append('/home/pyodide/testing_only')")
    python_page.run_python("from darkswap_browser.runtime.select import load; runtime = load()")
    return python_page


@pytest.mark.parametrize("check", [check.__name__ for check in check_rtc.CHECKS])
def test_two_connections_of_one_page(rtc_page: Page, check: str) -> None:
    rtc_page.run_python(
        f"from darkswap_browser.testing.conformance import check_rtc\n"
        f"await check_rtc.{check}((runtime.webrtc, runtime.webrtc))",
        timeout=60,
    )
