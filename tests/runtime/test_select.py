from __future__ import annotations

import sys
from pathlib import Path

from darkswap_browser.runtime.select import load


async def test_cpython_is_the_native_host_and_touches_no_browser(tmp_path: Path) -> None:
    runtime = load(str(tmp_path / "store"))
    assert runtime.name == "native"
    assert not runtime.webrtc.available
    await runtime.store.put("a", b"b")
    assert await load(str(tmp_path / "store")).store.get("a") == b"b"
    assert not {"js", "pyodide", "pyodide_js"} & set(sys.modules)
