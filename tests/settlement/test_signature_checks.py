"""The rules V15 to V20: what must hold of signatures, of the finished transaction, and of the chain afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import pytest

from darkswap_browser.bitcoin import curve, psbt_fields
from darkswap_browser.bitcoin.psbt import Psbt, with_witness
from darkswap_browser.bitcoin.psbt_fields import PsbtMap
from darkswap_browser.bitcoin.script import ScriptKind
from darkswap_browser.bitcoin.sighash import Sighash, segwit_v0_digest, taproot_digest
from darkswap_browser.bitcoin.signing import with_witnesses
from darkswap_browser.bitcoin.transaction import Transaction, TxOutput, serialize_witness
from darkswap_browser.errors import VerificationFailed
from darkswap_browser.market.assets import BTC
from darkswap_browser.regtest.chain.kernel import kernel_verifies
from darkswap_browser.settlement.messages import Witnesses
from darkswap_browser.settlement.signature_checks import (
    complete,
    v15_v16_wallet_answer,
    v17_their_signatures,
    v18_final,
    v19_spendable,
    v20_no_conflict,
)
from darkswap_browser.settlement.terms import Role
from darkswap_browser.settlement.transaction import Settlement
from tests.settlement.cases import MAKER, RUNE, TAKER
from tests.settlement.test_checks import ROWS as ROWS_BEFORE_SIGNING
from tests.support.trade_fixture import AUX, KINDS, Style, deal, key_of, keys_of, witness_for

DEAL = deal(RUNE, BTC)
"""Inputs: the maker's runes (P2TR), the maker's bitcoin (P2WPKH), the taker's bitcoin (P2WPKH)."""
SETTLEMENT = DEAL.settlement()
SIGNED = {role: DEAL.witnesses(role) for role in Role}
RUNES, BITCOIN, THEIRS = 0, 1, 2
ASKED = DEAL.asked(MAKER)
WRONG_TYPES = (*Sighash,)[2:]
"""Those that leave something to be changed afterwards."""
OTHER = "99" * 32


def answer(signed: Witnesses = SIGNED[MAKER], asked: Psbt = ASKED) -> Psbt:
    """As a wallet returns it that leaves finalising to others."""
    for index, witness in signed:
        asked = with_witness(asked, index, witness)
    return asked


def finalised(index: int, script_sig: bytes | None = None) -> Psbt:
    """As wallets return it that finalise an input."""
    pairs = {psbt_fields.FINAL_WITNESS.key(): serialize_witness(dict(SIGNED[MAKER])[index])}
    if script_sig is not None:
        pairs[psbt_fields.FINAL_SCRIPT_SIG.key()] = script_sig
    return with_fields(answer(), index, {**dict(ASKED.inputs[index].pairs), **pairs})


def with_fields(answered: Psbt, index: int, fields: dict[bytes, bytes]) -> Psbt:
    maps = list(answered.inputs)
    maps[index] = PsbtMap(tuple(sorted(fields.items())))
    return replace(answered, inputs=tuple(maps))


def with_sighash_field(number: int) -> Psbt:
    answered = answer()
    field = {psbt_fields.SIGHASH_TYPE.key(): number.to_bytes(4, "little")}
    return with_fields(answered, RUNES, {**dict(answered.inputs[RUNES].pairs), **field})


def signature_of(index: int, sighash: Sighash, settlement: Settlement = SETTLEMENT) -> tuple[bytes, ...]:
    """A signature of any type, good by consensus."""
    private = keys_of(MAKER)[settlement.prevouts[index].script]
    public = curve.public_key(private)
    if index == RUNES:
        digest = taproot_digest(settlement.tx, index, settlement.prevouts, sighash)
        return (curve.schnorr_sign(curve.taproot_private(private), digest, AUX) + bytes([sighash]),)
    script_code = b"\x76\xa9\x14" + curve.hash160(public) + b"\x88\xac"
    digest = segwit_v0_digest(settlement.tx, index, script_code, settlement.prevouts[index].sats, sighash)
    return (curve.ecdsa_sign(private, digest) + bytes([sighash]), public)


def instead(index: int, witness: tuple[bytes, ...], of: Witnesses = SIGNED[MAKER]) -> Witnesses:
    return tuple((place, witness if place == index else good) for place, good in of)


def bent(signature: bytes) -> bytes:
    return signature[:20] + bytes([signature[20] ^ 1]) + signature[21:]


GOOD_RUNES, GOOD_BITCOIN = (witness for _, witness in SIGNED[MAKER])
ELSEWHERE = replace(
    SETTLEMENT, tx=replace(SETTLEMENT.tx, outputs=(TxOutput(547, b"\x51\x20" + bytes(32)), *SETTLEMENT.tx.outputs[1:]))
)
"""A settlement that pays somebody else."""
POORER = replace(
    SETTLEMENT, prevouts=(*SETTLEMENT.prevouts[:2], replace(SETTLEMENT.prevouts[2], sats=1))
)  # fmt: skip


