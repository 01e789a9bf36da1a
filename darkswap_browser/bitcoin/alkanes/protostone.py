"""Protostones: messages of protocols on top of runes, alkanes being protocol 1 (alkanes-rs, crates/protorune).

They travel in a runestone's PROTOCOL field, cut into values of 15 bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from darkswap_browser.bitcoin.alkanes.ids import AlkaneId, ProtoEdict
from darkswap_browser.bitcoin.runes.ids import MAX_U32, MAX_U128, read_varints, write_varint

ALKANES = 1
"""Protocol tag."""
BODY, MESSAGE, BURN, POINTER, REFUND = 0, 81, 83, 91, 93
CHUNK = 15
"""Bytes of a value in use: with the 16th always 0 no varint can pass ord's limit."""
CHUNK_MASK = (1 << 8 * CHUNK) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Protostone:
    """`pointer`, `refund`: outputs for what is left, and for everything when a contract fails."""

    tag: int = ALKANES
    edicts: tuple[ProtoEdict, ...] = ()
    pointer: int | None = None
    refund: int | None = None
    burn: int | None = None
    message: bytes = b""
    """Calls a contract, when there is any."""


def encode_protostones(stones: Sequence[Protostone]) -> tuple[int, ...]:
    """Values of the PROTOCOL field. Edicts are sorted by id, those of one id stay in their order."""
    data = b"".join(write_varint(value) for stone in stones for value in _integers(stone))
    return tuple(int.from_bytes(data[at : at + CHUNK], "little") for at in range(0, len(data), CHUNK))


def _integers(stone: Protostone) -> list[int]:
    fields = ((BURN, stone.burn), (POINTER, stone.pointer), (REFUND, stone.refund))
    body = [part for tag, value in fields if value is not None for part in (tag, value)]
    for at in range(0, len(stone.message), CHUNK):
        body += [MESSAGE, int.from_bytes(stone.message[at : at + CHUNK], "little")]
    if stone.edicts:
        body.append(BODY)
        previous = AlkaneId(0, 0)
        for edict in sorted(stone.edicts, key=lambda each: each.id):
            block = edict.id.block - previous.block
            body += [block, edict.id.tx if block else edict.id.tx - previous.tx, edict.amount, edict.output]
            previous = edict.id
    return [stone.tag, len(body), *body]


def decode_protostones(values: Sequence[int]) -> tuple[Protostone, ...] | None:
    """None where the indexer gives up on the whole list: an integer too long, or a stone that promises more than comes.

    Field 95 (where a protoburn comes from) and unknown ones are dropped.
    """
    integers = read_varints(_joined(values))
    if integers is None:
        return None
    stones = []
    at = 0
    # Tag 0 is the padding of the last value; a tag at the very end is passed over.
    while at + 1 < len(integers) and integers[at] != 0:
        tag, count = integers[at], integers[at + 1]
        at += 2
        if count > len(integers) - at:
            return None
        stones.append(_stone(tag, integers[at : at + count]))
        at += count
    return tuple(stones)


def _stone(tag: int, integers: Sequence[int]) -> Protostone:
    fields: dict[int, list[int]] = {}
    edicts: tuple[ProtoEdict, ...] = ()
    at = 0
    while at < len(integers):
        if integers[at] == BODY:
            edicts = _edicts(integers[at + 1 :])
            break
        if at + 1 >= len(integers):
            break
        fields.setdefault(integers[at], []).append(integers[at + 1])
        at += 2
    first = {name: values[0] for name, values in fields.items()}
    return Protostone(
        tag=tag,
        edicts=edicts,
        # The indexer casts to 32 bits.
        pointer=first[POINTER] & MAX_U32 if POINTER in first else None,
        refund=first[REFUND] & MAX_U32 if REFUND in first else None,
        burn=first.get(BURN),
        message=_joined(fields.get(MESSAGE, ())),
    )


def _joined(values: Iterable[int]) -> bytes:
    return b"".join((value & CHUNK_MASK).to_bytes(CHUNK, "little") for value in values)


def _edicts(integers: Sequence[int]) -> tuple[ProtoEdict, ...]:
    """A list that is broken anywhere counts as empty."""
    if len(integers) % 4:
        return ()
    edicts = []
    block = tx = 0
    for at in range(0, len(integers), 4):
        block_delta, tx_delta, amount, output = integers[at : at + 4]
        block, tx = block + block_delta, (tx_delta if block_delta else tx + tx_delta)
        if block > MAX_U128 or tx > MAX_U128:
            return ()
        edicts.append(ProtoEdict(AlkaneId(block, tx), amount, output))
    return tuple(edicts)
