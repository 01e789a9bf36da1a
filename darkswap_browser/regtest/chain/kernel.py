"""Bitcoin Core's own validation code (libbitcoinkernel) as the judge of every block and every input.

The kernel keeps its databases in memory and its block files in a folder that is emptied at each start: the truth on
disk is the journal, and every block of it is judged again when the service starts.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pbk
from pbk.script import PrecomputedTransactionData

from darkswap_browser.bitcoin.transaction import Transaction, TxOutput


class BlockRejected(Exception):
    """The kernel does not take a block; says why in its own word."""


def kernel_verifies(transaction: Transaction, prevouts: Sequence[TxOutput]) -> bool:
    """Whether every input may spend its output by consensus; one prevout per input, in order."""
    return failed_input(transaction, prevouts) is None


def failed_input(transaction: Transaction, prevouts: Sequence[TxOutput]) -> int | None:
    """The first input whose signature or script does not hold, None when all do."""
    if len(prevouts) != len(transaction.inputs):
        raise ValueError("one prevout per input is needed")
    judged = pbk.Transaction(transaction.serialize())
    spent = [pbk.TransactionOutput(pbk.ScriptPubkey(each.script), each.sats) for each in prevouts]
    data = PrecomputedTransactionData(judged, spent)
    for index, prevout in enumerate(prevouts):
        script = pbk.ScriptPubkey(prevout.script)
        if not script.verify(prevout.sats, judged, data, index, pbk.ScriptVerificationFlags.ALL):
            return index
    return None


class Kernel:
    """One regtest chain. Not safe for use by several threads."""

    def __init__(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self._verdict = ""
        callbacks = pbk.ValidationInterfaceCallbacks(block_checked=self._checked)
        self._context = pbk.make_context(pbk.ChainType.REGTEST, callbacks)
        options = pbk.ChainstateManagerOptions(self._context, str(folder), str(folder / "blocks"))
        options.update_block_tree_db_in_memory(True)
        options.update_chainstate_db_in_memory(True)
        self._manager = pbk.ChainstateManager(options)

    def _checked(self, _: object, block: object, state: pbk.BlockValidationState) -> None:
        # After a bad branch the kernel judges the old one again, as valid: that is no answer about what was sent.
        if state.validation_mode != pbk.ValidationMode.VALID:
            self._verdict = state.block_validation_result.name.lower()

    def process(self, raw: bytes) -> None:
        """Takes a block, on the best chain or beside it. Raises `BlockRejected`."""
        self._verdict = ""
        try:
            self._manager.process_block(pbk.Block(raw))
        except (pbk.ProcessBlockException, RuntimeError) as error:
            raise BlockRejected(self._verdict or str(error)) from error
        if self._verdict:
            raise BlockRejected(self._verdict)

    @property
    def height(self) -> int:
        return int(self._manager.get_active_chain().height)

    def hash_at(self, height: int) -> str:
        """Of the best chain, in display order."""
        return str(self._manager.get_active_chain().block_tree_entries[height].block_hash)

    def genesis(self) -> bytes:
        entry = self._manager.get_active_chain().block_tree_entries[0]
        return bytes(self._manager.blocks[entry])
