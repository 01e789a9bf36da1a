from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.chain.base import OutputAssets, Spend
from darkswap_browser.errors import IndexerLagging, InsufficientFunds, InvalidArgument
from darkswap_browser.market.assets import BTC, Asset
from darkswap_browser.runtime.base.host import Runtime
from darkswap_browser.testing.world import SimulatedWorld
from darkswap_browser.wallets.base import Account, AccountPurpose, Balance, CoinState, WalletCoin
from darkswap_browser.wallets.coins import FRESH_SECONDS, IndexedCoinStore
from darkswap_browser.wallets.reservations import CoinReservations
from tests.support.native_identity import CRYPTO
from tests.support.wallet_chain import CLEAN, HEIGHT, WalletChain, outpoint
from tests.wallets.test_reservations import nothing_to_recover

RUNE, OTHER, ALKANE = Asset.rune(840_000, 1), Asset.rune(840_000, 2), Asset.alkane(2, 0)
TAPROOT, SEGWIT = b"\x51\x20" + bytes(32), b"\x00\x14" + bytes(20)
TWO = (
    Account(AccountPurpose.ASSETS, "taproot", TAPROOT, b"\x02" * 33),
    Account(AccountPurpose.PAYMENT, "segwit", SEGWIT, b"\x03" * 33),
)
ONE = (
    Account(AccountPurpose.ASSETS, "only", TAPROOT, b"\x02" * 33),
    Account(AccountPurpose.PAYMENT, "only", TAPROOT, b"\x02" * 33),
)


def runes(atoms: int, asset: Asset = RUNE) -> OutputAssets:
    return OutputAssets({asset: atoms}, {}, ())


def wallet_coins(
    chain: WalletChain, runtime: Runtime | None = None, accounts: tuple[Account, ...] = TWO
) -> IndexedCoinStore:
    host = runtime or SimulatedWorld(crypto=CRYPTO).runtime("alice")
    return IndexedCoinStore(
        chain, CoinReservations(host.store, host.locks, "regtest", nothing_to_recover), lambda: accounts
    )


def numbers(coins: object) -> list[int]:
    assert isinstance(coins, list | tuple)
    return [int(coin.utxo.outpoint.txid, 16) for coin in coins]


async def test_each_coin_is_classified_by_itself_though_all_share_a_script() -> None:
    chain = WalletChain()
    chain.add(1, TAPROOT, 546, runes(100))
    chain.add(2, TAPROOT, 50_000)
    chain.add(3, TAPROOT, 546, OutputAssets({}, {ALKANE: 5}, ()))
    chain.add(4, TAPROOT, 10_000, OutputAssets({}, {}, ("inscription",)))
    chain.add(5, TAPROOT, 7_000, OutputAssets({}, None, ()))
    coins = wallet_coins(chain, accounts=ONE)
    found = await coins.refresh()
    assert [coin.account.purpose for coin in found] == [
        AccountPurpose.ASSETS,
        AccountPurpose.PAYMENT,
        AccountPurpose.ASSETS,
        AccountPurpose.ASSETS,
        AccountPurpose.PAYMENT,
    ]
    assert chain.asked.count("utxos") == 1
    assert await coins.balances() == [
        Balance(BTC, 50_000, 0, 0, 7_000),
        Balance(ALKANE, 5, 0, 0),
        Balance(RUNE, 100, 0, 0),
    ]
    assert numbers(await coins.select_bitcoin(lambda _: 20_000, "trade")) == [2]
    with pytest.raises(InsufficientFunds) as caught:
        await coins.select_bitcoin(lambda _: 1, "other")
    assert (caught.value.needed, caught.value.available) == (1, 0)
    assert "50000 more are reserved" in caught.value.hint
    assert "contents of 1 more coins" in caught.value.hint


async def test_assets_and_inscriptions_are_never_spent_as_bitcoin() -> None:
    chain = WalletChain()
    for number, holdings in enumerate(
        (runes(1), OutputAssets({}, {ALKANE: 1}, ()), OutputAssets({}, {}, ("i",)), OutputAssets({}, {}, None),
         OutputAssets(None, {}, ()), OutputAssets({}, None, ()), OutputAssets()), 1
    ):  # fmt: skip
        chain.add(number, SEGWIT, 1_000_000, holdings)
    with pytest.raises(InsufficientFunds) as caught:
        await wallet_coins(chain).select_bitcoin(lambda _: 1, "trade")
    assert caught.value.available == 0


