"""Values of one type as msgpack and JSON hold them: how each is read, within its limits, and written.

A `Kind` refuses what it does not accept with `Misfit`, which says where and why. `wire/records.py` makes records of
these.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from darkswap_browser.errors.base import NO_UNICODE, NO_UNICODE_HINT, encodable

MAX_SHOWN = 40
"""Characters of a refused value that an error repeats."""
LONGEST_SHOWN = 128
"""Bits of a refused number that an error repeats."""

T = TypeVar("T")
E = TypeVar("E", bound=str)


class Misfit(ValueError):
    """A value that a kind does not accept. `path` leads to it from where the reading began: `.relays[0]`, or ""."""

    def __init__(self, reason: str, hint: str = "", path: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        self.path = path

    def within(self, step: str) -> Misfit:
        """The same, seen from one level further out."""
        return Misfit(self.reason, self.hint, step + self.path)

    def __str__(self) -> str:
        return f"{self.path.lstrip('.')} {self.reason}".strip()


def amount(least: int, most: int) -> str:
    """In words of an error: how many there may be."""
    return f"at most {most}" if least == 0 else f"{least} to {most}" if least < most else str(most)


def shown(value: object) -> str:
    """What an error repeats of a refused value. Those that cannot be written out are named by their type."""
    if isinstance(value, str):
        return encodable(repr(value[:MAX_SHOWN]))[:MAX_SHOWN]
    if isinstance(value, int) and value.bit_length() > LONGEST_SHOWN:
        return f"a number of {value.bit_length()} bits"
    if value is None or isinstance(value, int | float | bytes):
        return repr(value[:MAX_SHOWN] if isinstance(value, bytes) else value)[:MAX_SHOWN]
    return f"of type {type(value).__name__}"


class Kind(Generic[T]):
    """How values of one type are read and written."""

    def read(self, value: Any) -> T:
        """Raises `Misfit`."""
        raise NotImplementedError

    def plain(self, value: T) -> Any:
        return value


class Text(Kind[str]):
    """`least` to `most` characters of Unicode, without lone surrogates."""

    def __init__(self, most: int, least: int = 0) -> None:
        self._most, self._least = most, least

    def read(self, value: Any) -> str:
        if not isinstance(value, str):
            raise Misfit("is not a text")
        if not self._least <= len(value) <= self._most:
            raise Misfit(f"has {len(value)} characters, not {amount(self._least, self._most)}")
        if encodable(value) != value:
            raise Misfit(NO_UNICODE, NO_UNICODE_HINT)
        return value


class Hex(Kind[str]):
    """`size` bytes as lower-case hex, kept as text."""

    def __init__(self, size: int) -> None:
        self._size = size

    def read(self, value: Any) -> str:
        if not isinstance(value, str) or len(value) != 2 * self._size or set(value) - set("0123456789abcdef"):
            raise Misfit(f"is not {self._size} bytes in lower-case hex")
        return value


class Data(Kind[bytes]):
    """`least` to `most` bytes."""

    def __init__(self, most: int, least: int = 0) -> None:
        self._most, self._least = most, least

    def read(self, value: Any) -> bytes:
        if not isinstance(value, bytes) or not self._least <= len(value) <= self._most:
            raise Misfit(f"is not {amount(self._least, self._most)} bytes")
        return value


class RawHash(Kind[str]):
    """32 bytes, whose hex the program uses."""

    def read(self, value: Any) -> str:
        return _HASH.read(value).hex()

    def plain(self, value: str) -> bytes:
        return bytes.fromhex(value)


_HASH = Data(32, 32)


class Whole(Kind[int]):
    """A whole number that msgpack and JSON have numbers for. A bool is none."""

    def __init__(self, most: int, least: int = 0) -> None:
        self._most, self._least = most, least

    def read(self, value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not self._least <= value <= self._most:
            raise Misfit(f"is not a whole number from {self._least} to {self._most}")
        return value


class Digits(Kind[int]):
    """A whole number as text, of which there is one for each number: for more than 64 bits."""

    def __init__(self, most: int) -> None:
        self._most = most

    def read(self, value: Any) -> int:
        # The length first: reading digits costs quadratic time.
        is_digits = isinstance(value, str) and len(value) <= 39 and value.isascii() and value.isdigit()
        if not is_digits or int(value) > self._most or str(int(value)) != value:
            raise Misfit(f"is not a text of digits up to {self._most}")
        return int(value)

    def plain(self, value: int) -> str:
        return str(value)


class Large(Kind[int]):
    """A whole number from 0 to `most`, written as text of digits where it has more than 63 bits."""

    def __init__(self, most: int) -> None:
        self._whole, self._digits = Whole(most), Digits(most)

    def read(self, value: Any) -> int:
        return self._digits.read(value) if isinstance(value, str) else self._whole.read(value)

    def plain(self, value: int) -> object:
        return value if value < 1 << 63 else str(value)


class BigEndian(Kind[int]):
    """A whole number as 1 to `size` bytes without leading zeros; 0 cannot be written."""

    def __init__(self, size: int) -> None:
        self._data = Data(size, 1)

    def read(self, value: Any) -> int:
        return int.from_bytes(self._data.read(value), "big")

    def plain(self, value: int) -> bytes:
        return value.to_bytes((value.bit_length() + 7) // 8, "big")


class Real(Kind[float]):
    """A number with or without a fraction; more than 0 where no `least` is given."""

    def __init__(self, unit: str, most: float, least: float = 0) -> None:
        self._unit, self._most, self._least = unit, most, least

    def read(self, value: Any) -> float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not self._least <= value <= self._most or not value:
            limits = f"from {self._least} to {self._most}" if self._least else f"up to {self._most}"
            raise Misfit(f"is not a number of {self._unit} {limits}")
        return float(value)


class Flag(Kind[bool]):
    def read(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise Misfit("is neither true nor false")
        return value


class Choice(Kind[E]):
    """One of several texts: of an enumeration, or as given."""

    def __init__(self, members: Iterable[E]) -> None:
        self._members = {str(each): each for each in members}

    def read(self, value: Any) -> E:
        found = self._members.get(value) if isinstance(value, str) else None
        if found is None:
            raise Misfit(f"is {shown(value)}", f"One of {', '.join(self._members)}.")
        return found

    def plain(self, value: E) -> str:
        return str(value)


class Exactly(Kind[int]):
    """One number and no other: a version."""

    def __init__(self, number: int) -> None:
        self._number = number

    def read(self, value: Any) -> int:
        if type(value) is not int or value != self._number:
            raise Misfit(f"is {shown(value)}, not {self._number}")
        return self._number


class Maybe(Kind[T | None]):
    """None, or a value."""

    def __init__(self, kind: Kind[T]) -> None:
        self._kind = kind

    def read(self, value: Any) -> T | None:
        return None if value is None else self._kind.read(value)

    def plain(self, value: T | None) -> Any:
        return None if value is None else self._kind.plain(value)


class Absent(Kind[T]):
    """A member of a record that may be missing, and then is `default`."""

    def __init__(self, kind: Kind[T], default: T) -> None:
        self._kind, self.default = kind, default

    def read(self, value: Any) -> T:
        return self._kind.read(value)

    def plain(self, value: T) -> Any:
        return self._kind.plain(value)
