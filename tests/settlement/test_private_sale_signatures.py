"""What is signed in a private sale: what it binds and leaves open, and the one type that is taken, there only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from darkswap_browser.bitcoin import curve, signing
from darkswap_browser.bitcoin.sighash import Sighash, segwit_v0_digest, taproot_digest
from darkswap_browser.bitcoin.signing import with_witnesses
from darkswap_browser.bitcoin.transaction import Transaction, TxOutput
from darkswap_browser.errors import InvalidArgument, SignatureInvalid, VerificationFailed
from darkswap_browser.market.assets import BTC
from darkswap_browser.regtest.chain.kernel import kernel_verifies
from darkswap_browser.settlement.messages import Witnesses
from darkswap_browser.settlement.signature_checks import complete, v17_their_signatures, v18_final
from tests.settlement.cases import ALKANE, MAKER, RUNE, TAKER
from tests.settlement.private_sale_cases import (
    DONE,
    LOT,
    SEGWIT,
    SETTLEMENT,
    SIGNED,
    at_lot,
    each_kind,
    own_key,
    swapped,
)
from tests.support.trade_fixture import AUX, Style, TradeFixture, deal, keys_of, pair_for, sale

# --- what the maker's signature binds, by Bitcoin Core's engine


def lot_alone(done: TradeFixture, change: Callable[[Transaction], Transaction]) -> bool:
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
def test_a_pair_without_an_output_is_not_signed(done: TradeFixture) -> None:
    """By version 0 it would be good, and would give the coin to anybody."""
    settlement = done.settlement()
    short = replace(settlement.tx, outputs=settlement.tx.outputs[:LOT])
    with pytest.raises(InvalidArgument, match="no output 1"):
        signing.sign_single_anyonecanpay(short, LOT, settlement.prevouts, own_key(done), AUX)


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
    with pytest.raises(SignatureInvalid, match="no output 1"):
        signing.verify_input(signed, LOT, prevouts, signing.SINGLE_ANYONECANPAY)


def test_a_coin_of_another_key_is_not_signed() -> None:
    with pytest.raises(InvalidArgument, match="is not the one"):
        signing.sign_single_anyonecanpay(SETTLEMENT.tx, LOT, SETTLEMENT.prevouts, own_key(SEGWIT, LOT)[::-1], AUX)


# --- V17: exactly this type, exactly there


def of_type(sighash: Sighash, done: TradeFixture = DONE) -> Witnesses:
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
def test_the_makers_signature_in_a_sale_is_of_one_type_only(done: TradeFixture) -> None:
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
