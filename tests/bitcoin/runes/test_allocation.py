"""Where runes go: the scenarios of ord's src/runes.rs that need no etching and no mint, and conservation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.bitcoin.runes.allocation import allocate
from darkswap_browser.bitcoin.runes.ids import MAX_U128, Edict, RuneId
from darkswap_browser.bitcoin.runes.runestone import Cenotaph, Runestone
from darkswap_browser.bitcoin.runes.tags import Flaw
from tests.bitcoin.runes.cases import DATA, PAYS, transaction
from tests.support.examples import examples

R, S = RuneId(5, 1), RuneId(6, 2)
FOUR = (DATA, PAYS, PAYS, PAYS)
"""Outputs: 0 is data; 4 means all of them."""
Given = dict[int, dict[RuneId, int]]


def placed(
    artifact: Runestone | Cenotaph | None, inputs: Mapping[RuneId, int], scripts: tuple[bytes, ...] = FOUR
) -> tuple[Given, Mapping[RuneId, int]]:
    outputs, burned = allocate(transaction(*scripts), artifact, inputs)
    assert len(outputs) == len(scripts)
    return {index: dict(runes) for index, runes in enumerate(outputs) if runes}, burned


def edicts(*each: tuple[RuneId, int, int], pointer: int | None = None) -> Runestone:
    return Runestone(edicts=tuple(Edict(*edict) for edict in each), pointer=pointer)


@pytest.mark.parametrize(
    ("stone", "expected"),
    [
        (edicts(), {1: 10}),
        (edicts((R, 4, 2)), {1: 6, 2: 4}),
        (edicts((R, 4, 2), pointer=3), {2: 4, 3: 6}),
        (edicts((R, 0, 3)), {3: 10}),
        (edicts((R, 20, 3)), {3: 10}),
        (edicts((R, MAX_U128, 3), (R, 1, 2)), {3: 10}),
        (edicts((R, 0, 3), (R, 0, 2)), {3: 10}),
        (edicts((R, 4, 3), (R, 0, 2)), {2: 6, 3: 4}),
        (edicts((R, 4, 3), (R, 3, 3)), {1: 3, 3: 7}),
        (edicts((R, 0, 4)), {1: 4, 2: 3, 3: 3}),
        (edicts((R, 3, 4)), {1: 4, 2: 3, 3: 3}),
        (edicts((R, 3, 4), pointer=2), {1: 3, 2: 4, 3: 3}),
        (edicts((R, 6, 4)), {1: 6, 2: 4}),
        (edicts((R, 2, 4)), {1: 6, 2: 2, 3: 2}),
        (edicts((R, MAX_U128, 4)), {1: 10}),
        (edicts((R, 8, 2), (R, 0, 4)), {1: 1, 2: 9}),
        (edicts((R, 1, 2), (R, 0, 4)), {1: 3, 2: 4, 3: 3}),
        (edicts((R, 0, 4), (R, 5, 2)), {1: 4, 2: 3, 3: 3}),
        (edicts((S, 4, 3)), {1: 10}),
        (edicts((RuneId(0, 0), 4, 3)), {1: 10}),
    ],
)
def test_edicts_share_out_ten(stone: Runestone, expected: dict[int, int]) -> None:
    """Amount 0 is all that is left, too much is what there is; what nobody gives away goes to the pointer."""
    assert placed(stone, {R: 10}) == ({index: {R: atoms} for index, atoms in expected.items()}, {})


def test_without_a_runestone_runes_go_to_the_first_output_that_is_no_data() -> None:
    assert placed(None, {R: 10, S: 3}) == ({1: {R: 10, S: 3}}, {})


@pytest.mark.parametrize("stone", [None, edicts(), edicts((R, 0, 1)), edicts((R, 4, 1)), edicts((R, 4, 0))])
def test_without_any_output_for_them_runes_are_burned(stone: Runestone | None) -> None:
    assert placed(stone, {R: 10}, (DATA,)) == ({}, {R: 10})


def test_a_transaction_without_outputs_burns() -> None:
    assert placed(None, {R: 10}, ()) == ({}, {R: 10})
    assert placed(edicts((R, 0, 0)), {R: 10}, ()) == ({}, {R: 10})


def test_a_cenotaph_burns_all_input_runes() -> None:
    assert placed(Cenotaph(Flaw.OPCODE), {R: 10, S: 1}) == ({}, {R: 10, S: 1})
    assert placed(Cenotaph(Flaw.VARINT, mint=R, etching=5), {R: 10}) == ({}, {R: 10})


def test_what_lands_on_data_is_burned() -> None:
    assert placed(edicts((R, 4, 0)), {R: 10}) == ({1: {R: 6}}, {R: 4})
    assert placed(edicts((R, 4, 2), pointer=0), {R: 10, S: 3}) == ({2: {R: 4}}, {R: 6, S: 3})
    assert placed(edicts((R, 4, 1), (R, 0, 0)), {R: 10}) == ({1: {R: 4}}, {R: 6})


def test_runes_of_all_inputs_are_one_pool() -> None:
    stone = edicts((R, 0, 1), (S, 5, 2), (S, 0, 3))
    assert placed(stone, {R: 10, S: 20}) == ({1: {R: 10}, 2: {S: 5}, 3: {S: 15}}, {})


def test_nothing_makes_no_entry() -> None:
    outputs, burned = allocate(transaction(*FOUR), edicts((R, 0, 4), (S, 0, 4), (S, 7, 2)), {R: 2, S: 0})
    assert (list(map(dict, outputs)), dict(burned)) == ([{}, {R: 1}, {R: 1}, {}], {})


def test_a_swap_of_two_runes_by_four_edicts() -> None:
    stone = edicts((R, 7, 2), (R, 0, 1), (S, 4, 1), (S, 0, 2))
    assert placed(stone, {R: 10, S: 4}) == ({1: {R: 3, S: 4}, 2: {R: 7}}, {})


IDS = st.builds(RuneId, st.integers(0, 3), st.integers(0, 2))
AMOUNTS = st.integers(0, 30) | st.integers(0, MAX_U128)
EDICTS = st.lists(st.builds(Edict, IDS, AMOUNTS, st.integers(0, 5)), max_size=8)
ARTIFACTS = st.builds(
    lambda edicts, pointer: Runestone(edicts=tuple(edicts), pointer=pointer), EDICTS, st.none() | st.integers(0, 4)
)
SCRIPTS = st.lists(st.sampled_from([DATA, PAYS, b"\x6a", b""]), min_size=5, max_size=5)


@settings(max_examples=examples(150))
@given(ARTIFACTS | st.sampled_from([None, Cenotaph(Flaw.OPCODE)]), st.dictionaries(IDS, AMOUNTS), SCRIPTS)
def test_nothing_comes_or_goes(
    artifact: Runestone | Cenotaph | None, inputs: dict[RuneId, int], scripts: list[bytes]
) -> None:
    before = dict(inputs)
    outputs, burned = allocate(transaction(*scripts), artifact, inputs)
    total: Counter[RuneId] = Counter(burned)
    for index, runes in enumerate(outputs):
        assert all(atoms > 0 for atoms in runes.values())
        assert not (runes and scripts[index][:1] == b"\x6a")
        total.update(runes)
    assert total == +Counter(inputs)
    assert inputs == before
    if isinstance(artifact, Cenotaph):
        assert Counter(burned) == +Counter(inputs)


@settings(max_examples=examples(100))
@given(EDICTS, st.dictionaries(IDS, AMOUNTS))
def test_only_the_order_within_one_rune_can_matter(given_edicts: list[Edict], inputs: dict[RuneId, int]) -> None:
    """So sorting edicts by id, which writing them needs, changes nothing."""
    scripts = (*FOUR, PAYS)
    by_id = sorted(given_edicts, key=lambda edict: edict.id)
    one, other = (placed(Runestone(edicts=tuple(each)), inputs, scripts) for each in (given_edicts, by_id))
    assert one == other