def other_transaction() -> Psbt:
    """Signed well, and not what was asked."""
    unsigned = ELSEWHERE.tx.serialize(witness=False)
    moved = replace(
        ASKED, unsigned=ELSEWHERE.tx, globals=PsbtMap(((psbt_fields.UNSIGNED.key(), unsigned),))
    )  # fmt: skip
    signed = tuple(
        (each, witness_for(ELSEWHERE, each, keys_of(MAKER)[SETTLEMENT.prevouts[each].script])) for each in (0, 1)
    )
    return answer(signed, moved)


def from_wallet(returned: bytes) -> Witnesses:
    return v15_v16_wallet_answer(returned, ASKED, SETTLEMENT, MAKER)


def v15(psbt: Psbt) -> Callable[[], object]:
    return lambda: from_wallet(psbt.serialize())


def v17(signed: Witnesses, settlement: Settlement = SETTLEMENT) -> Callable[[], object]:
    return lambda: v17_their_signatures(settlement, MAKER, signed)


def finished(maker: Witnesses = SIGNED[MAKER]) -> Transaction:
    return with_witnesses(SETTLEMENT.tx, SETTLEMENT.prevouts, dict((*maker, *SIGNED[TAKER])))


def v18(tx: Transaction) -> Callable[[], object]:
    return lambda: v18_final(SETTLEMENT, tx.serialize())


def with_script_sig() -> Transaction:
    tx = finished()
    return replace(tx, inputs=(replace(tx.inputs[0], script_sig=b"\x00"), *tx.inputs[1:]))


class Row(NamedTuple):
    rule: str
    what: str
    detail: str
    ask: Callable[[], object]


ROWS = (
    Row("V15", "nothing signed", "did not sign input 0", v15(ASKED)),
    Row("V15", "one not signed", "did not sign input 1", v15(answer(SIGNED[MAKER][:1]))),
    Row("V15", "a wrong signature", "input 0 is wrong", v15(answer(instead(RUNES, (bent(GOOD_RUNES[0]),))))),
    Row("V15", "a wrong signature of version 0", "input 1 is wrong",
        v15(answer(instead(BITCOIN, (bent(GOOD_BITCOIN[0]), GOOD_BITCOIN[1]))))),
    Row("V15", "over other amounts", "input 0 is wrong",
        v15(answer(instead(RUNES, witness_for(POORER, RUNES, key_of(MAKER, "assets")))))),
    Row("V15", "over another transaction", "input 0 is wrong",
        v15(answer(instead(RUNES, witness_for(ELSEWHERE, RUNES, key_of(MAKER, "assets")))))),
    Row("V15", "by another key", "did not sign input 1",
        v15(answer(instead(BITCOIN, (GOOD_BITCOIN[0], curve.public_key(key_of(TAKER, "assets"))))))),
    Row("V15", "finalised with a scriptSig", "another scriptSig", v15(finalised(RUNES, b"\x01\x00"))),
    Row("V15", "a field for SINGLE", "sighash type 131", v15(with_sighash_field(Sighash.SINGLE_ANYONECANPAY))),
    Row("V16", "no PSBT", "no PSBT", lambda: from_wallet(b"psbt")),
    Row("V16", "half of it", "no PSBT", lambda: from_wallet(answer().serialize()[:-1])),
    Row("V16", "another transaction", "returned the transaction", v15(other_transaction())),
    Row("V17", "none", "other inputs than its own", v17(())),
    Row("V17", "one missing", "other inputs than its own", v17(SIGNED[MAKER][1:])),
    Row("V17", "one of mine", "other inputs than its own", v17((*SIGNED[MAKER], *SIGNED[TAKER]))),
    Row("V17", "of another role", "other inputs than its own", v17(SIGNED[TAKER])),
    Row("V17", "an input that is none", "other inputs than its own", v17((*SIGNED[MAKER], (39, GOOD_RUNES)))),
    Row("V17", "a wrong signature", "input 0 is wrong", v17(instead(RUNES, (bent(GOOD_RUNES[0]),)))),
    Row("V17", "of another trade, replayed", "input 0 is wrong", v17(SIGNED[MAKER], ELSEWHERE)),
    Row("V17", "by another key", "a key that its coin is not paid to",
        v17(instead(BITCOIN, (GOOD_BITCOIN[0], curve.public_key(key_of(TAKER, "assets")))))),
    Row("V17", "an empty witness", "0 witness items", v17(instead(RUNES, ()))),
    Row("V17", "a script path", "3 witness items", v17(instead(RUNES, (b"", b"\x51", b"\xc0" + bytes(32))))),
    Row("V17", "an annex", "2 witness items", v17(instead(RUNES, (*GOOD_RUNES, b"\x50")))),
    Row("V17", "too much for version 0", "3 witness items", v17(instead(BITCOIN, (b"", *GOOD_BITCOIN)))),
    Row("V17", "no type byte in version 0", "not signed with SIGHASH_ALL",
        v17(instead(BITCOIN, (GOOD_BITCOIN[0][:-1], GOOD_BITCOIN[1])))),
    Row("V18", "no transaction", "ends", lambda: v18_final(SETTLEMENT, finished().serialize()[:-1])),
    Row("V18", "another transaction", "another one", v18(replace(finished(), locktime=1))),
    Row("V18", "one not signed", "witness items", v18(finished(SIGNED[MAKER][:1]))),
    Row("V18", "a wrong signature", "input 0 is wrong", v18(finished(instead(RUNES, (bent(GOOD_RUNES[0]),))))),
    Row("V18", "a scriptSig", "another one", v18(with_script_sig())),
    Row("V18", "completed of wrong parts", "input 0 is wrong",
        lambda: complete(SETTLEMENT, instead(RUNES, (bent(GOOD_RUNES[0]),)), SIGNED[TAKER])),
    Row("V19", "spent at once", "0 of 1 confirmations", lambda: v19_spendable(0, 1)),
    Row("V19", "spent too early", "5 of 6 confirmations", lambda: v19_spendable(5, 6)),
    Row("V20", "a coin spent elsewhere", f"was spent by {OTHER}",
        lambda: v20_no_conflict(SETTLEMENT, {SETTLEMENT.tx.inputs[2].outpoint: OTHER})),
)  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.rule}-{row.what}")
def test_what_goes_wrong_is_noticed_by_its_rule(row: Row) -> None:
    with pytest.raises(VerificationFailed) as failed:
        row.ask()
    assert (failed.value.rule, row.detail in failed.value.detail) == (row.rule, True), str(failed.value)


