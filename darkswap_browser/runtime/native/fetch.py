"""HTTP requests of CPython: `http.client` in a thread, through the proxies of the environment."""

from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from darkswap_browser.errors import ConnectionLost, InvalidArgument, ResourceLimit, TimedOut
from darkswap_browser.runtime.base.http import HttpResponse

PIECE = 64 * 1024
"""Bytes read at once, between looks at the clock and at the size."""

REDIRECTS = (301, 302, 303, 307, 308)


class NativeFetch:
    """`trusted`: PEM file of further certificate authorities. Redirects are not followed: they end as `ConnectionLost`,
    since headers of a request may be secrets of the server it was meant for."""

    def __init__(self, trusted: str | None = None) -> None:
        self._trusted = trusted

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout: float,
        max_bytes: int,
    ) -> HttpResponse:
        exchange = _Exchange(_split(url), timeout, max_bytes, self._trusted)
        try:
            async with asyncio.timeout(timeout):
                return await asyncio.to_thread(exchange.run, method, dict(headers or {}), body)
        except TimeoutError:
            raise TimedOut(f"{method} {url}", timeout) from None
        except (OSError, http.client.HTTPException) as error:
            raise ConnectionLost(url, str(error) or type(error).__name__) from error
        finally:
            exchange.abandon()


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        known = False
    if not known or not url.isascii() or any(letter <= " " for letter in url):
        raise InvalidArgument("url", f"{url[:200]!r} is no http or https URL")
    return parts


class _Exchange:
    """One request and its answer, in a thread of the executor."""

    def __init__(self, url: SplitResult, timeout: float, max_bytes: int, trusted: str | None) -> None:
        self._url = url
        self._max_bytes = max_bytes
        self._ends = time.monotonic() + timeout
        self._timeout = timeout
        self._trusted = trusted
        self._connection: http.client.HTTPConnection | None = None

    def run(self, method: str, headers: dict[str, str], body: bytes | None) -> HttpResponse:
        self._connection, target = self._connect(headers)
        try:
            headers.setdefault("User-Agent", "darkswap")
            self._connection.request(method, target, body, {**headers, "Connection": "close"})
            response = self._connection.getresponse()
            if response.status in REDIRECTS:
                raise ConnectionLost(self._url.geturl(), "the server redirects elsewhere")
            answered = {name.lower(): value for name, value in response.getheaders()}
            return HttpResponse(response.status, answered, self._read(response))
        finally:
            self._connection.close()

    def abandon(self) -> None:
        """Wakes the thread when it still waits for the socket. Idempotent."""
        self._ends = 0.0
        connected: socket.socket | None = getattr(self._connection, "sock", None)
        if connected is not None:
            with suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)

    def _connect(self, headers: dict[str, str]) -> tuple[http.client.HTTPConnection, str]:
        """The connection, and what stands in the request line."""
        url = self._url
        host, secure = url.hostname or "", url.scheme == "https"
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        address, port = host, url.port or (443 if secure else 80)
        proxy = None if proxy_bypass(host) else getproxies().get(url.scheme)
        through = urlsplit(proxy if "://" in proxy else f"http://{proxy}") if proxy else None
        if through is not None:
            address, port = through.hostname or "", through.port or 80
        if not secure:
            if through is not None:
                target = url._replace(fragment="").geturl()
                headers |= _proxy_headers(through)
            return http.client.HTTPConnection(address, port, timeout=self._timeout), target
        context = ssl.create_default_context(cafile=self._trusted)
        connection = http.client.HTTPSConnection(address, port, timeout=self._timeout, context=context)
        if through is not None:
            connection.set_tunnel(host, url.port or 443, _proxy_headers(through))
        return connection, target

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        body = bytearray()
        while piece := response.read1(min(PIECE, self._max_bytes + 1 - len(body))):
            body += piece
            if len(body) > self._max_bytes:
                raise ResourceLimit("bytes of an answer", self._max_bytes)
            if time.monotonic() > self._ends:
                raise TimeoutError
        if response.length:  # what Content-Length still promises
            raise http.client.IncompleteRead(b"", response.length)
        return bytes(body)


def _proxy_headers(proxy: SplitResult) -> dict[str, str]:
    if not proxy.username:
        return {}
    pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
