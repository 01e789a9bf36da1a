from __future__ import annotations

import json
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkswap_browser.errors import MalformedMessage
from darkswap_browser.wire.parsing import parse_json, unpack_msgpack

LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    LEAVES | st.binary(),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(), inner, max_size=20),
    max_leaves=30,
)
JSON_VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=30
)


def nested(depth: int, inner: Any = 7) -> Any:
    """`inner` in lists and maps, by turns, `depth` of them in all."""
    for level in range(depth):
        inner = [inner, "x" * 300] if level % 2 else {"key": inner, "other": [] if level > 2 else None}
    return inner


def depth_of(value: Any) -> int:
    """Levels of nesting; an empty container is a value."""
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list) or not value:
        return 0
    return 1 + max(map(depth_of, value))


@given(JSON_VALUES)
def test_parse_json_any_value_comes_back(value: object) -> None:
    assert parse_json("value", json.dumps(value), 100) == value
    assert parse_json("value", json.dumps(value).encode(), 100) == value


@given(VALUES)
def test_unpack_msgpack_any_value_comes_back(value: object) -> None:
    assert unpack_msgpack("value", msgpack.packb(value), 100) == value


@given(VALUES)
def test_unpack_msgpack_at_its_depth_is_read_and_beyond_it_refused(value: object) -> None:
    data = msgpack.packb(value)
    depth = depth_of(value)
    assert unpack_msgpack("value", data, depth) == value
    if depth:
        with pytest.raises(MalformedMessage, match=f"nested more than {depth - 1} deep"):
            unpack_msgpack("value", data, depth - 1)


@pytest.mark.parametrize("depth", [1, 2, 5, 24])
def test_parse_json_at_its_depth_is_read_and_beyond_it_refused(depth: int) -> None:
    text = json.dumps(nested(depth, inner='["{[\\"'))
    assert parse_json("value", text, depth + 1) == json.loads(text)
    with pytest.raises(MalformedMessage, match=f"nested more than {depth - 1} deep"):
        parse_json("value", text, depth - 1)


@pytest.mark.parametrize("text", ["[" * 30_000, '{"a":' * 30_000, "[[" * 500_000, ("[" * 99 + "]" * 99) * 1000])
def test_parse_json_deep_text_of_a_stranger_is_refused(text: str) -> None:
    with pytest.raises(MalformedMessage):
        parse_json("value", text, 16)


@pytest.mark.parametrize(
    "data",
    [b"\x91" * 30_000, b"\x81\xa0" * 30_000, b"\xdc\x00\x01" * 10_000, b"\xdf\x00\x00\x00\x01\x00" * 5_000],
    ids=["fixarray", "fixmap", "array 16", "map 32"],
)
def test_unpack_msgpack_deep_data_of_a_stranger_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedMessage, match="nested more than 16 deep"):
        unpack_msgpack("value", data, 16, strict_map_key=False)


@given(st.binary(max_size=200))
def test_unpack_msgpack_any_bytes_give_a_value_or_malformed_message(data: bytes) -> None:
    try:
        unpack_msgpack("value", data, 16, strict_map_key=False)
    except MalformedMessage:
        pass


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_parse_json_any_text_gives_a_value_or_malformed_message(text: str | bytes) -> None:
    try:
        parse_json("value", text, 16)
    except MalformedMessage:
        pass


@pytest.mark.parametrize("cut", range(1, 12))
def test_unpack_msgpack_cut_data_is_malformed(cut: int) -> None:
    data = msgpack.packb({"text": "0123456789", "list": [1, 2, {"a": b"bytes"}]})
    with pytest.raises(MalformedMessage, match="not msgpack"):
        unpack_msgpack("value", data[:-cut], 16)
