"""Where the runes of a transaction's inputs end up (ord's rune updater, without mints and etchings)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from darkswap_browser.bitcoin.runes.ids import RuneId
from darkswap_browser.bitcoin.runes.runestone import Cenotaph, Runestone
from darkswap_browser.bitcoin.transaction import Transaction, TxOutput

K = TypeVar("K")
"""Rune ids here, alkane ids in `bitcoin.alkanes.flow`: both protocols spread an edict in the same way."""
OP_RETURN = b"\x6a"


def allocate(
    tx: Transaction, artifact: Runestone | Cenotaph | None, inputs: Mapping[RuneId, int]
) -> tuple[tuple[Mapping[RuneId, int], ...], Mapping[RuneId, int]]:
    """(balances per output, what is burned). `inputs`: atoms on all spent outputs together, by rune."""
    left = {rune: atoms for rune, atoms in inputs.items() if atoms}
    outputs: list[dict[RuneId, int]] = [{} for _ in tx.outputs]
    burned: dict[RuneId, int] = {}
    if isinstance(artifact, Cenotaph):
        return tuple(outputs), left
    eligible = spendable_outputs(tx)
    pointer: int | None = eligible[0] if eligible else None
    if artifact is not None:
        for edict in artifact.edicts:
            credit_output(outputs, left, eligible, edict.id, edict.amount, edict.output)
        if artifact.pointer is not None:
            pointer = artifact.pointer
    for rune, atoms in left.items():
        if atoms:
            if pointer is None:
                burned[rune] = burned.get(rune, 0) + atoms
            else:
                outputs[pointer][rune] = outputs[pointer].get(rune, 0) + atoms
    for index, output in enumerate(tx.outputs):
        if is_op_return(output):
            for rune, atoms in outputs[index].items():
                burned[rune] = burned.get(rune, 0) + atoms
            outputs[index] = {}
    return tuple(outputs), burned


def spendable_outputs(tx: Transaction) -> Sequence[int]:
    """Outputs that are no OP_RETURN."""
    return [index for index, output in enumerate(tx.outputs) if not is_op_return(output)]


def is_op_return(output: TxOutput) -> bool:
    return output.script[:1] == OP_RETURN


def credit_output(
    outputs: Sequence[dict[K, int]], left: dict[K, int], eligible: Sequence[int], asset: K, amount: int, output: int
) -> None:
    """One edict, as far as `left` reaches. `output` = number of outputs: to every one of `eligible`."""
    available = left.get(asset, 0)

    def put(index: int, atoms: int) -> None:
        atoms = min(atoms, left[asset])
        left[asset] -= atoms
        outputs[index][asset] = outputs[index].get(asset, 0) + atoms

    if not available:
        return
    if output < len(outputs):
        put(output, amount or available)
        return
    share, rest = divmod(available, len(eligible)) if eligible else (0, 0)
    for position, index in enumerate(eligible):
        atoms = min(amount or share + (position < rest), left[asset])
        if atoms:
            put(index, atoms)
