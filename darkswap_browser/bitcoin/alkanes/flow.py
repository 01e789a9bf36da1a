"""Where the alkanes of a transaction's inputs end up, as long as no contract is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from darkswap_browser.bitcoin.alkanes.ids import AlkaneId
from darkswap_browser.bitcoin.alkanes.protostone import ALKANES, Protostone, decode_protostones
from darkswap_browser.bitcoin.runes.allocation import OP_RETURN, give, payable
from darkswap_browser.bitcoin.runes.runestone import Cenotaph, Runestone
from darkswap_browser.bitcoin.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Stranded:
    """No protostone, or none the indexer could read or finish: the alkanes stay on spent outputs for good."""

    reason: str


@dataclass(frozen=True, slots=True)
class ContractCall:
    """A contract decides; nothing can be said without running it."""


@dataclass(frozen=True, slots=True)
class Moved:
    """Balances per output; what went to an OP_RETURN or to an output that is not there is lost."""

    outputs: tuple[Mapping[AlkaneId, int], ...]
    lost: Mapping[AlkaneId, int]


def flow(
    tx: Transaction, artifact: Runestone | Cenotaph | None, inputs: Mapping[AlkaneId, int]
) -> Moved | Stranded | ContractCall:
    """`inputs`: atoms on all spent outputs together. With none there is nothing to strand."""
    held = {alkane: atoms for alkane, atoms in inputs.items() if atoms}
    if not isinstance(artifact, Runestone) or not artifact.protocol:
        return Stranded("the transaction has no protostone") if held else Moved(tuple({} for _ in tx.outputs), {})
    stones = decode_protostones(artifact.protocol)
    first = next((place for place, stone in enumerate(stones or ()) if stone.tag == ALKANES), None)
    if stones is None or first is None:
        return Stranded("its protostones cannot be read") if held else Moved(tuple({} for _ in tx.outputs), {})
    if any(stone.message for stone in stones if stone.tag == ALKANES):
        return ContractCall()
    if any(edict.id.block == 0 and edict.id.tx for stone in stones for edict in stone.edicts):
        return Stranded("an edict names an id that cannot be")
    return _run(tx, stones, first, held)


def _run(tx: Transaction, stones: tuple[Protostone, ...], first: int, held: dict[AlkaneId, int]) -> Moved:
    count = len(tx.outputs)
    # Outputs, then the place n that means "all of them", then one place per stone.
    places: list[dict[AlkaneId, int]] = [{} for _ in range(count + 1 + len(stones))]
    places[count + 1 + first] = dict(held)
    eligible = payable(tx)
    lost: dict[AlkaneId, int] = {}
    for place, stone in enumerate(stones):
        left = places[count + 1 + place]
        places[count + 1 + place] = {}
        if stone.tag != ALKANES:
            _lose(lost, left)
            continue
        for edict in stone.edicts:
            if edict.output == count:
                outputs = places[:count]
                give(outputs, left, eligible, edict.id, edict.amount, count)
            elif edict.output < len(places):
                give(places, left, eligible, edict.id, edict.amount, edict.output)
            elif edict.id in left:
                amount = min(edict.amount or left[edict.id], left[edict.id])
                left[edict.id] -= amount
                _lose(lost, {edict.id: amount})
        pointer = stone.pointer if stone.pointer is not None else (eligible[0] if eligible else None)
        target = places[pointer] if pointer is not None and pointer < len(places) and pointer != count else lost
        for alkane, atoms in left.items():
            if atoms:
                target[alkane] = target.get(alkane, 0) + atoms
    for index, output in enumerate(tx.outputs):
        if output.script[:1] == bytes([OP_RETURN]):
            _lose(lost, places[index])
            places[index] = {}
    for beyond in places[count:]:
        _lose(lost, beyond)
    return Moved(tuple(places[:count]), lost)


def _lose(lost: dict[AlkaneId, int], balances: Mapping[AlkaneId, int]) -> None:
    for alkane, atoms in balances.items():
        if atoms:
            lost[alkane] = lost.get(alkane, 0) + atoms
