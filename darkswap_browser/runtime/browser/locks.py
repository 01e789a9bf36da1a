"""Locks that all tabs of the site share: the Web Locks API. The browser frees those of a tab that is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import js
from pyodide.ffi import JsException

from darkswap_browser.concurrency.named_locks import NamedLocks
from darkswap_browser.errors import Unsupported
from darkswap_browser.runtime.browser.ffi import JsCallback, JsPromise, js_object


class WebLocks:
    """On a page without Web Locks (plain http from another machine) within this page only."""

    def __init__(self) -> None:
        self._own = NamedLocks()

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[None]:
        js_manager = getattr(getattr(js, "navigator", None), "locks", None)
        if js_manager is None:
            async with self._own.hold(name):
                yield
            return
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        released = JsPromise()

        def grant(js_lock: Any) -> Any:
            if not granted.done():
                granted.set_result(None)
            return released.js_promise

        callback = JsCallback(grant)
        js_abort = js.AbortController.new()
        js_options = js_object({})
        js_options.signal = js_abort.signal
        request = asyncio.ensure_future(js_manager.request(name, js_options, callback.js_function))
        request.add_done_callback(lambda ended: _end(ended, callback))
        try:
            await asyncio.wait({granted, request}, return_when=asyncio.FIRST_COMPLETED)
            if not granted.done():
                raise Unsupported("locks", f"The browser forbids this page to lock: {request.exception()}")
            yield
        finally:
            granted.cancel()
            js_abort.abort()  # of a lock that is held already, nothing
            released.resolve()


def _end(request: asyncio.Future[Any], callback: JsCallback) -> None:
    """The browser calls no more. Its refusal was told by `hold`, an abort was our own."""
    callback.destroy()
    if not request.cancelled() and (error := request.exception()) and not isinstance(error, JsException):
        raise error
