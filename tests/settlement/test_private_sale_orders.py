"""Orders that carry a private sale: what they must sell, and what is looked at before one is bought."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from darkswap_browser.bitcoin.transaction import Transaction, TxInput, TxOutput, serialize_witness
from darkswap_browser.errors import InvalidOrder, VerificationFailed
from darkswap_browser.market.orders import Order, PresignedSale
from darkswap_browser.regtest.chain.kernel import kernel_verifies
from darkswap_browser.settlement import private_sale as sales
from darkswap_browser.settlement import transaction as settlements
from darkswap_browser.settlement.checks import VerificationContext, check_before_signing
from darkswap_browser.settlement.signature_checks import complete, v17_their_signatures
from tests.market.cases import sold
from tests.settlement.cases import ALKANE, MAKER, OTHER_RUNE, RUNE, TAKER
from tests.settlement.private_sale_cases import DONE, LOT, SEGWIT, at_lot, finished, own_key, swapped
from tests.support.trade_fixture import TradeFixture, pair_for

# --- the order that carries it


def offered(done: TradeFixture = DONE) -> tuple[Order, settlements.TradeInput]:
    (lot,) = done.declared[MAKER].asset_coins
    order = sold(
        coins=(lot.outpoint,), base=done.terms.base, base_atoms=lot.atoms, min_fill=lot.atoms,
        quote_atoms=done.terms.quote_atoms,
    )  # fmt: skip
    payment = sales.maker_payment(lot, order.quote_atoms, done.declared[MAKER].receive_script)
    prevouts = (TxOutput(lot.sats, lot.script),)
    witness = pair_for(sales.maker_template(lot, payment), 0, prevouts, own_key(done))
    return replace(order, sale=PresignedSale(payment.script, serialize_witness(witness))), lot


@pytest.mark.parametrize("done", [DONE, SEGWIT], ids=["taproot", "segwit"])
def test_what_the_maker_signs_alone_is_good_in_the_whole(done: TradeFixture) -> None:
    order, lot = offered(done)
    sales.check_lot(order, lot)
    assert sales.maker_contribution(order, lot) == done.declared[MAKER]
    settlement = done.settlement()
    v17_their_signatures(settlement, MAKER, sales.witnesses_of(order))
    tx = complete(settlement, sales.witnesses_of(order), done.witnesses(TAKER))
    assert kernel_verifies(tx, settlement.prevouts) and sales.pays_maker(tx, order, lot)


WRONG: dict[str, Callable[[Order], Order]] = {
    "another price": lambda order: replace(order, quote_atoms=order.quote_atoms + 1),
    "to another script": lambda order: replace(
        order, sale=replace(sales.sale_of(order), payment_script=b"\x51\x20" + bytes(32))
    ),
    "an empty witness": lambda order: replace(order, sale=replace(sales.sale_of(order), witness=b"\x00")),
    "a signature of nothing": lambda order: replace(
        order, sale=replace(sales.sale_of(order), witness=serialize_witness((bytes(64) + b"\x83",)))
    ),
    "a signature without its type": lambda order: replace(
        order, sale=replace(sales.sale_of(order), witness=serialize_witness((bytes(64),)))
    ),
    "an annex": lambda order: replace(
        order,
        sale=replace(sales.sale_of(order), witness=serialize_witness((*sales.witnesses_of(order)[0][1], b"\x50"))),
    ),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_a_signature_that_does_not_sell_the_lot_as_told_is_noticed(change: Callable[[Order], Order]) -> None:
    order, lot = offered()
    with pytest.raises(VerificationFailed):
        sales.check_lot(change(order), lot)


@pytest.mark.parametrize("done", [DONE, SEGWIT], ids=["taproot", "segwit"])
def test_a_coin_that_holds_other_sats_than_were_signed_is_noticed(done: TradeFixture) -> None:
    order, lot = offered(done)
    with pytest.raises(VerificationFailed):
        sales.check_lot(order, replace(lot, sats=lot.sats + 1))


def test_an_order_that_is_no_sale_sells_nothing() -> None:
    order, lot = offered()
    with pytest.raises(InvalidOrder, match="no private sale"):
        sales.check_lot(replace(order, sale=None), lot)


def test_a_spend_that_does_not_pay_the_maker_is_no_purchase() -> None:
    order, lot = offered()
    tx = finished()
    assert sales.pays_maker(tx, order, lot)
    assert not sales.pays_maker(at_lot(tx, replace(tx.outputs[LOT], sats=1)), order, lot)
    assert not sales.pays_maker(swapped(tx, 0, LOT, inputs=False), order, lot)
    assert not sales.pays_maker(replace(tx, outputs=tx.outputs[:1]), order, lot)
    assert not sales.pays_maker(replace(tx, inputs=tx.inputs[:1]), order, lot)
    assert not sales.pays_maker(Transaction((TxInput(lot.outpoint),), (TxOutput(546, lot.script),)), order, lot)


# --- before the buyer signs


def look(done: TradeFixture, **facts: object) -> VerificationContext:
    context = done.context(TAKER)
    (lot,) = done.declared[MAKER].asset_coins
    told = replace(context.snapshot.of(lot.outpoint), **facts)  # type: ignore[arg-type]
    return replace(context, snapshot=replace(context.snapshot, coins={**context.snapshot.coins, lot.outpoint: told}))


@pytest.mark.parametrize(
    ("rule", "facts"),
    [
        ("V9", {"raw": None}),
        ("V10", {"spent_by": "99" * 32}),
        ("V10", {"height": None}),
        ("V11", {"runes": None}),
        ("V11", {"runes": {}}),
        ("V11", {"runes": {RUNE: DONE.terms.base_atoms - 1}}),
        ("V11", {"runes": {RUNE: DONE.terms.base_atoms + 1}}),
        ("V11", {"runes": {RUNE: DONE.terms.base_atoms, OTHER_RUNE: 1}}),
        ("V11", {"alkanes": {ALKANE: 1}}),
        ("V11", {"alkanes": None}),
        ("V11", {"inscriptions": None}),
        ("V11", {"inscriptions": ("ab" * 32 + "i0",)}),
    ],
    ids=str,
)
def test_a_lot_that_is_not_exactly_what_is_sold_is_not_bought(rule: str, facts: dict[str, object]) -> None:
    with pytest.raises(VerificationFailed) as failed:
        check_before_signing(look(DONE, **facts))
    assert failed.value.rule == rule
