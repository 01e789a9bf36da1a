"""Calls from JavaScript: begun at once, answered later by their number. Only text, numbers and bytes cross.

A Python coroutine returned to JavaScript would be a proxy to look after; a number is not. Records cross as JSON.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Protocol

from darkswap_browser.api.serialization import error_to_dict, to_json
from darkswap_browser.concurrency.tasks import Tasks
from darkswap_browser.errors import Aborted, DarkSwapError, InvalidArgument
from darkswap_browser.node.config import json_argument

Method = Callable[..., Awaitable[object]]
ToJs = Callable[[bytes], object]
"""Makes a Uint8Array with a copy of the bytes."""


class JsBytes(Protocol):
    """A Uint8Array, seen from Python."""

    def to_bytes(self) -> bytes: ...


class JsCallbacks(Protocol):
    """What the JavaScript side gives us to call."""

    def reply(self, call: int, ok: bool, text: str) -> None:
        """The end of a call: the JSON of its result, or of its error."""
        ...

    def reply_bytes(self, call: int, data: object, count: int) -> None:
        """The end of a call whose result is `count` messages (see `pack`)."""
        ...

    def event(self, text: str) -> None: ...


def pack(messages: list[bytes]) -> bytes:
    """One message as it is; several behind their lengths, 32 bits each in little-endian order."""
    if len(messages) == 1:
        return messages[0]
    lengths = b"".join([len(message).to_bytes(4, "little") for message in messages])
    return b"".join([lengths, *messages])


def unpack(data: bytes, count: int) -> list[bytes]:
    """The other way round, from our own JavaScript."""
    if count == 1:
        return [data]
    messages, at = [], 4 * count
    for size in memoryview(data)[:at].cast("I"):
        messages.append(data[at : at + size])
        at += size
    return messages


class CallDispatcher:
    """The methods of one object that JavaScript may call, by name."""

    def __init__(self, methods: Mapping[str, Method], hooks: JsCallbacks, to_js: ToJs) -> None:
        self._methods = dict(methods)
        self._reply = hooks.reply
        self._reply_bytes = hooks.reply_bytes
        self._to_js = to_js
        self._running: dict[int, asyncio.Task[None]] = {}
        self._stops: set[int] = set()
        self._tasks = Tasks()

    def extend(self, methods: Mapping[str, Method]) -> None:
        self._methods.update(methods)

    def begin(self, call: int, name: str, arguments: str) -> None:
        """`arguments`: JSON of a list."""
        method = self._methods[name]
        if name == "stop":
            self._stops.add(call)
        try:
            work = method(*json_argument(name, arguments))
        except TypeError as error:
            self.fail(call, InvalidArgument(name, str(error)))
            return
        except InvalidArgument as error:
            self.fail(call, error)
            return
        self.spawn(call, self._run(call, work))

    def spawn(self, call: int, work: Coroutine[object, object, None]) -> None:
        """`work` replies to the call. Whatever it raises is replied too: no promise of JavaScript stays pending."""
        task = self._tasks.spawn(work, f"call {call}", expected=DarkSwapError)
        self._running[call] = task
        task.add_done_callback(lambda over: self._ended(call, over))

    def _ended(self, call: int, task: asyncio.Task[None]) -> None:
        is_awaited = self._running.pop(call, None) is not None
        self._stops.discard(call)
        if not is_awaited:
            return
        error = Aborted("call") if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self.fail(call, error)

    def cancel(self, call: int) -> None:
        """The caller no longer waits; nothing is replied."""
        task = self._running.pop(call, None)
        if task is not None:
            task.cancel()

    def cancel_all(self) -> None:
        """All but a stop, which goes on to its end. What is cancelled is replied `ABORTED`."""
        for call, task in list(self._running.items()):
            if call not in self._stops:
                task.cancel()

    async def _run(self, call: int, work: Awaitable[object]) -> None:
        self._reply(call, True, to_json(await work))

    def fail(self, call: int, error: Exception) -> None:
        self._reply(call, False, to_json(error_to_dict(error)))

    def done(self, call: int, value: object) -> None:
        self._reply(call, True, to_json(value))

    def reply_messages(self, call: int, messages: list[bytes]) -> None:
        self._reply_bytes(call, self._to_js(pack(messages)), len(messages))
