"""Schedule our own work on Pyodide's event loop in turns, for an interpreter that `init()` loaded itself.

Pyodide's loop makes a JavaScript function of every callback, posts a message for it and enters it ready for stack
switching: about 0.1 ms each (Chromium 2 GHz), and a future or task adds one more when it ends. A cancelled timer is
kept until its time. Here one standing function runs what is ready, and one timer serves what is due later.

Only what belongs to this package goes this way: steps of tasks whose coroutine is ours, and plain callbacks of ours,
of asyncio and of Pyodide's loop. All else is left to Pyodide's own `call_soon`, because the page's Python may use
`run_sync`, which needs a callback that was entered for stack switching. So callbacks are in order among ours and among
the page's, not between the two. Futures and tasks stay Pyodide's classes, with `then` and its report of exceptions.
"""

from __future__ import annotations

import asyncio
import gc
import heapq
import math
import time
from collections import deque
from collections.abc import Callable
from contextvars import Context
from types import CodeType
from typing import Any

import js

from darkswap_browser.runtime.browser.ffi import JsCallback, Listeners

TURN_SECONDS = 0.004
"""After this the page gets its turn, however much is ready."""
CLOCK_SLACK = 0.0005
"""Seconds: `performance.now()` and timers of browsers are no finer."""
MAX_TIMEOUT_MS = 2**31 - 1
"""What a browser's timer takes at most."""
CANCELLED_TIMERS = 64
"""Kept before they are swept, once they are half of all."""
PACKAGE = __name__.partition(".")[0]


