"""Protostones ⇄ values of the PROTOCOL field, as alkanes-rs' crates/protorune and crates/protorune-support do it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.bitcoin.alkanes.ids import AlkaneId, ProtoEdict
from darkswap_browser.bitcoin.alkanes.protostone import Protostone, decode_protostones, encode_protostones
from darkswap_browser.bitcoin.runes.ids import MAX_U32, MAX_U128, Edict, RuneId
from darkswap_browser.bitcoin.runes.runestone import Runestone, decipher
from tests.bitcoin.alkanes.cases import IDS, INTEGERS, STONES, D, values_of
from tests.bitcoin.runes.cases import U128, transaction
from tests.support.examples import examples

TRANSFER = Protostone(edicts=(ProtoEdict(D, 1000, 1),), pointer=0, refund=0)
HALF = 1 << 127


def read(*integers: int) -> tuple[Protostone, ...] | None:
    return decode_protostones(values_of(*integers))


def test_a_call_of_mainnet_is_read_and_written_alike() -> None:
    """Transaction c5520bb6…7b92: alkane 32:0, which wraps bitcoin, is called with opcode 77."""
    script = bytes.fromhex("6a5d101600ff7f818cec8ad0abc0a8a081d215")
    found = decipher(transaction(script))
    assert isinstance(found, Runestone)
    assert found.protocol == (3270250341403247458846209,)
    call = Protostone(pointer=1, refund=1, message=bytes.fromhex("20004d").ljust(15, b"\0"))
    assert decode_protostones(found.protocol) == (call,)
    assert Runestone(pointer=0, protocol=encode_protostones([call])).encipher() == script


def test_a_transfer_has_twenty_bytes() -> None:
    script = Runestone(pointer=0, protocol=encode_protostones([TRANSFER])).encipher()
    assert script.hex() == "6a5d111600ff7f8192ec82d08b80808280a0bf10"
    found = decipher(transaction(script))
    assert isinstance(found, Runestone)
    assert decode_protostones(found.protocol) == (TRANSFER,)


def test_a_rune_and_an_alkane_fit_into_one_old_op_return() -> None:
    """83 bytes, which older nodes relay at most; here with ids and amounts as long as they come."""
    edicts = (Edict(RuneId(840000, 1), 100_000, 0), Edict(RuneId(840000, 1), 0, 1))
    small = Runestone(edicts=edicts, pointer=1, protocol=encode_protostones([TRANSFER]))
    assert len(small.encipher()) == 33
    wide = replace(TRANSFER, edicts=(ProtoEdict(AlkaneId(2, 10**9), 2**64 - 1, 1),))
    large = replace(small, edicts=tuple(replace(edict, id=RuneId(10**7, 9999)) for edict in edicts))
    assert len(replace(large, protocol=encode_protostones([wide])).encipher()) < 83


def test_fields_stand_in_the_order_of_the_indexer() -> None:
    edicts = (ProtoEdict(AlkaneId(4, 1), 5, 0), ProtoEdict(AlkaneId(2, 3), 6, 1), ProtoEdict(AlkaneId(2, 1), 7, 2))
    whole = Protostone(tag=13, edicts=edicts, pointer=3, refund=4, burn=5, message=b"\x07" + bytes(15) + b"\x08")
    body = (83, 5, 91, 3, 93, 4, 81, 7, 81, 8 << 8, 0, 2, 1, 7, 2, 0, 2, 6, 1, 2, 1, 5, 0)
    assert encode_protostones([whole]) == values_of(13, len(body), *body)
    assert encode_protostones([whole, Protostone()]) == values_of(13, len(body), *body, 1, 0)
    assert encode_protostones([]) == ()


def test_edicts_are_sorted_by_id_and_those_of_one_id_stay_in_their_order() -> None:
    first, second = ProtoEdict(D, 9, 1), ProtoEdict(D, 0, 0)
    made = Protostone(edicts=(ProtoEdict(AlkaneId(4, 0), 1, 0), first, second))
    assert decode_protostones(encode_protostones([made])) == (replace(made, edicts=(first, second, made.edicts[0])),)


@pytest.mark.parametrize("length", [1, 14, 15, 16, 30, 31])
def test_a_message_comes_back_with_zeros_up_to_whole_pieces(length: int) -> None:
    made = Protostone(message=b"\xff" * length)
    found = decode_protostones(encode_protostones([made]))
    assert found == (replace(made, message=made.message.ljust(-(-length // 15) * 15, b"\0")),)


@pytest.mark.parametrize("stone", [
    Protostone(tag=13, burn=1, pointer=3),
    Protostone(burn=0, pointer=3, edicts=(ProtoEdict(AlkaneId(8400000, 1), 123456789, 2),)),
    Protostone(pointer=3, message=bytes(range(9)) + bytes(6)),
    Protostone(tag=3, burn=1, pointer=2, message=bytes.fromhex("640b707172737475760000000000000f")[:15]),
])  # fmt: skip
def test_stones_of_the_indexers_own_tests_come_back(stone: Protostone) -> None:
    assert decode_protostones(encode_protostones([stone])) == (stone,)
    assert decode_protostones(encode_protostones([stone] * 3)) == (stone,) * 3


@pytest.mark.parametrize(
    ("integers", "stones"),
    [
        ((), ()),
        ((0,), ()),
        ((0, 1, 2, 91, 4), ()),
        ((1, 0), (Protostone(),)),
        ((1, 0, 0, 7, 7, 7), (Protostone(),)),
        ((1, 0, 1), (Protostone(), Protostone())),
        ((*(1, 2, 91, 4) * 3, 1, 0, 7), (*[Protostone(pointer=4)] * 3, Protostone())),
        ((1, 2, 91, 4), (Protostone(pointer=4),)),
        ((1, 4, 91, 4, 91, 5), (Protostone(pointer=4),)),
        ((1, 2, 91, MAX_U32 + 6), (Protostone(pointer=5),)),
        ((1, 2, 93, MAX_U128), (Protostone(refund=MAX_U32),)),
        ((1, 2, 83, MAX_U128), (Protostone(burn=MAX_U128),)),
        ((1, 4, 95, 1, 97, 2), (Protostone(),)),
        ((1, 3, 91, 4, 93), (Protostone(pointer=4),)),
        ((1, 4, 81, 0, 81, 1), (Protostone(message=bytes(15) + b"\x01" + bytes(14)),)),
        ((1, 2, 81, 0xFF << 120), (Protostone(message=bytes(15)),)),
        ((MAX_U128, 0), (Protostone(tag=MAX_U128),)),
    ],
    ids=["nothing", "padding", "nothing behind padding", "empty", "padded", "a length of padding", "a tag at the end",
         "pointer", "the first counts", "32 bits", "32 bits of all", "a burn has 128", "unknown", "half a field",
         "a message", "15 bytes of a piece", "any tag"],
)  # fmt: skip
def test_lists_are_read_as_the_indexer_reads_them(integers: tuple[int, ...], stones: tuple[Protostone, ...]) -> None:
    assert read(*integers) == stones


@pytest.mark.parametrize("integers", [(1, 14), (1, 200, 91, 4), (1, MAX_U128), (1, 2, 91, 4, 1, 99)])
def test_a_stone_that_promises_more_than_comes_spoils_the_list(integers: tuple[int, ...]) -> None:
    assert read(*integers) is None


def test_the_padding_counts_as_what_comes() -> None:
    nothing = ProtoEdict(AlkaneId(0, 0), 0, 0)
    assert read(1, 13) == (Protostone(edicts=(nothing,) * 3),)
    assert read(1, 3, 91, 4) == (Protostone(pointer=4),)


def test_an_integer_too_long_spoils_the_list() -> None:
    ones = (1 << 120) - 1
    assert decode_protostones([ones]) is None
    assert decode_protostones([0x81 << 112 | 1]) is None
    assert decode_protostones([ones, ones]) is None


@pytest.mark.parametrize(
    "body",
    [(2,), (2, 0, 5), (2, 0, 5, 1, 0), (2, 0, 5, 1, MAX_U128, 0, 5, 1), (0, MAX_U128, 5, 1, 0, 1, 5, 1)],
    ids=["one", "three", "five", "block", "tx"],
)
def test_edicts_that_are_broken_anywhere_are_none_at_all(body: tuple[int, ...]) -> None:
    assert read(1, 3 + len(body), 91, 4, 0, *body) == (Protostone(pointer=4),)


def test_ids_of_edicts_are_differences_in_128_bits() -> None:
    body = (0, 0, 5, 1, 2, HALF, 6, MAX_U128, 0, HALF - 1, 0, 0, HALF, 3, MAX_U128, 2)
    ids = (AlkaneId(0, 0), AlkaneId(2, HALF), AlkaneId(2, MAX_U128), AlkaneId(HALF + 2, 3))
    rest = ((5, 1), (6, MAX_U128), (0, 0), (MAX_U128, 2))
    edicts = tuple(ProtoEdict(each, *other) for each, other in zip(ids, rest, strict=True))
    assert read(1, 1 + len(body), 0, *body) == (Protostone(edicts=edicts),)


def test_an_alkane_is_told_by_two_numbers() -> None:
    assert (str(AlkaneId(2, 0)), str(AlkaneId(MAX_U128, 7))) == ("2:0", f"{MAX_U128}:7")


@settings(max_examples=examples(120))
@given(st.lists(STONES, max_size=4))
def test_what_is_written_is_read(stones: list[Protostone]) -> None:
    """Through a runestone, where no value may be too large."""
    values = encode_protostones(stones)
    assert all(value < 1 << 120 for value in values)
    found = decipher(transaction(Runestone(protocol=values).encipher()))
    assert isinstance(found, Runestone)
    assert found.protocol == values
    sorted_stones = (replace(each, edicts=tuple(sorted(each.edicts, key=lambda edict: edict.id))) for each in stones)
    assert decode_protostones(found.protocol) == tuple(sorted_stones)


@settings(max_examples=examples(150))
@given(st.lists(U128, max_size=5) | st.lists(st.integers(), max_size=5) | INTEGERS.map(lambda each: values_of(*each)))
def test_any_values_are_stones_or_none(values: list[int]) -> None:
    stones = decode_protostones(values)
    for each in stones or ():
        assert 0 < each.tag <= MAX_U128
        assert len(each.message) % 15 == 0
        assert all(number is None or 0 <= number <= MAX_U32 for number in (each.pointer, each.refund))
    if stones:
        assert decode_protostones(encode_protostones(stones)) == stones


@settings(max_examples=examples(50))
@given(IDS, IDS)
def test_ids_are_ordered_by_block_and_then_by_tx(one: AlkaneId, other: AlkaneId) -> None:
    assert (one < other) == ((one.block, one.tx) < (other.block, other.tx))