async def test_coins_with_other_things_in_them_are_not_taken_for_an_asset() -> None:
    chain = WalletChain()
    chain.add(1, TAPROOT, 546, OutputAssets({RUNE: 100, OTHER: 1}, {}, ()))
    chain.add(2, TAPROOT, 546, OutputAssets({RUNE: 100}, {ALKANE: 1}, ()))
    chain.add(3, TAPROOT, 546, OutputAssets({RUNE: 100}, {}, ("inscription",)))
    chain.add(4, TAPROOT, 546, OutputAssets({RUNE: 100}, None, ()))
    chain.add(5, TAPROOT, 546, runes(40))
    coins = wallet_coins(chain)
    with pytest.raises(InsufficientFunds) as caught:
        await coins.select_asset(RUNE, 41, "trade")
    assert (caught.value.asset, caught.value.needed, caught.value.available) == (str(RUNE), 41, 40)
    assert "400 more are reserved by trades or orders, frozen, or mixed" in caught.value.hint
    assert numbers(await coins.select_asset(RUNE, 40, "trade")) == [5]


async def test_an_asset_is_selected_from_few_coins_and_exactly_where_possible() -> None:
    chain = WalletChain()
    for number, atoms in enumerate((10, 20, 30, 40, 100), 1):
        chain.add(number, TAPROOT, 546, runes(atoms))
    coins = wallet_coins(chain)
    chosen = await coins.select_asset(RUNE, 40, "trade")
    assert numbers(chosen) == [4]
    assert [(coin.state, coin.reserved_by) for coin in chosen] == [(CoinState.RESERVED, "trade")]
    assert await coins.reserved("trade") == [outpoint(4)]
    assert numbers(await coins.select_asset(RUNE, 40, "second")) == [5]
    assert sorted(numbers(await coins.select_asset(RUNE, 50, "third"))) == [2, 3]


async def test_a_lot_is_one_coin_that_holds_exactly_what_is_sold() -> None:
    chain = WalletChain()
    chain.add(1, TAPROOT, 546, runes(100))
    chain.add(2, TAPROOT, 546, runes(60))
    chain.add(3, TAPROOT, 546, runes(40))
    chain.add(4, TAPROOT, 546, OutputAssets({RUNE: 60, OTHER: 1}, {}, ()))
    chain.add(5, TAPROOT, 546, OutputAssets({RUNE: 60}, {}, ("inscription",)))
    chain.add(6, TAPROOT, 546, OutputAssets({RUNE: 60}, None, ()))
    coins = wallet_coins(chain)
    lot = await coins.select_exact(RUNE, 60, "order")
    assert numbers([lot]) == [2] and lot.state is CoinState.RESERVED and lot.reserved_by == "order"
    assert await coins.reserved("order") == [outpoint(2)]
    for atoms in (60, 140, 1):
        with pytest.raises(InsufficientFunds) as refused:
            await coins.select_exact(RUNE, atoms, "another")
        assert "exactly what is sold" in refused.value.hint and "100, 40 atoms" in refused.value.hint
    with pytest.raises(InsufficientFunds) as refused:
        await coins.select_exact(OTHER, 1, "another")
    assert "No coin of yours holds it alone" in refused.value.hint
    assert await coins.reserved("another") == []


async def test_only_what_is_confirmed_and_mature_is_spent() -> None:
    chain = WalletChain()
    chain.add(1, SEGWIT, 1000, OutputAssets(), height=None)
    chain.add(2, SEGWIT, 2000, height=HEIGHT - 98, is_coinbase=True)
    chain.add(3, SEGWIT, 4000, height=HEIGHT - 99, is_coinbase=True)
    chain.add(4, TAPROOT, 546, runes(9), height=None)
    coins = wallet_coins(chain)
    await coins.refresh()
    assert await coins.balances() == [Balance(BTC, 4000, 3000, 0), Balance(RUNE, 0, 9, 0)]
    with pytest.raises(InsufficientFunds) as caught:
        await coins.select_bitcoin(lambda _: 4001, "trade")
    assert caught.value.available == 4000
    assert "3000 more wait" in caught.value.hint
    with pytest.raises(InsufficientFunds) as caught:
        await coins.select_asset(RUNE, 1, "trade")
    assert "9 more wait" in caught.value.hint
    assert numbers(await coins.select_bitcoin(lambda _: 4000, "trade")) == [3]


