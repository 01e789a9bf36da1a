"""Integers, as ord's crates/ordinals/src/varint.rs reads and writes them; ids."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.bitcoin.runes.ids import MAX_U128, RuneId, read_varints, write_varint
from tests.bitcoin.runes.cases import U128
from tests.support.examples import examples

PAD = b"\x80" * 18


def alternating() -> list[int]:
    values, value = [], 0
    for bit in range(129):
        value = (value << 1 | bit & 1) & MAX_U128
        values.append(value)
    return values


@pytest.mark.parametrize(
    "values", [[0, MAX_U128], [1 << bit for bit in range(128)], alternating()], ids=["ends", "powers", "alternating"]
)
def test_what_is_written_is_read(values: list[int]) -> None:
    written = [write_varint(value) for value in values]
    assert read_varints(b"".join(written)) == values
    assert all(len(data) == max(1, -(-value.bit_length() // 7)) for data, value in zip(written, values, strict=True))


@pytest.mark.parametrize(
    ("data", "values"),
    [
        (b"", []),
        (b"\x7f\x80\x01\xff\x7f", [127, 128, 16383]),
        (b"\x80\x00", [0]),
        (b"\x81\x80\x80\x00\x05", [1, 5]),
        (PAD + b"\x00", [0]),
        (PAD + b"\x02", [1 << 127]),
        (b"\xff" * 18 + b"\x03", [MAX_U128]),
    ],
    ids=["nothing", "shortest", "padded", "padded and another", "19 bytes of 0", "19 bytes", "largest"],
)
def test_integers_of_up_to_nineteen_bytes_are_read(data: bytes, values: list[int]) -> None:
    assert read_varints(data) == values


@pytest.mark.parametrize(
    "data",
    [
        PAD + b"\x80\x00",
        *(PAD + bytes([1 << bit]) for bit in range(2, 7)),
        b"\xff" * 18 + b"\x07",
        b"\x80",
        b"\x05" + PAD,
    ],
    ids=["20 bytes", *(f"bit {126 + bit}" for bit in range(2, 7)), "larger than 128 bits", "cut", "cut after one"],
)
def test_integers_too_long_too_large_or_cut_are_none(data: bytes) -> None:
    assert read_varints(data) is None
    assert read_varints(b"\x01" + data) is None


@settings(max_examples=examples(100))
@given(st.lists(U128, max_size=6))
def test_any_integers_come_back(values: list[int]) -> None:
    assert read_varints(b"".join(map(write_varint, values))) == values


@settings(max_examples=examples(100))
@given(st.binary(max_size=60))
def test_any_bytes_are_integers_or_none(data: bytes) -> None:
    values = read_varints(data)
    assert values is None or all(0 <= value <= MAX_U128 for value in values)


def test_ids_are_ordered_by_block_and_then_by_transaction() -> None:
    ids = [RuneId(3, 1), RuneId(4, 2), RuneId(1, 2), RuneId(1, 1), RuneId(2, 0)]
    assert list(map(str, sorted(ids))) == ["1:1", "1:2", "2:0", "3:1", "4:2"]
