from __future__ import annotations

import random
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.chain.base import Utxo
from darkswap_browser.wallets.base import Account, AccountPurpose, CoinState, WalletCoin
from darkswap_browser.wallets.selection import MAX_COINS, select
from tests.support.wallet_chain import CLEAN, outpoint

PAYMENT = Account(AccountPurpose.PAYMENT, "payment", b"\x00", b"")
ASSETS = Account(AccountPurpose.ASSETS, "assets", b"\x01", b"")


def coin(number: int, sats: int, account: Account = PAYMENT) -> WalletCoin:
    return WalletCoin(Utxo(outpoint(number), sats, account.script, 1), account, CLEAN, CoinState.CONFIRMED)


def coins(*sats: int) -> list[WalletCoin]:
    return [coin(number, each) for number, each in enumerate(sats, 1)]


def value(coin: WalletCoin) -> int:
    return coin.utxo.sats


def chosen(found: Sequence[WalletCoin], needed: int, per_coin: int = 0) -> list[int] | None:
    result = select(found, value, lambda coins: needed + per_coin * len(coins))
    return None if result is None else sorted(map(value, result))


def places(result: Sequence[WalletCoin] | None) -> list[OutPoint]:
    return sorted(coin.utxo.outpoint for coin in result or ())


def test_one_coin_is_taken_where_one_will_do() -> None:
    assert chosen(coins(5, 5, 5, 100), 15) == [100]


def test_of_sufficient_ones_the_smallest_is_taken() -> None:
    assert chosen(coins(100, 16, 15, 14, 50), 15) == [15]


def test_an_exact_sum_is_preferred() -> None:
    assert chosen(coins(70, 60, 40, 30), 100) == [30, 70]


def test_among_too_many_sets_to_look_through_a_close_one_is_taken() -> None:
    # 40 coins make 9880 sets of three, more than are looked through. The largest three leave 46.
    assert chosen(coins(*range(10, 50)), 98) == [10, 41, 47]


def test_each_coin_may_cost_something() -> None:
    assert chosen(coins(50, 49, 10), 95, per_coin=2) == [49, 50]
    assert chosen(coins(50, 49, 10), 96, per_coin=2) == [10, 49, 50]


def test_nothing_is_chosen_when_nothing_suffices() -> None:
    assert chosen([], 1) is None
    assert chosen(coins(1, 2, 3), 7) is None


def test_no_more_than_twenty_coins() -> None:
    assert chosen(coins(*[1] * 30), MAX_COINS) == [1] * MAX_COINS
    assert chosen(coins(*[1] * 30), MAX_COINS + 1) is None


def test_of_equal_coins_those_of_the_payment_account_come_first() -> None:
    mixed = [coin(1, 10, ASSETS), coin(2, 10), coin(3, 10, ASSETS)]
    assert places(select(mixed, value, lambda _: 10)) == [outpoint(2)]


AMOUNTS = st.lists(st.integers(1, 1000), max_size=40)


@settings(max_examples=60)
@given(AMOUNTS, st.integers(1, 20_000), st.integers(0, 50), st.randoms(use_true_random=False))
def test_what_is_chosen_suffices_is_minimal_and_the_same_in_any_order(
    amounts: list[int], needed: int, per_coin: int, chance: random.Random
) -> None:
    found = coins(*amounts)
    result = select(found, value, lambda coins: needed + per_coin * len(coins))
    shuffled = list(found)
    chance.shuffle(shuffled)
    again = select(shuffled, value, lambda coins: needed + per_coin * len(coins))
    assert places(again) == places(result)
    best = sorted(amounts, reverse=True)
    enough = [n for n in range(1, min(len(best), MAX_COINS) + 1) if sum(best[:n]) >= needed + per_coin * n]
    if not enough:
        assert result is None
        return
    assert result is not None
    assert len(set(places(result))) == len(result) == enough[0]
    left = sum(map(value, result)) - needed - per_coin * len(result)
    assert 0 <= left <= sum(best[: enough[0]]) - needed - per_coin * enough[0]
