"""Where the runes of a transaction's inputs end up (ord's rune updater, without mints and etchings)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from darkswap_browser.bitcoin.runes.ids import MAX_U32, RuneId
from darkswap_browser.bitcoin.runes.runestone import Cenotaph, Runestone
from darkswap_browser.bitcoin.transaction import Transaction

K = TypeVar("K")
"""Rune ids here, alkane ids in `bitcoin.alkanes.flow`: both protocols spread an edict in the same way."""
Balances = list[dict[RuneId, int]]
OP_RETURN = 0x6A


def allocate(
    tx: Transaction, artifact: Runestone | Cenotaph | None, inputs: Mapping[RuneId, int]
) -> tuple[tuple[Mapping[RuneId, int], ...], Mapping[RuneId, int]]:
    """(balances per output, what is burned). `inputs`: atoms on all spent outputs together, by rune."""
    left = {rune: atoms for rune, atoms in inputs.items() if atoms}
    outputs: Balances = [{} for _ in tx.outputs]
    burned: dict[RuneId, int] = {}
    if isinstance(artifact, Cenotaph):
        return tuple(outputs), left
    eligible = payable(tx)
    pointer: int | None = eligible[0] if eligible else None
    if artifact is not None:
        for edict in artifact.edicts:
            give(outputs, left, eligible, edict.id, edict.amount, edict.output)
        if artifact.pointer is not None:
            pointer = artifact.pointer
    for rune, atoms in left.items():
        if atoms:
            if pointer is None:
                burned[rune] = burned.get(rune, 0) + atoms
            else:
                outputs[pointer][rune] = outputs[pointer].get(rune, 0) + atoms
    for index, output in enumerate(tx.outputs):
        if output.script[:1] == bytes([OP_RETURN]):
            for rune, atoms in outputs[index].items():
                burned[rune] = burned.get(rune, 0) + atoms
            outputs[index] = {}
    return tuple(outputs), burned


def payable(tx: Transaction) -> Sequence[int]:
    """Outputs that are no OP_RETURN."""
    return [index for index, output in enumerate(tx.outputs) if output.script[:1] != bytes([OP_RETURN])]


def give(
    outputs: list[dict[K, int]], left: dict[K, int], eligible: Sequence[int], asset: K, amount: int, output: int
) -> None:
    """One edict, as far as `left` reaches. `output` = number of outputs: to every one of `eligible`."""
    available = left.get(asset, 0)
    if not available or output > MAX_U32:
        return

    def put(index: int, atoms: int) -> None:
        atoms = min(atoms, left[asset])
        if atoms:
            left[asset] -= atoms
            outputs[index][asset] = outputs[index].get(asset, 0) + atoms

    if output < len(outputs):
        put(output, amount or available)
    elif not amount and eligible:
        share, rest = divmod(available, len(eligible))
        for position, index in enumerate(eligible):
            put(index, share + (position < rest))
    else:
        for index in eligible:
            put(index, amount)
