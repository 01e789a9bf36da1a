"""Which coins to spend: as few as will do, then with as little left over, the same for the same coins in any order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from math import comb

from darkswap_browser.wallets.base import AccountPurpose, WalletCoin

MAX_COINS = 20
"""Inputs of one side of a settlement; the machine refuses more."""
MAX_COMBINATIONS = 2000
"""Sets of coins that are looked through for the one with the least left over; beyond, a good one will do."""

Value = Callable[[WalletCoin], int]
Needed = Callable[[Sequence[WalletCoin]], int]
"""What must be reached by a set of coins: it may depend on them, since each input costs fee."""


def select(coins: Sequence[WalletCoin], value: Value, needed: Needed) -> Sequence[WalletCoin] | None:
    """None when no set of at most `MAX_COINS` reaches what it needs. Coins of payment accounts come before others."""
    largest = sorted(
        coins, key=lambda coin: (-value(coin), coin.account.purpose is AccountPurpose.ASSETS, coin.utxo.outpoint)
    )
    for count in range(1, min(len(largest), MAX_COINS) + 1):
        first = largest[:count]
        if _left(first, value, needed) >= 0:
            return _closest(largest, first, value, needed)
    return None


def _closest(
    largest: Sequence[WalletCoin], first: Sequence[WalletCoin], value: Value, needed: Needed
) -> Sequence[WalletCoin]:
    """Of as many coins as `first`, which suffices, a set with less left over."""
    if comb(len(largest), len(first)) <= MAX_COMBINATIONS:
        fitting = (chosen for chosen in combinations(largest, len(first)) if _left(chosen, value, needed) >= 0)
        return min(fitting, key=lambda chosen: _left(chosen, value, needed))
    chosen = list(first)
    for place in range(len(chosen)):
        # Smaller coins come later: the last one that still suffices leaves the least.
        for candidate in reversed(largest):
            if candidate not in chosen:
                changed = [*chosen[:place], candidate, *chosen[place + 1 :]]
                if 0 <= _left(changed, value, needed) < _left(chosen, value, needed):
                    chosen = changed
                    break
    return chosen


def _left(coins: Sequence[WalletCoin], value: Value, needed: Needed) -> int:
    return sum(map(value, coins)) - needed(coins)
