"""Chromium's own WebRTC through the FFI, under the suite that the simulated one passes too."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import check_rtc
from tests.support.chrome import Page


@pytest.fixture(scope="module")
def rtc_page(python_page: Page) -> Page:
    python_page.run_js(
        "pyodide.FS.writeFile(args[0], args[1]);",
        "/home/pyodide/check_rtc.py",
        Path(check_rtc.__file__).read_text("utf-8"),
    )
    python_page.run_python("from darkswap_browser.runtime.select import load; runtime = load()")
    return python_page


@pytest.mark.parametrize("check", [check.__name__ for check in check_rtc.CHECKS])
def test_two_connections_of_one_page(rtc_page: Page, check: str) -> None:
    rtc_page.run_python(f"import check_rtc; await check_rtc.{check}((runtime.webrtc, runtime.webrtc))", timeout=60)
