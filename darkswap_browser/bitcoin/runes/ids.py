"""Rune ids, edicts, and the LEB128 integers that runestones and protostones are written in."""

from __future__ import annotations

from dataclasses import dataclass

MAX_U32 = 2**32 - 1
MAX_U64 = 2**64 - 1
MAX_U128 = 2**128 - 1
LAST_SHIFT = 7 * 18
"""Of the 19th byte, which ord's decoder takes when the value fits 128 bits; its text says 18. The code wins."""


@dataclass(frozen=True, slots=True, order=True)
class RuneId:
    """Where a rune was etched: height, and index of the transaction in its block. Text: `840000:1`."""

    block: int
    tx: int

    def __str__(self) -> str:
        return f"{self.block}:{self.tx}"


@dataclass(frozen=True, slots=True, order=True)
class Edict:
    """Give `amount` of `id` (0: all that is left) to output number `output` (the number of outputs: to every one)."""

    id: RuneId
    amount: int
    output: int


def write_varint(value: int) -> bytes:
    """LEB128, shortest form."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varints(data: bytes) -> list[int] | None:
    """All integers of `data`, 128 bits each at most; None when one is too long, too large or cut off."""
    values: list[int] = []
    value = shift = 0
    for byte in data:
        if byte < 0x80:
            if shift:
                value |= byte << shift
                if shift >= LAST_SHIFT and value > MAX_U128:
                    return None
                values.append(value)
                value = shift = 0
            else:
                values.append(byte)
        else:
            if shift >= LAST_SHIFT:
                return None
            value |= (byte & 0x7F) << shift
            shift += 7
    return None if shift else values
