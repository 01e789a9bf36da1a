"""HTTP requests of a page: `fetch`, its body read piece by piece up to a cap."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import js
from pyodide.ffi import JsException

from darkswap_browser.errors import ConnectionLost, InvalidArgument, ResourceLimit, TimedOut
from darkswap_browser.runtime.base.http import HttpResponse
from darkswap_browser.runtime.browser.ffi import js_bytes, js_object
from darkswap_browser.runtime.browser.page_policy import forbidden_origin, watch_policy

POLICY_SECONDS = 0.02
"""After a failure, for the event that tells of the page's policy."""


def _forbidden(origin: str) -> str:
    return f"the page's Content-Security-Policy forbids it; add {origin} to connect-src"


class BrowserFetch:
    """No cookies, no HTTP cache, no referrer. Redirects are not followed: they end as `ConnectionLost`."""

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
        js_abort = js.AbortController.new()
        js_options = js_object(
            {
                "method": method,
                "headers": dict(headers or {}),
                "redirect": "error",
                "credentials": "omit",
                "cache": "no-store",
                "referrerPolicy": "no-referrer",
            }
        )
        js_options.signal = js_abort.signal
        if body is not None:
            js_options.body = js_bytes(body)
        forbidden: list[str] = []

        def violated(js_event: Any) -> None:
            if (origin := forbidden_origin(js_event, url)) is not None:
                forbidden.append(origin)

        policy = watch_policy(violated)
        try:
            async with asyncio.timeout(timeout):
                js_response = await js.fetch(url, js_options)
                js_headers = js.Object.fromEntries(js_response.headers)
                answered = {str(name).lower(): str(value) for name, value in js_headers.to_py().items()}
                return HttpResponse(js_response.status, answered, await _read(js_response, max_bytes))
        except TimeoutError:
            raise TimedOut(f"{method} {url}", timeout) from None
        except JsException as error:
            # The failure does not tell whether the server, the network, CORS or the page's own policy said no.
            await asyncio.sleep(POLICY_SECONDS)
            raise ConnectionLost(url, _forbidden(forbidden[0]) if forbidden else str(error)) from error
        finally:
            policy.destroy()
            js_abort.abort()  # of a request that has ended, nothing


async def _read(js_response: Any, max_bytes: int) -> bytes:
    if js_response.body is None:
        return b""
    js_reader = js_response.body.getReader()
    body = bytearray()
    while not (js_part := await js_reader.read()).done:
        body += js_part.value.to_bytes()
        if len(body) > max_bytes:
            raise ResourceLimit("bytes of an answer", max_bytes)
    return bytes(body)
