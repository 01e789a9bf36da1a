from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkswap_browser.errors import MalformedMessage
from darkswap_browser.wire.multibase import MAX_TEXT, b58decode, b58encode, multibase_decode, multibase_encode

# https://github.com/multiformats/multibase/blob/master/tests/basic.csv and leading_zero.csv
CASES = [
    ("f", b"yes mani !", "f796573206d616e692021"),
    ("b", b"yes mani !", "bpfsxgidnmfxgsibb"),
    ("B", b"yes mani !", "BPFSXGIDNMFXGSIBB"),
    ("k", b"yes mani !", "k2lcpzo5yikidynfl"),
    ("z", b"yes mani !", "z7paNL19xttacUY"),
    ("u", b"yes mani !", "ueWVzIG1hbmkgIQ"),
    ("f", b"\x00yes mani !", "f00796573206d616e692021"),
    ("b", b"\x00yes mani !", "bab4wk4zanvqw42jaee"),
    ("k", b"\x00yes mani !", "k02lcpzo5yikidynfl"),
    ("z", b"\x00yes mani !", "z17paNL19xttacUY"),
    ("u", b"\x00yes mani !", "uAHllcyBtYW5pICE"),
]


@pytest.mark.parametrize(("prefix", "data", "text"), CASES)
def test_both_ways(prefix: str, data: bytes, text: str) -> None:
    assert multibase_encode(prefix, data) == text
    assert multibase_decode(text) == data


@given(st.sampled_from("zkbBfu"), st.binary(max_size=80))
def test_round_trip(prefix: str, data: bytes) -> None:
    assert multibase_decode(multibase_encode(prefix, data)) == data


@given(st.binary(max_size=60))
def test_base58_keeps_leading_zeros(data: bytes) -> None:
    assert b58decode(b58encode(b"\0\0" + data)) == b"\0\0" + data


@pytest.mark.parametrize(
    "text", ["", "x", "zO", "z0", "z é", "bpfsxgidnmfxgsibB", "b1", "bpfsxgidnmfxgsibb=", "baf", "f0", "fAB", "f 0 1",
             "u=", "ueWVzIG1hbmkgIR", "u+/", "mAAAA", "k_", "K2LC"],
)  # fmt: skip
def test_what_no_encoder_writes_is_refused(text: str) -> None:
    with pytest.raises(MalformedMessage):
        multibase_decode(text)


@pytest.mark.parametrize("prefix", "zkbfu")
def test_long_text_is_refused_by_its_length(prefix: str) -> None:
    with pytest.raises(MalformedMessage, match="at most"):
        multibase_decode(prefix + "a" * (MAX_TEXT + 1))


@given(st.text(max_size=60))
def test_any_text_gives_bytes_or_malformed(text: str) -> None:
    try:
        assert multibase_encode(text[:1], multibase_decode(text)) == text
    except MalformedMessage as error:
        assert str(error)
