from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkswap_browser.errors import MalformedMessage
from darkswap_browser.wire.varint import MAX_VARINT, decode_varint, decode_varint_prefix, encode_varint
from tests.support.hostile import assert_only_malformed

# https://github.com/multiformats/unsigned-varint
CASES = [(0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (255, "ff01"), (300, "ac02"), (16384, "808001"),
         (MAX_VARINT, "ffffffffffffffff7f")]  # fmt: skip


@pytest.mark.parametrize(("value", "data"), CASES)
def test_both_ways(value: int, data: str) -> None:
    assert encode_varint(value).hex() == data
    assert decode_varint(bytes.fromhex(data)) == (value, len(data) // 2)


@pytest.mark.parametrize("data", ["8000", "808000", "ff8000", "80808080808080808000"])
def test_a_longer_form_than_needed_is_refused(data: str) -> None:
    with pytest.raises(MalformedMessage):
        decode_varint(bytes.fromhex(data))


def test_more_than_63_bits_are_refused() -> None:
    with pytest.raises(MalformedMessage, match="longer than 9 bytes"):
        decode_varint(b"\xff" * 9 + b"\x01")


@pytest.mark.parametrize("value", [-1, MAX_VARINT + 1])
def test_values_out_of_range_cannot_be_written(value: int) -> None:
    with pytest.raises(ValueError):
        encode_varint(value)


@given(st.integers(0, MAX_VARINT), st.binary(max_size=8))
def test_round_trip_with_anything_behind(value: int, rest: bytes) -> None:
    data = encode_varint(value)
    assert decode_varint(data + rest) == (value, len(data))
    assert all(decode_varint_prefix(data[:cut]) is None for cut in range(len(data)))


@given(st.binary(max_size=16))
def test_any_bytes_give_a_value_or_malformed(data: bytes) -> None:
    assert_only_malformed(decode_varint, data)
