"""Transactions that carry protostones, and strategies for them."""

from __future__ import annotations

from hypothesis import strategies as st

from darkswap_browser.bitcoin.alkanes.ids import AlkaneId, ProtoEdict
from darkswap_browser.bitcoin.alkanes.protostone import CHUNK, Protostone, encode_protostones
from darkswap_browser.bitcoin.runes.ids import MAX_U128, write_varint
from darkswap_browser.bitcoin.runes.runestone import Runestone
from darkswap_browser.bitcoin.transaction import Transaction
from tests.bitcoin.runes.cases import DATA, PAYS, U32, U128, transaction

PAID = (PAYS, PAYS, DATA)
COUNT = len(PAID) + 1
"""Outputs of `carrying`: those and the runestone. As an output of an edict, all of them."""
FIRST, SECOND, THIRD = COUNT + 1, COUNT + 2, COUNT + 3
"""Outputs that stand for the first stones."""
D, E = AlkaneId(2, 0), AlkaneId(2, 1)


def values_of(*integers: int) -> tuple[int, ...]:
    """The PROTOCOL field of these integers, whether they make sense or not."""
    data = b"".join(map(write_varint, integers))
    return tuple(int.from_bytes(data[at : at + CHUNK], "little") for at in range(0, len(data), CHUNK))


def carrying(*stones: Protostone | tuple[int, ...]) -> Transaction:
    """Two outputs that pay, one of data, and a runestone with these stones, or with these integers."""
    integers = [each for each in stones if isinstance(each, tuple)]
    made = [each for each in stones if isinstance(each, Protostone)]
    values = values_of(*integers[0]) if integers else encode_protostones(made)
    return transaction(*PAID, Runestone(protocol=values).encipher())


def stone(*edicts: tuple[AlkaneId, int, int], tag: int = 1, pointer: int | None = None) -> Protostone:
    return Protostone(tag=tag, edicts=tuple(ProtoEdict(*edict) for edict in edicts), pointer=pointer)


IDS = st.builds(AlkaneId, st.sampled_from([2, 4, 32]), U32) | st.builds(AlkaneId, U128, U128)
STONES = st.builds(
    Protostone,
    tag=st.integers(1, 3) | st.integers(1, MAX_U128),
    edicts=st.lists(st.builds(ProtoEdict, IDS, U128, st.integers(0, 9) | U128), max_size=3).map(tuple),
    pointer=st.none() | U32,
    refund=st.none() | U32,
    burn=st.none() | U128,
    # Cut into whole pieces by the format, and so read with zeros behind.
    message=st.binary(max_size=40).map(lambda data: data + bytes(-len(data) % CHUNK)),
)
INTEGERS = st.lists(st.sampled_from([0, 1, 2, 4, 6, 81, 83, 91, 93, 95]) | st.integers(0, 9) | U32 | U128, max_size=20)
