"""A small, strict HTTP/1.1 server: requests with a known length, answers that any page may read (CORS)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Self

from darkswap_browser.errors import ListenFailed
from darkswap_browser.regtest.servers.requests import Response, text

MAX_HEAD = 16 * 1024
"""Bytes of request line and headers: several times what a browser sends."""
MAX_BODY = 1024 * 1024
"""Bytes: a transaction of the largest relayed weight as hex, or a request for thousands of outputs."""
IDLE = 60.0
"""Seconds that a connection may stand still."""
METHODS = {"GET", "HEAD", "POST", "OPTIONS"}
CORS = (
    "Access-Control-Allow-Origin: *\r\n"
    "Access-Control-Allow-Methods: GET, POST, OPTIONS\r\n"
    "Access-Control-Allow-Headers: *, Authorization, Content-Type\r\n"
    "Access-Control-Max-Age: 600\r\n"
    "Cross-Origin-Resource-Policy: cross-origin\r\n"
)


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """`target` as it stands in the request line; `headers` with lower-case names."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


Handler = Callable[[HttpRequest], Awaitable[Response | None]]
"""None: break off without an answer."""


class _Bad(Exception):
    def __init__(self, status: int, reason: str) -> None:
        self.answer = text(reason, status)
        super().__init__(reason)


class HttpServer:
    """Listens from `open` to `close`."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self.port = 0

    async def open(self, host: str, port: int) -> None:
        """Port 0 takes a free one. Raises `ListenFailed`."""
        try:
            self._server = await asyncio.start_server(self._serve, host, port, limit=MAX_HEAD)
        except OSError as error:
            raise ListenFailed(host, port, error.strerror or str(error)) from error
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._serving:
            task.cancel()
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        self._writers.add(writer)
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, EOFError, TimeoutError):
            writer.transport.abort()
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        finally:
            self._writers.discard(writer)
            self._serving.discard(task)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; whether the connection stays open."""
        try:
            async with asyncio.timeout(IDLE):
                request = await _read(reader)
        except _Bad as bad:
            await _send(writer, bad.answer, close=True)
            return False
        if request.method == "OPTIONS":
            answer: Response | None = Response(b"", 204)
        else:
            answer = await self._handler(request)
        if answer is None:
            writer.transport.abort()
            return False
        close = request.headers.get("connection", "").lower() == "close"
        await _send(writer, answer, close=close, body=request.method != "HEAD")
        return not close


async def _read(reader: asyncio.StreamReader) -> HttpRequest:
    """Raises `EOFError` when the other side ended, `_Bad` when it is no request of ours."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.LimitOverrunError as error:
        raise _Bad(431, "the headers are too long") from error
    first, *lines = head[:-4].split("\r\n")
    method, _, rest = first.partition(" ")
    target, _, version = rest.partition(" ")
    if version not in ("HTTP/1.1", "HTTP/1.0") or not target.startswith("/"):
        raise _Bad(400, "not an HTTP/1.1 request")
    if method not in METHODS:
        raise _Bad(405, f"{method[:20]} is not known here")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise _Bad(400, "a header is malformed")
        headers[name.lower()] = value.strip()
    if "transfer-encoding" in headers:
        raise _Bad(411, "the body needs a Content-Length")
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()) or len(length) > 12:
        raise _Bad(400, "the Content-Length is malformed")
    if int(length) > MAX_BODY:
        raise _Bad(413, f"the body has more than {MAX_BODY} bytes")
    return HttpRequest(method, target, headers, await reader.readexactly(int(length)))


async def _send(writer: asyncio.StreamWriter, answer: Response, *, close: bool, body: bool = True) -> None:
    head = f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n{CORS}Cache-Control: no-store\r\n"
    head += f"Content-Type: {answer.content_type}\r\nContent-Length: {len(answer.body)}\r\n"
    head += f"Connection: {'close' if close else 'keep-alive'}\r\n\r\n"
    writer.write(head.encode() + (answer.body if body else b""))
    await writer.drain()