def test_every_rule_from_v1_to_v20_has_its_rows() -> None:
    rules = [row.rule for row in (*ROWS_BEFORE_SIGNING, *ROWS)]
    assert [*dict.fromkeys(rules)] == [f"V{number}" for number in range(1, 21)]


@pytest.mark.parametrize("index", [RUNES, BITCOIN])
@pytest.mark.parametrize("sighash", WRONG_TYPES, ids=lambda sighash: sighash.name)
def test_a_signature_that_leaves_something_open_is_refused_though_nodes_would_take_it(
    index: int, sighash: Sighash
) -> None:
    signed = instead(index, signature_of(index, sighash))
    assert kernel_verifies(finished(signed), SETTLEMENT.prevouts)
    for rule, ask in (("V15", v15(answer(signed))), ("V17", v17(signed)), ("V18", v18(finished(signed)))):
        with pytest.raises(VerificationFailed, match="not signed with SIGHASH_") as failed:
            ask()
        assert failed.value.rule == rule


def test_a_taproot_signature_may_say_all_in_a_byte_of_its_own() -> None:
    signed = instead(RUNES, signature_of(RUNES, Sighash.ALL))
    v17_their_signatures(SETTLEMENT, MAKER, signed)
    assert from_wallet(answer(signed).serialize()) == signed
    assert kernel_verifies(complete(SETTLEMENT, signed, SIGNED[TAKER]), SETTLEMENT.prevouts)


@pytest.mark.parametrize(
    "returned", [answer(), finalised(RUNES), finalised(BITCOIN, b""), with_sighash_field(0), with_sighash_field(1)]
)
def test_whatever_manner_a_wallet_has_its_signatures_are_the_same(returned: Psbt) -> None:
    assert from_wallet(returned.serialize()) == SIGNED[MAKER]


def test_signatures_that_a_wallet_gives_for_inputs_of_the_other_side_are_left_where_they_are() -> None:
    everything = answer((*SIGNED[MAKER], *SIGNED[TAKER]))
    assert from_wallet(everything.serialize()) == SIGNED[MAKER]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not ScriptKind.P2SH])
def test_signatures_of_both_sides_make_the_settlement(kind: ScriptKind) -> None:
    done = deal(RUNE, BTC, style=Style(assets=kind, bitcoin=kind), left=1)
    settlement, signed = done.settlement(), {role: done.witnesses(role) for role in Role}
    for role in Role:
        v17_their_signatures(settlement, role, signed[role])
    tx = complete(settlement, signed[MAKER], signed[TAKER])
    assert v18_final(settlement, tx.serialize()) == tx and tx.txid == settlement.txid
    assert kernel_verifies(tx, settlement.prevouts)


def test_the_chain_afterwards_is_no_hindrance_where_all_is_well() -> None:
    v19_spendable(1, 1)
    inputs = [each.outpoint for each in SETTLEMENT.tx.inputs]
    v20_no_conflict(SETTLEMENT, {})
    v20_no_conflict(SETTLEMENT, {inputs[0]: SETTLEMENT.txid, inputs[1]: None})
