"""The page's WebSocket as a link of bytes.

Writes of one turn of the event loop leave as one message. A browser neither tells when its send buffer empties nor
stops a server that sends too fast, so the first is watched by a timer and the second ends the link at a cap.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import js
from pyodide.ffi import JsException

from darkswap_browser.concurrency.waiter import Waiter
from darkswap_browser.errors import ConnectionLost, EndOfStream, InvalidArgument, StreamBusy, Unsupported
from darkswap_browser.runtime.base.links import ByteLink, LinkHandler, LinkListener
from darkswap_browser.runtime.browser.ffi import Handlers, js_bytes
from darkswap_browser.runtime.browser.page_policy import forbidden_origin, watch_policy

SEND_HIGH = 1024 * 1024
"""Bytes in the browser's buffer at which writers wait …"""

SEND_LOW = 256 * 1024
"""… until it falls to this."""

SEND_MESSAGE = 256 * 1024
"""Bytes of writes put into one message: servers bound a message at 1 MiB and more."""

DRAIN_SECONDS = 0.004
"""Between looks at `bufferedAmount`; 256 KiB leave in less on a fast link, and a timer cannot be shorter."""

RECEIVE_CAP = 32 * 1024 * 1024
"""Bytes received and not read. The layers above read at once and bound their streams, so more is an attack."""

OPEN_SECONDS = 15.0
"""DNS, TCP, TLS and the HTTP upgrade; the browser itself would wait for minutes."""

_CONNECTING, _OPEN = 0, 1
_NORMAL, _NO_STATUS, _DROPPED = 1000, 1005, 4000
"""Close codes. A page may send 1000 and 3000 to 4999 only; 4000 is our "reset"."""


