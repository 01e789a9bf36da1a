"""One queue of requests per server: so many at once, back-off with jitter when it is busy or away, and a deadline.

Every request here may be sent twice: they are questions, or broadcasts of the same transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from darkswap_browser.errors import (
    ChainError,
    ChainInconsistent,
    ChainUnreachable,
    ConnectionLost,
    RateLimited,
    ResourceLimit,
    TimedOut,
)
from darkswap_browser.runtime.base.crypto import Entropy
from darkswap_browser.runtime.base.http import Fetch, HttpResponse

AT_ONCE = 4
"""Requests under way at one server: public ones throttle by address, and browsers open six connections."""
WAITING = 1000
"""Requests that wait for their turn; a wallet's first look asks for some hundred."""
ATTEMPT_SECONDS = 15.0
DEADLINE_SECONDS = 40.0
"""For all attempts of one request, its waiting included."""
ATTEMPTS = 4
BACK_OFF_SECONDS = 0.5
"""Before the second attempt; doubled before each further one, and of each between half and all is waited."""
RETRY_AFTER_SECONDS = 15.0
"""Most that a server may ask us to wait; what it asks beyond ends the request at once."""
MAX_TEXT = 8_100_000
"""Bytes of a text answer: the largest transaction in hex."""


class Server:
    """`base_url` is its name in errors. `headers` go with each request."""

    def __init__(
        self, base_url: str, *, fetch: Fetch, entropy: Entropy, headers: Mapping[str, str] | None = None
    ) -> None:
        self.name = base_url.rstrip("/")
        self._fetch = fetch
        self._entropy = entropy
        self._headers = dict(headers or {})
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._held = 0
        self._not_before = 0.0
        """Loop time until which the server asked to be left alone."""

    async def get(
        self, path: str, *, headers: Mapping[str, str] | None = None, max_bytes: int = MAX_TEXT
    ) -> HttpResponse:
        return await self._request("GET", path, headers, None, max_bytes)

    async def post(
        self, path: str, body: bytes, *, headers: Mapping[str, str] | None = None, max_bytes: int = MAX_TEXT
    ) -> HttpResponse:
        return await self._request("POST", path, headers, body, max_bytes)

    async def _request(
        self, method: str, path: str, headers: Mapping[str, str] | None, body: bytes | None, max_bytes: int
    ) -> HttpResponse:
        """Any answer but 429 and 5xx, for which `RateLimited` and `ChainUnreachable` stand in the end."""
        if self._held >= AT_ONCE + WAITING:
            raise RateLimited(self.name, f"{self._held} requests wait already")
        self._held += 1
        failure: ChainError = ChainUnreachable(self.name, f"no answer within {DEADLINE_SECONDS:g} s")
        try:
            async with asyncio.timeout(DEADLINE_SECONDS), self._turns:
                for attempt in range(ATTEMPTS):
                    await self._wait()
                    answer = await self._attempt(method, path, {**self._headers, **(headers or {})}, body, max_bytes)
                    if isinstance(answer, HttpResponse):
                        return answer
                    failure = answer
                    if attempt + 1 < ATTEMPTS:
                        await asyncio.sleep(self._back_off(attempt))
        except TimeoutError:
            pass
        finally:
            self._held -= 1
        raise failure

    async def _attempt(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None, max_bytes: int
    ) -> HttpResponse | ChainError:
        """The answer, or the failure after which another attempt is worth it."""
        try:
            response = await self._fetch.request(
                method, self.name + path, headers=headers, body=body, timeout=ATTEMPT_SECONDS, max_bytes=max_bytes
            )
        except (ConnectionLost, TimedOut) as error:
            return ChainUnreachable(self.name, str(error))
        except ResourceLimit as error:
            raise ChainInconsistent(self.name, f"answers {path[:80]} with more than {error.limit} bytes") from error
        if response.status == 429:
            self._pause(response)
            return RateLimited(self.name, "asks for fewer requests")
        if response.status >= 500:
            reason = response.body[:200].decode("utf-8", "replace").strip()
            return ChainUnreachable(self.name, f"answers {response.status} {reason}".rstrip())
        return response

    def _pause(self, response: HttpResponse) -> None:
        """All requests of the queue wait as long as the server asks; a date instead of seconds is not read."""
        text = response.headers.get("retry-after", "").strip()
        if not (text.isascii() and text.isdigit()) or len(text) > 9:
            return
        if int(text) > RETRY_AFTER_SECONDS:
            raise RateLimited(self.name, f"asks to be left alone for {int(text)} s")
        self._not_before = max(self._not_before, asyncio.get_running_loop().time() + int(text))

    async def _wait(self) -> None:
        pause = self._not_before - asyncio.get_running_loop().time()
        if pause > 0:
            await asyncio.sleep(pause + BACK_OFF_SECONDS * self._chance())

    def _back_off(self, attempt: int) -> float:
        return BACK_OFF_SECONDS * 2.0**attempt * (0.5 + self._chance() / 2)

    def _chance(self) -> float:
        """From 0 to below 1: requests of many pages must not come back in step."""
        return int.from_bytes(self._entropy.bytes(2), "big") / 65536
