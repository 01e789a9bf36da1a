"""Runestones read, by the cases of ord's crates/ordinals/src/runestone.rs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.bitcoin.runes.ids import MAX_U32, MAX_U64, MAX_U128, Edict, RuneId
from darkswap_browser.bitcoin.runes.runestone import Cenotaph, Etching, MintTerms, Runestone, decipher
from darkswap_browser.bitcoin.runes.tags import Flaw, Tag
from tests.bitcoin.runes.cases import INTEGERS, PAYS, mutations, read, script_of, transaction
from tests.support.examples import examples

ETCHING, TERMS, TURBO, CENOTAPH = 1, 2, 4, 1 << 127
FLAGS, RUNE, PREMINE, CAP, AMOUNT = Tag.FLAGS, Tag.RUNE, Tag.PREMINE, Tag.CAP, Tag.AMOUNT
LIMITS = (Tag.HEIGHT_START, Tag.HEIGHT_END, Tag.OFFSET_START, Tag.OFFSET_END)
NOP, UNKNOWN = 127, 126
BODY = (0, 1, 1, 2, 0)
GIVEN = (Edict(RuneId(1, 1), 2, 0),)
PUSHED = script_of(*BODY)


@pytest.mark.parametrize(
    "scripts",
    [(), (b"",), (b"\x04",), (b"\x00",), (b"\x6a",), (b"\x6a\x04FOOO",), (b"\x6a\x04",), (b"\x6a\x01\x5d\x00",),
     (b"\x51\x6a\x5d",), (b"\x6a\x5e\x00",), (PAYS,)],
    ids=["no outputs", "empty", "cut", "a push", "bare return", "other data", "cut return", "a pushed 13", "later",
         "another number", "pays"],
)  # fmt: skip
def test_other_outputs_are_no_runestone(scripts: tuple[bytes, ...]) -> None:
    assert decipher(transaction(*scripts)) is None


def test_nothing_behind_the_mark_is_an_empty_runestone() -> None:
    assert decipher(transaction(b"\x6a\x5d")) == Runestone()


@pytest.mark.parametrize("before", [b"", b"\x6a\x03FOO", b"\x6a\x09\x5d\x04", b"\x6a\x04", PAYS])
def test_outputs_before_it_are_passed_over(before: bytes) -> None:
    assert decipher(transaction(before, PUSHED)) == Runestone(edicts=GIVEN)


def test_the_first_runestone_counts_even_when_it_is_broken() -> None:
    assert decipher(transaction(b"\x6a\x5d\x69\x00", PUSHED)) == Cenotaph(Flaw.OPCODE)
    assert decipher(transaction(script_of(22, 1), PUSHED)) == Runestone(pointer=1)


def test_every_push_may_hold_a_part() -> None:
    """Whatever the length: pairs of an odd tag and a 0, the last of them made whole by a second push."""
    for opcode in range(0x4F):
        data = bytes(1 if at % 2 == 0 else 0 for at in range(opcode)) if opcode < 0x4C else b""
        size = b"" if opcode < 0x4C else bytes(1 << (opcode - 0x4C))
        rest = b"\x01\x01" if len(data) % 2 else b""
        assert decipher(transaction(b"\x6a\x5d" + bytes([opcode]) + size + data + rest)) == Runestone(), opcode


def test_every_other_opcode_makes_a_cenotaph() -> None:
    for opcode in range(0x4F, 0x100):
        assert decipher(transaction(b"\x6a\x5d" + bytes([opcode]))) == Cenotaph(Flaw.OPCODE), opcode


@pytest.mark.parametrize("width", [1, 2, 4])
def test_pushes_of_every_width_are_joined(width: int) -> None:
    """Not in their shortest form, each with one integer."""
    opcode = {1: b"\x4c", 2: b"\x4d", 4: b"\x4e"}[width]
    pushes = (opcode + (1).to_bytes(width, "little") + bytes([value]) for value in (2, 1, 1, 5, *BODY))
    assert decipher(transaction(b"\x6a\x5d" + b"".join(pushes))) == Runestone(
        etching=Etching(divisibility=5), edicts=GIVEN
    )


@pytest.mark.parametrize(
    ("opcode", "size", "data"),
    [
        (0x4C, b"\x4b", b"\x01\x80\x00" + b"\x01\x00" * 35),
        (0x4D, b"\x4b\x00", b"\x01\x80\x00" + b"\x01\x00" * 35),
        (0x4E, b"\x4a\x00\x00\x00", b"\x01\x00" * 36),
    ],
)
def test_an_opcode_that_is_as_large_as_the_rest_is_no_size(opcode: int, size: bytes, data: bytes) -> None:
    rest = size + data + b"\x16\x00"
    assert len(rest) == opcode
    assert decipher(transaction(b"\x6a\x5d" + bytes([opcode]) + rest)) == Runestone(pointer=0)


@pytest.mark.parametrize(
    ("rest", "flaw"),
    [
        (b"\x04", Flaw.INVALID_SCRIPT),
        (b"\x4c", Flaw.INVALID_SCRIPT),
        (b"\x4d\x01", Flaw.INVALID_SCRIPT),
        (b"\x4e\x01\x00\x00", Flaw.INVALID_SCRIPT),
        (b"\x4e\xff\xff\xff\xff\x00", Flaw.INVALID_SCRIPT),
        (b"\x01\x80\x02\x00", Flaw.INVALID_SCRIPT),
        (b"\x51\x04", Flaw.OPCODE),
        (b"\x04\x51", Flaw.INVALID_SCRIPT),
        (b"\x01\x80\x51", Flaw.OPCODE),
        (b"\x01\x80", Flaw.VARINT),
        (b"\x02\x00\x80", Flaw.VARINT),
        (b"\x13" + b"\x80" * 18 + b"\x04", Flaw.VARINT),
        (b"\x14" + b"\x80" * 19 + b"\x00", Flaw.VARINT),
    ],
)
def test_a_script_that_does_not_hold_is_a_cenotaph_of_nothing(rest: bytes, flaw: Flaw) -> None:
    assert decipher(transaction(b"\x6a\x5d" + rest)) == Cenotaph(flaw)


FLAWS: list[tuple[tuple[int, ...], Flaw]] = [
    ((0, 1), Flaw.TRAILING_INTEGERS),
    ((0, 1, 1), Flaw.TRAILING_INTEGERS),
    ((0, 1, 1, 2), Flaw.TRAILING_INTEGERS),
    ((*BODY, 0), Flaw.TRAILING_INTEGERS),
    ((*BODY, 0, 0, 0), Flaw.TRAILING_INTEGERS),
    ((0, 0, 1, 2, 0), Flaw.EDICT_RUNE_ID),
    ((0, MAX_U64 + 1, 1, 2, 0), Flaw.EDICT_RUNE_ID),
    ((0, 1, MAX_U32 + 1, 2, 0), Flaw.EDICT_RUNE_ID),
    ((0, 1, 0, 0, 0, MAX_U64, 0, 0, 0), Flaw.EDICT_RUNE_ID),
    ((0, 1, 1, 0, 0, 0, MAX_U32, 0, 0), Flaw.EDICT_RUNE_ID),
    ((*BODY, MAX_U128, 1, 0, 0), Flaw.EDICT_RUNE_ID),
    ((*BODY, 1, MAX_U128, 0, 0), Flaw.EDICT_RUNE_ID),
    ((0, 1, 1, 2, 2), Flaw.EDICT_OUTPUT),
    ((0, 1, 1, 1, MAX_U32 + 1), Flaw.EDICT_OUTPUT),
    ((FLAGS, ETCHING, FLAGS), Flaw.TRUNCATED_FIELD),
    ((Tag.POINTER,), Flaw.TRUNCATED_FIELD),
    ((FLAGS, TERMS, *BODY), Flaw.UNRECOGNIZED_FLAG),
    ((FLAGS, TURBO), Flaw.UNRECOGNIZED_FLAG),
    ((FLAGS, ETCHING | 8), Flaw.UNRECOGNIZED_FLAG),
    ((FLAGS, CENOTAPH, *BODY), Flaw.UNRECOGNIZED_FLAG),
    ((UNKNOWN, 0, *BODY), Flaw.UNRECOGNIZED_EVEN_TAG),
    ((24, 0), Flaw.UNRECOGNIZED_EVEN_TAG),
    ((FLAGS, ETCHING, FLAGS, 0), Flaw.UNRECOGNIZED_EVEN_TAG),
    *(((tag, 0), Flaw.UNRECOGNIZED_EVEN_TAG) for tag in (PREMINE, RUNE, CAP, AMOUNT, *LIMITS)),
    *(((FLAGS, ETCHING, tag, 0), Flaw.UNRECOGNIZED_EVEN_TAG) for tag in (CAP, AMOUNT, *LIMITS)),
    *(((FLAGS, ETCHING | TERMS, tag, MAX_U64 + 1), Flaw.UNRECOGNIZED_EVEN_TAG) for tag in LIMITS),
    ((Tag.MINT, 1), Flaw.UNRECOGNIZED_EVEN_TAG),
    ((Tag.MINT, 0, Tag.MINT, 1), Flaw.UNRECOGNIZED_EVEN_TAG),
    ((Tag.MINT, MAX_U64 + 1, Tag.MINT, 1), Flaw.UNRECOGNIZED_EVEN_TAG),
    ((Tag.MINT, 1, Tag.MINT, MAX_U32 + 1), Flaw.UNRECOGNIZED_EVEN_TAG),
    ((Tag.POINTER, 1), Flaw.UNRECOGNIZED_EVEN_TAG),
    ((Tag.POINTER, MAX_U128), Flaw.UNRECOGNIZED_EVEN_TAG),
    ((Tag.POINTER, 0, Tag.POINTER, 0), Flaw.UNRECOGNIZED_EVEN_TAG),
    ((FLAGS, ETCHING | TERMS, CAP, 2, AMOUNT, MAX_U128), Flaw.SUPPLY_OVERFLOW),
    ((FLAGS, ETCHING | TERMS, CAP, 2, AMOUNT, MAX_U128 // 2 + 1), Flaw.SUPPLY_OVERFLOW),
    ((FLAGS, ETCHING | TERMS, PREMINE, 1, CAP, 1, AMOUNT, MAX_U128), Flaw.SUPPLY_OVERFLOW),
]  # fmt: skip


@pytest.mark.parametrize(
    ("integers", "flaw"), FLAWS, ids=[f"{number} {flaw}" for number, (_, flaw) in enumerate(FLAWS)]
)
def test_each_flaw_makes_a_cenotaph(integers: tuple[int, ...], flaw: Flaw) -> None:
    assert read(*integers) == Cenotaph(flaw)


def test_every_flaw_is_tried() -> None:
    assert {flaw for _, flaw in FLAWS} | {Flaw.OPCODE, Flaw.INVALID_SCRIPT, Flaw.VARINT} == set(Flaw)


@pytest.mark.parametrize(
    ("integers", "flaw"),
    [
        ((FLAGS, ETCHING | TERMS | 8, CAP, 2, AMOUNT, MAX_U128, 126, 0, 0, 1), Flaw.TRAILING_INTEGERS),
        ((FLAGS, ETCHING | TERMS | 8, CAP, 2, AMOUNT, MAX_U128, 126, 0), Flaw.SUPPLY_OVERFLOW),
        ((FLAGS, ETCHING | 8, 126, 0), Flaw.UNRECOGNIZED_FLAG),
        ((0, 0, 1, 0, 9, 1), Flaw.EDICT_RUNE_ID),
        ((0, 1, 1, 0, 9, 1), Flaw.EDICT_OUTPUT),
    ],
)
def test_of_several_flaws_the_first_in_order_counts(integers: tuple[int, ...], flaw: Flaw) -> None:
    assert read(*integers) == Cenotaph(flaw)


def test_a_cenotaph_keeps_its_mint_and_its_name() -> None:
    named = (FLAGS, ETCHING, RUNE, 4, RUNE, 5)
    assert read(*named, *BODY) == Cenotaph(Flaw.UNRECOGNIZED_EVEN_TAG, etching=4)
    assert read(Tag.MINT, 5, Tag.MINT, 6, *named) == Cenotaph(Flaw.UNRECOGNIZED_EVEN_TAG, RuneId(5, 6), 4)
    assert read(Tag.MINT, 5, Tag.MINT, 6, Tag.MINT, 7) == Cenotaph(Flaw.UNRECOGNIZED_EVEN_TAG, RuneId(5, 6))
    assert read(FLAGS, ETCHING, 126, 0) == Cenotaph(Flaw.UNRECOGNIZED_EVEN_TAG)


@pytest.mark.parametrize(
    ("integers", "etching"),
    [
        ((), Etching()),
        ((RUNE, 0), Etching(rune=0)),
        ((RUNE, MAX_U128), Etching(rune=MAX_U128)),
        ((Tag.DIVISIBILITY, 38), Etching(divisibility=38)),
        ((Tag.DIVISIBILITY, 39), Etching()),
        ((Tag.DIVISIBILITY, 4, Tag.DIVISIBILITY, 5), Etching(divisibility=4)),
        ((Tag.DIVISIBILITY, Tag.BODY), Etching(divisibility=0)),
        ((Tag.SPACERS, 0x07FFFFFF), Etching(spacers=0x07FFFFFF)),
        ((Tag.SPACERS, 0x08000000), Etching()),
        ((Tag.SYMBOL, ord("a")), Etching(symbol="a")),
        ((Tag.SYMBOL, 0), Etching(symbol="\0")),
        ((Tag.SYMBOL, 0x10FFFF), Etching(symbol="\U0010ffff")),
        ((Tag.SYMBOL, 0x110000), Etching()),
        ((Tag.SYMBOL, 0xD7FF), Etching(symbol="\ud7ff")),
        ((Tag.SYMBOL, 0xD800), Etching()),
        ((Tag.SYMBOL, 0xDFFF), Etching()),
        ((Tag.SYMBOL, 0xE000), Etching(symbol="\ue000")),
        ((PREMINE, MAX_U128), Etching(premine=MAX_U128)),
    ],
)
def test_fields_of_an_etching_out_of_their_range_are_left_out(integers: tuple[int, ...], etching: Etching) -> None:
    assert read(FLAGS, ETCHING, *integers, *BODY) == Runestone(etching=etching, edicts=GIVEN)


@pytest.mark.parametrize(
    ("integers", "terms"),
    [
        ((), MintTerms()),
        ((AMOUNT, 4), MintTerms(amount=4)),
        ((CAP, 1, AMOUNT, MAX_U128), MintTerms(cap=1, amount=MAX_U128)),
        ((Tag.HEIGHT_START, MAX_U64), MintTerms(height=(MAX_U64, None))),
        ((Tag.HEIGHT_END, 0), MintTerms(height=(None, 0))),
        ((Tag.OFFSET_START, 0), MintTerms(offset=(0, None))),
        ((Tag.OFFSET_END, MAX_U64), MintTerms(offset=(None, MAX_U64))),
    ],
)
def test_terms_come_with_their_flag(integers: tuple[int, ...], terms: MintTerms) -> None:
    assert read(FLAGS, ETCHING | TERMS, *integers, *BODY) == Runestone(etching=Etching(terms=terms), edicts=GIVEN)


def test_every_field_is_read_in_any_order() -> None:
    pairs = [(FLAGS, 7), (RUNE, 4), (Tag.DIVISIBILITY, 1), (Tag.SPACERS, 5), (Tag.SYMBOL, 97), (18, 2),
             (AMOUNT, 3), (PREMINE, 8), (CAP, 9), (Tag.POINTER, 0), (Tag.MINT, 1), (Tag.MINT, 2), (16383, 7),
             (16383, 0)]  # fmt: skip
    terms = MintTerms(amount=3, cap=9, offset=(None, 2))
    etching = Etching(divisibility=1, premine=8, rune=4, spacers=5, symbol="a", terms=terms, turbo=True)
    whole = Runestone(edicts=GIVEN, etching=etching, pointer=0, mint=RuneId(1, 2), protocol=(7, 0))
    assert read(*(part for pair in pairs for part in pair), *BODY) == whole
    # Each tag has a queue of its own.
    backward = [*pairs[:10][::-1], *pairs[10:]]
    assert read(*(part for pair in backward for part in pair), *BODY) == whole


@pytest.mark.parametrize(
    "integers", [(NOP, 100), (Tag.DIVISIBILITY, MAX_U128), (Tag.SPACERS, MAX_U128), (Tag.SYMBOL, MAX_U128), (FLAGS, 0)]
)
def test_odd_tags_that_mean_nothing_are_passed_over(integers: tuple[int, ...]) -> None:
    assert read(*integers, *BODY) == Runestone(edicts=GIVEN)


def test_a_body_without_edicts_is_empty() -> None:
    assert read(0) == Runestone()


def test_ids_of_edicts_are_differences() -> None:
    found = read(0, 1, 1, 5, 0, 0, 2, 6, 1, 3, 1, 7, 2, 0, 0, 8, 0, more=1)
    assert found == Runestone(edicts=tuple(Edict(RuneId(*each[:2]), *each[2:]) for each in (
        (1, 1, 5, 0), (1, 3, 6, 1), (4, 1, 7, 2), (4, 1, 8, 0)
    )))  # fmt: skip


def test_an_edict_may_name_the_rune_of_this_etching_and_all_outputs() -> None:
    assert read(0, 0, 0, 1, 1) == Runestone(edicts=(Edict(RuneId(0, 0), 1, 1),))
    assert read(0, MAX_U64, MAX_U32, MAX_U128, 1) == Runestone(edicts=(Edict(RuneId(MAX_U64, MAX_U32), MAX_U128, 1),))


def test_a_mint_of_the_first_rune_of_all() -> None:
    assert read(Tag.MINT, 0, Tag.MINT, 0) == Runestone(mint=RuneId(0, 0))
    assert read(Tag.MINT, 1, Tag.MINT, 0) == Runestone(mint=RuneId(1, 0))


SWAP = bytes.fromhex("6a5d1a00c0a23301a08d06000000000188270780cab5ee010100000000")
POINTED = bytes.fromhex("6a5d0b160200c0a23301a08d0600")
CALL = bytes.fromhex("6a5d101600ff7f818cec8ad0abc0a8a081d215")


def test_runestones_seen_on_mainnet_and_measured_ones_are_read() -> None:
    """A swap of two runes; an edict with a pointer; and mainnet's c5520bb6…7b92, which calls an alkane."""
    one, two = RuneId(840000, 1), RuneId(845000, 7)
    edicts = (Edict(one, 100_000, 0), Edict(one, 0, 1), Edict(two, 500_000_000, 1), Edict(two, 0, 0))
    assert decipher(transaction(SWAP)) == Runestone(edicts=edicts)
    assert decipher(transaction(POINTED, PAYS, PAYS)) == Runestone(edicts=(Edict(one, 100_000, 0),), pointer=2)
    assert decipher(transaction(CALL)) == Runestone(pointer=0, protocol=(3270250341403247458846209,))


@settings(max_examples=examples(120))
@given(st.binary(max_size=80), st.integers(0, 2))
def test_any_script_behind_the_mark_is_a_runestone_or_a_cenotaph(data: bytes, more: int) -> None:
    assert isinstance(decipher(transaction(b"\x6a\x5d" + data, *[PAYS] * more)), Runestone | Cenotaph)


@settings(max_examples=examples(150))
@given(st.lists(st.binary(max_size=30) | mutations([SWAP, POINTED, CALL, PUSHED]), max_size=4))
def test_any_outputs_are_read_without_an_error(scripts: list[bytes]) -> None:
    found = decipher(transaction(*scripts))
    assert (found is None) == all(script[:2] != b"\x6a\x5d" for script in scripts)


@settings(max_examples=examples(150))
@given(INTEGERS)
def test_a_runestone_says_only_what_its_transaction_can_do(integers: list[int]) -> None:
    found = read(*integers, more=2)
    if isinstance(found, Runestone):
        assert all(edict.output <= 3 and 0 <= edict.amount <= MAX_U128 for edict in found.edicts)
        assert found.pointer is None or found.pointer < 3
        assert found.etching is None or found.etching.supply is not None
