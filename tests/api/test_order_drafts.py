"""What is told of an order before it is made: whether its fee and its parts make sense today."""

from __future__ import annotations

import pytest

from darkswap_browser.api.trading.drafts import fee_problem, part_warning
from darkswap_browser.market.assets import BTC
from darkswap_browser.market.orders import Side
from darkswap_browser.orders.draft import OrderDraft
from tests.market.cases import RUNE, order


def test_fee_beyond_what_the_maker_pays_is_a_problem_since_nobody_could_take_the_order() -> None:
    assert fee_problem(order(max_fee_sats=700), 700) is None
    problem = fee_problem(order(max_fee_sats=700), 701)
    assert problem is not None and problem.field == "max_fee_sats" and "701 sats today" in problem.message


@pytest.mark.parametrize(
    ("side", "base", "least", "fee", "warns"),
    [
        (Side.SELL, RUNE, 100, 2_999, False),
        (Side.SELL, RUNE, 100, 3_000, True),
        (Side.SELL, RUNE, None, 3_000, False),
        (Side.BUY, RUNE, 100, 9_999, False),
        (Side.BUY, BTC, 3_000, 3_000, True),
    ],
)
def test_parts_that_bring_no_more_than_their_fee_are_warned_of(
    side: Side, base: object, least: int | None, fee: int, warns: bool
) -> None:
    """1000 for 30,000 sats in tenths: on a day of 20 sat/vB each tenth was sold for less than nothing."""
    atoms = {RUNE: 1_000, BTC: 30_000}
    assets = (RUNE, BTC) if base == RUNE else (BTC, RUNE)
    draft = OrderDraft(
        base=assets[0],
        quote=assets[1],
        side=side,
        base_atoms=atoms[assets[0]],
        quote_atoms=atoms[assets[1]],
        base_decimals=0,
        quote_decimals=0,
        min_fill=least,
    )
    assert bool(part_warning(draft, fee)) is warns
