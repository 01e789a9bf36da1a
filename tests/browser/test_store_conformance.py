"""IndexedDB under the suite that every store passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import check_store
from tests.support.chrome import Page


@pytest.mark.parametrize("check", [check.__name__ for check in check_store.CHECKS])
def test_store(python_page: Page, check: str) -> None:
    text = Path(check_store.__file__).read_text("utf-8")
    python_page.run_js(
        """pyodide.FS.writeFile(args[0], args[1]);
        await new Promise((resolve, reject) => {
            const request = indexedDB.deleteDatabase("darkswap");
            request.onsuccess = resolve; request.onerror = request.onblocked = () => reject(new Error("blocked"));
        });""",
        "/home/pyodide/check_store.py",
        text,
    )
    python_page.run_python(
        f"""import check_store
from darkswap_browser.runtime.select import load
runtime = load()
await check_store.{check}(runtime.store, runtime.crypto)"""
    )
