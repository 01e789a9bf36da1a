"""The table-driven decoder, by the cases of ord's crates/ordinals/src/runestone.rs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from darkswap_browser.errors import InvalidArgument
from darkswap_browser.regtest.indexes import rune_names
from darkswap_browser.regtest.indexes.runestones import (
    Etching,
    ParsedRunestone,
    Terms,
    decipher,
    integers,
    leb128,
    write,
)

U128 = 2**128 - 1


def stone_of(*scripts: bytes) -> ParsedRunestone | None:
    outputs = tuple(TxOutput(0, script) for script in scripts)
    return decipher(Transaction((TxInput(OutPoint("11" * 32, 0)),), outputs))


def script_of(*numbers: int) -> bytes:
    data = b"".join(map(leb128, numbers))
    head = bytes([len(data)]) if len(data) < 0x4C else b"\x4c" + bytes([len(data)])
    return b"\x6a\x5d" + head + data


def read(*numbers: int) -> ParsedRunestone:
    stone = stone_of(script_of(*numbers), b"\x51", b"\x52")
    assert stone is not None
    return stone


@pytest.mark.parametrize(
    "script",
    [b"", b"\x6a", b"\x6a\x04\xff", b"\x51\x5d", b"\x6a\x5e\x00", b"\x6a\x04aaaa"],
    ids=["empty", "bare return", "cut", "no return", "another number", "data"],
)
def test_other_scripts_are_no_runestones(script: bytes) -> None:
    assert stone_of(script) is None


def test_the_first_runestone_counts_even_when_it_is_broken() -> None:
    assert stone_of(b"\x6a\x04\xff", b"\x6a\x5d\x51", script_of(22, 0)) == ParsedRunestone(flaw="opcode")


def test_nothing_behind_the_mark_is_an_empty_runestone() -> None:
    assert stone_of(b"\x6a\x5d") == ParsedRunestone()


@pytest.mark.parametrize(
    ("script", "flaw"),
    [
        (b"\x6a\x5d\x51", "opcode"),
        (b"\x6a\x5d\x4f", "opcode"),
        (b"\x6a\x5d\x02\x00", "invalid-script"),
        (b"\x6a\x5d\x4d\x01", "invalid-script"),
        (b"\x6a\x5d\xac\x4c", "opcode"),
        (b"\x6a\x5d\x01\x80", "varint"),
        (b"\x6a\x5d\x13" + b"\x80" * 18 + b"\x04", "varint"),
        (b"\x6a\x5d\x14" + b"\x80" * 19 + b"\x00", "varint"),
    ],
)
def test_scripts_that_do_not_hold_are_cenotaphs(script: bytes, flaw: str) -> None:
    assert stone_of(script) == ParsedRunestone(flaw=flaw)


@pytest.mark.parametrize("opcode", range(0x4F, 0x100))
def test_every_opcode_that_is_no_push_makes_a_cenotaph(opcode: int) -> None:
    assert stone_of(b"\x6a\x5d" + bytes([opcode])) == ParsedRunestone(flaw="opcode")


def test_pushes_of_every_size_are_joined() -> None:
    assert stone_of(b"\x6a\x5d\x01\x16\x4c\x01\x00\x4d\x00\x00\x4e\x00\x00\x00\x00\x00") == ParsedRunestone(pointer=0)


@pytest.mark.parametrize(
    ("numbers", "flaw"),
    [
        ((0, 1, 1, 1), "trailing-integers"),
        ((0, 1, 1, 1, 4), "edict-output"),
        ((0, 1, 1, 1, U128), "edict-output"),
        ((0, 0, 1, 1, 0), "edict-rune-id"),
        ((0, 2**64, 0, 1, 0), "edict-rune-id"),
        ((0, 1, 2**32, 1, 0), "edict-rune-id"),
        ((22,), "truncated-field"),
        ((2, 1, 4, 4, 7), "truncated-field"),
        ((126, 0), "unrecognized-even-tag"),
        ((22, 3), "unrecognized-even-tag"),
        ((22, 0, 22, 1), "unrecognized-even-tag"),
        ((20, 1), "unrecognized-even-tag"),
        ((20, 0, 20, 1), "unrecognized-even-tag"),
        ((4, 5), "unrecognized-even-tag"),
        ((2, 1, 8, 5), "unrecognized-even-tag"),
        ((2, 1, 2, 1), "unrecognized-even-tag"),
        ((2, 2), "unrecognized-flag"),
        ((2, 8), "unrecognized-flag"),
        ((2, 1 << 127), "unrecognized-flag"),
        ((2, 3, 6, U128, 8, 1, 10, 1), "supply-overflow"),
        ((2, 3, 8, 2, 10, U128), "supply-overflow"),
    ],
)
def test_each_flaw_has_its_name(numbers: tuple[int, ...], flaw: str) -> None:
    assert read(*numbers).flaw == flaw


def test_odd_fields_that_mean_nothing_are_passed_over() -> None:
    assert read(127, 5, 1, 3, 3, 2**40, 5, 0xD800, 99, 1) == ParsedRunestone()


def test_every_field_of_an_etching_is_read() -> None:
    numbers = (2, 7, 4, 9, 1, 38, 3, 5, 5, ord("a"), 6, 8, 10, 3, 8, 4, 12, 1, 14, 2, 16, 3, 18, 4, 20, 1, 20, 2, 22, 2)
    terms = Terms(amount=3, cap=4, height=(1, 2), offset=(3, 4))
    etching = Etching(rune=9, divisibility=38, spacers=5, symbol="a", premine=8, terms=terms, turbo=True)
    assert read(*numbers) == ParsedRunestone(etching=etching, mint=(1, 2), pointer=2)


def test_fields_out_of_their_range_are_left_out() -> None:
    etching = read(2, 1, 1, 39, 3, 0x08000000, 5, 0x110000).etching
    assert etching == Etching(None, 0, 0, None, 0, None, False)


def test_ids_of_edicts_are_differences() -> None:
    assert read(0, 1, 1, 5, 0, 0, 2, 6, 1, 3, 1, 7, 3).edicts == ((1, 1, 5, 0), (1, 3, 6, 1), (4, 1, 7, 3))


def test_a_cenotaph_keeps_its_mint_and_its_name() -> None:
    stone = read(20, 1, 20, 2, 2, 1, 4, 9, 126, 0)
    assert (stone.flaw, stone.mint, stone.etching and stone.etching.rune) == ("unrecognized-even-tag", (1, 2), 9)


def test_measured_runestones_of_the_facts() -> None:
    swap = bytes.fromhex("6a5d1a00c0a23301a08d06000000000188270780cab5ee010100000000")
    edicts = ((840000, 1, 100_000, 0), (840000, 1, 0, 1), (845000, 7, 500_000_000, 1), (845000, 7, 0, 0))
    assert stone_of(swap) == ParsedRunestone(edicts=edicts)
    pointed = bytes.fromhex("6a5d0b160200c0a23301a08d0600")
    assert stone_of(pointed, b"", b"") == ParsedRunestone(edicts=((840000, 1, 100_000, 0),), pointer=2)


U32 = st.integers(0, 2**32 - 1)


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(1, 2**64 - 1), U32, st.integers(0, U128), st.integers(0, 2)), max_size=2))
def test_what_is_written_is_read(edicts: list[tuple[int, int, int, int]]) -> None:
    stone = stone_of(write([(22, 1)], edicts), b"")
    assert stone == ParsedRunestone(edicts=tuple(sorted(edicts, key=lambda each: each[:2])), pointer=1)


@settings(max_examples=200)
@given(st.binary(max_size=60))
def test_any_script_is_a_stone_or_a_cenotaph(data: bytes) -> None:
    assert stone_of(b"\x6a\x5d" + data) is not None


@settings(max_examples=100)
@given(st.integers(0, U128))
def test_integers_and_names_come_back(number: int) -> None:
    assert integers(leb128(number)) == [number]
    text = rune_names.text_of(number)
    assert rune_names.parse(text) == (number, 0)


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "A"), (25, "Z"), (26, "AA"), (27, "AB"), (701, "ZZ"), (702, "AAA"), (U128, "BCGDENLQRQWDSLRUGSNLBTMFIJAV")],
)
def test_names_of_ords_table(number: int, text: str) -> None:
    assert (rune_names.text_of(number), rune_names.parse(text)[0]) == (text, number)


def test_spacers_stand_behind_letters() -> None:
    rune, spacers = rune_names.parse("DOG•GO.TO")
    assert rune_names.spaced(rune, spacers) == "DOG•GO•TO"
    assert rune == rune_names.parse("DOGGOTO")[0]


@pytest.mark.parametrize("text", ["", "•A", "A•", "A••B", "a", "A B", "A" * 29, "1"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        rune_names.parse(text)


def test_names_unlock_with_height() -> None:
    first, second = rune_names.number_of("A" * 13), rune_names.number_of("A" * 12)
    assert rune_names.minimum_at(0) == first - (first - second) // 17_500
    assert rune_names.minimum_at(17_499) == second
    assert rune_names.minimum_at(12 * 17_500) == 0
