from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkswap_browser.errors import MalformedMessage
from darkswap_browser.wire.cursor import Cursor


def test_integers_are_big_endian_and_in_order() -> None:
    cursor = Cursor(bytes.fromhex("01 0203 04050607 08090a0b0c0d0e0f ac02 02 aabb"), "thing")
    assert (cursor.u8(), cursor.u16(), cursor.u32()) == (1, 0x0203, 0x04050607)
    assert cursor.u64() == 0x08090A0B0C0D0E0F
    assert cursor.varint() == 300
    assert cursor.prefixed() == b"\xaa\xbb"
    assert cursor.remaining == 0
    cursor.expect_end()


def test_running_out_names_the_structure_and_does_not_advance() -> None:
    cursor = Cursor(b"abc", "thing")
    with pytest.raises(MalformedMessage, match="malformed thing: needs 4 more bytes and has 3"):
        cursor.u32()
    assert cursor.take(3) == b"abc"


def test_bytes_left_over_are_an_error_where_an_end_is_expected() -> None:
    with pytest.raises(MalformedMessage, match="2 bytes too many"):
        Cursor(b"ab", "thing").expect_end()


def test_an_announced_length_beyond_the_end_is_refused_before_anything_is_copied() -> None:
    with pytest.raises(MalformedMessage):
        Cursor(b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "thing").prefixed()


@given(st.binary(max_size=64), st.lists(st.integers(0, 20)))
def test_takes_add_up_to_the_data(data: bytes, counts: list[int]) -> None:
    cursor = Cursor(data, "thing")
    out = b""
    for count in counts:
        try:
            out += cursor.take(count)
        except MalformedMessage:
            assert count > cursor.remaining
    assert data.startswith(out) and len(out) == cursor.position == len(data) - cursor.remaining
