"""The three ways into the page, and what each says when something is wrong."""

from __future__ import annotations

import pytest

from tests.support.chrome import Page
from web.build.server import WebServer

pytestmark = pytest.mark.takes(20)


def test_the_package_loads_by_its_bare_name(page: Page) -> None:
    page.console()
    page.load_python()
    assert page.run_js('return pyodide.pyimport("darkswap_browser").__name__') == "darkswap_browser"


def test_micropip_installs_the_wheel_by_its_address(page: Page, site: WebServer) -> None:
    name = page.run_js(
        """const { loadPyodide } = await import(new URL("/pyodide.mjs", location.href));
        const pyodide = await loadPyodide({ packages: ["micropip"] });
        const files = (await (await fetch("/manifest.json")).json()).files;
        const wheel = Object.keys(files).find((name) => /^darkswap_browser-.*-py3-none-any[.]whl$/.test(name));
        const micropip = pyodide.pyimport("micropip");
        await micropip.install(new URL("/" + wheel, location.href).href);
        return pyodide.pyimport("darkswap_browser").__name__;""",
        timeout=60,
    )
    assert name == "darkswap_browser"
    assert page.faults() == []


def test_pages_keep_their_storage_apart(two_pages: tuple[Page, Page]) -> None:
    one, other = two_pages
    one.run_js('localStorage.setItem("key", "value")')
    assert other.run_js('return localStorage.getItem("key")') is None


def test_python_runs_under_the_strict_policy(python_page: Page) -> None:
    assert python_page.run_python("{'a': [1, 2], 'b': b'xyz'}") == {"a": [1, 2], "b": b"xyz"}
