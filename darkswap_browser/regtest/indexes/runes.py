"""Where runes are: an index over the ledger by the rules of ord, rolled back with it; apart from `bitcoin/runes`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from darkswap_browser.bitcoin.transaction import OutPoint, Transaction
from darkswap_browser.regtest.chain.ledger import ConnectedBlock, Ledger
from darkswap_browser.regtest.indexes import rune_names
from darkswap_browser.regtest.indexes.runestones import (
    ParsedRunestone,
    RuneId,
    Terms,
    TruncatedScript,
    decipher,
    instructions,
)

CONFIRMATIONS = 6
"""Of the output that commits to a name, the block of the etching counted."""
ANNEX = 0x50


@dataclass(frozen=True, slots=True, kw_only=True)
class RuneEntry:
    """A rune. `time`: of its block, unix seconds."""

    id: RuneId
    rune: int
    etching: str
    number: int
    time: int
    divisibility: int = 0
    spacers: int = 0
    symbol: str | None = None
    premine: int = 0
    terms: Terms | None = None
    turbo: bool = False
    mints: int = 0
    burned: int = 0

    @property
    def name(self) -> str:
        return rune_names.spaced(self.rune, self.spacers)

    @property
    def supply(self) -> int:
        return self.premine + self.mints * ((self.terms.amount if self.terms else 0) or 0)

    def mintable(self, height: int) -> int | None:
        """What one mint at that height gives; None while or when it is closed."""
        terms = self.terms
        if terms is None or self.mints >= (terms.cap or 0):
            return None
        starts = [terms.height[0], None if terms.offset[0] is None else self.id[0] + terms.offset[0]]
        ends = [terms.height[1], None if terms.offset[1] is None else self.id[0] + terms.offset[1]]
        if any(start is not None and height < start for start in starts):
            return None
        if any(end is not None and height >= end for end in ends):
            return None
        return terms.amount or 0


class RuneIndex:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.entries: dict[RuneId, RuneEntry] = {}
        self.by_name: dict[int, RuneId] = {}
        self.balances: dict[OutPoint, Mapping[RuneId, int]] = {}
        """Of unspent outputs only; outputs without runes are not in it."""

    def connect(self, connected: ConnectedBlock) -> None:
        for position, transaction in enumerate(connected.block.transactions):
            self._apply(connected, position, transaction)

    def _apply(self, connected: ConnectedBlock, position: int, transaction: Transaction) -> None:
        pool: Counter[RuneId] = Counter()
        for each in transaction.inputs:
            if each.outpoint in self.balances:
                pool.update(self.balances[each.outpoint])
                self._ledger.undo.delete(self.balances, each.outpoint)
        stone = decipher(transaction)
        if stone is not None:
            if stone.mint is not None:
                self._mint(stone.mint, connected.height, pool)
            etched = self._etch(stone, connected, position, transaction)
            if etched is not None and stone.etching and not stone.flaw:
                pool[etched] += stone.etching.premine
        else:
            etched = None
        given, burned = allocate(transaction, stone, pool, etched)
        for vout, runes in enumerate(given):
            if runes:
                outpoint = OutPoint(connected.txids[position], vout)
                self._ledger.undo.set(self.balances, outpoint, dict(sorted(runes.items())))
        for rune_id, amount in burned.items():
            entry = self.entries[rune_id]
            self._ledger.undo.set(self.entries, rune_id, replace(entry, burned=entry.burned + amount))

    def _mint(self, rune_id: RuneId, height: int, pool: Counter[RuneId]) -> None:
        entry = self.entries.get(rune_id)
        amount = entry.mintable(height) if entry else None
        if entry is not None and amount is not None:
            self._ledger.undo.set(self.entries, rune_id, replace(entry, mints=entry.mints + 1))
            pool[rune_id] += amount

    def _etch(
        self, stone: ParsedRunestone, connected: ConnectedBlock, position: int, transaction: Transaction
    ) -> RuneId | None:
        """Its id, when the transaction creates a rune."""
        etching = stone.etching
        if etching is None or (stone.flaw and etching.rune is None):
            return None
        rune = rune_names.reserved(connected.height, position) if etching.rune is None else etching.rune
        if etching.rune is not None:
            allowed = rune_names.minimum_at(connected.height) <= rune < rune_names.RESERVED
            if not allowed or rune in self.by_name or not self._commits(transaction, rune, connected.height):
                return None
        rune_id = connected.height, position
        entry = RuneEntry(
            id=rune_id,
            rune=rune,
            etching=connected.txids[position],
            number=len(self.entries),
            time=connected.block.header.time,
        )
        if not stone.flaw:
            entry = replace(
                entry,
                divisibility=etching.divisibility,
                spacers=etching.spacers,
                symbol=etching.symbol,
                premine=etching.premine,
                terms=etching.terms,
                turbo=etching.turbo,
            )
        self._ledger.undo.set(self.entries, rune_id, entry)
        self._ledger.undo.set(self.by_name, rune, rune_id)
        return rune_id

    def _commits(self, transaction: Transaction, rune: int, height: int) -> bool:
        """Whether an input reveals a tapscript that pushes the name, from a taproot output old enough."""
        wanted = rune_names.commitment(rune)
        for each in transaction.inputs:
            output = self._ledger.output(each.outpoint)
            if output is None or output.script[:2] != b"\x51\x20" or len(output.script) != 34:
                continue
            age = height - self._ledger.transactions[each.outpoint.txid].height + 1
            if age >= CONFIRMATIONS and wanted in _pushed(each.witness):
                return True
        return False


def _pushed(witness: Sequence[bytes]) -> list[bytes]:
    """What the tapscript of a script-path spend pushes, up to where it can be read."""
    stack = witness[:-1] if len(witness) >= 2 and witness[-1][:1] == bytes([ANNEX]) else witness
    pushed: list[bytes] = []
    if len(stack) < 2:
        return pushed
    try:
        for opcode, data in instructions(stack[-2]):
            if opcode <= 0x4E:
                pushed.append(data)
    except TruncatedScript:
        return pushed
    return pushed


def allocate(
    transaction: Transaction, stone: ParsedRunestone | None, pool: Mapping[RuneId, int], etched: RuneId | None = None
) -> tuple[list[Counter[RuneId]], Counter[RuneId]]:
    """What each output gets of `pool`, and what is burned. `etched`: what the id 0:0 stands for."""
    outputs = transaction.outputs
    given: list[Counter[RuneId]] = [Counter() for _ in outputs]
    left = Counter(pool)
    if stone is not None and stone.flaw:
        return given, +left
    open_outputs = [vout for vout, output in enumerate(outputs) if output.script[:1] != b"\x6a"]
    for block, tx, amount, output in stone.edicts if stone else ():
        rune_id = (block, tx) if (block, tx) != (0, 0) else etched
        if rune_id is None or rune_id not in left:
            continue
        for vout, share in _shares(left[rune_id], amount, output, open_outputs, len(outputs)):
            given[vout][rune_id] += share
            left[rune_id] -= share
    default = stone.pointer if stone and stone.pointer is not None else next(iter(open_outputs), None)
    burned: Counter[RuneId] = Counter()
    (burned if default is None else given[default]).update(left)
    for vout, each in enumerate(outputs):
        if each.script[:1] == b"\x6a":
            burned.update(given[vout])
            given[vout] = Counter()
    return [+each for each in given], +burned


def _shares(left: int, amount: int, output: int, open_outputs: Sequence[int], outputs: int) -> list[tuple[int, int]]:
    """(output, atoms) of one edict. Output number `outputs`: all that are no data, in turn."""
    if output < outputs:
        return [(output, min(amount or left, left))]
    if not open_outputs:
        return []
    if amount == 0:
        each, more = divmod(left, len(open_outputs))
        return [(vout, each + (1 if at < more else 0)) for at, vout in enumerate(open_outputs)]
    return [(vout, max(0, min(amount, left - at * amount))) for at, vout in enumerate(open_outputs)]
