"""Coins for whoever asks. What the faucet owns is locked with scripts that everyone may open, so it keeps no keys."""

from __future__ import annotations

from hashlib import sha256

from darkswap_browser.app.regtest.mempool import MATURITY
from darkswap_browser.app.regtest.node import Node
from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from darkswap_browser.errors import InsufficientFunds, InvalidArgument

DEFAULT_SATS = 100_000
MAX_SATS = 100 * 100_000_000
"""One call's most: two blocks' rewards."""
FEE = 1_000
"""Sats: above one per virtual byte for every transaction made here."""
DUST = 546


def open_script(label: str) -> tuple[bytes, bytes]:
    """A P2WSH that anyone can spend, and its witness script: `label OP_DROP OP_1`. Labels keep purposes apart."""
    word = label.encode()
    witness = bytes([len(word)]) + word + b"\x75\x51"
    return b"\x00\x20" + sha256(witness).digest(), witness


BITCOIN, BITCOIN_WITNESS = open_script("faucet: bitcoin")


def unlocked(outpoint: OutPoint, witness: bytes) -> TxInput:
    return TxInput(outpoint, witness=(witness,))


class Purse:
    """The bitcoin of the faucet."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def coin(self, sats: int) -> tuple[OutPoint, int]:
        """The smallest free coin of at least `sats`, and what it holds."""
        found = [(held, outpoint) for outpoint, held in self._free().items() if held >= sats]
        if not found:
            raise InsufficientFunds("BTC", sats, max(self._free().values(), default=0), "Mine some blocks first.")
        held, outpoint = min(found)
        return outpoint, held

    def _free(self) -> dict[OutPoint, int]:
        ledger = self._node.ledger
        free = {}
        for txid in ledger.by_script.get(BITCOIN, {}):
            for vout, output in enumerate(ledger.transactions[txid].transaction.outputs):
                outpoint = OutPoint(txid, vout)
                coin = ledger.coins.get(outpoint)
                if output.script != BITCOIN or coin is None or outpoint in self._node.mempool.spent:
                    continue
                if not coin.is_coinbase or ledger.height + 1 - coin.height >= MATURITY:
                    free[outpoint] = output.sats
        return free

    def pay(self, script: bytes, sats: int) -> str:
        """Sends bitcoin; returns the txid, which waits for a block."""
        if not DUST <= sats <= MAX_SATS:
            raise InvalidArgument("atoms", f"must be {DUST} to {MAX_SATS}")
        outpoint, held = self.coin(sats + FEE + DUST)
        outputs = (TxOutput(sats, script), TxOutput(held - sats - FEE, BITCOIN))
        return self._node.submit(Transaction((unlocked(outpoint, BITCOIN_WITNESS),), outputs).serialize()).txid
