from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.chain.json_text import MAX_DEPTH, MAX_JSON, JsonValue, parse
from darkswap_browser.errors import ChainInconsistent

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**128), 2**128 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def of(text: str) -> JsonValue:
    return parse(text.encode(), "server")


def refusal(text: str | bytes) -> str:
    with pytest.raises(ChainInconsistent) as caught:
        parse(text.encode() if isinstance(text, str) else text, "server")
    assert caught.value.source == "server"
    return caught.value.reason


@given(PLAIN)
@settings(max_examples=25)
def test_json_without_fractions_comes_out_as_it_went_in(value: object) -> None:
    assert of(json.dumps(value)).value == value


@given(st.binary(max_size=60))
@settings(max_examples=100)
def test_any_bytes_are_json_or_refused(data: bytes) -> None:
    try:
        parse(data, "server")
    except ChainInconsistent:
        pass


def test_whole_numbers_keep_every_digit() -> None:
    assert of(str(2**128 - 1)).integer() == 2**128 - 1
    assert of('{"a": [18446744073709551617]}').member("a").items()[0].integer() == 2**64 + 1


def test_fractions_are_exact_and_never_whole_numbers() -> None:
    assert of("1.1").fraction(10) == Decimal("1.1")
    assert of("3").fraction(10) == 3
    with pytest.raises(ChainInconsistent, match="is no whole number"):
        of("1.0").integer()
    for huge in ("1e999999999", "-0.1", "11", "1e-9999999999999999999999"):
        with pytest.raises(ChainInconsistent):
            of(huge).fraction(10)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not JSON"),
        ("<html>busy</html>", "is not JSON"),
        (b"\xff", "is not JSON"),
        ("NaN", "NaN"),
        ("[-Infinity]", "-Infinity"),
        ('{"a": 1, "a": 2}', "twice"),
        ("9" * 41, "digits"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "deep"),
        ("[" * 100_000, "deep"),
        (b" " * (MAX_JSON + 1), "bytes"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_good_json_is_refused(text: str | bytes, reason: str) -> None:
    assert reason in refusal(text)


def test_brackets_in_texts_are_not_depth() -> None:
    assert of(json.dumps(['["\\' * 100])).items()[0].text() == '["\\' * 100
    deepest = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert of(deepest).is_list


def test_a_wrong_value_is_named_by_its_path() -> None:
    answer = of('{"status": [{"height": "x"}]}')
    with pytest.raises(ChainInconsistent, match=r"server: answer\.status\[0\]\.height is no whole number"):
        answer.member("status").items()[0].member("height").integer()


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("true", lambda node: node.integer()),
        ("-1", lambda node: node.integer()),
        ("300", lambda node: node.integer(255)),
        ("[]", lambda node: node.member("a")),
        ("{}", lambda node: node.member("a")),
        ("1", lambda node: node.get("a")),
        ("{}", lambda node: node.items()),
        ("[]", lambda node: node.entries()),
        ("0", lambda node: node.boolean()),
        ("null", lambda node: node.text()),
        ('"\\ud800"', lambda node: node.text()),
        ('"abc"', lambda node: node.text(2)),
        ('"0xgg"', lambda node: node.data(9)),
        ('"abc"', lambda node: node.data(9)),
        ('"aabbcc"', lambda node: node.data(2)),
        (f'"{"A" * 64}"', lambda node: node.hash()),
        ('"١"', lambda node: node.number()),
        ('"1_0"', lambda node: node.number()),
        ('"-1"', lambda node: node.number()),
        ('""', lambda node: node.number()),
        (f'"0x{"f" * 33}"', lambda node: node.number()),
        (f'"{"9" * 39}"', lambda node: node.number()),
        ('"1.5"', lambda node: node.fraction(9)),
    ],
)
def test_each_accessor_refuses_what_it_is_not(text: str, read: Callable[[JsonValue], object]) -> None:
    with pytest.raises(ChainInconsistent):
        read(of(text))


def test_numbers_may_be_written_as_texts() -> None:
    assert [of(text).number() for text in ("5", '"5"', '"0x10"', f'"0x{"f" * 32}"', f'"{2**128 - 1}"')] == [
        5, 5, 16, 2**128 - 1, 2**128 - 1]  # fmt: skip


def test_null_is_absent_for_get_and_there_for_member() -> None:
    answer = of('{"a": null}')
    assert answer.get("a") is None and answer.get("b") is None
    assert answer.member("a").is_null