async def test_reservations_last_over_a_reload_until_released() -> None:
    world, chain = SimulatedWorld(crypto=CRYPTO), WalletChain()
    chain.add(1, SEGWIT, 1000)
    await wallet_coins(chain, world.runtime("alice")).select_bitcoin(lambda _: 1000, "trade")
    coins = wallet_coins(chain, world.reload("alice"))
    assert [(coin.state, coin.reserved_by) for coin in await coins.refresh()] == [(CoinState.RESERVED, "trade")]
    assert await coins.balances() == [Balance(BTC, 0, 0, 1000)]
    await coins.release("someone else")
    assert await coins.reserved("trade") == [outpoint(1)]
    await coins.release("trade")
    await coins.release("trade")
    assert await coins.reserved("trade") == []
    assert await coins.balances() == [Balance(BTC, 1000, 0, 0)]


async def test_a_frozen_coin_stays_frozen_over_releases_and_reloads() -> None:
    world, chain = SimulatedWorld(crypto=CRYPTO), WalletChain()
    place = chain.add(1, SEGWIT, 1000)
    coins = wallet_coins(chain, world.runtime("alice"))
    await coins.freeze(place, True)
    await coins.release("trade")
    coins = wallet_coins(chain, world.reload("alice"))
    with pytest.raises(InsufficientFunds):
        await coins.select_bitcoin(lambda _: 1, "trade")
    assert [coin.reserved_by for coin in await coins.refresh()] == ["frozen"]
    await coins.freeze(place, False)
    assert numbers(await coins.select_bitcoin(lambda _: 1, "trade")) == [1]


async def test_two_tabs_race_for_one_coin_and_exactly_one_wins() -> None:
    world, chain = SimulatedWorld(crypto=CRYPTO), WalletChain()
    chain.add(1, SEGWIT, 1000)
    tabs = [wallet_coins(chain, world.runtime("alice")), wallet_coins(chain, world.tab("alice 2", site="alice"))]
    results = await asyncio.gather(
        *(tab.select_bitcoin(lambda _: 1000, f"trade {number}") for number, tab in enumerate(tabs * 4)),
        return_exceptions=True,
    )
    won = [number for number, result in enumerate(results) if not isinstance(result, BaseException)]
    assert len(won) == 1
    assert all(isinstance(result, InsufficientFunds) for n, result in enumerate(results) if n not in won)
    assert await tabs[0].reserved(f"trade {won[0]}") == [outpoint(1)]


async def test_a_coin_that_is_spent_after_all_gives_way_to_another() -> None:
    chain = WalletChain()
    place = chain.add(1, SEGWIT, 1000)
    chain.add(2, SEGWIT, 2000)
    chain.spends[place] = Spend("ff" * 32, None)
    coins = wallet_coins(chain)
    assert numbers(await coins.select_bitcoin(lambda _: 1000, "trade")) == [2]
    assert await coins.reserved("trade") == [outpoint(2)]
    with pytest.raises(InsufficientFunds):
        await coins.select_bitcoin(lambda _: 1000, "other")
    assert await coins.reserved("other") == []


async def test_nothing_is_selected_on_the_word_of_a_late_index_or_left_reserved_by_a_failed_question() -> None:
    class Broken(WalletChain):
        async def spend(self, outpoint: OutPoint, *, verify: bool = False) -> Spend | None:
            raise IndexerLagging("server", 1, 2)

    chain = WalletChain()
    chain.add(1, SEGWIT, 1000)
    chain.lagging = True
    coins = wallet_coins(chain)
    assert len(await coins.refresh()) == 1
    with pytest.raises(IndexerLagging):
        await coins.select_bitcoin(lambda _: 1, "trade")
    broken = Broken()
    broken.add(1, SEGWIT, 1000)
    coins = wallet_coins(broken)
    with pytest.raises(IndexerLagging):
        await coins.select_bitcoin(lambda _: 1, "trade")
    assert await coins.reserved("trade") == []
    assert "holdings True" in chain.asked


async def test_more_than_twenty_coins_are_no_trade_and_the_hint_says_so() -> None:
    chain = WalletChain()
    for number in range(1, 26):
        chain.add(number, SEGWIT, 100)
    with pytest.raises(InsufficientFunds) as caught:
        await wallet_coins(chain).select_bitcoin(lambda _: 2100, "trade")
    assert caught.value.available == 2000
    assert "join some" in caught.value.hint


async def test_the_needed_sum_may_grow_with_the_inputs() -> None:
    chain = WalletChain()
    for number in (1, 2, 3):
        chain.add(number, SEGWIT, 1000)

    def needed(coins: object) -> int:
        assert isinstance(coins, list | tuple)
        return 1500 + 100 * len(coins)

    assert len(await wallet_coins(chain).select_bitcoin(needed, "trade")) == 2


