"""Transactions as bytes, against the vectors of BIP143 and BIP341, btclib, and damage at every byte."""

from __future__ import annotations

from dataclasses import replace

import pytest
from btclib.tx import Tx
from hypothesis import given
from hypothesis import strategies as st

from darkswap_browser.bitcoin.transaction import (
    MAX_TRANSACTION,
    OutPoint,
    Reader,
    Transaction,
    compact_size,
    parse_witness,
    serialize_witness,
)
from darkswap_browser.errors import InvalidArgument, MalformedMessage
from tests.bitcoin.cases import SIGNED, UNSIGNED, vectors

RAW = [
    bytes.fromhex(vectors("bip341")["keyPathSpending"][0]["auxiliary"]["fullySignedTx"]),
    bytes.fromhex(vectors("bip143")[1]["signed"]),
    SIGNED.serialize(),
    UNSIGNED.serialize(),
]


@pytest.mark.parametrize("raw", RAW, ids=["bip341", "bip143", "signed", "unsigned"])
def test_a_transaction_is_written_as_it_was_read_and_as_btclib_sees_it(raw: bytes) -> None:
    tx = Transaction.parse(raw)
    theirs = Tx.parse(raw, check_validity=False)
    assert tx.serialize() == raw
    assert (tx.txid, tx.wtxid) == (theirs.id.hex(), theirs.hash.hex())
    assert (tx.weight, tx.vsize) == (theirs.weight, theirs.vsize)
    assert tx.unsigned.txid == tx.txid or any(each.script_sig for each in tx.inputs)


@pytest.mark.parametrize("raw", RAW, ids=["bip341", "bip143", "signed", "unsigned"])
def test_a_transaction_cut_at_any_byte_is_refused(raw: bytes) -> None:
    for end in range(len(raw)):
        with pytest.raises(MalformedMessage):
            Transaction.parse(raw[:end])
    with pytest.raises(MalformedMessage, match="after its end"):
        Transaction.parse(raw + b"\0")


def test_numbers_of_things_that_cannot_be_there_are_refused_at_once() -> None:
    for count in (b"\xff" + b"\xff" * 8, b"\xfe\xff\xff\xff\x7f", b"\xfd\x01\x00", b"\x00"):
        with pytest.raises(MalformedMessage):
            Transaction.parse(b"\x02\0\0\0" + count + bytes(60))
    with pytest.raises(MalformedMessage, match="at most"):
        Transaction.parse(bytes(MAX_TRANSACTION + 1))


def test_the_mark_of_witnesses_without_one_is_refused() -> None:
    raw = UNSIGNED.serialize()
    with pytest.raises(MalformedMessage, match="mark of witnesses"):
        Transaction.parse(raw[:4] + b"\0\1" + raw[4:-4] + bytes(len(UNSIGNED.inputs)) + raw[-4:])


def test_more_money_than_there_is_is_refused() -> None:
    rich = replace(UNSIGNED, outputs=(replace(UNSIGNED.outputs[0], sats=21 * 10**14 + 1),))
    with pytest.raises(MalformedMessage, match="more than there is"):
        Transaction.parse(rich.serialize())


@given(st.lists(st.binary(max_size=80), max_size=5).map(tuple))
def test_witnesses_are_read_as_they_were_written(items: tuple[bytes, ...]) -> None:
    data = serialize_witness(items)
    assert parse_witness(data) == items
    for end in range(len(data)):
        with pytest.raises(MalformedMessage):
            parse_witness(data[:end])


@given(st.integers(0, 2**64 - 1))
def test_lengths_are_written_in_their_shortest_form_and_read_in_no_other(value: int) -> None:
    data = compact_size(value)
    assert Reader(data, "length").compact_size() == value
    for size, mark in ((2, 0xFD), (4, 0xFE), (8, 0xFF)):
        if size > len(data) - 1 and value < 1 << 8 * size:
            with pytest.raises(MalformedMessage, match="shortest"):
                Reader(bytes([mark]) + value.to_bytes(size, "little"), "length").compact_size()
    with pytest.raises(ValueError):
        compact_size(2**64 + value)


def test_outpoints_have_one_text() -> None:
    outpoint = OutPoint("0f" * 32, 4294967295)
    assert OutPoint.parse(str(outpoint)) == outpoint
    for text in ("", "0f" * 32, "0F" * 32 + ":1", "0f" * 32 + ":-1", "0f" * 32 + ":4294967296", "0f" * 31 + ":1"):
        with pytest.raises(InvalidArgument):
            OutPoint.parse(text)
