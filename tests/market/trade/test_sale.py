"""Private sales: what the maker signed beforehand, completed by a taker alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from darkswap_browser.app.regtest.kernel import kernel_verifies
from darkswap_browser.app.regtest.policy import STRICT, check_form
from darkswap_browser.bitcoin import curve, signing
from darkswap_browser.bitcoin.script import ScriptKind, dust_limit
from darkswap_browser.bitcoin.sighash import Sighash, segwit_v0_digest, taproot_digest
from darkswap_browser.bitcoin.signing import with_witnesses
from darkswap_browser.bitcoin.transaction import Transaction, TxInput, TxOutput, serialize_witness
from darkswap_browser.errors import InvalidArgument, InvalidOrder, TradeRefused, VerificationFailed
from darkswap_browser.market.assets import BTC, Asset
from darkswap_browser.market.messages import Witnesses
from darkswap_browser.market.orders import Order, Sale
from darkswap_browser.market.trade import sale as sales
from darkswap_browser.market.trade import settlement as settlements
from darkswap_browser.market.trade.checks import Sight, check_before_signing
from darkswap_browser.market.trade.effect import effect_of, place
from darkswap_browser.market.trade.settlement import Purpose
from darkswap_browser.market.trade.signatures import complete, v17_their_signatures, v18_final
from darkswap_browser.market.trade.terms import FeeRule, Role
from tests.market.cases import sold
from tests.market.trade.cases import ALKANE, MAKER, OTHER_RUNE, RUNE, STYLES, TAKER
from tests.support.asset_index import assets_of_outputs
from tests.support.deal import AUX, Deal, Style, deal, keys_of, pair_for, sale, script_of

LOT = sales.LOT
DONE = sale(RUNE)
SETTLEMENT = DONE.settlement()
SIGNED = DONE.witnesses(MAKER)
SEGWIT = sale(RUNE, style=STYLES["segwit"])
KINDS = (Style(), STYLES["taproot"], STYLES["segwit"])
each_kind = pytest.mark.parametrize("style", KINDS, ids=["mixed", "taproot", "segwit"])
each_asset = pytest.mark.parametrize("asset", [RUNE, ALKANE], ids=["rune", "alkane"])


def finished(done: Deal = DONE) -> Transaction:
    return complete(done.settlement(), done.witnesses(MAKER), done.witnesses(TAKER))


def own_key(done: Deal, index: int = LOT) -> bytes:
    return keys_of(MAKER)[done.settlement().prevouts[index].script]


# --- the transaction


@each_asset
@each_kind
@pytest.mark.parametrize("coins", [1, 3])
def test_a_taker_alone_completes_what_the_maker_signed(asset: Asset, style: Style, coins: int) -> None:
    done = sale(asset, style=style, coins=coins)
    settlement, tx = done.settlement(), finished(done)
    assert kernel_verifies(tx, settlement.prevouts)
    check_form(tx, STRICT)
    check_before_signing(done.sight(TAKER))
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
        Purpose.BASE, Purpose.QUOTE, Purpose.DATA, Purpose.BITCOIN_CHANGE,
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
    needed = sales.sats_needed(done.terms, lot, [coin.script])
    done.with_declared(TAKER, bitcoin_coins=(replace(coin, sats=needed),)).settlement()
    with pytest.raises(TradeRefused, match="lacks"):
        done.with_declared(TAKER, bitcoin_coins=(replace(coin, sats=done.terms.quote_atoms + 546),)).settlement()


REFUSED: dict[str, Callable[[], Deal]] = {
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
def test_no_other_transaction_is_built(change: Callable[[], Deal]) -> None:
    done = change()
    with pytest.raises(TradeRefused):
        sales.build(done.terms, done.declared[MAKER], done.declared[TAKER])


def test_a_private_sale_is_never_built_as_a_trade_that_both_sign() -> None:
    with pytest.raises(TradeRefused, match="another transaction"):
        settlements.build(DONE.terms, DONE.declared[MAKER], DONE.declared[TAKER])


# --- what the maker's signature binds, by Bitcoin Core's engine


def lot_alone(done: Deal, change: Callable[[Transaction], Transaction]) -> bool:
    """Whether the maker's input is good in a transaction changed by others, who sign their own anew."""
    settlement = done.settlement()
    tx = with_witnesses(settlement.tx, settlement.prevouts, dict(done.witnesses(MAKER)))
    changed = change(tx)
    spent = {each.outpoint: prevout for each, prevout in zip(tx.inputs, settlement.prevouts, strict=True)}
    prevouts = tuple(spent[each.outpoint] for each in changed.inputs)
    signed = dict[int, tuple[bytes, ...]]()
    for index, prevout in enumerate(prevouts):
        if not changed.inputs[index].witness:
            private = keys_of(TAKER)[prevout.script]
            signature = signing.sign_input(changed, index, prevouts, private, AUX)
            signed[index] = signing.witness_of(prevout.script, curve.public_key(private), signature)
    return kernel_verifies(with_witnesses(changed, prevouts, signed), prevouts)