class BrowserWebSocket:
    """Fulfils `ByteLink`. Made by `open`."""

    def __init__(self, js_socket: Any) -> None:
        self._js_socket = js_socket
        self._loop = asyncio.get_running_loop()
        self._received: deque[bytes] = deque()
        self._unread = 0
        self._end: ConnectionLost | EndOfStream | Unsupported | None = None
        self._closed = False
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._waiter = Waiter()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._handlers = Handlers(
            js_socket, {"open": self._on_open, "message": self._on_message, "close": self._on_close}
        )

    @classmethod
    async def open(cls, url: str) -> BrowserWebSocket:
        try:
            js_socket = js.WebSocket.new(url)
        except JsException as error:
            if error.name == "SecurityError":
                raise Unsupported("ws:// on an https page", "Use a relay with a wss address.") from error
            raise InvalidArgument("url", error.message) from error
        js_socket.binaryType = "arraybuffer"
        link = cls(js_socket)
        # A socket that the page's policy forbids looks like any other that cannot be opened, or never ends at all.
        policy = watch_policy(link._on_policy_violation)
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                await link._opened
        except TimeoutError:
            raise ConnectionLost(url, f"not open after {OPEN_SECONDS:g} s") from None
        finally:
            policy.destroy()
            if js_socket.readyState == _CONNECTING:
                link.reset()
        return link

    async def read(self, max_bytes: int = 65536) -> bytes:
        while not self._received:
            if self._end is not None:
                raise self._end.fresh()
            if self._waiter.is_waiting:
                raise StreamBusy()
            await self._waiter.wait()
        data = self._received[0]
        if len(data) > max_bytes:
            self._received[0] = data[max_bytes:]
            data = data[:max_bytes]
        else:
            self._received.popleft()
        self._unread -= len(data)
        return data

    async def write(self, data: bytes) -> None:
        self._judge()
        if data:
            if not self._pending:
                self._loop.call_soon(self._flush)
            self._pending.append(data)
            self._pending_size += len(data)
        if self._buffered() > SEND_HIGH:
            self._flush()
            while self._buffered() > SEND_LOW:
                await asyncio.sleep(DRAIN_SECONDS)
                self._judge()

    async def close(self) -> None:
        self._finish(_NORMAL, flush=True)

    def reset(self) -> None:
        self._finish(_DROPPED, flush=False)

    def _buffered(self) -> int:
        return self._pending_size + int(self._js_socket.bufferedAmount)

    def _judge(self) -> None:
        if self._closed or self._end is not None:
            reason = self._end.reason if isinstance(self._end, ConnectionLost) else "closed by the peer"
            raise ConnectionLost("websocket", reason)

    def _flush(self) -> None:
        chunks, self._pending, self._pending_size = self._pending, [], 0
        if not chunks or self._js_socket.readyState != _OPEN:
            return
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        for start in range(0, len(data), SEND_MESSAGE):
            self._js_socket.send(js_bytes(data[start : start + SEND_MESSAGE]))

    def _finish(self, code: int, *, flush: bool) -> None:
        if self._closed:
            return
        if flush:
            self._flush()
        self._closed = True
        self._pending.clear()
        self._received.clear()
        self._unread = 0
        self._handlers.destroy()
        self._js_socket.close(code)
        self._stop(ConnectionLost("websocket", "closed on this side"))

    def _stop(self, reason: ConnectionLost | EndOfStream | Unsupported) -> None:
        """The first reason stays, but for our own closing, after which nothing else is of interest."""
        if self._end is None or self._closed:
            self._end = reason
        self._waiter.wake()
        if not self._opened.done():
            self._opened.set_exception(reason)
            # Whoever opened it may have given up; then nobody looks at this result.
            self._opened.exception()

    def _on_policy_violation(self, js_event: Any) -> None:
        if (origin := forbidden_origin(js_event, str(self._js_socket.url))) is not None:
            hint = f"Add {origin} to connect-src of the page's Content-Security-Policy."
            self._stop(Unsupported(f"connecting to {origin}, which the page's Content-Security-Policy forbids,", hint))

    def _on_open(self, js_event: Any) -> None:
        if not self._opened.done():
            self._opened.set_result(None)

    def _on_message(self, js_event: Any) -> None:
        js_data = js_event.data
        # Peers send binary messages; a text one carries the same bytes in UTF-8.
        data = js_data.encode() if isinstance(js_data, str) else js_data.to_bytes()
        if not data or self._end is not None:
            return
        self._received.append(data)
        self._unread += len(data)
        if self._unread > RECEIVE_CAP:
            self.reset()
            self._end = ConnectionLost("websocket", f"more than {RECEIVE_CAP} bytes unread")
        else:
            self._waiter.wake()

    def _on_close(self, js_event: Any) -> None:
        """Follows every end, a failed opening too, where the browser gives code 1006 and no reason at all."""
        code, reason = int(js_event.code), str(js_event.reason)
        self._handlers.destroy()
        if self._opened.done() and code in (_NORMAL, _NO_STATUS):
            self._stop(EndOfStream())
        elif self._opened.done():
            self._stop(ConnectionLost("websocket", f"close code {code} {reason}".rstrip()))
        else:
            self._stop(ConnectionLost(str(self._js_socket.url), "could not be opened"))

    def __repr__(self) -> str:
        return f"<websocket {self._js_socket.url}>"


class BrowserSockets:
    """A page can reach out through WebSockets only, and nobody can reach it."""

    async def connect_websocket(self, url: str) -> ByteLink:
        return await BrowserWebSocket.open(url)

    async def connect_tcp(self, host: str, port: int) -> ByteLink:
        raise Unsupported("TCP", "A browser page reaches relays at ws or wss addresses.")

    async def listen_websocket(
        self, host: str, port: int, handler: LinkHandler, tls: tuple[str, str] | None = None
    ) -> LinkListener:
        raise Unsupported("listening", "A browser page is reached through a reservation on a relay.")

    async def listen_tcp(self, host: str, port: int, handler: LinkHandler) -> LinkListener:
        raise Unsupported("listening", "A browser page is reached through a reservation on a relay.")
