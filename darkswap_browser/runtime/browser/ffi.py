"""The border between Python and JavaScript: who owns a proxy, and how plain values cross.

A Python function handed to JavaScript lives until its proxy is destroyed; `Handlers` destroys them together, and no
other file calls `create_proxy`. Names of JavaScript values begin with `js_`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import js
from pyodide.ffi import create_proxy, to_js


class Handlers:
    """Python callbacks as the `on…` properties of one JavaScript object, for as long as `destroy` is not called."""

    def __init__(self, js_target: Any, callbacks: Mapping[str, Callable[[Any], None]]) -> None:
        self._js_target = js_target
        self._proxies = {f"on{name}": create_proxy(callback) for name, callback in callbacks.items()}
        for name, proxy in self._proxies.items():
            setattr(js_target, name, proxy)

    def destroy(self) -> None:
        """Idempotent."""
        proxies, self._proxies = self._proxies, {}
        for name, proxy in proxies.items():
            setattr(self._js_target, name, None)
            proxy.destroy()


def js_object(value: Mapping[str, Any]) -> Any:
    """A plain JavaScript object of a mapping; nested mappings and lists too."""
    return to_js(value, dict_converter=js.Object.fromEntries)
