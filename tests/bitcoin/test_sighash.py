"""Digests against the vectors of bitcoin/bips (bip-0341/wallet-test-vectors.json, the examples of BIP143), and
against btclib on random transactions."""

from __future__ import annotations

from typing import Any

import pytest
from btclib.script import sig_hash
from btclib.tx import Tx, TxOut
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.bitcoin import curve
from darkswap_browser.bitcoin.sighash import Sighash, segwit_v0_digest, taproot_digest
from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from darkswap_browser.errors import InvalidArgument
from tests.bitcoin.cases import PREVOUTS, UNSIGNED, vectors
from tests.support.examples import examples

KEY_PATH = vectors("bip341")["keyPathSpending"][0]
TX = Transaction.parse(bytes.fromhex(KEY_PATH["given"]["rawUnsignedTx"]))
SPENT = [TxOutput(each["amountSats"], bytes.fromhex(each["scriptPubKey"])) for each in KEY_PATH["given"]["utxosSpent"]]


@pytest.mark.parametrize("case", KEY_PATH["inputSpending"], ids=lambda case: f"type {case['given']['hashType']}")
def test_the_key_path_is_signed_as_bip341_says(case: dict[str, dict[str, Any]]) -> None:
    given, between = case["given"], case["intermediary"]
    digest = taproot_digest(TX, given["txinIndex"], SPENT, Sighash(given["hashType"]))
    assert digest.hex() == between["sigHash"]
    (witness,) = case["expected"]["witness"]
    signature = curve.schnorr_sign(bytes.fromhex(between["tweakedPrivkey"]), digest, bytes(32))
    assert witness.startswith(signature.hex())


@pytest.mark.parametrize("case", vectors("bip143")[:2], ids=lambda case: case["case"])
def test_version_0_keys_are_signed_as_bip143_says(case: dict[str, str | int]) -> None:
    tx = Transaction.parse(bytes.fromhex(str(case["unsigned"])))
    private = bytes.fromhex(str(case["private_key"]))
    code = b"\x76\xa9\x14" + curve.hash160(curve.public_key(private)) + b"\x88\xac"
    digest = segwit_v0_digest(tx, int(case["index"]), code, int(case["sats"]))
    assert digest.hex() == case["digest"]
    assert curve.ecdsa_sign(private, digest).hex() + "01" == case["signature"]


def test_every_type_of_version_0_is_as_bip143_says() -> None:
    case = vectors("bip143")[2]
    tx = Transaction.parse(bytes.fromhex(case["unsigned"]))
    for kind, digest in case["digests"].items():
        code = bytes.fromhex(case["script_code"])
        assert segwit_v0_digest(tx, 0, code, case["sats"], Sighash(int(kind))).hex() == digest


def test_single_without_its_output_is_refused_in_taproot_and_signs_no_output_in_version_0() -> None:
    tx = Transaction(UNSIGNED.inputs, UNSIGNED.outputs[:1])
    other = Transaction(UNSIGNED.inputs, UNSIGNED.outputs[1:2])
    for kind in (Sighash.SINGLE, Sighash.SINGLE_ANYONECANPAY):
        with pytest.raises(InvalidArgument):
            taproot_digest(tx, 1, PREVOUTS, kind)
        assert segwit_v0_digest(tx, 1, b"", 5, kind) == segwit_v0_digest(other, 1, b"", 5, kind)


def test_what_cannot_be_signed_is_refused() -> None:
    with pytest.raises(InvalidArgument):
        taproot_digest(UNSIGNED, 0, PREVOUTS[:1])
    for index in (-1, 3):
        with pytest.raises(InvalidArgument):
            taproot_digest(UNSIGNED, index, PREVOUTS)
        with pytest.raises(InvalidArgument):
            segwit_v0_digest(UNSIGNED, index, b"", 0)
    with pytest.raises(InvalidArgument):
        segwit_v0_digest(UNSIGNED, 0, b"", 0, Sighash.DEFAULT)


U32 = st.integers(0, 0xFFFFFFFF)
OUTPUTS = st.builds(TxOutput, st.integers(0, 21 * 10**14), st.binary(min_size=1, max_size=40))
INPUTS = st.builds(TxInput, st.builds(OutPoint, st.binary(min_size=32, max_size=32).map(bytes.hex), U32), U32)


@st.composite
def spends(draw: st.DrawFn) -> tuple[Transaction, list[TxOutput], int]:
    inputs = draw(st.lists(INPUTS, min_size=1, max_size=4, unique_by=lambda each: each.outpoint))
    outputs = draw(st.lists(OUTPUTS, min_size=1, max_size=4))
    spent = draw(st.lists(OUTPUTS, min_size=len(inputs), max_size=len(inputs)))
    tx = Transaction(tuple(inputs), tuple(outputs), draw(st.integers(1, 3)), draw(U32))
    return tx, spent, draw(st.integers(0, len(inputs) - 1))


@settings(max_examples=examples(60), deadline=None)
@given(spends(), st.sampled_from(Sighash))
def test_btclib_computes_the_same_digests(case: tuple[Transaction, list[TxOutput], int], kind: Sighash) -> None:
    tx, spent, index = case
    theirs = Tx.parse(tx.serialize(), check_validity=False)
    if kind & 3 != Sighash.SINGLE or index < len(tx.outputs):
        outputs = [TxOut(each.sats, each.script, check_validity=False) for each in spent]
        assert taproot_digest(tx, index, spent, kind) == sig_hash.taproot(theirs, index, outputs, kind, 0, b"", b"")
    if kind:
        script, sats = spent[index].script, spent[index].sats
        assert segwit_v0_digest(tx, index, script, sats, kind) == sig_hash.segwit_v0(script, theirs, index, kind, sats)
