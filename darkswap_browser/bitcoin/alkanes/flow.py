"""Where the alkanes of a transaction's inputs end up, as long as no contract is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from darkswap_browser.bitcoin.alkanes.ids import AlkaneId
from darkswap_browser.bitcoin.alkanes.protostone import ALKANES, Protostone, decode_protostones
from darkswap_browser.bitcoin.runes.allocation import credit_output, is_op_return, spendable_outputs
from darkswap_browser.bitcoin.runes.ids import MAX_U32, MAX_U128
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
class Allocated:
    """Balances per output; what went to an OP_RETURN or to an output that is not there is lost."""

    outputs: tuple[Mapping[AlkaneId, int], ...]
    lost: Mapping[AlkaneId, int]


def allocate_alkanes(
    tx: Transaction, artifact: Runestone | Cenotaph | None, inputs: Mapping[AlkaneId, int]
) -> Allocated | Stranded | ContractCall:
    """`inputs`: atoms on all spent outputs together. With none there is nothing to strand."""
    held = {alkane: atoms for alkane, atoms in inputs.items() if atoms}
    stones = decode_protostones(artifact.protocol) if isinstance(artifact, Runestone) else ()
    first = next((place for place, stone in enumerate(stones or ()) if stone.tag == ALKANES), None)
    if any(stone.tag == ALKANES and stone.message for stone in stones or ()):
        return ContractCall()
    if not held:
        return Allocated(tuple({} for _ in tx.outputs), {})
    if stones is None:
        return Stranded("its protostones cannot be read")
    if first is None:
        return Stranded("the transaction has no protostone of alkanes")
    if any(atoms > MAX_U128 for atoms in held.values()):
        return Stranded("its inputs hold more of an alkane than 128 bits can say")
    outputs = len(tx.outputs)
    for edict in (edict for stone in stones for edict in stone.edicts):
        if edict.id.block == 0 and edict.id.tx:
            return Stranded("an edict names an id that cannot be")
        if edict.output > MAX_U32 and edict.output & MAX_U32 != outputs:
            return Stranded("an edict names an output beyond 32 bits")
    return _run(tx, stones, first, held)


def _run(tx: Transaction, stones: tuple[Protostone, ...], first: int, held: dict[AlkaneId, int]) -> Allocated:
    """Every stone moves what an earlier one sent to it, whatever its protocol: so the indexer does."""
    count = len(tx.outputs)
    # Outputs, then a place that nobody owns, then one place per stone.
    places: list[dict[AlkaneId, int]] = [{} for _ in range(count + 1 + len(stones))]
    places[count + 1 + first] = held
    eligible = spendable_outputs(tx)
    nowhere: dict[AlkaneId, int] = {}
    for place, stone in enumerate(stones, count + 1):
        left, places[place] = places[place], {}
        for edict in stone.edicts:
            # The indexer compares 32 bits only with the number that means "all of them".
            if edict.output & MAX_U32 == count:
                credit_output(places[:count], left, eligible, edict.id, edict.amount, count)
            elif edict.output < len(places):
                credit_output(places, left, eligible, edict.id, edict.amount, edict.output)
            else:
                credit_output([nowhere], left, eligible, edict.id, edict.amount, 0)
        pointer = stone.pointer if stone.pointer is not None else next(iter(eligible), 0)
        target = places[pointer] if pointer < len(places) else nowhere
        for alkane, atoms in left.items():
            if atoms:
                target[alkane] = target.get(alkane, 0) + atoms
    lost: dict[AlkaneId, int] = {}
    for index, output in enumerate(tx.outputs):
        if is_op_return(output):
            _lose(lost, places[index])
            places[index] = {}
    for beyond in (*places[count:], nowhere):
        _lose(lost, beyond)
    return Allocated(tuple(places[:count]), lost)


def _lose(lost: dict[AlkaneId, int], balances: Mapping[AlkaneId, int]) -> None:
    for alkane, atoms in balances.items():
        lost[alkane] = lost.get(alkane, 0) + atoms
