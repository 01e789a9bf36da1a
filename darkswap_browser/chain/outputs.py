"""Outputs as the chain reports them, with what they hold."""

from __future__ import annotations

from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxOutput
from darkswap_browser.chain.base import Chain
from darkswap_browser.errors import NotOnChain


async def fetch_output(chain: Chain, outpoint: OutPoint) -> TxOutput:
    """As the transaction that made it says. Raises `NotOnChain`, `ChainError`."""
    return _output(await chain.transaction(outpoint.txid), outpoint)


def _output(source: bytes, outpoint: OutPoint) -> TxOutput:
    made = Transaction.parse(source)
    if made.txid != outpoint.txid or outpoint.vout >= len(made.outputs):
        raise NotOnChain("chain", f"there is no output {outpoint}")
    return made.outputs[outpoint.vout]
