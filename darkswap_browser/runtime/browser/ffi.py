"""The border between Python and JavaScript: who owns a proxy, and how plain values cross.

A Python function handed to JavaScript lives until its proxy is destroyed; `Handlers` and `Listeners` destroy theirs
together, and no other file calls `create_proxy`. Names of JavaScript values begin with `js_`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import js
from pyodide.ffi import create_proxy, to_js


class Listeners:
    """Python callbacks for events of JavaScript objects, until `destroy`.

    They are added with `addEventListener`: `on…` properties may belong to the page, and Firefox's RTCPeerConnection
    never calls a JavaScript Proxy that is set as one, which is what a Python function is here.
    """

    def __init__(self) -> None:
        self._kept: list[tuple[Any, str, Any]] = []

    def add(self, js_target: Any, event: str, callback: Callable[[Any], None]) -> None:
        js_callback = create_proxy(callback)
        js_target.addEventListener(event, js_callback)
        self._kept.append((js_target, event, js_callback))

    def destroy(self) -> None:
        """Idempotent."""
        kept, self._kept = self._kept, []
        for js_target, event, js_callback in kept:
            js_target.removeEventListener(event, js_callback)
            js_callback.destroy()


class Handlers(Listeners):
    """The listeners of one JavaScript object, from event name to callback."""

    def __init__(self, js_target: Any, callbacks: Mapping[str, Callable[[Any], None]]) -> None:
        super().__init__()
        for event, callback in callbacks.items():
            self.add(js_target, event, callback)


class JsCallback:
    """A Python function that JavaScript holds until `destroy`."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.js_function = create_proxy(function)
        self._lent = True

    def destroy(self) -> None:
        """Idempotent."""
        if self._lent:
            self._lent = False
            self.js_function.destroy()


class JsPromise:
    """A JavaScript promise that Python resolves."""

    def __init__(self) -> None:
        js_parts = js.Promise.withResolvers()
        self.js_promise = js_parts.promise
        self._js_resolve = js_parts.resolve

    def resolve(self) -> None:
        """Idempotent."""
        self._js_resolve()


def js_bytes(data: bytes) -> Any:
    """A Uint8Array of its own with a copy of `data`."""
    js_array = js.Uint8Array.new(len(data))
    js_array.assign(data)
    return js_array


def js_object(value: Mapping[str, Any]) -> Any:
    """A plain JavaScript object of a mapping; nested mappings and lists too."""
    return to_js(value, dict_converter=js.Object.fromEntries)
