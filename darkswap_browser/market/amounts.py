"""Amounts between people and the machine: decimal text in display units ⇄ whole atoms. Integers only."""

from __future__ import annotations

from fractions import Fraction

from darkswap_browser.errors import InvalidArgument
from darkswap_browser.market.assets import MAX_U128

MAX_TEXT = 80
"""Characters: 39 digits of a u128, 38 decimals, a point, and room."""


def parse_amount(text: str, decimals: int, path: str = "amount") -> int:
    """Atoms of a decimal text such as "0.015". Raises `InvalidArgument` for what is not one, has more decimals than
    the asset, is not positive, or is larger than 128 bits.
    """
    value = parse_decimal(text, path) * Fraction(10**decimals)
    if value.denominator != 1:
        raise InvalidArgument(path, f"has more than {decimals} decimals")
    if not 0 < value <= MAX_U128:
        raise InvalidArgument(path, "is not between one atom and the largest amount")
    return int(value)


def parse_decimal(text: str, path: str) -> Fraction:
    """A non-negative decimal text as an exact fraction."""
    whole, point, rest = text.partition(".")
    digits = whole + rest
    if len(text) > MAX_TEXT or not digits.isascii() or not digits.isdigit() or (point and not rest):
        raise InvalidArgument(path, f"{text[:MAX_TEXT]!r} is not a decimal number", "Write it as 1 or 0.25.")
    return Fraction(int(digits), 10 ** len(rest))


def format_amount(atoms: int, decimals: int) -> str:
    """Exact, without an exponent and without zeros at the end: 1500 with 3 decimals is "1.5"."""
    whole, rest = divmod(atoms, 10**decimals)
    fraction = f"{rest:0{decimals}d}".rstrip("0") if decimals else ""
    return f"{whole}.{fraction}" if fraction else str(whole)


def format_ratio(value: Fraction, digits: int = 12) -> str:
    """A price: exact where `digits` significant decimals suffice, else rounded to them (half up)."""
    scale = digits
    while scale < MAX_TEXT // 2 and 0 < value * Fraction(10**scale) < 10 ** (digits - 1):
        scale += 1
    return format_amount(int(value * Fraction(10**scale) + Fraction(1, 2)), scale)


def price_of(base_atoms: int, base_decimals: int, quote_atoms: int, quote_decimals: int) -> str:
    """Quote per one base, both in display units."""
    return format_ratio(Fraction(quote_atoms * 10**base_decimals, base_atoms * 10**quote_decimals))


def total_for(price: str, base_atoms: int, base_decimals: int, quote_decimals: int, *, up: bool) -> int:
    """Quote atoms for `base_atoms` at `price`; a part of an atom is rounded `up` or down. Raises `InvalidArgument`."""
    exact: Fraction = parse_decimal(price, "price") * Fraction(base_atoms * 10**quote_decimals, 10**base_decimals)
    atoms = -(-exact.numerator // exact.denominator) if up else exact.numerator // exact.denominator
    if not 0 < atoms <= MAX_U128:
        raise InvalidArgument("price", "makes a total of nothing, or of more than there can be")
    return atoms
