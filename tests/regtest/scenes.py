"""Chains made by hand for the indexes (no kernel judges them), and transactions that everyone may sign."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from darkswap_browser.regtest.chain.block import Template
from darkswap_browser.regtest.chain.ledger import Ledger
from darkswap_browser.regtest.chain.node import RegtestNode
from darkswap_browser.regtest.faucet import BITCOIN, BITCOIN_WITNESS, open_script
from darkswap_browser.regtest.indexes.runes import RuneIndex

MINE, MINE_WITNESS = open_script("a test")
DATA = b"\x6a"
TAPROOT = b"\x51\x20" + b"\x11" * 32


def spend(
    outpoints: Iterable[OutPoint], outputs: Sequence[tuple[int, bytes]], witness: bytes = MINE_WITNESS, **more: int
) -> Transaction:
    """Inputs of scripts that anyone may open; outputs as (sats, script)."""
    inputs = tuple(TxInput(each, more.get("sequence", 0xFFFFFFFD), witness=(witness,)) for each in outpoints)
    locks = {name: value for name, value in more.items() if name != "sequence"}
    return Transaction(inputs, tuple(TxOutput(*each) for each in outputs), **locks)


class Scene:
    """A ledger with a rune index, fed with blocks whose transactions need not be valid."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.runes = RuneIndex(self.ledger)
        self.ledger.indexes.append(self.runes)
        self._block(())

    def block(self, *transactions: Transaction) -> int:
        """Appends one; its height."""
        self._block(transactions)
        return self.ledger.height

    def _block(self, transactions: Sequence[Transaction]) -> None:
        height = len(self.ledger.blocks)
        previous = self.ledger.tip.block_hash if height else "00" * 32
        template = Template(height, previous, 1_700_000_000 + height, MINE, 0, tuple(transactions), height)
        self.ledger.connect(template.mine())

    def coin(self, script: bytes = TAPROOT) -> OutPoint:
        """A confirmed output without runes, in a block of its own."""
        height = self.block()
        source = OutPoint(self.ledger.blocks[height].txids[0], 0)
        made = spend([source], [(50_000, script)])
        self.block(made)
        return OutPoint(made.txid, 0)

    def aged(self, outpoint: OutPoint, blocks: int = 4) -> OutPoint:
        for _ in range(blocks):
            self.block()
        return outpoint


def funded(node: RegtestNode, sats: Sequence[int], script: bytes = MINE) -> list[OutPoint]:
    """Confirmed outputs of these amounts on a node that has mature coins of the faucet."""
    source = next(
        outpoint
        for outpoint, coin in node.ledger.coins.items()
        if coin.output.script == BITCOIN and coin.is_coinbase and node.ledger.height - coin.height > 100
    )
    held = node.ledger.coins[source].output.sats
    rest = held - sum(sats) - 10_000
    made = spend([source], [*((each, script) for each in sats), (rest, BITCOIN)], BITCOIN_WITNESS)
    node.submit(made.serialize())
    node.mine(1, BITCOIN)
    return [OutPoint(made.txid, vout) for vout in range(len(sats))]
