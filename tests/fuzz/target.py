"""One decoder to be fuzzed: how it is called, what it may raise, and where to start from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from darkswap_browser.errors import DarkSwapError, MalformedMessage

T = TypeVar("T")


@dataclass(frozen=True)
class Target:
    """`run` decodes; an error other than `allowed` is a finding, and so is a failed assertion in it."""

    run: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    allowed: type[DarkSwapError] = MalformedMessage


def same_again(decode: Callable[[bytes], T], encode: Callable[[T], bytes]) -> Callable[[bytes], object]:
    """What was decoded, written and read again is the same."""

    def run(data: bytes) -> object:
        value = decode(data)
        assert decode(encode(value)) == value
        return value

    return run


def as_text(parse: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: parse(data.decode("utf-8", "replace"))
