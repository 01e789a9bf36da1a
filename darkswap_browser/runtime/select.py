"""Which host this is: the only test of the platform, and the only imports made late.

Late, because each host's files import what the other does not have (`js` here, `cryptography` there).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from darkswap_browser.errors import InvalidArgument
from darkswap_browser.runtime.base.host import Runtime

DataFolder = str | os.PathLike[str]


def load(data: DataFolder | None = None, *, persist: bool = True) -> Runtime:
    """The runtime of this host, with its store.

    Args:
        data: Folder of the store on CPython; None takes `DARKSWAP_DATA`, else the user's data folder of the system.
            A browser has one store per site and takes no folder.
        persist: False keeps everything in memory on CPython. A browser's store is the same either way.
    Raises:
        InvalidArgument: `data` cannot be the name of a folder, or was given in a browser.
    """
    if sys.platform == "emscripten":
        if data is not None:
            raise InvalidArgument("data", "cannot be chosen in a browser, which has one store per site")
        from darkswap_browser.runtime.browser.host import browser_runtime

        return browser_runtime()
    from darkswap_browser.runtime.native.data_folder import DATABASE, data_folder
    from darkswap_browser.runtime.native.host import native_runtime

    if not persist:
        return native_runtime()
    folder = data_folder(os.environ) if data is None else _folder(data)
    return native_runtime(str(folder / DATABASE))


def _folder(data: DataFolder) -> Path:
    try:
        name = os.fspath(data)
        is_name = isinstance(name, str) and bool(name) and b"\0" not in os.fsencode(name)
    except (TypeError, UnicodeEncodeError):
        is_name = False
    if not is_name:
        raise InvalidArgument("data", "is not the name of a folder", 'Say "." for the one you are in.')
    return Path(data)


def bytes_to_js() -> Callable[[bytes], object]:
    """How bytes are given to JavaScript: a copy in a Uint8Array. Without JavaScript they stay what they are."""
    if sys.platform == "emscripten":
        from darkswap_browser.runtime.browser.ffi import js_bytes

        return js_bytes
    return bytes
