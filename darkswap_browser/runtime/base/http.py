"""Interface: HTTP requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """`headers` with lower-case names. `body` as sent: JSON is parsed in Python, so that no integer loses digits."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Fetch(Protocol):
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
        """Every status is an answer. Raises `ConnectionLost` (no answer, or CORS), `TimedOut`, and `ResourceLimit`
        when the body is larger than `max_bytes`, of which no more is read.
        """
        ...
