"""Transactions around a runestone, and strategies that come near to real ones."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from darkswap_browser.bitcoin.runes.ids import MAX_U32, MAX_U64, MAX_U128, Edict, RuneId, write_varint
from darkswap_browser.bitcoin.runes.runestone import Cenotaph, Etching, MintTerms, Runestone, decipher
from darkswap_browser.bitcoin.script import push_data
from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput

PAYS = b"\x51\x20" + b"\x11" * 32
DATA = b"\x6a\x04data"
INPUT = TxInput(OutPoint("11" * 32, 0))


def transaction(*scripts: bytes) -> Transaction:
    return Transaction((INPUT,), tuple(TxOutput(0, script) for script in scripts))


def script_of(*integers: int) -> bytes:
    data = b"".join(map(write_varint, integers))
    return b"\x6a\x5d" + (push_data(data) if data else b"")


def read(*integers: int, more: int = 0) -> Runestone | Cenotaph:
    """These integers as the first of 1 + `more` outputs."""
    found = decipher(transaction(script_of(*integers), *[PAYS] * more))
    assert found is not None
    return found


U32, U64, U128 = (
    st.sampled_from([0, 1, most // 2, most - 1, most]) | st.integers(0, 300) | st.integers(0, most)
    for most in (MAX_U32, MAX_U64, MAX_U128)
)
TAGS = st.sampled_from([0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 18, 20, 22, 126, 127, 16383])
INTEGERS = st.lists(TAGS | st.integers(0, 8) | U32 | U128, max_size=24)
"""Mostly tags and small numbers: a plain list of numbers is nearly never more than an unknown even tag."""


def optional(values: st.SearchStrategy[int]) -> st.SearchStrategy[int | None]:
    return st.none() | values


IDS = st.builds(RuneId, st.integers(1, 3) | st.integers(1, MAX_U64), U32) | st.just(RuneId(0, 0))
CHARACTERS = st.characters(exclude_categories=["Cs"])
TERMS = st.builds(
    MintTerms,
    amount=optional(st.integers(0, MAX_U32)),
    cap=optional(st.integers(0, MAX_U32)),
    height=st.tuples(optional(U64), optional(U64)),
    offset=st.tuples(optional(U64), optional(U64)),
)
ETCHINGS = st.builds(
    Etching,
    divisibility=optional(st.integers(0, 38)),
    premine=optional(st.integers(0, MAX_U64)),
    rune=optional(U128),
    spacers=optional(st.integers(0, 0x07FFFFFF)),
    symbol=st.none() | CHARACTERS,
    terms=st.none() | TERMS,
    turbo=st.booleans(),
)


def runestones(outputs: int) -> st.SearchStrategy[Runestone]:
    """What can be said in a transaction of so many outputs."""
    return st.builds(
        Runestone,
        edicts=st.lists(st.builds(Edict, IDS, U128, st.integers(0, outputs)), max_size=5).map(tuple),
        etching=st.none() | ETCHINGS,
        mint=st.none() | IDS,
        pointer=optional(st.integers(0, outputs - 1)),
        protocol=st.lists(U128, max_size=4).map(tuple),
    )


def mutations(scripts: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """One of the scripts with a byte changed, cut off or put in."""

    def change(script: bytes, at: int, byte: int, how: str) -> bytes:
        at %= len(script) + 1
        match how:
            case "cut":
                return script[:at]
            case "insert":
                return script[:at] + bytes([byte]) + script[at:]
            case _:
                return script[:at] + bytes([byte]) + script[at + 1 :]

    how = st.sampled_from(["cut", "insert", "change"])
    return st.builds(change, st.sampled_from(scripts), st.integers(0, 200), st.integers(0, 255), how)
