"""Pages of pytest-pyodide with our own `dist/`: functions decorated with `run_in_pyodide` run in Chromium.

The names of its fixtures are its own: `selenium` is a page that has loaded Pyodide.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pytest_pyodide import get_global_config

from tests.browser.conftest import built, node
from tests.support.chrome import FLAGS

__all__ = ["built", "node"]

ROOT = Path(__file__).resolve().parents[2]
# Conformance suites and golden cases, with what they import; none of them needs pytest.
SUITES = (
    "tests/__init__.py",
    "tests/support/__init__.py",
    "darkswap_browser/testing/__init__.py",
    "darkswap_browser/testing/conformance/__init__.py",
    "darkswap_browser/testing/conformance/check_crypto.py",
    "darkswap_browser/testing/conformance/check_fetch.py",
    "darkswap_browser/testing/conformance/check_locks.py",
    "darkswap_browser/testing/conformance/check_store.py",
    "tests/support/trade_fixture.py",
    "tests/golden/*.py",
    "tests/market/__init__.py",
    "tests/market/cases.py",
    "tests/soak/__init__.py",
    "tests/soak/world.py",
    "tests/vectors/golden/*.json",
)

get_global_config().set_flags("chrome", list(FLAGS))


@pytest.fixture(scope="session", autouse=True)
def fresh_dist(built: Path) -> None:
    """pytest-pyodide serves `dist/`; here it is built if need be."""


@pytest.fixture(scope="module")
def selenium_equipped(selenium_module_scope: Any) -> Any:
    """The module's page with both halves of the package, and the suites importable."""
    page = selenium_module_scope
    page.load_package(["darkswap_browser", "darkswap_browser_trade"])
    files = {str(path.relative_to(ROOT)): path.read_text("utf-8") for each in SUITES for path in ROOT.glob(each)}
    page.run_js(
        f"""for (const [path, text] of Object.entries({json.dumps(files)})) {{
          pyodide.FS.mkdirTree(`/suites/${{path.slice(0, path.lastIndexOf("/"))}}`);
          pyodide.FS.writeFile(`/suites/${{path}}`, text);
        }}"""
    )
    # The page's wheel leaves `darkswap_browser.testing` out: it is found beside the suites.
    page.run(
        "import sys, darkswap_browser; sys.path.insert(0, '/suites');"
        "darkswap_browser.__path__.append('/suites/darkswap_browser')"
    )
    return page
