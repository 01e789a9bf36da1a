"""Chromium's own WebRTC through the FFI, under the suite that the simulated one passes too."""

from __future__ import annotations

from pathlib import Path

import pytest

import tests
from tests import support
from tests.support import check_rtc, rtc_couple
from tests.support.chrome import Page

ROOT = Path(tests.__file__ or "").parents[1]


@pytest.fixture(scope="module")
def rtc_page(python_page: Page) -> Page:
    python_page.run_js('pyodide.FS.mkdirTree("/home/pyodide/tests/support");')
    for suite in (tests, support, rtc_couple, check_rtc):
        path = Path(suite.__file__ or "")
        python_page.run_js(
            "pyodide.FS.writeFile(args[0], args[1]);",
            f"/home/pyodide/{path.relative_to(ROOT).as_posix()}",
            path.read_text("utf-8"),
        )
    python_page.run_python("from darkswap_browser.runtime.select import load; runtime = load()")
    return python_page


@pytest.mark.parametrize("check", [check.__name__ for check in check_rtc.CHECKS])
def test_two_connections_of_one_page(rtc_page: Page, check: str) -> None:
    rtc_page.run_python(
        f"from tests.support.check_rtc import {check}; await {check}((runtime.webrtc, runtime.webrtc))", timeout=60
    )
