"""Two readers written apart, on anything: what `bitcoin/runes` and `bitcoin/alkanes` say, and the regtest indexes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.bitcoin.alkanes.flow import Allocated, ContractCall, allocate_alkanes
from darkswap_browser.bitcoin.alkanes.ids import AlkaneId
from darkswap_browser.bitcoin.alkanes.protostone import Protostone, decode_protostones, encode_protostones
from darkswap_browser.bitcoin.runes.allocation import allocate
from darkswap_browser.bitcoin.runes.ids import RuneId
from darkswap_browser.bitcoin.runes.runestone import Cenotaph, Etching, Runestone, decipher
from darkswap_browser.bitcoin.transaction import Transaction
from darkswap_browser.regtest.indexes import alkanes, runes, runestones
from tests.bitcoin.alkanes import cases
from tests.bitcoin.alkanes.cases import STONES, D, E, values_of
from tests.bitcoin.alkanes.test_flow import PLAIN
from tests.bitcoin.runes.cases import DATA, INTEGERS, PAYS, U128, mutations, script_of, transaction
from tests.bitcoin.runes.cases import runestones as stones_of
from tests.support.examples import examples

ATOMS = st.integers(0, 30) | U128
RUNES = {RuneId(1, 1): 7, RuneId(2, 0): 100, RuneId(1, 0): 1}
SEEDS = [script_of(2, 7, 4, 9, 1, 38, 3, 5, 5, 97, 6, 8, 10, 3, 8, 4, 12, 1, 14, 2, 16, 3, 18, 4, 20, 1, 20, 2, 22, 1),
         script_of(0, 1, 1, 5, 0, 0, 2, 6, 1, 3, 1, 7, 2), bytes.fromhex("6a5d111600ff7f8192ec82d08b80808280a0bf10"),
         script_of(20, 1, 20, 1, 0, 1, 1, 2, 3), b"\x6a\x5d\x4c\x02\x16\x00\x4d\x02\x00\x7f\x01"]  # fmt: skip
SCRIPTS = (
    INTEGERS.map(lambda integers: script_of(*integers))
    | st.binary(max_size=60).map(lambda data: b"\x6a\x5d" + data)
    | mutations(SEEDS)
    | stones_of(3).map(Runestone.encipher)
)
TRANSACTIONS = st.builds(
    lambda script, more, at: transaction(*more[:at], script, *more[at:]),
    SCRIPTS,
    st.lists(st.sampled_from([DATA, PAYS, b"", b"\x6a\x5d\x01"]), max_size=3),
    st.integers(0, 3),
)


def as_stone(artifact: Runestone | Cenotaph | None) -> runestones.ParsedRunestone | None:
    """In the other's words: a cenotaph keeps no more than its flaw, its mint and its name; nothing is 0."""
    if artifact is None:
        return None
    mint = None if artifact.mint is None else (artifact.mint.block, artifact.mint.tx)
    if isinstance(artifact, Cenotaph):
        return runestones.ParsedRunestone(str(artifact.flaw), etching=_named(artifact.etching), mint=mint)
    edicts = tuple((edict.id.block, edict.id.tx, edict.amount, edict.output) for edict in artifact.edicts)
    etching = None if artifact.etching is None else _etching(artifact.etching)
    return runestones.ParsedRunestone(None, edicts, etching, mint, artifact.pointer, artifact.protocol)


def _etching(etching: Etching) -> runestones.Etching:
    terms = etching.terms
    there = None if terms is None else runestones.Terms(terms.amount, terms.cap, terms.height, terms.offset)
    return runestones.Etching(
        etching.rune,
        etching.divisibility or 0,
        etching.spacers or 0,
        etching.symbol,
        etching.premine or 0,
        there,
        etching.turbo,
    )


def _named(rune: int | None) -> runestones.Etching | None:
    return None if rune is None else runestones.Etching(rune, 0, 0, None, 0, None, False)


def what_counts(stone: runestones.ParsedRunestone | None) -> runestones.ParsedRunestone | None:
    if stone is None or not stone.flaw:
        return stone
    return runestones.ParsedRunestone(
        stone.flaw, etching=_named(stone.etching.rune if stone.etching else None), mint=stone.mint
    )


@settings(max_examples=examples(250))
@given(TRANSACTIONS)
def test_both_read_the_same_in_every_transaction(tx: Transaction) -> None:
    assert as_stone(decipher(tx)) == what_counts(runestones.decipher(tx))


@settings(max_examples=examples(150))
@given(TRANSACTIONS, st.dictionaries(st.sampled_from(sorted(RUNES)), ATOMS))
def test_both_send_runes_to_the_same_outputs(tx: Transaction, inputs: dict[RuneId, int]) -> None:
    outputs, burned = allocate(tx, decipher(tx), inputs)
    pool = {(rune.block, rune.tx): atoms for rune, atoms in inputs.items()}
    given_there, burned_there = runes.allocate(tx, runestones.decipher(tx), pool)
    assert [_pairs(each) for each in outputs] == [dict(each) for each in given_there]
    assert _pairs(burned) == dict(burned_there)


def _pairs(balances: Mapping[RuneId, int] | Mapping[AlkaneId, int]) -> dict[tuple[int, int], int]:
    return {(each.block, each.tx): atoms for each, atoms in balances.items()}


@settings(max_examples=examples(120))
@given(
    st.lists(U128, max_size=4)
    | cases.INTEGERS.map(lambda integers: values_of(*integers))
    | st.lists(STONES, max_size=3).map(encode_protostones)
)
def test_both_read_the_same_protostones(values: list[int]) -> None:
    found = decode_protostones(values)
    try:
        there = alkanes.read_protostones(values)
    except runestones.TruncatedScript:
        assert found is None
        return
    assert found is not None
    assert there == [_as_there(stone) for stone in found]


def _as_there(stone: Protostone) -> alkanes.Protostone:
    edicts = tuple((edict.id.block, edict.id.tx, edict.amount, edict.output) for edict in stone.edicts)
    return alkanes.Protostone(stone.tag, edicts, stone.pointer, stone.refund, stone.message)


@settings(max_examples=examples(120))
@given(
    st.lists(PLAIN, max_size=3).map(encode_protostones)
    | st.lists(STONES, max_size=3).map(encode_protostones)
    | cases.INTEGERS.map(lambda integers: values_of(*integers)),
    st.lists(st.sampled_from([DATA, PAYS]), max_size=3),
    ATOMS,
    ATOMS,
)
def test_both_send_alkanes_to_the_same_outputs(values: list[int], scripts: list[bytes], d: int, e: int) -> None:
    """The regtest index runs no contracts: what ours leaves to one is not compared."""
    tx = transaction(*scripts, Runestone(protocol=tuple(values)).encipher())
    inputs = {each: atoms for each, atoms in ((D, d), (E, e)) if atoms}
    found = allocate_alkanes(tx, decipher(tx), inputs)
    sheets = alkanes.flow(tx, _pairs(inputs))
    if isinstance(found, ContractCall) or not inputs:
        return
    if not isinstance(found, Allocated):
        assert sheets is None
        return
    assert sheets == [Counter(_pairs(each)) for each in found.outputs]
