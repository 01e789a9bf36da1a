"""What the page learns about itself, in the words of `runtime.base.Lifecycle`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import js

from darkswap_browser.runtime.browser.ffi import Listeners

TICK_SECONDS = 5.0
SLEPT_SECONDS = 90.0
"""A tick this late means that the machine slept: a hidden page's timers are delayed by up to a minute."""


class BrowserLifecycle:
    """Listens while anyone is subscribed. A worker has no document: then "online", "offline" and "resumed" remain."""

    def __init__(self, tick: float = TICK_SECONDS) -> None:
        self._tick_seconds = tick
        self._callbacks: dict[int, Callable[[str], None]] = {}
        self._next = 0
        self._listeners = Listeners()
        self._timer: asyncio.TimerHandle | None = None
        self._wall = 0.0

    def subscribe(self, callback: Callable[[str], None]) -> Callable[[], None]:
        if not self._callbacks:
            self._start()
        self._next += 1
        number = self._next
        self._callbacks[number] = callback

        def unsubscribe() -> None:
            if self._callbacks.pop(number, None) is not None and not self._callbacks:
                self._stop()

        return unsubscribe

    def _start(self) -> None:
        js_self = js.globalThis
        for event in ("online", "offline"):
            self._listeners.add(js_self, event, self._teller(event))
        js_document = getattr(js, "document", None)
        if js_document is not None:
            self._listeners.add(js_self, "pagehide", self._teller("leaving"))
            self._listeners.add(js_self, "pageshow", self._on_pageshow)
            self._listeners.add(js_document, "visibilitychange", self._on_visibility)
            self._listeners.add(js_document, "resume", self._teller("resumed"))
        self._wall = time.time()
        self._timer = asyncio.get_running_loop().call_later(self._tick_seconds, self._tick)

    def _stop(self) -> None:
        self._listeners.destroy()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _teller(self, word: str) -> Callable[[Any], None]:
        return lambda js_event: self._tell(word)

    def _on_pageshow(self, js_event: Any) -> None:
        """Each load has one; `persisted` says that the page came back from the back/forward cache."""
        if js_event.persisted:
            self._tell("resumed")

    def _on_visibility(self, js_event: Any) -> None:
        self._tell("visible" if js.document.visibilityState == "visible" else "hidden")

    def _tick(self) -> None:
        wall = time.time()
        slept = wall - self._wall > SLEPT_SECONDS
        self._wall = wall
        self._timer = asyncio.get_running_loop().call_later(self._tick_seconds, self._tick)
        if slept:
            self._tell("resumed")

    def _tell(self, word: str) -> None:
        for callback in list(self._callbacks.values()):
            callback(word)
