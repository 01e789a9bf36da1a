"""Where alkanes are: protostones without messages, by the protorune rules. Shares no code with `bitcoin/alkanes`.

There is no contract runtime: a stone with a message is treated as a call that failed, so all goes to its refund. Two
alkanes exist from the start: the first output of block 1 holds their whole supply if it pays to the faucet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from darkswap_browser.bitcoin.transaction import OutPoint, Transaction
from darkswap_browser.regtest.chain.ledger import ConnectedBlock, Ledger
from darkswap_browser.regtest.indexes.runestones import (
    PROTOCOL,
    U32,
    U128,
    Edict,
    TruncatedScript,
    decipher,
    integers,
    leb128,
)

ALKANES_TAG = 1
CHUNK = 15
MESSAGE, POINTER, REFUND = 81, 91, 93
AlkaneId = tuple[int, int]
Balances = Counter[AlkaneId]


@dataclass(frozen=True, slots=True)
class GenesisAlkane:
    """An alkane that exists from block 1 on."""

    name: str
    symbol: str
    supply: int


SEEDS: Mapping[AlkaneId, GenesisAlkane] = {
    (2, 0): GenesisAlkane("TEST DIESEL", "DIESEL", 10**18),
    (2, 1): GenesisAlkane("TEST SILVER", "SILVER", 10**18),
}
DECIMALS = 8


@dataclass(frozen=True, slots=True)
class Protostone:
    tag: int
    edicts: tuple[Edict, ...]
    pointer: int | None
    refund: int | None
    message: bytes


def read_protostones(values: Sequence[int]) -> list[Protostone]:
    """From the values of the runestone's protocol field. Raises `TruncatedScript` where the list does not hold."""
    data = b"".join((value & (1 << 8 * CHUNK) - 1).to_bytes(CHUNK, "little") for value in values)
    numbers = integers(data)
    stones = []
    at = 0
    # A tag of 0 is the padding of the last chunk; one without a length behind it is passed over.
    while at + 1 < len(numbers) and numbers[at]:
        if at + 2 + numbers[at + 1] > len(numbers):
            raise TruncatedScript
        stones.append(_protostone(numbers[at], numbers[at + 2 : at + 2 + numbers[at + 1]]))
        at += 2 + numbers[at + 1]
    return stones


def _protostone(tag: int, body: Sequence[int]) -> Protostone:
    values: dict[int, list[int]] = {}
    edicts: tuple[Edict, ...] = ()
    for at in range(0, len(body), 2):
        if body[at] == 0:
            edicts = _edicts(body[at + 1 :])
            break
        if at + 1 < len(body):
            values.setdefault(body[at], []).append(body[at + 1])
    message = b"".join((each & (1 << 8 * CHUNK) - 1).to_bytes(CHUNK, "little") for each in values.get(MESSAGE, ()))
    pointer, refund = (values[name][0] & U32 if name in values else None for name in (POINTER, REFUND))
    return Protostone(tag, edicts, pointer, refund, message)


def _edicts(body: Sequence[int]) -> tuple[Edict, ...]:
    """None at all when the list is malformed."""
    if len(body) % 4:
        return ()
    edicts: list[Edict] = []
    block = tx = 0
    for at in range(0, len(body), 4):
        block, tx = block + body[at], body[at + 1] + (tx if body[at] == 0 else 0)
        if block > U128 or tx > U128:
            return ()
        edicts.append((block, tx, body[at + 2], body[at + 3]))
    return tuple(edicts)


class _Stranded(Exception):
    """The index fails on this transaction, so that its alkanes stay where nobody can spend them."""


def flow(transaction: Transaction, pool: Mapping[AlkaneId, int]) -> list[Balances] | None:
    """What each output gets of the inputs' alkanes. None: no protostone moves them, and they are stranded."""
    stone = decipher(transaction)
    if stone is None or stone.flaw or not stone.protocol:
        return None
    try:
        stones = read_protostones(stone.protocol)
        return _Flow(transaction, stones, pool).run()
    except (TruncatedScript, _Stranded):
        return None


