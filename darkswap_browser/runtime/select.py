"""Which host this is: the only test of the platform, and the only imports made late.

Late, because each host's files import what the other does not have (`js` here, `cryptography` there).
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from darkswap_browser.runtime.base import Runtime


def load(store_path: str | None = None) -> Runtime:
    """`store_path`: the SQLite file of a CPython host (None: in memory). A browser has one store per site."""
    if sys.platform == "emscripten":
        from darkswap_browser.runtime.browser.host import browser_runtime

        return browser_runtime()
    from darkswap_browser.runtime.native.host import native_runtime

    return native_runtime(store_path)


def bytes_to_js() -> Callable[[bytes], object]:
    """How bytes are given to JavaScript: a copy in a Uint8Array. Without JavaScript they stay what they are."""
    if sys.platform == "emscripten":
        from darkswap_browser.runtime.browser.ffi import js_bytes

        return js_bytes
    return bytes
