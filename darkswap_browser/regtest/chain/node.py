"""The chain and its mempool as one node: submit, mine, reorganise, and start again where a killed process stopped.

No servers here and no waiting: `service` puts it on the network. The clock is an argument.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from darkswap_browser.bitcoin.transaction import Transaction
from darkswap_browser.errors import InvalidArgument, MalformedMessage
from darkswap_browser.regtest.chain.block import MAX_WEIGHT, Block, Template
from darkswap_browser.regtest.chain.journal import Journal, Kind
from darkswap_browser.regtest.chain.kernel import BlockRejected, Kernel
from darkswap_browser.regtest.chain.ledger import Index, Ledger
from darkswap_browser.regtest.chain.mempool import Mempool, MempoolEntry
from darkswap_browser.regtest.chain.policy import STRICT, Rules, TransactionRejected

COINBASE_WEIGHT = 4_000
"""Weight units that a template leaves for the header and the coinbase."""
MAX_REORG = 100
MAX_MINED = 1_000
"""Blocks one call makes: what a test needs for maturity, many times over."""


class RegtestNode:
    """`clock` gives unix seconds. One process only may use `folder`."""

    def __init__(
        self,
        folder: Path,
        clock: Callable[[], float],
        rules: Rules = STRICT,
        indexes: Callable[[Ledger], Sequence[Index]] = lambda _: (),
    ) -> None:
        self._clock = clock
        self._journal = Journal(folder / "chain.journal")
        self._kernel = Kernel(folder / "kernel")
        self.ledger = Ledger()
        self.ledger.indexes += indexes(self.ledger)
        self.mempool = Mempool(self.ledger, rules)
        self._raw: dict[str, bytes] = {}
        self._extra = 0
        genesis = self._kernel.genesis()
        self.ledger.connect(Block.parse(genesis))
        self._raw[self.ledger.tip.block_hash] = genesis
        self._replay()

    def close(self) -> None:
        self._journal.close()

    def now(self) -> int:
        return int(self._clock())

    # --- transactions

    def submit(self, raw: bytes) -> MempoolEntry:
        """Into the mempool. Raises `TransactionRejected`."""
        entry = self.mempool.accept(self._parsed(raw), self.now())
        self._journal.append(Kind.ENTER, raw)
        return entry

    def test(self, raw: bytes) -> MempoolEntry:
        """What `submit` would take. Raises `TransactionRejected`."""
        return self.mempool.judge(self._parsed(raw), self.now())[0]

    @staticmethod
    def _parsed(raw: bytes) -> Transaction:
        try:
            return Transaction.parse(raw)
        except MalformedMessage as error:
            raise TransactionRejected("TX decode failed. Make sure the tx has at least one input.", -22) from error

    def forget(self, txid: str) -> None:
        """Drops a transaction from the mempool, with all that stand on it."""
        if txid not in self.mempool.waiting:
            raise InvalidArgument("txid", f"{txid[:80]!r} is not in the mempool")
        for gone in self.mempool.remove(txid):
            self._journal.append(Kind.LEAVE, bytes.fromhex(gone))

    # --- blocks

    def mine(self, count: int, script: bytes) -> list[str]:
        """That many blocks paying to `script`, with what waits in the first; returns their hashes."""
        if not 1 <= count <= MAX_MINED:
            raise InvalidArgument("blocks", f"must be 1 to {MAX_MINED}")
        return [
            self._mine(script, [each.transaction for each in self.mempool.chosen(MAX_WEIGHT - COINBASE_WEIGHT)])
            for _ in range(count)
        ]

    def _mine(self, script: bytes, transactions: Sequence[Transaction]) -> str:
        tip = self.ledger.tip
        fees = sum(self.mempool.waiting[each.txid].fee for each in transactions)
        return self._extend(tip.height, tip.block_hash, script, fees, transactions)

    def _extend(self, height: int, parent: str, script: bytes, fees: int, transactions: Sequence[Transaction]) -> str:
        """A block on `parent`, which stands at `height`. Raises `BlockRejected`."""
        self._extra += 1
        time = max(self.now(), self.ledger.median_time() + 1)
        block = Template(height + 1, parent, time, script, fees, tuple(transactions), self._extra).mine()
        raw = block.serialize()
        self._kernel.process(raw)
        self._journal.append(Kind.BLOCK, raw)
        self._follow(block, raw)
        return block.header.hash

    def reorganise(
        self, depth: int, script: bytes, instead: Sequence[bytes] = (), *, forget: bool = False
    ) -> list[str]:
        """Replaces the last `depth` blocks by `depth` + 1 others; returns the hashes of the new ones.

        The first of them holds the transactions `instead`, by consensus alone. What was in the old blocks waits in the
        mempool again, unless it conflicts, or `forget` is set. Raises `BlockRejected`, with the old chain in place.
        """
        if not 1 <= depth <= min(MAX_REORG, self.ledger.height):
            raise InvalidArgument("depth", f"must be 1 to {min(MAX_REORG, self.ledger.height)}")
        fork = self.ledger.blocks[-1 - depth]
        old = [each for block in self.ledger.blocks[-depth:] for each in block.block.transactions[1:]]
        parent, made = fork.block_hash, []
        for step in range(depth + 1):
            parent = self._extend(
                fork.height + step, parent, script, 0, [self._parsed(raw) for raw in instead] if step == 0 else ()
            )
            made.append(parent)
        if forget:
            for each in old:
                if each.txid in self.mempool.waiting:
                    self.forget(each.txid)
        return made

    def _follow(self, block: Block, raw: bytes) -> None:
        """Brings ledger and mempool to the kernel's best chain after it took a block."""
        self._raw[block.header.hash] = raw
        returned: list[Transaction] = []
        while (
            self._kernel.height < self.ledger.height
            or self._kernel.hash_at(self.ledger.height) != self.ledger.tip.block_hash
        ):
            returned = [*self.ledger.disconnect().block.transactions[1:], *returned]
        for height in range(self.ledger.height + 1, self._kernel.height + 1):
            self.ledger.connect(Block.parse(self._raw[self._kernel.hash_at(height)]))
        self._refill(returned)

    def _refill(self, returned: Sequence[Transaction]) -> None:
        """Everything that waited, and what came out of blocks, is judged again by the chain as it is now."""
        if not returned and not self.mempool.waiting:
            return
        waiting = self.mempool.clear()
        for transaction in [*returned, *(each.transaction for each in waiting)]:
            self._again(transaction)

    def _again(self, transaction: Transaction) -> None:
        if transaction.txid in self.ledger.transactions:
            return
        try:
            self.mempool.accept(transaction, self.now(), relay=False)
        except TransactionRejected:
            # Its coins are gone with the block that made them, or went elsewhere: it is no transaction any more.
            return

    # --- start

    def _replay(self) -> None:
        for kind, data in self._journal.read():
            if kind is Kind.BLOCK:
                self._kernel.process(data)
                self._extra += 1
                self._follow(Block.parse(data), data)
            elif kind is Kind.ENTER:
                self._enter_again(data)
            elif (txid := data.hex()) in self.mempool.waiting:
                self.mempool.remove(txid)

    def _enter_again(self, raw: bytes) -> None:
        try:
            self.mempool.accept(Transaction.parse(raw), self.now())
        except TransactionRejected:
            # Taken under other rules or another clock: what does not hold now is not kept.
            return


__all__ = ["BlockRejected", "RegtestNode", "TransactionRejected"]
