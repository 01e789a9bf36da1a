"""Runestones written: the sizes and the order of ord's crates/ordinals/src/runestone.rs, and back again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings

from darkswap_browser.bitcoin.runes.ids import MAX_U32, MAX_U64, MAX_U128, Edict, RuneId
from darkswap_browser.bitcoin.runes.message import payload
from darkswap_browser.bitcoin.runes.runestone import Etching, MintTerms, Runestone, decipher
from tests.bitcoin.runes.cases import PAYS, runestones, script_of, transaction
from tests.support.examples import examples

FULL = Etching(
    divisibility=38,
    premine=MAX_U64,
    rune=MAX_U128,
    spacers=0x07FFFFFF,
    symbol="\U0010ffff",
    terms=MintTerms(amount=MAX_U64, cap=MAX_U32, height=(MAX_U32, MAX_U32), offset=(MAX_U32, MAX_U32)),
    turbo=True,
)
LONG = RuneId(1_000_000, MAX_U32)
ZERO = RuneId(0, 0)


@pytest.mark.parametrize(
    ("runestone", "size"),
    [
        (Runestone(), 2),
        (Runestone(etching=Etching(rune=0)), 7),
        (Runestone(etching=Etching(rune=0, divisibility=38)), 9),
        (Runestone(etching=FULL), 89),
        (Runestone(etching=Etching(rune=MAX_U128)), 25),
        (Runestone(etching=Etching(rune=MAX_U128, divisibility=38), edicts=(Edict(ZERO, 0, 0),)), 32),
        (Runestone(etching=Etching(rune=MAX_U128, divisibility=38), edicts=(Edict(ZERO, MAX_U128, 0),)), 50),
        (Runestone(edicts=(Edict(LONG, 0, 0),)), 14),
        (Runestone(edicts=(Edict(LONG, MAX_U128, 0),)), 32),
        (Runestone(edicts=(Edict(LONG, MAX_U128, 0),) * 2), 54),
        (Runestone(edicts=(Edict(LONG, MAX_U128, 0),) * 3), 76),
        (Runestone(edicts=(Edict(LONG, MAX_U64, 0),) * 4), 62),
        (Runestone(edicts=(Edict(LONG, MAX_U64, 0),) * 5), 75),
        (Runestone(edicts=(Edict(RuneId(0, MAX_U32), MAX_U64, 0),) * 5), 73),
        (Runestone(edicts=(Edict(LONG, 10**18, 0),) * 5), 70),
    ],
)
def test_a_runestone_has_the_size_that_ord_gives_it(runestone: Runestone, size: int) -> None:
    assert len(runestone.encipher()) == size


def test_fields_stand_in_ords_order() -> None:
    terms = MintTerms(cap=11, height=(12, 13), amount=14, offset=(15, 16))
    etching = Etching(divisibility=7, premine=8, rune=9, spacers=10, symbol="@", terms=terms, turbo=True)
    edicts = (Edict(RuneId(2, 3), 1, 0), Edict(RuneId(5, 6), 4, 1))
    runestone = Runestone(edicts=edicts, etching=etching, mint=RuneId(17, 18), pointer=0, protocol=(19, 20))
    fields = (2, 7, 4, 9, 1, 7, 3, 10, 5, 64, 6, 8, 10, 14, 8, 11, 12, 12, 14, 13, 16, 15, 18, 16)
    rest = (20, 17, 20, 18, 22, 0, 16383, 19, 16383, 20, 0, 2, 3, 1, 0, 3, 6, 4, 1)
    assert runestone.encipher() == script_of(*fields, *rest)


@pytest.mark.parametrize(
    ("etching", "integers"),
    [
        (Etching(), (2, 1)),
        (Etching(rune=3), (2, 1, 4, 3)),
        (Etching(turbo=True), (2, 5)),
        (Etching(terms=MintTerms()), (2, 3)),
        (Etching(divisibility=0, premine=0, spacers=0, symbol="\0"), (2, 1, 1, 0, 3, 0, 5, 0, 6, 0)),
    ],
)
def test_a_field_that_is_none_is_not_written_and_one_that_is_zero_is(
    etching: Etching, integers: tuple[int, ...]
) -> None:
    assert Runestone(etching=etching).encipher() == script_of(*integers)


def test_measured_runestones_come_out_byte_for_byte() -> None:
    one, two = RuneId(840000, 1), RuneId(845000, 7)
    swap = Runestone(edicts=(Edict(two, 500_000_000, 1), Edict(one, 100_000, 0), Edict(one, 0, 1), Edict(two, 0, 0)))
    assert swap.encipher().hex() == "6a5d1a00c0a23301a08d06000000000188270780cab5ee010100000000"
    pointed = Runestone(edicts=(Edict(one, 100_000, 0),), pointer=2)
    assert pointed.encipher().hex() == "6a5d0b160200c0a23301a08d0600"
    call = Runestone(pointer=0, protocol=(3270250341403247458846209,))
    assert call.encipher().hex() == "6a5d101600ff7f818cec8ad0abc0a8a081d215"


def test_edicts_are_sorted_by_id_and_those_of_one_id_stay_in_their_order() -> None:
    low, high = RuneId(2, 9), RuneId(3, 1)
    edicts = (Edict(high, 5, 1), Edict(low, 9, 0), Edict(high, 0, 0), Edict(low, 1, 1), Edict(RuneId(2, 8), 7, 0))
    found = decipher(transaction(Runestone(edicts=edicts).encipher()))
    assert found == Runestone(edicts=(edicts[4], edicts[1], edicts[3], edicts[0], edicts[2]))


@pytest.mark.parametrize(
    ("count", "head"),
    [(15, b"\x3d"), (19, b"\x4c\x4d"), (129, b"\x4d\x05\x02"), (20_000, b"\x4e\x81\x38\x01\x00")],
)
def test_a_runestone_is_one_push_of_any_length(count: int, head: bytes) -> None:
    """Also beyond the 520 bytes that a stack element may have: nothing ever runs this script."""
    runestone = Runestone(edicts=(Edict(ZERO, 0, 0),) * count)
    tx = transaction(runestone.encipher())
    assert tx.outputs[0].script == b"\x6a\x5d" + head + bytes(1 + 4 * count)
    assert payload(tx) == bytes(1 + 4 * count)
    assert decipher(tx) == runestone


@settings(max_examples=examples(150))
@given(runestones(3))
def test_what_is_written_is_read(runestone: Runestone) -> None:
    found = decipher(transaction(PAYS, runestone.encipher(), PAYS))
    assert found == replace(runestone, edicts=tuple(sorted(runestone.edicts, key=lambda edict: edict.id)))
    assert isinstance(found, Runestone)
    assert found.encipher() == runestone.encipher()
