"""TCP and WebSocket links of CPython: asyncio and `websockets`, their errors turned into ours at this edge.

A WebSocket here carries an opaque stream of bytes in binary messages of any size (facts of libp2p's transport):
compression is off because the payload is ciphertext, and any path is accepted.
"""

from __future__ import annotations

import asyncio
import http
import logging
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial
from typing import cast

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConcurrencyError, ConnectionClosed, ConnectionClosedOK, InvalidHandshake, InvalidURI
from websockets.http11 import Request, Response

from darkswap_browser.errors import ConnectionLost, EndOfStream, InvalidArgument, ListenFailed, MalformedMessage
from darkswap_browser.runtime.base.links import AdmittedLink, ByteLink, LinkGate, LinkHandler, LinkListener
from darkswap_browser.runtime.native.metered import FrameBudget, MeteredClient, MeteredServer, socket_ip
from darkswap_browser.runtime.native.proxy import MAX_HEADER, parse_proxy_header
from darkswap_browser.runtime.native.tls import server_tls

LIBRARY = logging.getLogger(f"{__name__}.library")
"""What the library says of handshakes that strangers break off, a traceback each: they are counted, not told."""
LIBRARY.setLevel(logging.CRITICAL)

WEBSOCKET_MESSAGE = 2 * 1024 * 1024
"""Largest message accepted, in bytes. js flushes what it has queued as one message, which can pass 256 KiB."""

WEBSOCKET_SENT = 256 * 1024
"""Largest message sent; longer writes become several."""

WEBSOCKET_QUEUE = 4
"""Messages received and not read before the socket is no longer read: with their size, what a stranger may make us
hold."""

PING_SECONDS = 27.0
"""Proxies drop a WebSocket that was silent for 60 s; browsers answer pings and cannot send them."""

PONG_SECONDS = 30.0
"""A peer this late is gone: its host sleeps or its network changed."""

OPEN_SECONDS = 15.0
"""Name resolution, TCP, TLS and the HTTP upgrade together; go's listener allows an upgrade as much."""

CLOSE_SECONDS = 5.0
"""How long `close` waits for a peer to take what was written, before the link is dropped."""

SEND_BUFFER = 256 * 1024
"""Bytes handed to the kernel's side of the transport before a writer waits."""

RECEIVE_BUFFER = 256 * 1024
"""Bytes received and not read before the socket is no longer read (asyncio pauses at twice this)."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What a plain GET on a WebSocket port gets: status code, content type, body."""

    status: int
    content_type: str
    body: bytes


PlainHttp = Callable[[str], HttpAnswer | None]
"""Path of a GET that asks for no upgrade → the answer; None = 404."""


@contextmanager
def _socket_errors(what: str) -> Iterator[None]:
    """Our error for each way in which a link, or the peer's HTTP before it, can fail."""
    try:
        yield
    except (OSError, EOFError, ConnectionClosed, InvalidHandshake, TimeoutError) as error:
        raise ConnectionLost(what, str(error) or type(error).__name__) from error
    except (ValueError, OverflowError, InvalidURI) as error:
        # Not only names that IDNA cannot write (UnicodeError): `websockets` and asyncio judge hosts and ports so.
        raise InvalidArgument("address", f"{what} cannot be dialled: {error}") from error


@contextmanager
def _listen_errors(host: str, port: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ListenFailed(host, port, error.strerror or str(error)) from error


class _Ending(asyncio.Protocol):
    """Takes over a socket that we close: throws away what comes, until the peer has closed as well."""

    def __init__(self) -> None:
        self.lost = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()


class TcpLink:
    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, close_seconds: float, ahead: bytes = b""
    ) -> None:
        """`ahead`: bytes that were read already."""
        self._ahead = ahead
        self._reader = reader
        self._writer = writer
        self._close_seconds = close_seconds
        self._closed = False
        self._ending: _Ending | None = None
        writer.transport.set_write_buffer_limits(high=SEND_BUFFER)

    def option(self, level: int, name: int) -> int:
        """A socket option. (asyncio itself sets TCP_NODELAY: a muxer's small frames must not wait for an ACK.)"""
        return int(self._writer.get_extra_info("socket").getsockopt(level, name))

    async def read(self, max_bytes: int = 65536) -> bytes:
        if self._ahead and not self._closed:
            data, self._ahead = self._ahead[:max_bytes], self._ahead[max_bytes:]
            return data
        with _socket_errors("tcp"):
            data = await self._reader.read(max_bytes)
        if self._closed:
            raise ConnectionLost("tcp", "closed on this side")
        if not data:
            raise EndOfStream()
        return data

    async def write(self, data: bytes) -> None:
        if self._closed or self._writer.is_closing():
            raise ConnectionLost("tcp", "closed on this side" if self._closed else "closed by the peer")
        with _socket_errors("tcp"):
            self._writer.write(data)
            await self._writer.drain()

    async def close(self) -> None:
        """Goes on taking what the peer still sends until it closes too: a socket that is closed over unread bytes
        answers with a reset, which destroys our own last bytes on their way."""
        if not self._closed:
            self._closed = True
            self._finish()
        if self._ending is None:
            return
        try:
            async with asyncio.timeout(self._close_seconds):
                await self._ending.lost.wait()
        except TimeoutError:
            self._writer.transport.abort()

    def _finish(self) -> None:
        transport = self._writer.transport
        if transport.is_closing() or not isinstance(transport, asyncio.Transport):
            return
        before, self._ending = transport.get_protocol(), _Ending()
        transport.set_protocol(self._ending)
        # Whoever still reads or writes here is told now, not when the peer has closed.
        before.connection_lost(ConnectionResetError("closed on this side"))
        # Armed anew: reading may have been paused, and an end that the peer made before is told to `_Ending` again.
        transport.pause_reading()
        transport.resume_reading()
        try:
            transport.write_eof()
        except OSError:
            transport.abort()  # the peer has reset the connection, and no event told yet

    def reset(self) -> None:
        self._closed = True
        self._writer.transport.abort()


