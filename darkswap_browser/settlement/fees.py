"""Bounds of what a side pays the miners, where it names none: in proportion to what is traded, and to today's rate."""

from __future__ import annotations

from darkswap_browser.market.assets import BTC
from darkswap_browser.market.orders import MAX_FEE, FeeRule
from darkswap_browser.settlement.terms import TradeTerms

USUAL_VSIZE = 320
"""Virtual bytes that a side adds with two coins, three outputs and its half of what is shared."""
MAKER_SHARE = 10
"""One in so many sats of the least part …"""
MAKER_TIMES = 3
"""… or so many times what such a part costs today, whichever is more: rates rise while an order stands."""
TAKER_SHARE = 4
REVOKE_TIMES = 5
LEAST_REVOKE_FEE = 10_000
SMALL_FEE = 2_000
"""Sats that a taker pays for however small a trade."""


def default_maker_fee(least_sats: int, fee_rate: int) -> int:
    """Sats. `least_sats`: the bitcoin side of the least part, 0 without one; `fee_rate`: today's, per 1000 vB."""
    return min(max(least_sats // MAKER_SHARE, MAKER_TIMES * usual_fee(fee_rate)), MAX_FEE)


def default_taker_fee(terms: TradeTerms) -> int:
    """Sats. A quarter of the bitcoin side; without one, twice what such a trade costs at the rate that was chosen."""
    legs = {terms.base: terms.base_atoms, terms.quote: terms.quote_atoms}
    if BTC in legs:
        return max(legs[BTC] // TAKER_SHARE, SMALL_FEE)
    sides = 2 if terms.fee_rule is FeeRule.TAKER_PAYS else 1
    return max(2 * sides * usual_fee(terms.fee_rate), SMALL_FEE)


def default_revoke_fee(settlement_fee: int) -> int:
    """Sats that taking a signature back may cost. `settlement_fee`: of both sides together, which it must beat."""
    return max(REVOKE_TIMES * settlement_fee, LEAST_REVOKE_FEE)


def usual_fee(fee_rate: int) -> int:
    """Sats that one side's part of a settlement costs, about."""
    return -(-fee_rate * USUAL_VSIZE // 1000)
