"""Each kind of field at both sides of its limit, and where and why a record is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkswap_browser.errors import InvalidArgument, MalformedMessage
from darkswap_browser.wire.fields import (
    Absent,
    BigEndian,
    Choice,
    Data,
    Digits,
    Exactly,
    Flag,
    Hex,
    Kind,
    Large,
    Maybe,
    Misfit,
    RawHash,
    Real,
    Text,
    Whole,
)
from darkswap_browser.wire.records import (
    Converted,
    Listed,
    OneOf,
    Record,
    Row,
    Settings,
    pack,
    read_argument,
    read_message,
    unpack,
)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int

    def __post_init__(self) -> None:
        if self.x == self.y == 99:
            raise InvalidArgument("x", "is never that", "Choose another.")


@dataclass(frozen=True, slots=True)
class Shape:
    corners: tuple[Point, ...]
    colour: Colour
    name: str


POINT = Record(Point, ("x", Whole(99)), ("y", Absent(Whole(99), 5)), unknown="is not known")
SHAPE = Record(Shape, ("corners", Listed(POINT, 2, 1)), ("colour", Choice(Colour)), ("name", Text(5, 1)))
SETTINGS = Settings({"x": Whole(99), "y": Whole(99)}, "is not a setting")
PAIR = Row(Point, lambda point: (point.x, point.y), ("x", Whole(9)), ("y", Whole(9)))
TAGGED: OneOf[Any] = OneOf(
    Record(Point, ("x", Whole(99)), ("y", Whole(99)), tag="point"),
    Record(Shape, ("c", Listed(POINT, 2)), ("k", Choice(Colour)), ("n", Text(5)), tag="shape"),
)
WIDE = 2**128 - 1

FITTING: list[tuple[Kind[Any], object, object]] = [
    (Text(3, 1), "a", "a"),
    (Text(3, 1), "abc", "abc"),
    (Hex(2), "00ff", "00ff"),
    (Data(3, 1), b"a", b"a"),
    (Data(3, 1), b"abc", b"abc"),
    (RawHash(), bytes(32), "00" * 32),
    (Whole(5, 2), 2, 2),
    (Whole(5, 2), 5, 5),
    (Digits(WIDE), str(WIDE), WIDE),
    (Digits(WIDE), "0", 0),
    (Large(WIDE), 2**63 - 1, 2**63 - 1),
    (Large(WIDE), str(2**63), 2**63),
    (Large(WIDE), str(WIDE), WIDE),
    (BigEndian(16), b"\xff" * 16, WIDE),
    (BigEndian(16), b"\x01", 1),
    (Real("seconds", 5, 1), 1, 1.0),
    (Real("seconds", 5), 5, 5.0),
    (Real("seconds", 5), 0.5, 0.5),
    (Flag(), False, False),
    (Choice(Colour), "red", Colour.RED),
    (Exactly(1), 1, 1),
    (Maybe(Whole(1)), None, None),
    (Maybe(Whole(1)), 1, 1),
    (Listed(Whole(1), 2, 1), [0], (0,)),
    (Listed(Whole(1), 2, 1), [0, 1], (0, 1)),
    (PAIR, [1, 2], Point(1, 2)),
    (POINT, {"x": 99, "y": 0}, Point(99, 0)),
    (TAGGED, {"": "point", "x": 1, "y": 2}, Point(1, 2)),
    (SETTINGS, {"x": 1, "y": 2}, {"x": 1, "y": 2}),
    (Converted(Text(9), int, str), "12", 12),
]
MISFITS: list[tuple[Kind[Any], list[object]]] = [
    (Text(3, 1), ["", "abcd", b"a", None, 1, "\ud83d"]),
    (Hex(2), ["00f", "00fff", "00FF", "00fg", b"00ff", None]),
    (Data(3, 1), [b"", b"abcd", "a", None]),
    (RawHash(), [bytes(31), bytes(33), "00" * 32]),
    (Whole(5, 2), [1, 6, True, 2.0, "2", None]),
    (Digits(WIDE), [str(WIDE + 1), "00", "01", "-1", "", "1" * 40, "٣", 1, None]),
    (Large(WIDE), [-1, WIDE + 1, str(WIDE + 1), True, None]),
    (BigEndian(16), [b"", bytes(17), 1]),
    (Real("seconds", 5, 1), [0.99, 5.01, 0, True, "2", None, float("nan"), float("inf")]),
    (Real("seconds", 5), [0, -1, 5.01, None]),
    (Flag(), [0, 1, None, "true"]),
    (Choice(Colour), ["green", "RED", "", None, 1]),
    (Exactly(1), [2, True, "1", None]),
    (Maybe(Whole(1)), [2, False]),
    (Listed(Whole(1), 2, 1), [[], [0, 0, 0], [2], None, {}, "ab"]),
    (PAIR, [[1], [1, 2, 3], [10, 0], None, {}]),
    (POINT, [[], None, {}, {"x": 100}, {"x": 1, "y": 1, "z": 1}, {"x": 99, "y": 99}, {1: 2, "x": 1}]),
    (SETTINGS, [[], None, {"z": 1}, {"z": None}, {"x": 100}]),
    (TAGGED, [{}, {"": "line"}, {"": 7}, {"": ["point"]}, [], None, {"": "point", "x": 1}]),
]


@pytest.mark.parametrize(("kind", "plain", "value"), FITTING)
def test_value_within_the_limits_is_read_and_written_back(kind: Kind[Any], plain: object, value: object) -> None:
    assert kind.read(plain) == value
    assert kind.plain(value) == plain


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in MISFITS for value in values])
def test_value_beyond_the_limits_is_a_misfit(kind: Kind[Any], value: object) -> None:
    with pytest.raises(Misfit):
        kind.read(value)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text() | st.binary(), st.lists, max_leaves=9))
def test_any_value_is_read_or_a_misfit(value: object) -> None:
    for kind, *_ in FITTING:
        try:
            kind.read(value)
        except (Misfit, ValueError) as error:
            assert isinstance(error, Misfit) or isinstance(kind, Converted)


def _shape(**changes: object) -> dict[str, object]:
    return {"corners": [{"x": 1}, {"x": 2, "y": 3}], "colour": "red", "name": "abc"} | changes


@pytest.mark.parametrize(
    ("changes", "path", "reason", "hint"),
    [
        ({"corners": 5}, "corners", "is not a list", ""),
        ({"corners": []}, "corners", "has 0 entries, not 1 to 2", ""),
        ({"corners": [{"x": 1}, {"x": "a"}]}, "corners[1].x", "is not a whole number from 0 to 99", ""),
        ({"corners": [{"x": 1, "z": 1}]}, "corners[0].z", "is not known", "Known here: x, y."),
        ({"corners": [{}]}, "corners[0].x", "is missing", ""),
        ({"corners": [{"x": 99, "y": 99}]}, "corners[0]", "x is never that", "Choose another."),
        ({"colour": "green"}, "colour", "is 'green'", "One of red, blue."),
        ({"name": "abcdef"}, "name", "has 6 characters, not 1 to 5", ""),
        ({"name": 5}, "name", "is not a text", ""),
    ],
)
def test_refused_value_is_named_by_path_reason_and_hint(
    changes: dict[str, object], path: str, reason: str, hint: str
) -> None:
    with pytest.raises(InvalidArgument) as raised:
        read_argument(SHAPE, "shape", _shape(**changes))
    assert (raised.value.path, raised.value.reason) == (f"shape.{path}", reason)
    assert raised.value.hint == (hint or f"Check shape.{path}.")
    with pytest.raises(InvalidArgument) as bare:
        read_argument(SHAPE, "", _shape(**changes))
    assert bare.value.path == path
    with pytest.raises(MalformedMessage) as malformed:
        read_message(SHAPE, "shape", _shape(**changes))
    assert malformed.value.reason == f"{path} {reason}"


def test_unknown_key_is_ignored_where_that_is_declared() -> None:
    assert read_message(SHAPE, "shape", _shape(more=1)).name == "abc"


def test_setting_that_is_null_is_left_out() -> None:
    assert SETTINGS.read({"x": 1, "y": None}) == {"x": 1}


def test_missing_member_with_a_default_is_that_default() -> None:
    assert POINT.read({"x": 1}) == Point(1, 5)


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x81\xa1x", b"\x93\x01", msgpack.packb({"x": 1}) + b"\x00"])
def test_bytes_that_are_no_msgpack_are_malformed(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        unpack(POINT, "point", data, max_size=100, max_depth=4)


def test_bytes_of_the_largest_size_and_depth_are_read_and_no_more() -> None:
    anything: Converted[object] = Converted(Anything(), lambda value: value, lambda value: value)
    data = pack(anything, [[1]])
    assert unpack(anything, "list", data, max_size=len(data), max_depth=2) == [[1]]
    for limits in ({"max_size": len(data) - 1, "max_depth": 2}, {"max_size": len(data), "max_depth": 1}):
        with pytest.raises(MalformedMessage):
            unpack(anything, "list", data, **limits)


class Anything(Kind[object]):
    def read(self, value: Any) -> object:
        return value


@pytest.mark.parametrize(
    "declare",
    [
        lambda: Record(Point, ("x", Whole(1))),
        lambda: OneOf(Record(Point, ("x", Whole(1)), ("y", Whole(1)))),
        lambda: OneOf(*(Record(Point, ("x", Whole(1)), ("y", Whole(1)), tag="same") for _ in range(2))),
    ],
)
def test_declaration_that_cannot_be_is_a_fault_of_ours(declare: Callable[[], object]) -> None:
    with pytest.raises(TypeError):
        declare()