def swapped(tx: Transaction, first: int, second: int, *, inputs: bool = True, outputs: bool = True) -> Transaction:
    ins, outs = list(tx.inputs), list(tx.outputs)
    if inputs:
        ins[first], ins[second] = ins[second], ins[first]
    if outputs:
        outs[first], outs[second] = outs[second], outs[first]
    return replace(tx, inputs=tuple(ins), outputs=tuple(outs))


def at_lot(tx: Transaction, output: TxOutput) -> Transaction:
    return replace(tx, outputs=(*tx.outputs[:LOT], output, *tx.outputs[LOT + 1 :]))


def lot_input(tx: Transaction, **changes: int) -> Transaction:
    changed = replace(tx.inputs[LOT], **changes)  # type: ignore[arg-type]
    return replace(tx, inputs=(*tx.inputs[:LOT], changed, *tx.inputs[LOT + 1 :]))


LEFT_OPEN: dict[str, Callable[[Transaction], Transaction]] = {
    "nothing changed": lambda tx: tx,
    "another buyer's output": lambda tx: replace(tx, outputs=(TxOutput(600, b"\x51"), *tx.outputs[1:])),
    "no runestone": lambda tx: replace(tx, outputs=tx.outputs[:2]),
    "fewer coins of the buyer": lambda tx: replace(tx, inputs=tx.inputs[:2]),
    "the pair moved": lambda tx: swapped(tx, LOT, 2),
    "the pair first": lambda tx: swapped(tx, LOT, 0),
}
BOUND: dict[str, Callable[[Transaction], Transaction]] = {
    "a sat less for the maker": lambda tx: at_lot(tx, replace(tx.outputs[LOT], sats=tx.outputs[LOT].sats - 1)),
    "paid elsewhere": lambda tx: at_lot(tx, replace(tx.outputs[LOT], script=tx.outputs[0].script)),
    "the sequence": lambda tx: lot_input(tx, sequence=0xFFFFFFFF),
    "the version": lambda tx: replace(tx, version=1),
    "the locktime": lambda tx: replace(tx, locktime=1),
    "the coin at another place than its payment": lambda tx: swapped(tx, LOT, 2, outputs=False),
    "the payment at another place than its coin": lambda tx: swapped(tx, LOT, 2, inputs=False),
    "the payment left out": lambda tx: replace(tx, outputs=(tx.outputs[0], *tx.outputs[2:])),
    "no output at the coin's place": lambda tx: replace(tx, outputs=tx.outputs[:1]),
}


@each_kind
@pytest.mark.parametrize("change", LEFT_OPEN.values(), ids=LEFT_OPEN)
def test_everything_but_the_pair_is_left_open(style: Style, change: Callable[[Transaction], Transaction]) -> None:
    assert lot_alone(sale(RUNE, style=style, coins=3), change)


