"""What lies in a store may be of another version, cut, or anything else; only `MalformedMessage` comes out."""

from __future__ import annotations

from dataclasses import dataclass, make_dataclass
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.errors import MalformedMessage
from darkswap_browser.storage import codec
from darkswap_browser.storage.codec import stored
from darkswap_browser.storage.orders import ORDER_RECORD
from darkswap_browser.storage.trades import TRADE_RECORD
from darkswap_browser.wire.fields import Kind, Whole
from tests.golden.stored import CASES
from tests.support.examples import examples
from tests.support.hostile import assert_only_malformed, mutations


@dataclass(frozen=True, slots=True)
class Left:
    number: int


LEFT = stored(Left, "Left", ("number", Whole(99)))
KINDS: tuple[Kind[Any], ...] = (TRADE_RECORD, ORDER_RECORD)
SAMPLES = [(kind, case.data) for kind in KINDS for case in CASES if case.name.startswith(("trade 3", "order, with"))]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ([2, {"": "Left", "number": 1}], "is 2, not 1"),
        ([True, {"": "Left", "number": 1}], "is True, not 1"),
        ([1, {"": "Left", "number": "one"}], "number is not a whole number"),
        ([1, {"": "Left", "number": True}], "number is not a whole number"),
        ([1, {"": "Left"}], "number is missing"),
        ([1, {"": "Left", "number": 1, "more": 2}], "more is not known"),
        ([1, {"": "Right", "number": 1}], "is not Left"),
        ([1, {"number": 1}], "is not Left"),
        ([1, 7], "is not an object"),
        ([1], "is not a list of 2"),
        ({"a": 1}, "is not a list of 2"),
    ],
)
def test_record_of_another_shape_is_malformed(record: object, reason: str) -> None:
    with pytest.raises(MalformedMessage, match=reason):
        codec.decode(LEFT, msgpack.packb(record), 1)


@pytest.mark.parametrize(("kind", "data"), SAMPLES[:2])
def test_record_cut_anywhere_is_malformed(kind: Kind[Any], data: bytes) -> None:
    for end in range(0, len(data), 7):
        with pytest.raises(MalformedMessage):
            codec.decode(kind, data[:end], 1)


@given(st.binary(max_size=64))
@settings(max_examples=examples(100))
def test_noise_is_malformed(data: bytes) -> None:
    for kind in KINDS:
        with pytest.raises(MalformedMessage):
            codec.decode(kind, data, 1)


@given(st.data())
@settings(max_examples=examples(200), deadline=None)
def test_damaged_record_is_malformed_or_a_record(data: st.DataObject) -> None:
    kind, whole = data.draw(st.sampled_from(SAMPLES))
    assert_only_malformed(lambda each: codec.decode(kind, each, 1), data.draw(mutations(whole)))


def test_record_of_the_largest_size_is_read_and_a_larger_one_is_not() -> None:
    with pytest.raises(MalformedMessage, match="not msgpack"):
        codec.decode(LEFT, b"\xc1" * codec.MAX_RECORD, 1)
    with pytest.raises(MalformedMessage, match="at most"):
        codec.decode(LEFT, b"\xc1" * (codec.MAX_RECORD + 1), 1)


def test_class_and_attributes_of_other_names_are_stored_as_before() -> None:
    renamed = make_dataclass("Renamed", [("counted", int)], frozen=True)
    data = codec.encode(LEFT, Left(7), 1)
    other = stored(renamed, "Left", ("number", Whole(99)))
    assert codec.encode(other, renamed(7), 1) == data
    assert codec.decode(other, data, 1) == renamed(7)


def test_class_with_a_field_that_has_no_key_cannot_be_declared() -> None:
    with pytest.raises(TypeError, match="2 fields and 1 keys"):
        stored(make_dataclass("Grown", [("number", int), ("more", int)]), "Left", ("number", Whole(99)))
