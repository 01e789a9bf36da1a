"""Requests and answers of the servers, apart from HTTP: each server is a function from one to the other."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from darkswap_browser.errors import MalformedMessage
from darkswap_browser.wire.parsing import parse_json

MAX_DEPTH = 16
"""Levels of nesting in a request; `post` of a test has three."""

NETWORK = "regtest"
TEXT = "text/plain; charset=utf-8"
JSON = "application/json"
BYTES = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Request:
    """`path`: the pieces between slashes, decoded, below the server's own prefix. `query`: the first value of each."""

    method: str
    path: tuple[str, ...]
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    behind: int = 0
    """Blocks that the server is to be late by, for whoever tests those who ask."""
    more: int = 0
    """Atoms that an alkanes gateway is to lie by."""


@dataclass(frozen=True, slots=True)
class Response:
    body: bytes
    status: int = 200
    content_type: str = JSON


Server = Callable[[Request], Response]


class RequestError(Exception):
    """The request cannot be met; carries the answer that says so."""

    def __init__(self, status: int, reason: str) -> None:
        self.answer = text(reason, status)
        super().__init__(reason)


def text(words: object, status: int = 200) -> Response:
    return Response(str(words).encode(), status, TEXT)


def json_answer(value: Any, status: int = 200) -> Response:
    return Response(json.dumps(value, ensure_ascii=False).encode(), status)


def read_json(body: bytes) -> Any:
    """Raises `RequestError` with 400."""
    try:
        return parse_json("body", body, max_depth=MAX_DEPTH)
    except MalformedMessage as error:
        raise RequestError(400, f"the body {error.reason}") from error


def whole(value: str, what: str, most: int = 2**63) -> int:
    """A decimal number in a path or a query."""
    if not (value.isascii() and value.isdigit()) or len(value) > 20 or int(value) > most:
        raise RequestError(400, f"Invalid {what}")
    return int(value)