class _Flow:
    """Balances by index: outputs first, then one unused (it means all outputs), then the stones themselves."""

    def __init__(self, transaction: Transaction, stones: Sequence[Protostone], pool: Mapping[AlkaneId, int]) -> None:
        self._outputs = len(transaction.outputs)
        self._open = [vout for vout, each in enumerate(transaction.outputs) if each.script[:1] != b"\x6a"]
        self._stones = stones
        self._balances: dict[int, Balances] = {}
        first = next((at for at, stone in enumerate(stones) if stone.tag == ALKANES_TAG), None)
        if first is None:
            raise _Stranded
        self._balances[self._outputs + 1 + first] = Counter(pool)

    def run(self) -> list[Balances]:
        for at, stone in enumerate(self._stones):
            self._step(stone, self._balances.pop(self._outputs + 1 + at, Counter()))
        empty: Balances = Counter()
        return [+self._balances.get(vout, empty) if vout in self._open else empty for vout in range(self._outputs)]

    def _step(self, stone: Protostone, balance: Balances) -> None:
        """Stones of other protocols hand on what they were sent; only their messages are nobody's business here."""
        if stone.message and stone.tag == ALKANES_TAG:
            if stone.pointer is None or stone.refund is None:
                raise _Stranded
            self._give(stone.refund, balance)
            return
        for block, tx, amount, output in stone.edicts:
            # "All outputs" is compared in 32 bits, every other output has to fit them.
            if (block == 0 and tx != 0) or (output > U32 and output & U32 != self._outputs):
                raise _Stranded
            alkane = block, tx
            for target, share in self._shares(balance[alkane], amount, output):
                self._give(target, Counter({alkane: share}))
                balance[alkane] -= share
        default = stone.pointer if stone.pointer is not None else next(iter(self._open), None)
        if default is not None:
            self._give(default, balance)

    def _give(self, target: int, balance: Balances) -> None:
        self._balances.setdefault(target, Counter()).update(balance)

    def _shares(self, left: int, amount: int, output: int) -> list[tuple[int, int]]:
        if output & U32 != self._outputs:
            return [(output, min(amount or left, left))]
        if amount:
            return [(vout, max(0, min(amount, left - at * amount))) for at, vout in enumerate(self._open)]
        each, more = divmod(left, len(self._open) or 1)
        return [(vout, each + (1 if at < more else 0)) for at, vout in enumerate(self._open)]


class AlkaneIndex:
    def __init__(self, ledger: Ledger, treasury: bytes) -> None:
        self._ledger = ledger
        self._treasury = treasury
        self.balances: dict[OutPoint, Mapping[AlkaneId, int]] = {}
        """Spent outputs too, when no protostone moved what they held: a real index shows those as well."""

    def connect(self, connected: ConnectedBlock) -> None:
        for txid, transaction in zip(connected.txids, connected.block.transactions, strict=True):
            spent = [each.outpoint for each in transaction.inputs if each.outpoint in self.balances]
            pool: Balances = Counter()
            for outpoint in spent:
                pool.update(self.balances[outpoint])
            balances = flow(transaction, pool) if spent else None
            if balances is not None:
                for outpoint in spent:
                    self._ledger.undo.delete(self.balances, outpoint)
                for vout, balance in enumerate(balances):
                    self._put(OutPoint(txid, vout), balance)
        first = connected.block.transactions[0].outputs[0]
        if connected.height == 1 and first.script == self._treasury:
            self._put(OutPoint(connected.txids[0], 0), {alkane: seed.supply for alkane, seed in SEEDS.items()})

    def _put(self, outpoint: OutPoint, balance: Mapping[AlkaneId, int]) -> None:
        if balance:
            self._ledger.undo.set(self.balances, outpoint, dict(sorted(balance.items())))


def transfer(edict: Edict, pointer: int) -> list[tuple[int, int]]:
    """The runestone's protocol fields for one edict-only stone: for the faucet's own transactions."""
    block, tx, amount, output = edict
    body = [POINTER, pointer, REFUND, pointer, 0, block, tx, amount, output]
    data = b"".join(map(leb128, [ALKANES_TAG, len(body), *body]))
    chunks = [data[at : at + CHUNK] for at in range(0, len(data), CHUNK)]
    return [(PROTOCOL, int.from_bytes(chunk, "little")) for chunk in chunks]
