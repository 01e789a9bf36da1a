"""What we sign, Bitcoin Core's own engine (pbk, its kernel) accepts; what was tampered with, it and we refuse."""

from __future__ import annotations

from dataclasses import replace

import pbk
import pytest
from pbk.script import PrecomputedTransactionData, ScriptVerificationFlags, ScriptVerifyException

from darkswap_browser.bitcoin import curve, signing
from darkswap_browser.bitcoin.script import ScriptKind
from darkswap_browser.bitcoin.sighash import Sighash, taproot_digest
from darkswap_browser.bitcoin.transaction import Transaction, TxOutput
from darkswap_browser.errors import InvalidArgument, SignatureInvalid
from tests.bitcoin.cases import AUX, KINDS, PREVOUTS, PRIVATE, PUBLIC, SIGNED, UNSIGNED, vectors


def kernel_accepts(tx: Transaction, index: int, prevouts: tuple[TxOutput, ...] = PREVOUTS) -> bool:
    theirs = pbk.Transaction(tx.serialize())
    scripts = [pbk.ScriptPubkey(each.script) for each in prevouts]
    outputs = [pbk.TransactionOutput(script, each.sats) for script, each in zip(scripts, prevouts, strict=True)]
    data = PrecomputedTransactionData(theirs, outputs)
    try:
        return bool(scripts[index].verify(prevouts[index].sats, theirs, data, index, ScriptVerificationFlags.ALL))
    except ScriptVerifyException:
        return False


def accepted(tx: Transaction, index: int, prevouts: tuple[TxOutput, ...] = PREVOUTS) -> bool:
    try:
        signing.verify_input(tx, index, prevouts)
    except SignatureInvalid:
        return False
    return True


def with_input(index: int, **changes: object) -> Transaction:
    inputs = list(SIGNED.inputs)
    inputs[index] = replace(inputs[index], **changes)  # type: ignore[arg-type]
    return replace(SIGNED, inputs=tuple(inputs))


@pytest.mark.parametrize("index", range(len(KINDS)), ids=KINDS)
def test_bitcoin_core_accepts_what_we_sign(index: int) -> None:
    assert kernel_accepts(SIGNED, index) and accepted(SIGNED, index)


@pytest.mark.parametrize("index", range(len(KINDS)), ids=KINDS)
def test_what_was_changed_after_signing_is_refused_by_bitcoin_core_and_by_us(index: int) -> None:
    output = replace(SIGNED.outputs[0], sats=11_999)
    richer = tuple(replace(each, sats=each.sats + 1) for each in PREVOUTS)
    for changed in (
        replace(SIGNED, outputs=(output, *SIGNED.outputs[1:])),
        replace(SIGNED, version=1),
        replace(SIGNED, locktime=1),
        with_input(index, sequence=0),
        with_input(index, witness=()),
        with_input(
            index, witness=(SIGNED.inputs[index].witness[0][:-2] + b"\x00\x01", *SIGNED.inputs[index].witness[1:])
        ),
        with_input(index, witness=(*SIGNED.inputs[index].witness, b"\x50annex")),
        with_input(index, script_sig=b"\x51"),
    ):
        assert not kernel_accepts(changed, index) and not accepted(changed, index)
    assert not kernel_accepts(SIGNED, index, richer) and not accepted(SIGNED, index, richer)


def test_a_lie_about_another_inputs_amount_is_seen_by_taproot_only() -> None:
    lie = (*PREVOUTS[:2], replace(PREVOUTS[2], sats=1))
    assert [accepted(SIGNED, index, lie) for index in range(3)] == [False, True, False]


def test_taproot_may_be_signed_with_all_and_nothing_else() -> None:
    for kind in Sighash:
        digest = taproot_digest(UNSIGNED, 0, PREVOUTS, kind)
        signature = curve.schnorr_sign(curve.taproot_private(PRIVATE), digest, AUX)
        signed = with_input(0, witness=(signature + bytes([kind] if kind else []),))
        assert kernel_accepts(signed, 0)
        assert accepted(signed, 0) is (kind in (Sighash.DEFAULT, Sighash.ALL)), kind


def test_an_annex_is_refused() -> None:
    with pytest.raises(SignatureInvalid, match="2 witness items"):
        signing.verify_input(with_input(0, witness=(SIGNED.inputs[0].witness[0], b"\x50")), 0, PREVOUTS)


def test_another_key_neither_signs_nor_passes() -> None:
    stranger = bytes.fromhex("22" * 32)
    for index in range(len(KINDS)):
        with pytest.raises(InvalidArgument):
            signing.sign_input(UNSIGNED, index, PREVOUTS, stranger, AUX)
    signature = SIGNED.inputs[1].witness[0]
    with pytest.raises(SignatureInvalid, match="not paid to"):
        signing.verify_input(with_input(1, witness=(signature, curve.public_key(stranger))), 1, PREVOUTS)


def test_scripts_of_other_kinds_are_neither_signed_nor_accepted() -> None:
    others = (TxOutput(10_000, b"\x00\x20" + bytes(32)), *PREVOUTS[1:])
    with pytest.raises(InvalidArgument):
        signing.sign_input(UNSIGNED, 0, others, PRIVATE, AUX)
    with pytest.raises(SignatureInvalid, match="input 0 spends a script of kind p2wsh"):
        signing.verify_input(SIGNED, 0, others)
    with pytest.raises(InvalidArgument):
        signing.script_for(ScriptKind.P2PKH, PUBLIC)
    for index in (-1, 3):
        with pytest.raises(InvalidArgument):
            signing.verify_input(SIGNED, index, PREVOUTS)


def test_bip143s_nested_example_is_signed_byte_for_byte() -> None:
    case = vectors("bip143")[1]
    unsigned = Transaction.parse(bytes.fromhex(case["unsigned"]))
    spent = [TxOutput(case["sats"], bytes.fromhex(case["script"]))]
    private = bytes.fromhex(case["private_key"])
    signature = signing.sign_input(unsigned, 0, spent, private, AUX)
    witness = signing.witness_of(spent[0].script, curve.public_key(private), signature)
    assert signing.with_witnesses(unsigned, spent, {0: witness}).serialize().hex() == case["signed"]
