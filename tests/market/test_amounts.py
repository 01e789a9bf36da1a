from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.errors import InvalidArgument
from darkswap_browser.market.amounts import (
    MAX_TEXT,
    format_amount,
    format_ratio,
    parse_amount,
    parse_decimal,
    price_of,
    total_for,
)
from darkswap_browser.market.assets import MAX_U128
from tests.support.examples import examples

decimals = st.integers(0, 38)
atoms = st.integers(1, MAX_U128)


@given(atoms, decimals)
def test_atoms_are_read_as_they_were_written(amount: int, places: int) -> None:
    text = format_amount(amount, places)
    assert parse_amount(text, places) == amount
    assert Fraction(text) == Fraction(amount, 10**places)
    assert "e" not in text and not text.endswith(".") and not ("." in text and text.endswith("0"))


@pytest.mark.parametrize(
    ("text", "places", "amount"),
    [
        ("1", 0, 1),
        ("0.015", 8, 1_500_000),
        ("1.50", 1, 15),
        ("007", 0, 7),
        (".5", 1, 5),
        ("0.00000001", 8, 1),
        ("1.000", 0, 1),
        (str(MAX_U128), 0, MAX_U128),
        ("3.40282366920938463463374607431768211455", 38, MAX_U128),
    ],
)
def test_decimal_text_is_whole_atoms(text: str, places: int, amount: int) -> None:
    assert parse_amount(text, places) == amount


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not a decimal number"),
        (".", "is not a decimal number"),
        ("1.", "is not a decimal number"),
        ("-1", "is not a decimal number"),
        ("+1", "is not a decimal number"),
        ("1e3", "is not a decimal number"),
        ("1,5", "is not a decimal number"),
        ("1.2.3", "is not a decimal number"),
        (" 1", "is not a decimal number"),
        ("1_000", "is not a decimal number"),
        ("0x10", "is not a decimal number"),
        ("١", "is not a decimal number"),
        ("²", "is not a decimal number"),
        ("inf", "is not a decimal number"),
        ("nan", "is not a decimal number"),
        ("1" * (MAX_TEXT + 1), "is not a decimal number"),
        ("0.001", "has more than 2 decimals"),
        ("0", "is not between one atom"),
        ("0.00", "is not between one atom"),
        (str(MAX_U128), "is not between one atom"),
    ],
)
def test_what_is_no_amount_is_refused_by_the_name_of_the_field(text: str, reason: str) -> None:
    with pytest.raises(InvalidArgument, match=reason) as refused:
        parse_amount(text, 2, "min_fill")
    assert refused.value.path == "min_fill"
    assert len(str(refused.value)) < 200


def test_a_decimal_may_be_nothing() -> None:
    assert parse_decimal("0.0", "price") == 0
    assert parse_decimal("0" * MAX_TEXT, "price") == 0
    assert format_amount(0, 8) == "0"


@pytest.mark.parametrize(
    ("base", "base_decimals", "quote", "quote_decimals", "price"),
    [
        (1_000, 0, 50_000, 8, "0.0000005"),
        (100_000_000, 8, 2_500_000, 2, "25000"),
        (3, 0, 1, 0, "0.333333333333"),
        (3, 0, 2, 0, "0.666666666667"),
        (1, 0, MAX_U128, 0, str(MAX_U128)),
        (1, 38, MAX_U128, 0, str(MAX_U128) + "0" * 38),
        (7, 0, 7, 0, "1"),
        (10**12, 0, 10**11, 0, "0.1"),
        (10**35, 0, 123456789012345, 0, "0.00000000000000000000123456789012"),
    ],
)
def test_a_price_is_quote_for_one_base(
    base: int, base_decimals: int, quote: int, quote_decimals: int, price: str
) -> None:
    assert price_of(base, base_decimals, quote, quote_decimals) == price


@given(st.fractions(min_value=Fraction(1, 10**25), max_value=10**20))
def test_a_price_is_right_to_eleven_digits(value: Fraction) -> None:
    assert abs(Fraction(format_ratio(value)) - value) <= value / 10**11


@given(st.integers(1, 10**12), st.integers(1, 10**12), st.integers(0, 12), st.integers(0, 12))
@settings(max_examples=examples(60))
def test_a_total_at_a_price_is_rounded_by_less_than_an_atom(price: int, base: int, places: int, quotes: int) -> None:
    text = format_amount(price, 6)
    exact = Fraction(price, 10**6) * Fraction(base * 10**quotes, 10**places)
    if exact < 1:
        with pytest.raises(InvalidArgument, match="a total of nothing"):
            total_for(text, base, places, quotes, up=False)
        assert total_for(text, base, places, quotes, up=True) == 1
    else:
        down, up = (total_for(text, base, places, quotes, up=up) for up in (False, True))
        assert exact - 1 < down <= exact <= up < exact + 1
        assert down == up or exact.denominator > 1


def test_a_total_beyond_all_amounts_is_refused_as_a_price_that_is_none() -> None:
    assert total_for("1", MAX_U128, 0, 0, up=True) == MAX_U128
    with pytest.raises(InvalidArgument, match="more than there can be") as refused:
        total_for("2", MAX_U128, 0, 0, up=True)
    assert refused.value.path == "price"
    for price in ("0", "free"):
        with pytest.raises(InvalidArgument) as refused:
            total_for(price, 1, 0, 0, up=True)
        assert refused.value.path == "price"
