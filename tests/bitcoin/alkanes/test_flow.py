"""Where alkanes go while no contract runs: `index_protostones` of alkanes-rs' crates/protorune, case by case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.bitcoin.alkanes.flow import Allocated, ContractCall, Stranded, allocate_alkanes
from darkswap_browser.bitcoin.alkanes.ids import AlkaneId, ProtoEdict
from darkswap_browser.bitcoin.alkanes.protostone import Protostone, encode_protostones
from darkswap_browser.bitcoin.runes.ids import MAX_U32, MAX_U128
from darkswap_browser.bitcoin.runes.runestone import Runestone, decipher
from darkswap_browser.bitcoin.transaction import Transaction
from tests.bitcoin.alkanes.cases import COUNT, FIRST, PAID, SECOND, STONES, THIRD, D, E, carrying, stone
from tests.bitcoin.runes.cases import DATA, PAYS, script_of, transaction
from tests.support.examples import examples

TEN = {D: 10}
Placed = tuple[dict[int, dict[AlkaneId, int]], dict[AlkaneId, int]]
"""Atoms by output, and what is lost."""
CENOTAPH = script_of(126, 0, *(part for value in encode_protostones([stone()]) for part in (16383, value)))


def result(tx: Transaction, inputs: Mapping[AlkaneId, int] = TEN) -> Allocated | Stranded | ContractCall:
    return allocate_alkanes(tx, decipher(tx), inputs)


def placed(tx: Transaction, inputs: Mapping[AlkaneId, int] = TEN) -> Placed:
    moved = result(tx, inputs)
    assert isinstance(moved, Allocated)
    assert len(moved.outputs) == len(tx.outputs)
    return {index: dict(each) for index, each in enumerate(moved.outputs) if each}, dict(moved.lost)


@pytest.mark.parametrize(
    ("stones", "expected"),
    [
        ([stone()], {0: 10}),
        ([stone(pointer=1)], {1: 10}),
        ([stone((D, 4, 1))], {0: 6, 1: 4}),
        ([stone((D, 4, 0), pointer=1)], {0: 4, 1: 6}),
        ([stone((D, 0, 1))], {1: 10}),
        ([stone((D, 99, 1))], {1: 10}),
        ([stone((D, MAX_U128, 1), (D, 1, 0))], {1: 10}),
        ([stone((E, 4, 1))], {0: 10}),
        ([stone((AlkaneId(0, 0), 4, 1))], {0: 10}),
        ([stone((D, 4, 1), (D, 3, 1))], {0: 3, 1: 7}),
        ([stone((D, 0, COUNT))], {0: 5, 1: 5}),
        ([stone((D, 3, 1), (D, 0, COUNT))], {0: 4, 1: 6}),
        ([stone((D, 4, COUNT), pointer=1)], {0: 4, 1: 6}),
        ([stone((D, 7, COUNT))], {0: 7, 1: 3}),
        ([stone((D, 0, MAX_U32 + 1 + COUNT))], {0: 5, 1: 5}),
    ],
)
def test_edicts_share_out_ten(stones: list[Protostone], expected: dict[int, int]) -> None:
    """Amount 0 is all; too much is what there is; output n, in 32 bits, is every output that is no data."""
    assert placed(carrying(*stones)) == ({index: {D: atoms} for index, atoms in expected.items()}, {})


@pytest.mark.parametrize(
    "target",
    [2, 3, FIRST, SECOND, 99, MAX_U32],
    ids=["data", "runestone", "itself", "a stone that is not there", "nowhere", "the runtime"],
)
def test_what_goes_to_data_or_nowhere_is_lost(target: int) -> None:
    assert placed(carrying(stone(pointer=target))) == ({}, TEN)
    assert placed(carrying(stone((D, 4, target), pointer=1))) == ({1: {D: 6}}, {D: 4})


def test_a_pointer_to_all_outputs_is_one_to_nowhere() -> None:
    assert placed(carrying(stone(pointer=COUNT))) == ({}, TEN)


def test_a_pointer_has_32_bits() -> None:
    assert placed(carrying((1, 2, 91, MAX_U32 + 2))) == ({1: TEN}, {})


def test_without_a_pointer_the_first_output_that_is_no_data_takes_the_rest() -> None:
    values = encode_protostones([stone()])
    script = Runestone(protocol=values).encipher()
    assert placed(transaction(script, DATA, PAYS, PAYS)) == ({2: TEN}, {})
    assert placed(transaction(script, DATA)) == ({}, TEN)
    assert placed(transaction(Runestone(protocol=encode_protostones([stone((D, 0, 1))])).encipher())) == ({}, TEN)


def test_a_stone_hands_on_to_a_later_one() -> None:
    first, second = stone((D, 4, 0), pointer=SECOND), stone((D, 1, 0), pointer=1)
    assert placed(carrying(first, second)) == ({0: {D: 5}, 1: {D: 5}}, {})
    assert placed(carrying(stone((D, 4, THIRD)), stone(pointer=1), stone(pointer=1))) == ({0: {D: 6}, 1: {D: 4}}, {})


def test_what_an_earlier_stone_is_sent_is_lost() -> None:
    assert placed(carrying(stone(pointer=SECOND), stone(pointer=FIRST))) == ({}, TEN)


def test_the_first_stone_of_alkanes_gets_all_and_the_others_none() -> None:
    assert placed(carrying(stone(tag=7), stone(pointer=1), stone(pointer=0))) == ({1: TEN}, {})


def test_stones_of_other_protocols_hand_on_what_they_were_sent() -> None:
    other = Protostone(tag=7, pointer=1, message=b"x" * 15)
    assert placed(carrying(stone(pointer=SECOND), other)) == ({1: TEN}, {})


def test_several_alkanes_move_together() -> None:
    both = {D: 10, E: 3}
    assert placed(carrying(stone((D, 4, 1), (E, 0, 1))), both) == ({0: {D: 6}, 1: {D: 4, E: 3}}, {})
    assert placed(carrying(stone((D, 4, 1), pointer=2)), both) == ({1: {D: 4}}, {D: 6, E: 3})


@pytest.mark.parametrize(
    ("tx", "reason"),
    [
        (transaction(*PAID), "no protostone"),
        (transaction(*PAID, b"\x6a\x5d"), "no protostone"),
        (transaction(*PAID, b"\x6a\x5d\x51"), "no protostone"),
        (transaction(*PAID, CENOTAPH), "no protostone"),
        (carrying((0,)), "no protostone"),
        (carrying(stone(tag=7, pointer=0)), "no protostone"),
        (carrying((1, 200, 91, 0)), "cannot be read"),
        (transaction(*PAID, script_of(16383, (1 << 120) - 1)), "cannot be read"),
        (carrying(stone((AlkaneId(0, 1), 0, 0))), "an id that cannot be"),
        (carrying(stone(pointer=0), stone((AlkaneId(0, MAX_U128), 0, 0), tag=7)), "an id that cannot be"),
        (carrying(stone((D, 4, MAX_U32 + 1))), "beyond 32 bits"),
        (carrying(stone((E, 4, MAX_U128))), "beyond 32 bits"),
    ],
    ids=["no runestone", "an empty one", "a broken script", "a cenotaph", "padding only", "another protocol", "cut off",
         "an integer too long", "id 0:1", "id 0:1 for another protocol", "output 2^32", "output 2^128 for none"],
)  # fmt: skip
def test_alkanes_are_stranded_without_a_stone_that_holds(tx: Transaction, reason: str) -> None:
    found = result(tx)
    assert isinstance(found, Stranded) and reason in found.reason
    nothing: tuple[Mapping[AlkaneId, int], ...] = ({},) * len(tx.outputs)
    assert result(tx, {}) == Allocated(nothing, {}) == result(tx, {D: 0})


def test_more_than_128_bits_of_an_alkane_stop_the_indexer() -> None:
    assert placed(carrying(stone()), {D: MAX_U128}) == ({0: {D: MAX_U128}}, {})
    assert isinstance(result(carrying(stone()), {D: MAX_U128 + 1}), Stranded)


@pytest.mark.parametrize("inputs", [TEN, {}])
@pytest.mark.parametrize(
    "stones",
    [
        [Protostone(message=b"\x01", pointer=0, refund=0)],
        [Protostone(message=bytes(15))],
        [stone(pointer=1), Protostone(message=b"\x01", pointer=0, refund=0)],
        [Protostone(message=b"\x01", pointer=0, refund=0, edicts=(ProtoEdict(AlkaneId(0, 1), 0, 0),))],
    ],
    ids=["a call", "an empty call", "the second", "with an edict that cannot be"],
)
def test_a_message_means_that_a_contract_decides(stones: list[Protostone], inputs: dict[AlkaneId, int]) -> None:
    """Also with nothing on the inputs: a call may make alkanes."""
    assert result(carrying(*stones), inputs) == ContractCall()


AMOUNTS = st.integers(0, 20) | st.integers(0, MAX_U128)
OUTPUTS = st.integers(0, THIRD + 1) | st.sampled_from([MAX_U32, MAX_U32 + 1, MAX_U32 + 1 + COUNT, MAX_U128])
EDICTS = st.lists(st.builds(ProtoEdict, st.sampled_from([D, E, AlkaneId(0, 0)]), AMOUNTS, OUTPUTS), max_size=5)
PLAIN = st.builds(
    Protostone,
    tag=st.sampled_from([1, 1, 1, 7]),
    edicts=EDICTS.map(tuple),
    pointer=st.none() | st.integers(0, THIRD + 1) | st.just(MAX_U32),
)


@settings(max_examples=examples(150))
@given(st.lists(PLAIN, max_size=3) | st.lists(STONES, max_size=2), AMOUNTS, AMOUNTS)
def test_nothing_comes_or_goes(stones: list[Protostone], d: int, e: int) -> None:
    inputs = {D: d, E: e}
    moved = result(carrying(*stones), inputs)
    assert inputs == {D: d, E: e}
    if isinstance(moved, Allocated):
        total: Counter[AlkaneId] = Counter(moved.lost)
        for script, alkanes in zip((*PAID, b"\x6a"), moved.outputs, strict=True):
            assert all(atoms > 0 for atoms in alkanes.values())
            assert not (alkanes and script[:1] == b"\x6a")
            total.update(alkanes)
        assert all(atoms > 0 for atoms in moved.lost.values())
        assert total == +Counter(inputs)


@settings(max_examples=examples(100))
@given(st.lists(EDICTS, min_size=1, max_size=3), st.integers(0, 20), st.integers(0, 1))
def test_what_stays_with_outputs_that_pay_is_never_lost(edicts: list[list[ProtoEdict]], d: int, pointer: int) -> None:
    inside = [tuple(each for each in some if each.output in (0, 1, COUNT)) for some in edicts]
    moved = result(carrying(*(Protostone(edicts=some, pointer=pointer) for some in inside)), {D: d})
    assert isinstance(moved, Allocated)
    assert not moved.lost