@each_kind
@pytest.mark.parametrize("change", BOUND.values(), ids=BOUND)
def test_the_pair_holds(style: Style, change: Callable[[Transaction], Transaction]) -> None:
    assert not lot_alone(sale(RUNE, style=style, coins=3), change)


def test_whoever_sees_the_signature_can_use_it_with_coins_of_his_own() -> None:
    """Sniping, which is why it is given to one person and switched off by default."""
    thief = replace(
        DONE.declared[TAKER].bitcoin_coins[0], outpoint=sale(ALKANE, coins=4).settlement().tx.inputs[3].outpoint
    )
    other = DONE.with_declared(TAKER, bitcoin_coins=(thief,))
    settlement = other.settlement()
    assert settlement.txid != SETTLEMENT.txid
    assert kernel_verifies(complete(settlement, SIGNED, other.witnesses(TAKER)), settlement.prevouts)


# --- signing


@pytest.mark.parametrize("done", [DONE, SEGWIT], ids=["taproot", "segwit"])
def test_a_pair_without_an_output_is_not_signed(done: Deal) -> None:
    """By version 0 it would be good, and would give the coin to anybody."""
    settlement = done.settlement()
    short = replace(settlement.tx, outputs=settlement.tx.outputs[:LOT])
    with pytest.raises(InvalidArgument, match="no output 1"):
        signing.sign_pair(short, LOT, settlement.prevouts, own_key(done), AUX)


def test_a_signature_of_version_0_for_no_output_is_refused_though_nodes_take_it() -> None:
    settlement, private = SEGWIT.settlement(), own_key(SEGWIT)
    public = curve.public_key(private)
    short = replace(settlement.tx, outputs=settlement.tx.outputs[:LOT], inputs=settlement.tx.inputs[: LOT + 1])
    prevouts = settlement.prevouts[: LOT + 1]
    code = b"\x76\xa9\x14" + curve.hash160(public) + b"\x88\xac"
    digest = segwit_v0_digest(short, LOT, code, prevouts[LOT].sats, Sighash.SINGLE_ANYONECANPAY)
    witness = (curve.ecdsa_sign(private, digest) + b"\x83", public)
    first = SEGWIT.declared[TAKER].bitcoin_coins
    taker = keys_of(TAKER)[prevouts[0].script]
    signed = with_witnesses(short, prevouts, {LOT: witness})
    mine = signing.witness_of(
        prevouts[0].script, curve.public_key(taker), signing.sign_input(short, 0, prevouts, taker, AUX)
    )
    assert first and kernel_verifies(with_witnesses(signed, prevouts, {0: mine}), prevouts)
    with pytest.raises(VerificationFailed, match="no output 1"):
        signing.verify_input(signed, LOT, prevouts, "V17", signing.PAIR)


def test_a_coin_of_another_key_is_not_signed() -> None:
    with pytest.raises(InvalidArgument, match="is not the one"):
        signing.sign_pair(SETTLEMENT.tx, LOT, SETTLEMENT.prevouts, own_key(SEGWIT, LOT)[::-1], AUX)


# --- V17: exactly this type, exactly there


def of_type(sighash: Sighash, done: Deal = DONE) -> Witnesses:
    settlement, private = done.settlement(), own_key(done)
    if done is SEGWIT:
        public = curve.public_key(private)
        code = b"\x76\xa9\x14" + curve.hash160(public) + b"\x88\xac"
        digest = segwit_v0_digest(settlement.tx, LOT, code, settlement.prevouts[LOT].sats, sighash)
        return ((LOT, (curve.ecdsa_sign(private, digest) + bytes([sighash]), public)),)
    digest = taproot_digest(settlement.tx, LOT, settlement.prevouts, sighash)
    mark = bytes([sighash]) if sighash else b""
    return ((LOT, (curve.schnorr_sign(curve.taproot_private(private), digest, AUX) + mark,)),)