class WebSocketLink:
    def __init__(self, socket: Connection) -> None:
        self._socket = socket
        self._rest = b""
        self._closed = False

    async def read(self, max_bytes: int = 65536) -> bytes:
        while not self._rest:
            if self._closed:
                raise ConnectionLost("websocket", "closed on this side")
            try:
                self._rest = _as_bytes(await self._socket.recv(decode=False))
            except ConnectionClosedOK:
                raise (ConnectionLost("websocket", "closed on this side") if self._closed else EndOfStream()) from None
            except ConnectionClosed as error:
                raise ConnectionLost("websocket", str(error)) from error
        data = self._rest[:max_bytes]
        self._rest = self._rest[max_bytes:]
        return data

    async def write(self, data: bytes) -> None:
        if self._closed:
            raise ConnectionLost("websocket", "closed on this side")
        with _socket_errors("websocket"):
            for start in range(0, len(data), WEBSOCKET_SENT):
                await self._socket.send(data[start : start + WEBSOCKET_SENT])

    async def close(self) -> None:
        """Goes on taking what the peer still sends: its close frame stands behind all that."""
        self._closed = True
        self._rest = b""
        discarding = asyncio.ensure_future(self._discard())
        try:
            with suppress(OSError):
                await self._socket.close()
        finally:
            discarding.cancel()

    async def _discard(self) -> None:
        # Where a reader waits already, nothing is queued.
        with suppress(ConnectionClosed, ConcurrencyError):
            while True:
                await self._socket.recv(decode=False)

    def reset(self) -> None:
        self._closed = True
        self._rest = b""
        self._socket.transport.abort()


def _as_bytes(message: str | bytes) -> bytes:
    """Peers should send binary messages; a text one carries the same bytes in UTF-8."""
    return message.encode() if isinstance(message, str) else message


