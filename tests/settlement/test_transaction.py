from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest

from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxOutput
from darkswap_browser.market.assets import BTC, Asset
from darkswap_browser.market.orders import FeeRule
from darkswap_browser.regtest.chain.kernel import kernel_verifies
from darkswap_browser.regtest.chain.policy import STRICT, check_form
from darkswap_browser.settlement.balance_change import place
from darkswap_browser.settlement.messages import TakeAccept, body_of, decode, encode, envelope
from darkswap_browser.settlement.signature_checks import complete
from darkswap_browser.settlement.terms import Contribution, Role
from darkswap_browser.settlement.transaction import OutputPurpose, Settlement, build
from tests.settlement.cases import (
    LARGEST,
    MAKER,
    OTHER_RUNE,
    PAIRS,
    RUNE,
    STYLES,
    TAKER,
    fee_for,
    named,
    weight_of,
)
from tests.support.asset_index import assets_of_outputs
from tests.support.trade_fixture import NO_TXID, POSTAGE, TradeFixture, deal

each_deal = pytest.mark.parametrize(
    ("pair", "left", "style"),
    [*product(PAIRS, (0, 123), STYLES)],
    ids=named,
)


def heard(declaration: Contribution) -> Contribution:
    """As it comes out of a message whose sender names the coins in another order."""
    turned = replace(
        declaration, asset_coins=declaration.asset_coins[::-1], bitcoin_coins=declaration.bitcoin_coins[::-1]
    )
    body = body_of(decode(encode(envelope("ab" * 16, 1, TakeAccept(turned, NO_TXID)))))
    assert isinstance(body, TakeAccept)
    return body.declaration


def planned_assets(settlement: Settlement) -> dict[int, dict[Asset, int]]:
    return {index: dict(output.assets) for index, output in enumerate(settlement.outputs) if output.assets}


@each_deal
def test_both_sides_build_one_transaction_that_does_what_the_terms_say(
    pair: tuple[Asset, Asset], left: int, style: str
) -> None:
    for base_giver, fee_rule in product(Role, FeeRule):
        done = deal(*pair, left=left, style=STYLES[style], base_giver=base_giver, fee_rule=fee_rule)
        terms, declared = done.terms, done.declared
        settlement = build(terms, declared[MAKER], heard(declared[TAKER]))
        assert build(terms, heard(declared[MAKER]), declared[TAKER]) == settlement

        carried: dict[Asset, int] = {}
        for role in Role:
            asset, _ = terms.gives(role)
            if asset != BTC:
                carried[asset] = sum(coin.atoms for coin in declared[role].asset_coins)
        assert assets_of_outputs(settlement.tx, carried) == planned_assets(settlement)
        placed = place(settlement.tx, done.contents())
        assert placed.readable and not placed.lost
        assert [dict(each) for each in placed.outputs] == [dict(each.assets) for each in settlement.outputs]
        for role in Role:
            assert_paid(done, settlement, role, left)
            assert settlement.fees[role] == fee_for(done, weight_of(done, settlement, role))
        assert_canonical(done, settlement)


def assert_paid(done: TradeFixture, settlement: Settlement, role: Role, left: int) -> None:
    """Σ in + sats received = Σ out + sats paid + fee; and the assets to the scripts that were declared."""
    (gives, atoms), (gets, received) = done.terms.gives(role), done.terms.gets(role)
    brought = sum(settlement.prevouts[index].sats for index in settlement.inputs_of(role))
    owned = [settlement.outputs[index] for index in settlement.outputs_of(role)]
    paid, arrived = (atoms if gives == BTC else 0), (received if gets == BTC else 0)
    assert brought + arrived == sum(output.sats for output in owned) + paid + settlement.fees[role]
    declaration = done.declared[role]
    delivery, *rest = owned
    assert delivery.script == declaration.receive_script
    assert (delivery.sats, delivery.assets) == ((received, {}) if gets == BTC else (POSTAGE, {gets: received}))
    if gives != BTC and left:
        asset_change = rest.pop(0)
        assert (asset_change.sats, asset_change.script) == (POSTAGE, declaration.asset_change_script)
        assert asset_change.assets == {gives: left}
    (bitcoin_change,) = rest
    assert (bitcoin_change.script, bitcoin_change.assets) == (declaration.bitcoin_change_script, {})


def assert_canonical(done: TradeFixture, settlement: Settlement) -> None:
    tx, giver = settlement.tx, done.terms.base_giver
    assert (tx.version, tx.locktime, {each.sequence for each in tx.inputs}) == (3, 0, {0xFFFFFFFD})
    groups = [
        sorted(coin.outpoint for coin in coins)
        for coins in (
            done.declared[giver].asset_coins, done.declared[giver.other].asset_coins,
            done.declared[giver].bitcoin_coins, done.declared[giver.other].bitcoin_coins,
        )
    ]  # fmt: skip
    assert [each.outpoint for each in tx.inputs] == [outpoint for group in groups for outpoint in group]
    order = [*OutputPurpose]
    places = [order.index(output.purpose) for output in settlement.outputs]
    assert places == sorted(places)
    changes = [output.owner for output in settlement.outputs if output.purpose is OutputPurpose.BITCOIN_CHANGE]
    assert changes == [giver, giver.other]
    data = [output.script for output in tx.outputs if output.script[:1] == b"\x6a"]
    assert data == [tx.outputs[-1].script] and len(data[0]) <= 83
    check_form(tx, STRICT)