@pytest.mark.parametrize("done", [DONE, SEGWIT], ids=["taproot", "segwit"])
def test_the_makers_signature_in_a_sale_is_of_one_type_only(done: Deal) -> None:
    settlement = done.settlement()
    v17_their_signatures(settlement, MAKER, done.witnesses(MAKER))
    v17_their_signatures(settlement, MAKER, of_type(Sighash.SINGLE_ANYONECANPAY, done))
    for sighash in Sighash:
        if sighash is Sighash.SINGLE_ANYONECANPAY or (sighash is Sighash.DEFAULT and done is SEGWIT):
            continue
        with pytest.raises(VerificationFailed, match="not signed with SIGHASH_SINGLE_ANYONECANPAY") as failed:
            v17_their_signatures(settlement, MAKER, of_type(sighash, done))
        assert failed.value.rule == "V17"


def test_the_takers_signatures_in_a_sale_leave_nothing_open() -> None:
    v17_their_signatures(SETTLEMENT, TAKER, DONE.witnesses(TAKER))
    private = keys_of(TAKER)[SETTLEMENT.prevouts[0].script]
    open_ = pair_for(SETTLEMENT.tx, 0, SETTLEMENT.prevouts, private)
    signed = tuple((index, open_ if index == 0 else good) for index, good in DONE.witnesses(TAKER))
    tx = with_witnesses(SETTLEMENT.tx, SETTLEMENT.prevouts, dict((*signed, *SIGNED)))
    assert kernel_verifies(tx, SETTLEMENT.prevouts)
    for check in (
        lambda: v17_their_signatures(SETTLEMENT, TAKER, signed),
        lambda: v18_final(SETTLEMENT, tx.serialize()),
    ):
        with pytest.raises(VerificationFailed, match="not signed with SIGHASH_ALL"):
            check()


def test_in_every_other_trade_such_a_signature_is_refused() -> None:
    plain = deal(RUNE, BTC)
    settlement = plain.settlement()
    good = dict(plain.witnesses(MAKER))
    for index in good:
        pair = pair_for(settlement.tx, index, settlement.prevouts, keys_of(MAKER)[settlement.prevouts[index].script])
        with pytest.raises(VerificationFailed, match="not signed with SIGHASH_"):
            v17_their_signatures(settlement, MAKER, tuple({**good, index: pair}.items()))


# --- the order that carries it


def offered(done: Deal = DONE) -> tuple[Order, settlements.Coin]:
    (lot,) = done.declared[MAKER].asset_coins
    order = sold(
        coins=(lot.outpoint,), base=done.terms.base, base_atoms=lot.atoms, min_fill=lot.atoms,
        quote_atoms=done.terms.quote_atoms,
    )  # fmt: skip
    payment = sales.payment_of(lot, order.quote_atoms, done.declared[MAKER].receive_script)
    prevouts = (TxOutput(lot.sats, lot.script),)
    witness = pair_for(sales.template(lot, payment), 0, prevouts, own_key(done))
    return replace(order, sale=Sale(payment.script, serialize_witness(witness))), lot


@pytest.mark.parametrize("done", [DONE, SEGWIT], ids=["taproot", "segwit"])
def test_what_the_maker_signs_alone_is_good_in_the_whole(done: Deal) -> None:
    order, lot = offered(done)
    sales.check_lot(order, lot)
    assert sales.declaration_of(order, lot) == done.declared[MAKER]
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
def test_a_coin_that_holds_other_sats_than_were_signed_is_noticed(done: Deal) -> None:
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


def look(done: Deal, **facts: object) -> Sight:
    sight = done.sight(TAKER)
    (lot,) = done.declared[MAKER].asset_coins
    told = replace(sight.evidence.of(lot.outpoint), **facts)  # type: ignore[arg-type]
    return replace(sight, evidence=replace(sight.evidence, coins={**sight.evidence.coins, lot.outpoint: told}))


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