class _Connect(connect):
    """Follows no redirect: a relay must not send us to any host it likes. Browsers follow none either."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class NativeSockets:
    """TCP and WebSocket links of CPython.

    Args:
        trusted: PEM file of further certificate authorities for `wss`.
        plain_http: answers GETs on a WebSocket port.
        close_seconds: how long closing a link waits for a peer to take what was written.
        gate: counts the links of listeners.
    """

    def __init__(
        self,
        trusted: str | None = None,
        plain_http: PlainHttp | None = None,
        close_seconds: float = CLOSE_SECONDS,
        gate: LinkGate | None = None,
    ) -> None:
        self._gate = gate
        self._budget: FrameBudget | None = None
        self._trusted = trusted
        self._plain_http = plain_http
        self._close_seconds = close_seconds

    def _frames(self) -> FrameBudget:
        """What all WebSockets of this host count in."""
        if self._budget is None:
            self._budget = FrameBudget(asyncio.get_running_loop().time())
        return self._budget

    async def connect_tcp(self, host: str, port: int) -> ByteLink:
        with _socket_errors(f"tcp to {host} port {port}"):
            async with asyncio.timeout(OPEN_SECONDS):
                reader, writer = await asyncio.open_connection(host, port, limit=RECEIVE_BUFFER)
                return TcpLink(reader, writer, self._close_seconds)

    async def connect_websocket(self, url: str) -> ByteLink:
        tls = ssl.create_default_context(cafile=self._trusted) if url.startswith("wss:") else None
        with _socket_errors(url):
            return WebSocketLink(
                await _Connect(
                    url,
                    ssl=tls,
                    compression=None,
                    proxy=None,
                    user_agent_header=None,
                    open_timeout=OPEN_SECONDS,
                    ping_interval=PING_SECONDS,
                    ping_timeout=PONG_SECONDS,
                    close_timeout=self._close_seconds,
                    max_size=WEBSOCKET_MESSAGE,
                    max_queue=WEBSOCKET_QUEUE,
                    write_limit=SEND_BUFFER,
                    create_connection=cast(type[ClientConnection], partial(MeteredClient, budget=self._frames())),
                )
            )

    async def listen_tcp(self, host: str, port: int, handler: LinkHandler) -> LinkListener:
        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            ip, drop = socket_ip(writer.get_extra_info("peername")), writer.transport.abort
            admitted = None if self._gate is None else self._gate.enter(ip, drop)
            if not ip or (self._gate is not None and admitted is None):
                drop()
                return
            try:
                ahead = b""
                if self._gate is not None and admitted is not None and self._gate.trusts(ip):
                    ip, ahead = await _proxied(reader, admitted, ip)
                await handler(TcpLink(reader, writer, self._close_seconds, ahead), ip)
            except (ConnectionLost, MalformedMessage):
                drop()
            finally:
                if admitted is not None:
                    admitted.leave()

        with _listen_errors(host, port):
            server = await asyncio.start_server(accepted, host, port, limit=RECEIVE_BUFFER)

        async def close() -> None:
            server.close()

        return LinkListener(host, server.sockets[0].getsockname()[1], close)

    async def listen_websocket(
        self, host: str, port: int, handler: LinkHandler, tls: tuple[str, str] | None = None
    ) -> LinkListener:
        async def accepted(socket: ServerConnection) -> None:
            ip = socket.client_ip if isinstance(socket, MeteredServer) else ""
            if not ip:
                return
            await handler(WebSocketLink(socket), ip)
            # The library closes a connection whose handler returns; ours lives as long as its link.
            await socket.wait_closed()

        with _listen_errors(host, port):
            server = await serve(
                accepted,
                host,
                port,
                ssl=None if tls is None else server_tls(tls),
                compression=None,
                server_header=None,
                process_request=self._answer_plain_http,
                open_timeout=OPEN_SECONDS,
                ping_interval=PING_SECONDS,
                ping_timeout=PONG_SECONDS,
                close_timeout=self._close_seconds,
                max_size=WEBSOCKET_MESSAGE,
                max_queue=WEBSOCKET_QUEUE,
                write_limit=SEND_BUFFER,
                # The annotation says a class; the library calls it and no more.
                create_connection=cast(
                    type[ServerConnection], partial(MeteredServer, budget=self._frames(), gate=self._gate)
                ),
                logger=LIBRARY,
            )

        async def close() -> None:
            server.close(close_connections=False)

        return LinkListener(host, next(iter(server.sockets)).getsockname()[1], close)

    def _answer_plain_http(self, socket: ServerConnection, request: Request) -> Response | None:
        if isinstance(socket, MeteredServer) and not socket.forwarded(request.headers):
            return _response(HttpAnswer(503, "text/plain; charset=utf-8", b"Too many connections from your address.\n"))
        if "websocket" in request.headers.get("Upgrade", "").lower():
            return None
        answer = self._plain_http(request.path) if self._plain_http is not None else None
        if answer is None:
            answer = HttpAnswer(404, "text/plain; charset=utf-8", b"This port speaks libp2p over WebSocket.\n")
        return _response(answer)


def _response(answer: HttpAnswer) -> Response:
    length, now = str(len(answer.body)), formatdate(usegmt=True)
    headers = Headers(
        {"Date": now, "Content-Type": answer.content_type, "Content-Length": length, "Connection": "close"}
    )
    return Response(answer.status, http.HTTPStatus(answer.status).phrase, headers, answer.body)


async def _proxied(reader: asyncio.StreamReader, admitted: AdmittedLink, ip: str) -> tuple[str, bytes]:
    """The client that a trusted proxy at `ip` names, and what was read beyond. Raises `ConnectionLost`."""
    data = b""
    with _socket_errors("tcp"):
        async with asyncio.timeout(OPEN_SECONDS):
            while (header := parse_proxy_header(data)) is None:
                more = await reader.read(MAX_HEADER)
                if not more:
                    raise EOFError("closed in the middle of a PROXY header")
                data += more
    if header.ip is not None and not admitted.identify(header.ip):
        raise ConnectionLost("tcp", "too many links of one address")
    return header.ip or ip, data[header.size :]
