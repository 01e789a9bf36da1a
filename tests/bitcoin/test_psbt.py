"""PSBTs of BIP174, BIP370 and BIP371 (bitcoin/bips), ours for wallets, and the signatures taken from what returns."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from btclib_wallet import psbt as btclib
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.bitcoin import psbt_fields as fields
from darkswap_browser.bitcoin.psbt import MAX_PSBT, Psbt, create_psbt, signatures_of, with_witness
from darkswap_browser.bitcoin.psbt_fields import PsbtMap
from darkswap_browser.bitcoin.signing import script_sig_of
from darkswap_browser.bitcoin.transaction import compact_size, serialize_witness
from darkswap_browser.errors import InvalidArgument, MalformedMessage, SignatureInvalid
from tests.bitcoin.cases import FUNDING, PREVOUTS, PUBLIC, SCRIPTS, SIGNED, UNSIGNED, WITNESSES, vectors
from tests.support.examples import examples

OURS = dict.fromkeys(range(3), PUBLIC)
PREVIOUS = {FUNDING.txid: FUNDING.serialize()}
ASKED = create_psbt(UNSIGNED, PREVOUTS, PREVIOUS, OURS)


def cases(verdict: str, *names: str) -> list[dict[str, str]]:
    return [case for name in names for case in vectors(name)[verdict]]


def with_pairs(index: int, change: Callable[[dict[bytes, bytes]], object], psbt: Psbt = ASKED) -> Psbt:
    pairs = dict(psbt.inputs[index].pairs)
    change(pairs)
    inputs = list(psbt.inputs)
    inputs[index] = PsbtMap(tuple(pairs.items()))
    return replace(psbt, inputs=tuple(inputs))


def _updating(more: dict[bytes, bytes]) -> Callable[[dict[bytes, bytes]], object]:
    return lambda pairs: pairs.update(more)


def signed() -> Psbt:
    """As Xverse and Leather return it."""
    result = ASKED
    for index, witness in WITNESSES.items():
        result = with_witness(result, index, witness)
    return result


def finalised() -> Psbt:
    """As UniSat returns it: every other field of an input is gone."""
    inputs = []
    for prevout, witness in zip(PREVOUTS, WITNESSES.values(), strict=True):
        pairs = {fields.WITNESS_UTXO.key(): prevout.serialize(), fields.FINAL_WITNESS.key(): serialize_witness(witness)}
        if script_sig := script_sig_of(prevout.script, witness):
            pairs[fields.FINAL_SCRIPT_SIG.key()] = script_sig
        inputs.append(PsbtMap(tuple(pairs.items())))
    return replace(ASKED, inputs=tuple(inputs))


# Without inputs a transaction cannot be told from one with witnesses, and nothing is traded.
VALID = [case for case in cases("valid", "bip174", "bip371") if "0 inputs" not in case["case"]]


@pytest.mark.parametrize("case", VALID, ids=lambda case: case["case"])
def test_valid_psbts_are_read_and_written_byte_for_byte(case: dict[str, str]) -> None:
    data = base64.b64decode(case["base64"])
    assert Psbt.parse(data).serialize() == data


@pytest.mark.parametrize("case", cases("invalid", "bip174", "bip371"), ids=lambda case: case["case"])
def test_invalid_psbts_are_refused(case: dict[str, str]) -> None:
    with pytest.raises(MalformedMessage):
        Psbt.parse(base64.b64decode(case["base64"]))


@pytest.mark.parametrize("case", cases("invalid", "bip370") + cases("valid", "bip370"), ids=lambda case: case["case"])
def test_version_2_and_its_fields_are_refused(case: dict[str, str]) -> None:
    with pytest.raises(MalformedMessage):
        Psbt.parse(base64.b64decode(case["base64"]))


def test_version_2_is_refused_by_its_name() -> None:
    data = base64.b64decode(vectors("bip370")["valid"][0]["base64"])
    with pytest.raises(MalformedMessage, match="is of version 2; only version 0 is read"):
        Psbt.parse(data)


def test_a_psbt_cut_at_any_byte_is_refused() -> None:
    data = signed().serialize()
    assert Psbt.parse(data) == signed()
    for end in range(len(data)):
        with pytest.raises(MalformedMessage):
            Psbt.parse(data[:end])
    with pytest.raises(MalformedMessage, match="after its end"):
        Psbt.parse(data + b"\0")
    with pytest.raises(MalformedMessage, match="at most"):
        Psbt.parse(data + bytes(MAX_PSBT))


@settings(max_examples=examples(60), deadline=None)
@given(st.integers(0, 2**32))
def test_damaged_psbts_are_refused_or_written_as_they_were_read(seed: int) -> None:
    chance = random.Random(seed)
    data = bytearray(signed().serialize())
    for _ in range(chance.randint(1, 3)):
        data[chance.randrange(len(data))] = chance.choice((0, 1, 0x13, 0x50, 0xFD, 0xFF, chance.randrange(256)))
    try:
        assert Psbt.parse(bytes(data)).serialize() == data
    except MalformedMessage:
        pass


def test_lengths_that_lie_are_refused_before_anything_is_allocated() -> None:
    for length in (b"\xfe\xff\xff\xff\xff", b"\xff" + b"\xff" * 8, compact_size(1 << 40)):
        with pytest.raises(MalformedMessage, match="early"):
            Psbt.parse(b"psbt\xff" + length)


def test_unknown_and_proprietary_fields_are_kept() -> None:
    psbt = with_pairs(0, lambda pairs: pairs.update({b"\xfc\x04test\x00key": b"value", b"\xfd\x00\x01long type": b""}))
    assert Psbt.parse(psbt.serialize()) == psbt


def test_a_wallet_is_told_what_it_needs_and_no_more() -> None:
    kinds = [[key[0] for key, _ in each.pairs] for each in ASKED.inputs]
    assert kinds == [[0x01, 0x17], [0x00, 0x01], [0x00, 0x01, 0x04]]
    assert ASKED.inputs[0].get(fields.TAP_INTERNAL_KEY) == PUBLIC[1:]
    assert ASKED.inputs[1].get(fields.NON_WITNESS_UTXO) == FUNDING.unsigned
    strangers = create_psbt(UNSIGNED, PREVOUTS, {}, {})
    assert [[key[0] for key, _ in each.pairs] for each in strangers.inputs] == [[0x01]] * 3
    assert [strangers.spent(index) for index in range(3)] == list(PREVOUTS)
    assert Psbt.parse(ASKED.serialize()) == ASKED


def test_previous_transactions_that_are_missing_or_wrong_are_refused() -> None:
    for previous in ({}, {FUNDING.txid: UNSIGNED.serialize()}):
        with pytest.raises(InvalidArgument):
            create_psbt(UNSIGNED, PREVOUTS, previous, {1: PUBLIC})
    richer = (PREVOUTS[0], replace(PREVOUTS[1], sats=10**6), PREVOUTS[2])
    with pytest.raises(InvalidArgument):
        create_psbt(UNSIGNED, richer, PREVIOUS, {1: PUBLIC})
    with pytest.raises(InvalidArgument):
        create_psbt(UNSIGNED, PREVOUTS[:2], PREVIOUS, {})
    for other in (UNSIGNED, replace(FUNDING, outputs=FUNDING.outputs[:1])):
        pair = {fields.NON_WITNESS_UTXO.key(): other.serialize()}
        with pytest.raises(MalformedMessage, match="another previous transaction"):
            Psbt.parse(with_pairs(1, _updating(pair)).serialize())
    with pytest.raises(MalformedMessage, match="twice and not the same"):
        Psbt.parse(with_pairs(1, lambda pairs: pairs.update({b"\x01": richer[1].serialize()})).serialize())


@pytest.mark.parametrize("manner", [signed, finalised])
def test_signatures_are_found_in_whatever_manner_a_wallet_leaves_them(manner: Callable[[], Psbt]) -> None:
    returned = Psbt.parse(manner().serialize())
    assert signatures_of(returned, ASKED, range(3)) == WITNESSES
    assert signatures_of(returned, ASKED, [1]) == {1: WITNESSES[1]}
    assert not signatures_of(returned, ASKED, [])


def test_another_transaction_is_refused_whatever_it_signs() -> None:
    for changed in (replace(UNSIGNED, locktime=1), replace(UNSIGNED, outputs=UNSIGNED.outputs[:2])):
        pairs = ((b"\x00", changed.serialize()),)
        with pytest.raises(SignatureInvalid, match="returned the transaction"):
            signatures_of(replace(signed(), unsigned=changed, globals=PsbtMap(pairs)), ASKED, [0])


def test_scripts_and_amounts_that_a_wallet_returns_count_for_nothing() -> None:
    lie = replace(PREVOUTS[0], sats=1, script=SCRIPTS["p2wpkh"]).serialize()  # type: ignore[index]
    returned = with_pairs(0, lambda pairs: pairs.update({b"\x01": lie}), signed())
    assert signatures_of(returned, ASKED, [0]) == {0: WITNESSES[0]}


@pytest.mark.parametrize(
    "change",
    [
        lambda pairs: pairs.pop(b"\x13"),
        lambda pairs: pairs.update({b"\x13": bytes(64)}),
        lambda pairs: pairs.update({b"\x13": pairs[b"\x13"] + b"\x83"}),
        lambda pairs: pairs.update({b"\x13": pairs[b"\x13"] + b"\x00"}),
        lambda pairs: pairs.update({b"\x03": b"\x83\0\0\0"}),
        lambda pairs: pairs.update({b"\x08": b"\x00"}),
        lambda pairs: pairs.update({b"\x08": serialize_witness((*WITNESSES[0], b"\x50"))}),
        lambda pairs: pairs.update({b"\x08": serialize_witness((b"s", b"\x51", b"\xc0" + PUBLIC[1:]))}),
        lambda pairs: pairs.update({b"\x08": serialize_witness(WITNESSES[0]), b"\x07": b"\x51"}),
    ],
)
def test_signatures_that_are_missing_wrong_or_of_another_type_are_refused(
    change: Callable[[dict[bytes, bytes]], object],
) -> None:
    with pytest.raises(SignatureInvalid, match="input"):
        signatures_of(with_pairs(0, change, signed()), ASKED, [0])


@pytest.mark.parametrize("index", [1, 2])
def test_partial_signatures_of_other_keys_are_passed_over(index: int) -> None:
    stranger = b"\x02" + SIGNED.inputs[0].witness[0][:32]
    both = with_pairs(index, lambda pairs: pairs.update({b"\x02" + stranger: bytes(71)}), signed())
    assert signatures_of(both, ASKED, [index]) == {index: WITNESSES[index]}
    for change in (
        lambda pairs: pairs.pop(b"\x02" + PUBLIC),
        lambda pairs: pairs.update({b"\x02" + PUBLIC: WITNESSES[3 - index][0]}),
        lambda pairs: pairs.update({b"\x02" + PUBLIC: WITNESSES[index][0][:-1] + b"\x03"}),
    ):
        with pytest.raises(SignatureInvalid, match="input"):
            signatures_of(with_pairs(index, change, both), ASKED, [index])


def test_a_signature_needs_a_script_to_belong_to() -> None:
    bare = with_pairs(0, lambda pairs: pairs.clear())
    with pytest.raises(InvalidArgument):
        with_witness(bare, 0, WITNESSES[0])
    with pytest.raises(InvalidArgument):
        signatures_of(signed(), bare, [0])


def test_btclib_reads_what_we_write_finds_signatures_only_and_finishes_it() -> None:
    asked, returned = (btclib.Psbt.parse(each.serialize()) for each in (ASKED, signed()))
    assert (asked.serialize(), returned.serialize()) == (ASKED.serialize(), signed().serialize())
    btclib.assert_signatures_only(asked, returned)
    final = btclib.finalize(returned)
    assert btclib.extract_tx(final).serialize(include_witness=True) == SIGNED.serialize()
    assert signatures_of(Psbt.parse(final.serialize()), ASKED, range(3)) == WITNESSES
