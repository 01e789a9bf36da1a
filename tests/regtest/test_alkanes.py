"""Where alkanes go: the flow of facts/trading.md §2.4 for stones without messages."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from darkswap_browser.regtest.chain.block import Template
from darkswap_browser.regtest.chain.ledger import Ledger
from darkswap_browser.regtest.indexes.alkanes import SEEDS, AlkaneIndex, Protostone, flow, read_protostones, transfer
from darkswap_browser.regtest.indexes.runestones import TruncatedScript, decipher, leb128, write
from tests.regtest.scenes import DATA, MINE, spend

D, E = (2, 0), (2, 1)
SCRIPTS = (MINE, MINE, DATA)
N = len(SCRIPTS) + 1
"""Outputs of `made`: those, and the runestone."""


def chunks(*numbers: int) -> list[tuple[int, int]]:
    data = b"".join(map(leb128, numbers))
    return [(16383, int.from_bytes(data[at : at + 15], "little")) for at in range(0, len(data), 15)]


def stone(*body: int, tag: int = 1) -> list[int]:
    return [tag, len(body), *body]


def made(*numbers: int, fields: tuple[tuple[int, int], ...] = ()) -> Transaction:
    """Two outputs, one of data, and a runestone with these protocol integers."""
    outputs = [TxOutput(546, script) for script in SCRIPTS]
    outputs.append(TxOutput(0, write([*fields, *chunks(*numbers)])))
    return Transaction((TxInput(OutPoint("11" * 32, 0)),), tuple(outputs))


def moved(transaction: Transaction, **pool: int) -> dict[int, dict[tuple[int, int], int]] | None:
    """Atoms by output; `D` and `E` are the alkanes that come in."""
    sheets = flow(transaction, {{"D": D, "E": E}[name]: atoms for name, atoms in pool.items()})
    return None if sheets is None else {vout: dict(sheet) for vout, sheet in enumerate(sheets) if sheet}


def test_an_edict_moves_and_the_pointer_takes_the_rest() -> None:
    assert moved(made(*stone(91, 0, 93, 0, 0, 2, 0, 4, 1)), D=10, E=3) == {0: {D: 6, E: 3}, 1: {D: 4}}


def test_without_a_pointer_the_first_output_takes_the_rest() -> None:
    assert moved(made(*stone(0, 2, 0, 4, 1)), D=10) == {0: {D: 6}, 1: {D: 4}}


def test_an_amount_of_zero_is_all_and_too_much_is_what_there_is() -> None:
    assert moved(made(*stone(91, 0, 0, 2, 0, 0, 1)), D=10) == {1: {D: 10}}
    assert moved(made(*stone(91, 0, 0, 2, 0, 99, 1)), D=10) == {1: {D: 10}}


@pytest.mark.parametrize("target", [2, 3, N, 99], ids=["data", "runestone", "unused", "nowhere"])
def test_what_is_sent_to_data_or_nowhere_is_gone(target: int) -> None:
    assert moved(made(*stone(91, target)), D=10) == {}


def test_output_n_is_all_outputs_that_are_no_data() -> None:
    assert moved(made(*stone(91, 1, 0, 2, 0, 0, N)), D=5) == {0: {D: 3}, 1: {D: 2}}


def test_a_stone_hands_on_to_a_later_one() -> None:
    first, second = stone(91, N + 2, 0, 2, 0, 4, 0), stone(91, 1)
    assert moved(made(*first, *second), D=10) == {0: {D: 4}, 1: {D: 6}}


def test_what_an_earlier_stone_is_sent_vanishes() -> None:
    assert moved(made(*stone(91, N + 2), *stone(91, N + 1)), D=10) == {}


def test_stones_of_other_protocols_are_passed_over() -> None:
    assert moved(made(*stone(91, 0, tag=7), *stone(91, 1)), D=10) == {1: {D: 10}}


def test_a_message_sends_everything_to_the_refund() -> None:
    assert moved(made(*stone(91, 0, 93, 1, 81, 77, 0, 2, 0, 4, 0)), D=10) == {1: {D: 10}}


@pytest.mark.parametrize(
    "transaction",
    [
        Transaction((TxInput(OutPoint("11" * 32, 0)),), (TxOutput(1, MINE),)),
        made(),
        made(*stone(91, 0, tag=2)),
        made(1, 200, 91, 0),
        made(*stone(91, 0), fields=((126, 0),)),
        made(*stone(91, 0, 0, 0, 1, 5, 0)),
        made(*stone(91, 0, 81, 5)),
    ],
    ids=["no runestone", "no stone", "another protocol", "too long", "cenotaph", "id 0:1", "no refund"],
)
def test_alkanes_are_stranded_without_a_stone_that_holds(transaction: Transaction) -> None:
    assert moved(transaction, D=10) is None


@pytest.mark.parametrize("body", [(0, 2, 0, 4), (0, 2**127, 0, 1, 0, 2**127, 0, 1, 0)])
def test_a_malformed_list_of_edicts_is_none_at_all(body: tuple[int, ...]) -> None:
    assert moved(made(*stone(91, 1, *body)), D=10) == {1: {D: 10}}


def test_measured_protostones_of_the_facts() -> None:
    """A mainnet call (c5520bb6…7b92), and a transfer of 1000 of 2:0 to output 1."""
    call = bytes.fromhex("6a5d101600ff7f818cec8ad0abc0a8a081d215")
    plain = bytes.fromhex("6a5d111600ff7f8192ec82d08b80808280a0bf10")
    read = []
    for script in (call, plain):
        found = decipher(Transaction((TxInput(OutPoint("11" * 32, 0)),), (TxOutput(0, script),)))
        assert found is not None
        read.append(read_protostones(found.protocol))
    assert read[0] == [Protostone(1, (), 1, 1, bytes.fromhex("20004d").ljust(15, b"\0"))]
    assert read[1] == [Protostone(1, ((2, 0, 1000, 1),), 0, 0, b"")]
    assert write([(22, 0), *transfer((2, 0, 1000, 1), 0)]) == plain


@settings(max_examples=200)
@given(st.lists(st.integers(0, 2**128 - 1), max_size=4))
def test_any_list_of_values_is_stones_or_cut(values: list[int]) -> None:
    try:
        assert all(each.tag > 0 for each in read_protostones(values))
    except TruncatedScript:
        assert values


EDICTS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 12), st.integers(0, N)), max_size=4)


@settings(max_examples=150)
@given(st.integers(0, 20), st.integers(0, 20), EDICTS, st.integers(0, N + 3))
def test_nothing_comes_from_nowhere(d: int, e: int, edicts: list[tuple[int, int, int]], pointer: int) -> None:
    body: list[int] = []
    block = tx = 0
    for token, amount, output in sorted(edicts):
        body += [2 - block, token - (tx if block == 2 else 0), amount, output]
        block, tx = 2, token
    sheets = flow(made(*stone(91, pointer, 0, *body)), {D: d, E: e})
    assert sheets is not None
    total: Counter[tuple[int, int]] = sum(sheets, Counter())
    assert total <= +Counter({D: d, E: e})
    if pointer < 2 and all(output < 2 or output == N for _, _, output in edicts):
        assert total == +Counter({D: d, E: e})


def test_the_index_keeps_what_is_stranded_and_takes_blocks_back() -> None:
    ledger = Ledger()
    index = AlkaneIndex(ledger, MINE)
    ledger.indexes.append(index)

    def block(*transactions: Transaction) -> str:
        height = len(ledger.blocks)
        previous = ledger.tip.block_hash if height else "00" * 32
        return ledger.connect(Template(height, previous, height, MINE, 0, transactions, 0).mine()).txids[0]

    block()
    source = OutPoint(block(), 0)
    supply = SEEDS[D].supply
    assert index.balances == {source: {D: supply, E: SEEDS[E].supply}}
    split = spend([source], [(1, MINE), (1, MINE), (0, write([(22, 1), *transfer((*D, 5, 0), 1)]))])
    block(split)
    part, rest = OutPoint(split.txid, 0), OutPoint(split.txid, 1)
    assert index.balances == {part: {D: 5}, rest: {D: supply - 5, E: SEEDS[E].supply}}
    block(spend([part], [(1, MINE)]))
    assert index.balances[part] == {D: 5}
    ledger.disconnect()
    ledger.disconnect()
    assert index.balances == {source: {D: supply, E: SEEDS[E].supply}}