@pytest.mark.parametrize(("at", "pair"), enumerate(PAIRS), ids=named)
@pytest.mark.parametrize("style", STYLES)
def test_bitcoin_core_takes_what_both_signed_and_nothing_changed_afterwards(
    at: int, pair: tuple[Asset, Asset], style: str
) -> None:
    rules = (*product(Role, FeeRule),)
    base_giver, fee_rule = rules[at % len(rules)]
    done = deal(*pair, left=123 * (at % 2), style=STYLES[style], base_giver=base_giver, fee_rule=fee_rule)
    settlement = done.settlement()
    tx = complete(settlement, done.witnesses(MAKER), done.witnesses(TAKER))
    assert tx.txid == settlement.txid
    assert kernel_verifies(tx, settlement.prevouts)
    check_form(tx, STRICT)
    assert sum(settlement.fees.values()) * 4000 >= tx.weight * done.terms.fee_rate
    for what, changed, prevouts in tampered(tx, settlement.prevouts):
        assert not kernel_verifies(changed, prevouts), what


def tampered(
    tx: Transaction, prevouts: tuple[TxOutput, ...]
) -> Iterator[tuple[str, Transaction, tuple[TxOutput, ...]]]:
    """Facts §3.8: every way to change a transaction that somebody has signed."""

    def changed(**fields: object) -> Transaction:
        return replace(tx, **fields)  # type: ignore[arg-type]

    for index, output in enumerate(tx.outputs):
        before, after = tx.outputs[:index], tx.outputs[index + 1 :]
        less = TxOutput(max(output.sats - 1, 0) or 1, output.script)
        yield f"amount of output {index}", changed(outputs=(*before, less, *after)), prevouts
        elsewhere = TxOutput(output.sats, output.script[:-1] + bytes([output.script[-1] ^ 1]))
        yield f"script of output {index}", changed(outputs=(*before, elsewhere, *after)), prevouts
        yield f"without output {index}", changed(outputs=before + after), prevouts
    first, second, *others = tx.outputs
    yield "outputs in another order", changed(outputs=(second, first, *others)), prevouts
    yield "another output", changed(outputs=(*tx.outputs, TxOutput(0, b"\x6a"))), prevouts
    for index, spends in enumerate(tx.inputs):
        before_it, after_it = tx.inputs[:index], tx.inputs[index + 1 :]
        sequence = replace(spends, sequence=0xFFFFFFFF)
        yield f"sequence of input {index}", changed(inputs=(*before_it, sequence, *after_it)), prevouts
        other_coin = replace(spends, outpoint=OutPoint(spends.outpoint.txid, 0))
        yield f"coin of input {index}", changed(inputs=(*before_it, other_coin, *after_it)), prevouts
        lie = TxOutput(prevouts[index].sats + 1, prevouts[index].script)
        yield f"amount of input {index}", tx, (*prevouts[:index], lie, *prevouts[index + 1 :])
        less_inputs = prevouts[:index] + prevouts[index + 1 :]
        yield f"without input {index}", changed(inputs=before_it + after_it), less_inputs
    turned = changed(inputs=tx.inputs[::-1])
    yield "inputs in another order", turned, prevouts[::-1]
    yield "version", changed(version=1), prevouts
    yield "locktime", changed(locktime=1), prevouts


def test_amounts_of_128_bits_fit_the_runestone() -> None:
    settlement = deal(RUNE, OTHER_RUNE, base_atoms=LARGEST - 1, quote_atoms=LARGEST - 1, left=1).settlement()
    assert len(settlement.outputs[-1].script) <= 83


@pytest.mark.parametrize("left", [0, 1])
@pytest.mark.parametrize("pair", PAIRS, ids=named)
def test_what_else_lay_on_the_coins_of_the_base_giver_comes_home(pair: tuple[Asset, Asset], left: int) -> None:
    stray = {"rune": Asset.rune(840_002, 3), "alkane": Asset.alkane(5, 5)}
    asset = next(each for each in pair if each != BTC)
    done = deal(*pair, left=left)
    giver = MAKER if done.terms.gives(MAKER)[0] == asset else TAKER
    contents = done.contents()
    contents[done.declared[giver].asset_coins[0].outpoint][stray[asset.kind]] = 5
    settlement = done.settlement()
    placed = place(settlement.tx, contents)
    homes = [index for index, assets in enumerate(placed.outputs) if stray[asset.kind] in assets]
    assert len(homes) == 1 and settlement.outputs[homes[0]].owner is giver
