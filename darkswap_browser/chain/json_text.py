"""JSON of strangers: whole numbers exact up to 128 bits, size and depth capped, and wrong values named by path.

All of it raises `ChainInconsistent` with the server's name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from darkswap_browser.errors import ChainInconsistent, MalformedMessage
from darkswap_browser.wire.parsing import parse_json

MAX_JSON = 4 * 1024 * 1024
"""Bytes: ten thousand coins of one address, or a wallet's outputs in one answer of ord."""
MAX_DEPTH = 24
"""Arrays and objects within each other; the deepest documented answer has eight."""
MAX_DIGITS = 40
"""Of a whole number: 2^128 has 39. Reading longer ones costs quadratic time."""
MAX_TEXT = 4096
"""Characters of a text that is no transaction: names, reasons, hashes."""
MAX_U128 = 2**128 - 1

_WHOLE = re.compile(r"[0-9]{1,39}|0[xX][0-9a-fA-F]{1,32}")
_HEX = re.compile(r"(?:[0-9a-f]{2})*")


@dataclass(frozen=True, slots=True)
class _Fraction:
    """A number with point or exponent, as written."""

    text: str


@dataclass(frozen=True, slots=True)
class JsonValue:
    """One value of a document of `source`. The accessors give it as what it should be, or raise `ChainInconsistent`."""

    source: str
    path: str
    value: Any

    def fail(self, reason: str) -> ChainInconsistent:
        return ChainInconsistent(self.source, f"{self.path} {reason}")

    @property
    def is_null(self) -> bool:
        return self.value is None

    @property
    def is_object(self) -> bool:
        return isinstance(self.value, dict)

    @property
    def is_list(self) -> bool:
        return isinstance(self.value, list)

    def member(self, name: str) -> JsonValue:
        """A member that must be there; it may be null."""
        if not isinstance(self.value, dict):
            raise self.fail("is no object")
        if name not in self.value:
            raise self.fail(f"has no {name}")
        return JsonValue(self.source, f"{self.path}.{name}", self.value[name])

    def get(self, name: str) -> JsonValue | None:
        """A member that may be missing; None for null too."""
        if not isinstance(self.value, dict):
            raise self.fail("is no object")
        value = self.value.get(name)
        return None if value is None else JsonValue(self.source, f"{self.path}.{name}", value)

    def entries(self) -> list[tuple[str, JsonValue]]:
        """Names and members of an object."""
        if not isinstance(self.value, dict):
            raise self.fail("is no object")
        return [(name, JsonValue(self.source, f"{self.path}.{name[:80]}", value)) for name, value in self.value.items()]

    def items(self) -> list[JsonValue]:
        if not isinstance(self.value, list):
            raise self.fail("is no list")
        return [JsonValue(self.source, f"{self.path}[{at}]", value) for at, value in enumerate(self.value)]

    def boolean(self) -> bool:
        if not isinstance(self.value, bool):
            raise self.fail("is neither true nor false")
        return self.value

    def integer(self, most: int = MAX_U128) -> int:
        """A whole number from 0 to `most`, written as a number."""
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            raise self.fail("is no whole number")
        if not 0 <= self.value <= most:
            raise self.fail(f"is not between 0 and {most}")
        return self.value

    def number(self, most: int = MAX_U128) -> int:
        """As `integer`, or as a text of decimal digits or of hex digits behind 0x."""
        if not isinstance(self.value, str):
            return self.integer(most)
        if not _WHOLE.fullmatch(self.value):
            raise self.fail("is no whole number")
        return JsonValue(self.source, self.path, int(self.value, 16 if self.value[1:2] in "xX" else 10)).integer(most)

    def fraction(self, most: int) -> Decimal:
        """A number from 0 to `most`, exact."""
        if isinstance(self.value, _Fraction):
            try:
                value = Decimal(self.value.text)
            except InvalidOperation:
                raise self.fail("is no number") from None
            if not 0 <= value <= most:
                raise self.fail(f"is not between 0 and {most}")
            return value
        return Decimal(self.integer(most))

    def text(self, most: int = MAX_TEXT) -> str:
        if not isinstance(self.value, str):
            raise self.fail("is no text")
        if len(self.value) > most:
            raise self.fail(f"has more than {most} characters")
        try:
            self.value.encode()
        except UnicodeEncodeError:
            raise self.fail("is no Unicode") from None
        return self.value

    def hash(self) -> str:
        """64 lower-case hex digits: a txid or the hash of a block."""
        text = self.text()
        if len(text) != 64 or not _HEX.fullmatch(text):
            raise self.fail("is no hash")
        return text

    def data(self, most: int) -> bytes:
        """Bytes in hex, with or without 0x; at most `most`."""
        text = self.text(2 * most + 2).lower().removeprefix("0x")
        if not _HEX.fullmatch(text) or len(text) > 2 * most:
            raise self.fail(f"is not hex of {most} bytes at most")
        return bytes.fromhex(text)


def parse(data: bytes, source: str, what: str = "answer", max_size: int = MAX_JSON) -> JsonValue:
    """`what` begins the paths in errors."""
    if len(data) > max_size:
        raise ChainInconsistent(source, f"{what} has {len(data)} bytes; at most {max_size} are allowed")
    try:
        value = parse_json(
            what,
            data,
            max_depth=MAX_DEPTH,
            parse_int=_integer,
            parse_float=_Fraction,
            parse_constant=_constant,
            object_pairs_hook=_object,
        )
    except MalformedMessage as error:
        raise ChainInconsistent(source, f"{what} {error.reason}") from None
    return JsonValue(source, what, value)


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise MalformedMessage("JSON", f"has a number of more than {MAX_DIGITS} digits")
    return int(text)


def _constant(text: str) -> NoReturn:
    raise MalformedMessage("JSON", f"holds {text}, which is no number of JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two readers may take another of two equal names each, so there are none."""
    members = dict(pairs)
    if len(members) < len(pairs):
        raise MalformedMessage("JSON", "names a member twice")
    return members