class LoopTurns:
    """`call_soon`, `call_later` and `call_at` of one loop, whose own methods take what is not ours."""

    def __init__(self, loop: Any) -> None:
        self._loop = loop
        self._call_soon = loop.call_soon
        self._call_later = loop.call_later
        self._call_at = loop.call_at
        self._ready: deque[asyncio.Handle] = deque()
        self._is_posted = False
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._number = 0
        self._cancelled = 0
        self._armed_for = math.inf
        self._js_timer: Any = None
        self._own_codes: dict[int, CodeType] = {}
        """By identity: code objects of different modules may be equal. Only ours: as many as our functions."""
        self._ring_callback = JsCallback(self._ring)
        self._listeners = Listeners()
        js_channel = js.MessageChannel.new()
        self._listeners.add(js_channel.port1, "message", self._turn)
        js_channel.port1.start()
        self._js_post = js_channel.port2.postMessage

    def install(self) -> None:
        loop = self._loop
        loop.call_soon = loop.call_soon_threadsafe = self.call_soon
        loop.call_later = self.call_later
        loop.call_at = self.call_at
        loop._timer_handle_cancelled = self.timer_cancelled

    # --- the loop's methods

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> asyncio.Handle:
        if not self._is_ours(callback):
            handle: asyncio.Handle = self._call_soon(callback, *args, context=context)
            return handle
        handle = asyncio.Handle(callback, args, self._loop, context)
        self._ready.append(handle)
        if not self._is_posted:
            self._post()
        return handle

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        if delay < 0 or not self._is_ours(callback):
            handle: asyncio.Handle = self._call_later(delay, callback, *args, context=context)
            return handle
        return self._schedule(time.monotonic() + delay, callback, args, context)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        if not self._is_ours(callback):
            handle: asyncio.Handle = self._call_at(when, callback, *args, context=context)
            return handle
        return self._schedule(when, callback, args, context)

    def timer_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """A timer is being cancelled, of ours or not, fired or not: `cancelled()` tells only after this call."""
        if not handle._scheduled:  # type: ignore[attr-defined]
            return
        handle._scheduled = False  # type: ignore[attr-defined]
        self._cancelled += 1
        if self._cancelled > CANCELLED_TIMERS and 2 * self._cancelled > len(self._timers):
            self._timers = [each for each in self._timers if each[2]._scheduled]  # type: ignore[attr-defined]
            heapq.heapify(self._timers)
            self._cancelled = 0

    # --- what is ours

    def _is_ours(self, callback: Any) -> bool:
        owner = getattr(callback, "__self__", None)
        if isinstance(owner, asyncio.Task):
            return self._runs_our_code(owner.get_coro())
        if isinstance(owner, asyncio.Future):
            return True
        module = getattr(callback, "__module__", None)
        if not isinstance(module, str):
            return False
        return module.startswith((f"{PACKAGE}.", "asyncio.")) or module == "pyodide.webloop"

    def _runs_our_code(self, coroutine: Any) -> bool:
        code = getattr(coroutine, "cr_code", None)
        if code is None:
            return False
        if id(code) in self._own_codes:
            return True
        frame = coroutine.cr_frame
        module = frame.f_globals.get("__name__", "") if frame is not None else ""
        if str(module).partition(".")[0] != PACKAGE:
            return False
        self._own_codes[id(code)] = code
        return True

    # --- turns

    def _post(self) -> None:
        self._is_posted = True
        self._js_post(0)

    def _turn(self, js_event: object) -> None:
        self._loop._install_running_loop()
        self._loop._install_asyncgen_hooks()
        ready = self._ready
        end = time.monotonic() + TURN_SECONDS
        try:
            while ready:
                handle = ready.popleft()
                if not handle.cancelled():
                    self._run(handle)
                if time.monotonic() >= end:
                    break
        finally:
            self._is_posted = False
            if ready:
                self._post()

    def _run(self, handle: asyncio.Handle) -> None:
        """Run one callback. `Handle` itself gives exceptions to the loop's handler, except for these two."""
        try:
            handle._run()
        except SystemExit as error:
            if self._loop._system_exit_handler is None:
                raise
            self._loop._system_exit_handler(error.code)
        except KeyboardInterrupt:
            if self._loop._keyboard_interrupt_handler is None:
                raise
            self._loop._keyboard_interrupt_handler()

    # --- timers

    def _schedule(
        self, when: float, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None
    ) -> asyncio.Handle:
        if when <= time.monotonic():
            handle = asyncio.Handle(callback, args, self._loop, context)
            self._ready.append(handle)
            if not self._is_posted:
                self._post()
            return handle
        timer = asyncio.TimerHandle(when, callback, args, self._loop, context)
        if when == math.inf:
            return timer
        # asyncio's own mark of a handle that stands in a heap: only then does cancelling tell the loop.
        timer._scheduled = True  # type: ignore[attr-defined]
        self._number += 1
        heapq.heappush(self._timers, (when, self._number, timer))
        if when < self._armed_for:
            self._arm()
        return timer

    def _arm(self) -> None:
        """Set the browser's timer for the first handle that was not cancelled."""
        if self._js_timer is not None:
            js.clearTimeout(self._js_timer)
            self._js_timer = None
        timers = self._timers
        while timers and timers[0][2].cancelled():
            heapq.heappop(timers)
            self._cancelled -= 1
        self._armed_for = timers[0][0] if timers else math.inf
        if timers:
            wait = max(0, math.ceil((self._armed_for - time.monotonic()) * 1000))
            self._js_timer = js.setTimeout(self._ring_callback.js_function, min(wait, MAX_TIMEOUT_MS))

    def _ring(self, *_: object) -> None:
        self._js_timer = None
        due = time.monotonic() + CLOCK_SLACK
        timers = self._timers
        while timers and timers[0][0] <= due:
            timer = heapq.heappop(timers)[2]
            timer._scheduled = False  # type: ignore[attr-defined]
            if timer.cancelled():
                self._cancelled -= 1
            else:
                self._ready.append(timer)
        self._arm()
        if self._ready and not self._is_posted:
            # Within the timer's own task: a message would only wait behind others.
            self._is_posted = True
            self._turn(None)


def install() -> None:
    """Take over the scheduling of our work on this interpreter's loop. Idempotent.

    Only for an interpreter that nobody else set up: objects made so far are also taken out of the collector's sight
    (`gc.freeze`), since looking through them takes 40 ms of the page each time.
    """
    loop: Any = asyncio.get_event_loop()
    if isinstance(getattr(loop.call_soon, "__self__", None), LoopTurns):
        return
    LoopTurns(loop).install()
    gc.freeze()
