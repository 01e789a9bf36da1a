"""Where runes go: scenarios of ord's src/runes.rs, and conservation."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from darkswap_browser.regtest.indexes import rune_names
from darkswap_browser.regtest.indexes.runes import allocate
from darkswap_browser.regtest.indexes.runestones import ParsedRunestone, RuneId, write
from tests.regtest.scenes import DATA, MINE, TAPROOT, Scene, spend

RUNE = 99246114928149462
U128 = 2**128 - 1


def etch(
    scene: Scene, fields: list[tuple[int, int]], *, rune: int | None = RUNE, outputs: int = 1, **how: int
) -> tuple[str, RuneId]:
    """An etching that commits to its name; `how`: confirmations short of the six, another name pushed."""
    coin = scene.aged(scene.coin(), 4 - how.get("short", 0))
    pushed = rune_names.commitment((rune or 0) + how.get("off", 0))
    script = bytes([len(pushed)]) + pushed
    named = [] if rune is None else [(4, rune)]
    message = write([(2, how.get("flags", 1)), *named, *fields])
    out = [TxOutput(1_000, MINE) for _ in range(outputs)]
    source = TxInput(coin, witness=(script, b"\xc0"))
    made = Transaction((source,), (*out, TxOutput(0, message)))
    height = scene.block(made)
    return made.txid, (height, 1)


def held(scene: Scene) -> dict[tuple[str, int], dict[RuneId, int]]:
    return {(each.txid, each.vout): dict(runes) for each, runes in scene.runes.balances.items()}


def test_an_etching_without_edicts_gives_the_premine_to_the_first_output() -> None:
    scene = Scene()
    txid, rune = etch(scene, [(6, 1_000)])
    assert held(scene) == {(txid, 0): {rune: 1_000}}
    assert scene.runes.entries[rune].name == rune_names.text_of(RUNE)


@pytest.mark.parametrize("how", [{"short": 1}, {"off": 1}], ids=["too young", "another name"])
def test_an_etching_without_its_commitment_is_ignored(how: dict[str, int]) -> None:
    scene = Scene()
    etch(scene, [(6, 1_000)], **how)
    assert not scene.runes.entries
    assert not scene.runes.balances


def test_the_commitment_must_be_revealed_from_taproot() -> None:
    scene = Scene()
    coin = scene.aged(scene.coin(MINE))
    name = rune_names.commitment(RUNE)
    source = TxInput(coin, witness=(bytes([len(name)]) + name, b"\xc0"))
    scene.block(Transaction((source,), (TxOutput(1, MINE), TxOutput(0, write([(2, 1), (4, RUNE)])))))
    assert not scene.runes.entries


@pytest.mark.parametrize("rune", [rune_names.minimum_at(8) - 1, rune_names.RESERVED], ids=["too short", "reserved"])
def test_names_that_are_not_free_yet_cannot_be_etched(rune: int) -> None:
    scene = Scene()
    _, identity = etch(scene, [(6, 1)], rune=rune)
    assert identity[0] <= 8
    assert not scene.runes.entries


def test_a_name_is_etched_once() -> None:
    scene = Scene()
    _, first = etch(scene, [(6, 1)])
    etch(scene, [(6, 2)])
    assert list(scene.runes.entries) == [first]


def test_an_etching_without_a_name_gets_a_reserved_one() -> None:
    scene = Scene()
    txid, rune = etch(scene, [(6, 5)], rune=None)
    assert held(scene) == {(txid, 0): {rune: 5}}
    assert scene.runes.entries[rune].rune == 6402364363415443603228541259936211926 + (rune[0] << 32 | 1)


def test_a_cenotaph_etches_a_rune_of_nothing() -> None:
    scene = Scene()
    _, rune = etch(scene, [(6, 5), (126, 0)])
    entry = scene.runes.entries[rune]
    assert (entry.premine, entry.supply, entry.terms, held(scene)) == (0, 0, None, {})


def transfer(scene: Scene, sources: list[OutPoint], message: bytes | None, outputs: int = 2) -> Transaction:
    out = [(1_000, MINE)] * outputs + ([(0, message)] if message is not None else [])
    made = spend(sources, out)
    scene.block(made)
    return made


def test_runes_without_a_runestone_go_to_the_first_output_that_is_no_data() -> None:
    scene = Scene()
    txid, rune = etch(scene, [(6, 7)])
    made = spend([OutPoint(txid, 0)], [(0, DATA), (1, MINE), (1, MINE)])
    scene.block(made)
    assert held(scene) == {(made.txid, 1): {rune: 7}}


def test_runes_without_any_output_for_them_are_burned() -> None:
    scene = Scene()
    txid, rune = etch(scene, [(6, 7)])
    scene.block(spend([OutPoint(txid, 0)], [(0, DATA)]))
    assert held(scene) == {}
    assert scene.runes.entries[rune].burned == 7


def test_a_cenotaph_burns_its_inputs() -> None:
    scene = Scene()
    txid, rune = etch(scene, [(6, 7)])
    transfer(scene, [OutPoint(txid, 0)], write([(126, 0)], [(*rune, 7, 0)]))
    assert held(scene) == {}
    assert scene.runes.entries[rune].burned == 7


def test_a_pointer_takes_what_edicts_leave() -> None:
    scene = Scene()
    txid, rune = etch(scene, [(6, 10)])
    made = transfer(scene, [OutPoint(txid, 0)], write([(22, 1)], [(*rune, 4, 0)]))
    assert held(scene) == {(made.txid, 0): {rune: 4}, (made.txid, 1): {rune: 6}}


def test_runes_of_several_inputs_are_one_pool() -> None:
    scene = Scene()
    one, first = etch(scene, [(6, 10)])
    two, second = etch(scene, [(6, 20)], rune=RUNE + 1)
    message = write([], [(*first, 0, 1), (*second, 5, 0), (*second, 0, 1)])
    made = transfer(scene, [OutPoint(one, 0), OutPoint(two, 0)], message)
    assert held(scene) == {(made.txid, 0): {second: 5}, (made.txid, 1): {first: 10, second: 15}}


def test_a_block_taken_back_leaves_no_trace() -> None:
    scene = Scene()
    txid, rune = etch(scene, [(6, 10)])
    before = held(scene), dict(scene.runes.entries), dict(scene.ledger.coins)
    transfer(scene, [OutPoint(txid, 0)], write([(126, 0)]))
    assert scene.runes.entries[rune].burned == 10
    scene.ledger.disconnect()
    assert (held(scene), dict(scene.runes.entries), dict(scene.ledger.coins)) == before
    while scene.ledger.height > 0:
        scene.ledger.disconnect()
    assert not scene.runes.entries
    assert not scene.runes.by_name
    assert not scene.runes.balances


def mint(scene: Scene, rune: RuneId, *, flaw: bool = False) -> Transaction:
    fields = [(20, rune[0]), (20, rune[1]), *([(126, 0)] if flaw else [])]
    coin = scene.coin(MINE)
    return transfer(scene, [coin], write(fields), 1)


def test_mints_are_given_until_the_cap() -> None:
    scene = Scene()
    _, rune = etch(scene, [(10, 100), (8, 2)], flags=3)
    first, burned, third = mint(scene, rune), mint(scene, rune, flaw=True), mint(scene, rune)
    assert held(scene) == {(first.txid, 0): {rune: 100}}
    assert third.txid not in {txid for txid, _ in held(scene)}
    assert burned.txid != first.txid
    entry = scene.runes.entries[rune]
    assert (entry.mints, entry.burned, entry.supply) == (2, 100, 200)


@pytest.mark.parametrize(
    ("terms", "heights"),
    [
        ([(12, 100)], range(100, 200)),
        ([(14, 100)], range(100)),
        ([(16, 10)], range(17, 200)),
        ([(18, 10)], range(17)),
        ([(12, 20), (16, 5)], range(20, 200)),
        ([(14, 100), (18, 5)], range(12)),
        ([], range(200)),
    ],
)
def test_mints_are_open_between_their_heights(terms: list[tuple[int, int]], heights: range) -> None:
    """Offsets count from the etching, which is in block 7."""
    scene = Scene()
    _, rune = etch(scene, [(10, 1), (8, 9), *terms], flags=3)
    assert rune[0] == 7
    entry = scene.runes.entries[rune]
    assert [height for height in range(200) if entry.mintable(height) is not None] == list(heights)


def test_without_a_cap_nothing_is_minted() -> None:
    scene = Scene()
    _, rune = etch(scene, [(10, 100)], flags=3)
    mint(scene, rune)
    assert held(scene) == {}


R = 5, 1
S = 6, 2
FOUR = (DATA, MINE, TAPROOT, MINE)


@pytest.mark.parametrize(
    ("edicts", "expected"),
    [
        ([(*R, 0, 4)], {1: 4, 2: 3, 3: 3}),
        ([(*R, 3, 4)], {1: 4, 2: 3, 3: 3}),
        ([(*R, 6, 4)], {1: 6, 2: 4}),
        ([(*R, 2, 4)], {1: 6, 2: 2, 3: 2}),
        ([(*R, 1, 2), (*R, 0, 4)], {1: 3, 2: 4, 3: 3}),
        ([(*R, 20, 3)], {3: 10}),
        ([(*R, 0, 3), (*R, 0, 2)], {3: 10}),
        ([(*R, 4, 3), (*R, 0, 2)], {3: 4, 2: 6}),
        ([(*S, 4, 3)], {1: 10}),
        ([(0, 0, 4, 3)], {1: 10}),
    ],
)
def test_edicts_share_out_ten(edicts: list[tuple[int, int, int, int]], expected: dict[int, int]) -> None:
    """Outputs: data, three others. What is left goes to output 1; output 4 means all of them."""
    transaction = Transaction((TxInput(OutPoint("11" * 32, 0)),), tuple(TxOutput(0, script) for script in FOUR))
    given, burned = allocate(transaction, ParsedRunestone(edicts=tuple(edicts)), {R: 10})
    assert {vout: each[R] for vout, each in enumerate(given) if each} == expected
    assert not burned


def test_what_lands_on_data_is_burned() -> None:
    transaction = Transaction((TxInput(OutPoint("11" * 32, 0)),), tuple(TxOutput(0, script) for script in FOUR))
    given, burned = allocate(transaction, ParsedRunestone(edicts=((*R, 4, 0),), pointer=0), {R: 10})
    assert (sum(map(len, given)), burned) == (0, Counter({R: 10}))


IDS = st.tuples(st.integers(1, 3), st.integers(0, 2))
EDICTS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 30), st.integers(0, 4)), max_size=8)


@settings(max_examples=200)
@given(
    st.dictionaries(IDS, st.integers(0, 50)),
    EDICTS,
    st.none() | st.integers(0, 3),
    st.lists(st.sampled_from([DATA, MINE, TAPROOT]), min_size=4, max_size=4),
    st.sampled_from([None, "opcode"]),
)
def test_nothing_comes_or_goes(
    pool: dict[RuneId, int],
    edicts: list[tuple[int, int, int, int]],
    pointer: int | None,
    scripts: list[bytes],
    flaw: str | None,
) -> None:
    transaction = Transaction((TxInput(OutPoint("11" * 32, 0)),), tuple(TxOutput(0, script) for script in scripts))
    given, burned = allocate(transaction, ParsedRunestone(flaw, tuple(edicts), pointer=pointer), pool)
    total = Counter(burned)
    for vout, each in enumerate(given):
        assert all(amount > 0 for amount in each.values())
        assert not (each and scripts[vout] == DATA)
        total.update(each)
    assert total == +Counter(pool)
    if flaw:
        assert burned == +Counter(pool)
    # Only the order within one id can matter.
    by_id = sorted(edicts, key=lambda each: each[:2])
    assert allocate(transaction, ParsedRunestone(flaw, tuple(by_id), pointer=pointer), pool) == (given, burned)
