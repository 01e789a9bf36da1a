"""Private sales: the transaction that a taker alone completes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from darkswap_browser.bitcoin.script import ScriptKind, dust_limit
from darkswap_browser.bitcoin.transaction import TxOutput
from darkswap_browser.errors import TradeRefused
from darkswap_browser.market.assets import BTC, Asset
from darkswap_browser.market.orders import FeeRule
from darkswap_browser.regtest.chain.kernel import kernel_verifies
from darkswap_browser.regtest.chain.policy import STRICT, check_form
from darkswap_browser.settlement import private_sale as sales
from darkswap_browser.settlement import transaction as settlements
from darkswap_browser.settlement.balance_change import effect_of, place
from darkswap_browser.settlement.checks import check_before_signing
from darkswap_browser.settlement.signature_checks import v18_final
from darkswap_browser.settlement.terms import Role
from darkswap_browser.settlement.transaction import OutputPurpose
from tests.settlement.cases import ALKANE, MAKER, OTHER_RUNE, RUNE, TAKER
from tests.settlement.private_sale_cases import DONE, LOT, each_asset, each_kind, finished
from tests.support.asset_index import assets_of_outputs
from tests.support.trade_fixture import Style, TradeFixture, deal, keys_of, sale, script_of


@each_asset
@each_kind
@pytest.mark.parametrize("coins", [1, 3])
def test_a_taker_alone_completes_what_the_maker_signed(asset: Asset, style: Style, coins: int) -> None:
    done = sale(asset, style=style, coins=coins)
    settlement, tx = done.settlement(), finished(done)
    assert kernel_verifies(tx, settlement.prevouts)
    check_form(tx, STRICT)
    check_before_signing(done.context(TAKER))
    assert v18_final(settlement, tx.serialize()) == tx
    assert assets_of_outputs(tx, {asset: done.terms.base_atoms}) == {0: {asset: done.terms.base_atoms}}
    placed = place(tx, done.contents())
    assert placed.readable and not placed.lost
    assert [dict(each) for each in placed.outputs] == [dict(each.assets) for each in settlement.outputs]
    assert sum(settlement.fees.values()) * 4000 >= tx.weight * done.terms.fee_rate


@each_asset
def test_the_pair_stands_at_one_and_the_buyer_first_and_last(asset: Asset) -> None:
    done = sale(asset, coins=3)
    settlement = done.settlement()
    assert settlement.input_owners == (TAKER, MAKER, TAKER, TAKER)
    assert [each.purpose for each in settlement.outputs] == [
        OutputPurpose.BASE, OutputPurpose.QUOTE, OutputPurpose.DATA, OutputPurpose.BITCOIN_CHANGE,
    ]  # fmt: skip
    (lot,) = done.declared[MAKER].asset_coins
    assert settlement.tx.inputs[LOT].outpoint == lot.outpoint
    paid = TxOutput(done.terms.quote_atoms + lot.sats, done.declared[MAKER].receive_script)
    assert settlement.tx.outputs[LOT] == paid
    mine = [each.outpoint for index, each in enumerate(settlement.tx.inputs) if index != LOT]
    assert mine == sorted(coin.outpoint for coin in done.declared[TAKER].bitcoin_coins)
    data = [output.script for output in settlement.tx.outputs if output.script[:1] == b"\x6a"]
    assert data == [settlement.runestone.encipher()] and len(data[0]) <= 83


def test_the_buyer_pays_the_price_and_the_whole_fee_and_the_maker_gets_all_of_the_price() -> None:
    settlement, terms = DONE.settlement(), DONE.terms
    contents = DONE.contents()
    both = {
        role: effect_of(
            settlement.tx, settlement.prevouts, contents, frozenset(settlement.inputs_of(role)),
            frozenset(keys_of(role)), settlement.fees[role],
        )
        for role in Role
    }  # fmt: skip
    assert settlement.fees[MAKER] == 0
    assert (both[TAKER].gives, both[TAKER].gets) == ({BTC: terms.quote_atoms}, {RUNE: terms.base_atoms})
    assert (both[MAKER].gives, both[MAKER].gets) == ({RUNE: terms.base_atoms}, {BTC: terms.quote_atoms})
    spent = sum(each.sats for each in settlement.prevouts) - sum(each.sats for each in settlement.tx.outputs)
    assert both[TAKER].fee_sats == spent


@each_asset
def test_without_the_runestone_the_lot_would_still_be_the_buyers(asset: Asset) -> None:
    done = sale(asset)
    bare = replace(done.settlement().tx, outputs=done.settlement().tx.outputs[:2])
    placed = place(bare, done.contents())
    if asset is RUNE:
        assert placed.outputs[0] == {RUNE: done.terms.base_atoms}
    else:
        assert placed.lost == {ALKANE: done.terms.base_atoms}  # which is why there is always one


def test_change_below_dust_goes_to_the_miners_and_a_sat_more_than_that_comes_back() -> None:
    done = sale(RUNE, coins=1)
    change = done.settlement().outputs[-1]
    kept = replace(done.declared[TAKER].bitcoin_coins[0])
    limit = dust_limit(change.script)
    for left, outputs in ((limit, 4), (limit - 1, 3)):
        coin = replace(kept, sats=kept.sats - change.sats + left)
        settlement = done.with_declared(TAKER, bitcoin_coins=(coin,)).settlement()
        assert len(settlement.outputs) == outputs
        fee = sum(each.sats for each in settlement.prevouts) - sum(each.sats for each in settlement.tx.outputs)
        assert settlement.fees == {MAKER: 0, TAKER: fee}


@each_kind
def test_what_is_said_to_be_needed_suffices_exactly_or_better(style: Style) -> None:
    done = sale(RUNE, style=style, coins=1)
    (lot,), (coin,) = done.declared[MAKER].asset_coins, done.declared[TAKER].bitcoin_coins
    needed = sales.required_sats(done.terms, lot, [coin.script])
    done.with_declared(TAKER, bitcoin_coins=(replace(coin, sats=needed),)).settlement()
    with pytest.raises(TradeRefused, match="lacks"):
        done.with_declared(TAKER, bitcoin_coins=(replace(coin, sats=done.terms.quote_atoms + 546),)).settlement()


REFUSED: dict[str, Callable[[], TradeFixture]] = {
    "no private sale": lambda: replace(DONE, terms=replace(DONE.terms, private_sale=False)),
    "an asset for an asset": lambda: replace(DONE, terms=replace(DONE.terms, quote=OTHER_RUNE)),
    "the taker's lot": lambda: replace(DONE, terms=replace(DONE.terms, base_giver=TAKER)),
    "each its own weight": lambda: replace(DONE, terms=replace(DONE.terms, fee_rule=FeeRule.OWN_WEIGHT)),
    "a part of the coin": lambda: replace(DONE, terms=replace(DONE.terms, base_atoms=DONE.terms.base_atoms - 1)),
    "two coins": lambda: DONE.with_declared(MAKER, asset_coins=deal(RUNE, BTC, left=1).declared[MAKER].asset_coins),
    "bitcoin of the maker": lambda: DONE.with_declared(
        MAKER, bitcoin_coins=deal(RUNE, BTC).declared[MAKER].bitcoin_coins
    ),
    "a taker with nothing": lambda: DONE.with_declared(TAKER, bitcoin_coins=()),
    "a taker with the lot": lambda: DONE.with_declared(
        TAKER, bitcoin_coins=(replace(DONE.declared[MAKER].asset_coins[0], atoms=0),)
    ),
    "a nested lot": lambda: DONE.with_declared(
        MAKER, asset_coins=(
            replace(DONE.declared[MAKER].asset_coins[0], script=script_of(MAKER, "assets", ScriptKind.P2SH)),
        )
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", REFUSED.values(), ids=REFUSED)
def test_no_other_transaction_is_built(change: Callable[[], TradeFixture]) -> None:
    done = change()
    with pytest.raises(TradeRefused):
        sales.build(done.terms, done.declared[MAKER], done.declared[TAKER])


def test_a_private_sale_is_never_built_as_a_trade_that_both_sign() -> None:
    with pytest.raises(TradeRefused, match="another transaction"):
        settlements.build(DONE.terms, DONE.declared[MAKER], DONE.declared[TAKER])
