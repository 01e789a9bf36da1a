"""HTTP inside the world: servers are functions, and the network between them and who asks has its delays and faults."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from darkswap_browser.errors import ConnectionLost, InvalidArgument, ResourceLimit, TimedOut
from darkswap_browser.runtime.base.http import HttpResponse
from darkswap_browser.testing.network import SimulatedNetwork


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """`path` is what follows the base URL, query included; `headers` with lower-case names."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


HttpHandler = Callable[[HttpRequest], Awaitable[HttpResponse]]
"""May wait, for a slow server, and may raise `ConnectionLost` for one that breaks off."""


@dataclass(frozen=True, slots=True)
class _Site:
    host: str
    handler: HttpHandler


class HttpWorld:
    """Who answers under which base URL, in the whole world."""

    def __init__(self, network: SimulatedNetwork) -> None:
        self._network = network
        self._sites: dict[str, _Site] = {}

    def serve(self, host: str, base_url: str, handler: HttpHandler) -> None:
        """From now on `host` answers requests below `base_url`."""
        self._sites[base_url.rstrip("/")] = _Site(host, handler)

    def kill(self, host: str) -> None:
        self._sites = {base: site for base, site in self._sites.items() if site.host != host}

    async def exchange(self, source: str, url: str, request: HttpRequest) -> HttpResponse:
        """One request on a connection of its own; `request.path` is filled in here."""
        bases = [base for base in self._sites if url == base or url.startswith((f"{base}/", f"{base}?"))]
        if not bases:
            raise ConnectionLost(url, "no such host")
        base = max(bases, key=len)
        site = self._sites[base]
        network, latency = self._network, self._network.path(source, site.host).latency
        await network.until_up(source, site.host)
        # TCP takes one round trip, TLS another; then the request goes over.
        await asyncio.sleep((5 if base.startswith("https:") else 3) * latency)
        await network.until_up(source, site.host)
        if network.hosts[site.host].refusing:
            raise ConnectionLost(url, "refused")
        asked = HttpRequest(request.method, url[len(base) :], request.headers, request.body)
        response = await site.handler(asked)
        if self._sites.get(base) is not site:
            raise ConnectionLost(url, "the server is gone")
        await asyncio.sleep(network.path(source, site.host).latency)
        await network.until_up(source, site.host)
        return response


class SimulatedFetch:
    def __init__(self, http: HttpWorld, host: str) -> None:
        self._http = http
        self._host = host

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
        if not url.startswith(("http://", "https://")):
            raise InvalidArgument("url", f"{url[:200]!r} is no http or https URL")
        named = {name.lower(): value for name, value in (headers or {}).items()}
        try:
            async with asyncio.timeout(timeout):
                response = await self._http.exchange(self._host, url, HttpRequest(method, "", named, body or b""))
        except TimeoutError:
            raise TimedOut(f"{method} {url}", timeout) from None
        if 300 < response.status < 400:
            raise ConnectionLost(url, "the server redirects elsewhere")
        if len(response.body) > max_bytes:
            raise ResourceLimit("bytes of an answer", max_bytes)
        return response
