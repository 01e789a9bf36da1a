"""What the best chain says: blocks, transactions, coins and their spenders, and the history of every script."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxOutput
from darkswap_browser.regtest.chain.block import Block
from darkswap_browser.regtest.chain.undo import UndoLog

MEDIAN_OF = 11


@dataclass(frozen=True, slots=True)
class UnspentOutput:
    """An output that exists; `height` is that of its block."""

    output: TxOutput
    height: int
    is_coinbase: bool


@dataclass(frozen=True, slots=True)
class ConnectedBlock:
    """A block of the best chain. `txids` in its order."""

    height: int
    block_hash: str
    block: Block
    txids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MinedTransaction:
    """A transaction and where it stands."""

    transaction: Transaction
    height: int
    position: int


class Index(Protocol):
    """A further ledger that reads blocks. All its writes go through the `UndoLog` it was made with."""

    def connect(self, connected: ConnectedBlock) -> None: ...


class Ledger:
    def __init__(self) -> None:
        self.undo = UndoLog()
        self.blocks: list[ConnectedBlock] = []
        self.heights: dict[str, int] = {}
        self.transactions: dict[str, MinedTransaction] = {}
        self.coins: dict[OutPoint, UnspentOutput] = {}
        self.spent: dict[OutPoint, tuple[str, int]] = {}
        """Outpoint → (txid, input) that spends it."""
        self.by_script: dict[bytes, dict[str, None]] = {}
        """Script → txids of everything that pays to it or spends from it, oldest first."""
        self.indexes: list[Index] = []

    @property
    def height(self) -> int:
        return len(self.blocks) - 1

    @property
    def tip(self) -> ConnectedBlock:
        return self.blocks[-1]

    def output(self, outpoint: OutPoint) -> TxOutput | None:
        """Spent or not."""
        mined = self.transactions.get(outpoint.txid)
        if mined is None or outpoint.vout >= len(mined.transaction.outputs):
            return None
        return mined.transaction.outputs[outpoint.vout]

    def median_time(self, height: int | None = None) -> int:
        """BIP113: of the eleven blocks up to `height`."""
        end = self.height if height is None else height
        times = sorted(each.block.header.time for each in self.blocks[max(0, end - MEDIAN_OF + 1) : end + 1])
        return times[len(times) // 2]

    def connect(self, block: Block) -> ConnectedBlock:
        """Appends a block that the kernel has judged."""
        txids = tuple(each.txid for each in block.transactions)
        connected = ConnectedBlock(len(self.blocks), block.header.hash, block, txids)
        self.undo.begin()
        self.undo.set(self.heights, connected.block_hash, connected.height)
        for position, (txid, transaction) in enumerate(zip(txids, block.transactions, strict=True)):
            self._apply(txid, transaction, connected.height, position)
        self.blocks.append(connected)
        for index in self.indexes:
            index.connect(connected)
        return connected

    def disconnect(self) -> ConnectedBlock:
        """Takes the tip back, in every index."""
        self.undo.roll_back()
        return self.blocks.pop()

    def _apply(self, txid: str, transaction: Transaction, height: int, position: int) -> None:
        self.undo.set(self.transactions, txid, MinedTransaction(transaction, height, position))
        if position > 0:
            for vin, each in enumerate(transaction.inputs):
                coin = self.coins[each.outpoint]
                self.undo.delete(self.coins, each.outpoint)
                self.undo.set(self.spent, each.outpoint, (txid, vin))
                self._touch(coin.output.script, txid)
        for vout, output in enumerate(transaction.outputs):
            # Data is nobody's coin, and by an old accident nor is the reward of the genesis block.
            if height > 0 and not output.script.startswith(b"\x6a"):
                self.undo.set(self.coins, OutPoint(txid, vout), UnspentOutput(output, height, position == 0))
            self._touch(output.script, txid)

    def _touch(self, script: bytes, txid: str) -> None:
        history = self.by_script.setdefault(script, {})
        if txid not in history:
            self.undo.set(history, txid, None)
