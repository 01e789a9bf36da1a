"""Names of runes, by ord's crates/ordinals/src/rune.rs and spaced_rune.rs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.bitcoin.runes.ids import MAX_U128
from darkswap_browser.bitcoin.runes.names import MAX_NAME, RESERVED, name_of, number_of, parse_spaced, with_spacers
from darkswap_browser.errors import InvalidArgument
from darkswap_browser.regtest.indexes import rune_names
from tests.bitcoin.runes.cases import U128
from tests.support.examples import examples


@pytest.mark.parametrize(
    ("number", "name"),
    [
        *((index, chr(ord("A") + index)) for index in range(26)),
        (26, "AA"),
        (27, "AB"),
        (51, "AZ"),
        (52, "BA"),
        (RESERVED, "A" * 27),
        (RESERVED - 1, "Z" * 26),
        (2055900680524219742, "UNCOMMONGOODS"),
        (MAX_U128 - 2, "BCGDENLQRQWDSLRUGSNLBTMFIJAT"),
        (MAX_U128 - 1, "BCGDENLQRQWDSLRUGSNLBTMFIJAU"),
        (MAX_U128, "BCGDENLQRQWDSLRUGSNLBTMFIJAV"),
    ],
)
def test_a_name_is_its_number(number: int, name: str) -> None:
    assert (name_of(number), number_of(name)) == (name, number)


@pytest.mark.parametrize(
    "name", ["", "a", "A•B", "A.B", "Ä", "A B", "?", "BCGDENLQRQWDSLRUGSNLBTMFIJAW", "Z" * 28, "A" * 29, "A" * 10**6]
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgument):
        number_of(name)


@pytest.mark.parametrize(
    ("text", "name", "spacers"),
    [
        ("A", "A", 0),
        ("A.B", "AB", 0b1),
        ("A.B•C", "ABC", 0b11),
        ("UNCOMMON•GOODS", "UNCOMMONGOODS", 128),
        ("•".join("BCGDENLQRQWDSLRUGSNLBTMFIJAV"), "BCGDENLQRQWDSLRUGSNLBTMFIJAV", 0x07FFFFFF),
    ],
)
def test_spacers_are_bits_by_letter(text: str, name: str, spacers: int) -> None:
    assert parse_spaced(text) == (name, spacers)
    assert with_spacers(name, spacers) == text.replace(".", "•")


def test_spacers_stand_between_letters_only() -> None:
    assert with_spacers("A", 1) == "A"
    assert with_spacers("AB", 0xFFFFFFFF) == "A•B"


def test_spacers_make_no_other_rune() -> None:
    assert number_of(parse_spaced("DOG•X")[0]) == number_of(parse_spaced("DO•GX")[0])


@pytest.mark.parametrize("text", ["", "•", ".A", "A•", "A..B", "A•.B", "Ax", "A B", "Z" * 28, "A•" * 30, "A" * 10**6])
def test_what_is_no_spaced_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        parse_spaced(text)


@settings(max_examples=examples(100))
@given(U128, st.integers(0, 2**32 - 1))
def test_any_number_comes_back_from_its_name(number: int, spacers: int) -> None:
    name = name_of(number)
    assert (number_of(name), len(name) <= MAX_NAME) == (number, True)
    assert parse_spaced(with_spacers(name, spacers)) == (name, spacers & (1 << (len(name) - 1)) - 1)
    assert name == rune_names.text_of(number)
    assert with_spacers(name, spacers) == rune_names.spaced(number, spacers)


@settings(max_examples=examples(100))
@given(st.text(max_size=12) | st.text("AZ.•b", max_size=12))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    try:
        name, spacers = parse_spaced(text)
    except InvalidArgument:
        return
    assert with_spacers(name, spacers) == text.replace(".", "•")
