from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.errors import InvalidArgument, MalformedMessage
from darkswap_browser.storage import values


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True)
class Left:
    number: int


@dataclass(frozen=True, slots=True)
class Right:
    text: str

    def __post_init__(self) -> None:
        if self.text == "never":
            raise InvalidArgument("text", "is never that")


@dataclass(frozen=True, slots=True)
class Whole:
    hand: Left | Right
    maybe: Left | None
    colour: Colour
    pairs: tuple[tuple[int, bytes], ...] = ()
    table: Mapping[Left, int] = field(default_factory=dict)
    flags: frozenset[str] = frozenset()
    rest: Sequence[int | str] = ()
    yes: bool = False


WHOLE = Whole(Left(2**127), None, Colour.BLUE, ((-1, b"\x00"),), {Left(1): 2}, frozenset({"a"}), (1, "b"), True)


def test_a_value_comes_back_as_it_was_kept() -> None:
    assert values.decode(Whole, values.encode(WHOLE, 3), 3) == WHOLE


@given(st.integers(-(2**200), 2**128))
@settings(max_examples=30)
def test_whole_numbers_of_any_size_lose_no_digit(number: int) -> None:
    kept = values.encode(Left(number), 1)
    if abs(number) < 10**39:
        assert values.decode(Left, kept, 1) == Left(number)


def test_fields_with_a_default_may_be_missing_in_an_older_record() -> None:
    kept = msgpack.packb([1, {"": "Whole", "hand": {"": "Right", "text": "x"}, "maybe": None, "colour": "red"}])
    assert values.decode(Whole, kept, 1) == Whole(Right("x"), None, Colour.RED)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ([2, {"": "Left", "number": 1}], "not of version 1"),
        ([1, {"": "Left", "number": "one"}], "str where int is expected"),
        ([1, {"": "Left", "number": True}], "bool where int is expected"),
        ([1, {"": "Left"}], "lacks number"),
        ([1, {"": "Left", "number": 1, "more": 2}], "has no 'more'"),
        ([1, {"": "Right", "text": ""}], "is no Left"),
        ([1, 7], "is no Left"),
        ({"a": 1}, "not of version 1"),
    ],
)
def test_a_record_of_another_shape_is_broken(record: object, reason: str) -> None:
    with pytest.raises(MalformedMessage, match=reason):
        values.decode(Left, msgpack.packb(record), 1)


@pytest.mark.parametrize(
    "change",
    [
        {"hand": {"": "Both"}},
        {"hand": 5},
        {"hand": {"": "Right", "text": "never"}},
        {"colour": "green"},
        {"maybe": 1},
        {"pairs": [[1]]},
        {"pairs": 4},
        {"table": [[1]]},
        {"table": {"a": 1}},
        {"flags": [1]},
        {"rest": [b"bytes"]},
        {"yes": 1},
    ],
)
def test_every_kind_of_field_is_judged(change: dict[str, object]) -> None:
    version, value = msgpack.unpackb(values.encode(WHOLE, 1))
    with pytest.raises(MalformedMessage):
        values.decode(Whole, msgpack.packb([version, {**value, **change}]), 1)


@given(st.binary(max_size=64))
@settings(max_examples=100)
def test_noise_is_broken_and_nothing_worse(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        values.decode(Whole, data, 1)


def test_a_record_cut_anywhere_is_broken() -> None:
    kept = values.encode(WHOLE, 1)
    for end in range(len(kept)):
        with pytest.raises(MalformedMessage):
            values.decode(Whole, kept[:end], 1)


def test_a_record_that_is_too_large_is_not_read() -> None:
    with pytest.raises(MalformedMessage, match="at most"):
        values.decode(Left, b"\x00" * (values.MAX_RECORD + 1), 1)


def test_what_cannot_be_kept_is_a_fault_of_ours() -> None:
    with pytest.raises(TypeError):
        values.encode(1.5, 1)