async def test_frozen_is_no_owner() -> None:
    with pytest.raises(InvalidArgument):
        await wallet_coins(WalletChain()).select_bitcoin(lambda _: 1, "frozen")


async def test_a_server_that_gives_coins_of_another_script_is_not_believed() -> None:
    class Generous(WalletChain):
        async def utxos(self, script: bytes):  # type: ignore[no-untyped-def]
            return list(self.coins.values())

    chain = Generous()
    chain.add(1, b"\x00\x14" + b"\x01" * 20, 1000)
    chain.add(2, SEGWIT, 1000)
    found: list[WalletCoin] = list(await wallet_coins(chain).refresh())
    assert numbers(found) == [2]
    assert found[0].holdings == CLEAN


async def test_a_second_choice_within_a_moment_asks_only_about_the_coins_it_chooses() -> None:
    chain = WalletChain()
    chain.add(1, TAPROOT, 546, runes(100))
    chain.add(2, SEGWIT, 50_000)
    coins = wallet_coins(chain)
    assert numbers(await coins.select_asset(RUNE, 60, "trade")) == [1]
    asked = len(chain.asked)
    assert numbers(await coins.select_bitcoin(lambda _: 1000, "trade")) == [2]
    assert sorted(chain.asked[asked:]) == ["holdings True", "spend True"]
    await asyncio.sleep(FRESH_SECONDS)
    chain.add(3, SEGWIT, 60_000)
    assert numbers(await coins.select_bitcoin(lambda _: 1000, "other")) == [3]


async def test_coins_are_looked_up_again_after_two_seconds_and_not_before() -> None:
    chain = WalletChain()
    chain.add(1, SEGWIT, 50_000)
    chain.add(2, SEGWIT, 40_000)
    coins = wallet_coins(chain)
    assert numbers(await coins.select_bitcoin(lambda _: 1000, "one")) == [2]
    chain.add(3, SEGWIT, 30_000)
    await asyncio.sleep(FRESH_SECONDS - 0.1)
    assert numbers(await coins.select_bitcoin(lambda _: 1000, "two")) == [1]
    chain.add(4, SEGWIT, 60_000)
    await coins.release("one")
    await asyncio.sleep(0.2)
    assert numbers(await coins.select_bitcoin(lambda _: 1000, "three")) == [3]


async def test_another_account_is_looked_up_at_once() -> None:
    chain = WalletChain()
    chain.add(1, TAPROOT, 50_000)
    chain.add(2, SEGWIT, 60_000)
    accounts = list(ONE)
    host = SimulatedWorld(crypto=CRYPTO).runtime("alice")
    coins = IndexedCoinStore(
        chain, CoinReservations(host.store, host.locks, "regtest", nothing_to_recover), lambda: accounts
    )
    assert numbers(await coins.select_bitcoin(lambda _: 1000, "trade")) == [1]
    accounts[:] = TWO[1:]
    assert numbers(await coins.select_bitcoin(lambda _: 1000, "other")) == [2]


async def test_a_coin_of_which_enough_servers_say_something_else_is_not_chosen() -> None:
    class Doubted(WalletChain):
        """One server says of coin 2 that it is plain; all together know better."""

        async def holdings(
            self, outpoints: Sequence[OutPoint], *, verify: bool = False
        ) -> Mapping[OutPoint, OutputAssets]:
            found = dict(await super().holdings(outpoints, verify=verify))
            if verify and outpoint(2) in found:
                found[outpoint(2)] = runes(5)
            return found

    chain = Doubted()
    chain.add(1, SEGWIT, 10_000)
    chain.add(2, SEGWIT, 50_000)
    coins = wallet_coins(chain)
    assert numbers(await coins.select_bitcoin(lambda _: 9_000, "trade")) == [1]
    with pytest.raises(InsufficientFunds):
        await coins.select_bitcoin(lambda _: 9_000, "other")
    assert await coins.reserved("other") == []


async def test_nothing_stays_reserved_when_servers_cannot_verify_what_was_chosen() -> None:
    chain = WalletChain()
    chain.add(1, SEGWIT, 10_000)
    chain.lagging = True
    coins = wallet_coins(chain)
    with pytest.raises(IndexerLagging):
        await coins.select_bitcoin(lambda _: 9_000, "trade")
    assert await coins.reserved("trade") == []
