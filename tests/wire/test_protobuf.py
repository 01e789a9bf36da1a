from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkswap_browser.errors import MalformedMessage
from darkswap_browser.wire.protobuf import ZERO, Field, Message, decode, encode, uint
from tests.support.hostile import assert_only_malformed, damaged, mutations


@dataclass(frozen=True)
class Inner(Message):
    name: Annotated[str, Field(1)] = ""
    expire: Annotated[uint | None, Field(2)] = None


@dataclass(frozen=True)
class Outer(Message):
    kind: Annotated[uint, Field(1)] = ZERO
    peer: Annotated[Inner | None, Field(2)] = None
    parts: Annotated[list[bytes], Field(3)] = field(default_factory=list)
    inners: Annotated[list[Inner], Field(4)] = field(default_factory=list)
    flag: Annotated[bool | None, Field(5)] = None


def read(data: bytes) -> Outer:
    return decode(Outer, data, "outer", 4096)


CASES = [
    (Outer(), "0800"),
    (Outer(uint(3)), "0803"),
    (Outer(uint(300), Inner("ab")), "08ac02 12040a026162"),
    (Outer(ZERO, None, [b"a", b""], [Inner("b", ZERO)], False), "0800 1a0161 1a00 22050a01621000 2800"),
    (Outer(uint(2**64 - 1)), "08ffffffffffffffffff01"),
]


@pytest.mark.parametrize(("message", "data"), CASES, ids=repr)
def test_both_ways(message: Outer, data: str) -> None:
    assert encode(message) == bytes.fromhex(data)
    assert read(bytes.fromhex(data)) == message


def test_missing_fields_take_their_defaults() -> None:
    assert read(b"") == Outer()


def test_unknown_fields_of_every_wire_type_are_skipped() -> None:
    assert read(bytes.fromhex("3801 3d00000000 390000000000000000 3a026162 0807")) == Outer(uint(7))


def test_the_last_value_of_a_single_field_wins() -> None:
    assert read(bytes.fromhex("08010802")) == Outer(uint(2))


def test_a_varint_in_longer_form_is_legal_here() -> None:
    assert read(bytes.fromhex("088100")) == Outer(uint(1))


HOSTILE = {
    "field number 0": "0001",
    "start of a group": "0b",
    "end of a group": "0c",
    "wire type 6": "0e",
    "wire type 7": "0f",
    "varint of 11 bytes": "08ffffffffffffffffffff01",
    "varint beyond 64 bits": "08ffffffffffffffffff02",
    "tag cut off": "88",
    "length of 2^64-1": "1affffffffffffffffff01",
    "known field beyond the end": "1a05aa",
    "unknown field beyond the end": "3a05aa",
    "unknown 32 bits cut off": "3d000000",
    "unknown 64 bits cut off": "3900000000000000",
    "embedded field beyond its message": "12030a0561",
    "embedded varint cut off": "12021080",
    "text that is not UTF-8": "12030a01ff",
    "single message twice": "1200 1200",
    "packed number": "0a00",
    "packed numbers": "0a020102",
    "wrong wire type for a varint": "0d00000000",
    "wrong wire type for bytes": "1801",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE.keys())
def test_is_malformed(data: str) -> None:
    with pytest.raises(MalformedMessage):
        read(bytes.fromhex(data))


def test_size_is_judged_first() -> None:
    with pytest.raises(MalformedMessage, match="4097 bytes; at most 4096"):
        read(bytes(4097))


def test_a_giant_varint_costs_no_time() -> None:
    began = time.perf_counter()
    with pytest.raises(MalformedMessage):
        decode(Outer, b"\x08" + b"\x80" * 1_000_000, "outer", 2_000_000)
    assert time.perf_counter() - began < 0.1


def test_a_declaration_without_default_is_a_mistake_of_ours() -> None:
    @dataclass(frozen=True)
    class Mistaken(Message):
        kind: Annotated[uint, Field(1)]

    with pytest.raises(TypeError, match="kind has no default"):
        decode(Mistaken, b"", "mistaken", 10)


def test_a_declaration_of_another_type_is_a_mistake_of_ours() -> None:
    @dataclass(frozen=True)
    class Mistaken(Message):
        kind: Annotated[float, Field(1)] = 0.0

    with pytest.raises(TypeError, match=r"Mistaken\.kind is declared as"):
        decode(Mistaken, b"", "mistaken", 10)


FULL = encode(Outer(uint(9), Inner("name", uint(5)), [b"one", b"two"], [Inner("x"), Inner("y", uint(1))], True))


def test_damage_gives_a_message_or_malformed() -> None:
    for data in damaged(FULL):
        assert_only_malformed(read, data)


@given(st.one_of(st.binary(max_size=100), mutations(FULL)))
def test_any_bytes_give_a_message_or_malformed(data: bytes) -> None:
    assert_only_malformed(read, data)


INNERS = st.builds(Inner, st.text(max_size=9), st.none() | st.integers(0, 2**64 - 1).map(uint))


@given(st.builds(Outer, st.integers(0, 2**64 - 1).map(uint), st.none() | INNERS, st.lists(st.binary(max_size=9)),
                 st.lists(INNERS, max_size=3), st.none() | st.booleans()))  # fmt: skip
def test_round_trip(message: Outer) -> None:
    assert read(encode(message)) == message
