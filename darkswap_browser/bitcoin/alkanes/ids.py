"""Alkane ids, and edicts about them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class AlkaneId:
    """Both 128 bits. Text: `2:0`."""

    block: int
    tx: int

    def __str__(self) -> str:
        return f"{self.block}:{self.tx}"


@dataclass(frozen=True, slots=True, order=True)
class ProtoEdict:
    """As a rune's edict, in 128 bits each; `output` may name a protostone (number of outputs + 1 + its place)."""

    id: AlkaneId
    amount: int
    output: int
