"""Transactions that wait for a block: who spends what, who stands on whom, and who may replace whom (BIP125)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxOutput
from darkswap_browser.regtest.chain.kernel import failed_input
from darkswap_browser.regtest.chain.ledger import Ledger
from darkswap_browser.regtest.chain.policy import Rules, TransactionRejected, check_form, is_final

MATURITY = 100
MAX_CHAIN = 25
"""Core's cap on unconfirmed ancestors of a transaction, itself among them, and on its descendants."""
MAX_EVICTIONS = 100
SEQUENCE_DISABLED = 1 << 31
SEQUENCE_IS_TIME = 1 << 22


@dataclass(slots=True)
class MempoolEntry:
    """One transaction in the mempool."""

    transaction: Transaction
    txid: str
    fee: int
    vsize: int
    time: int
    prevouts: tuple[TxOutput, ...]
    parents: frozenset[str]
    children: set[str] = field(default_factory=set)


class Mempool:
    def __init__(self, ledger: Ledger, rules: Rules) -> None:
        self._ledger = ledger
        self.rules = rules
        self.waiting: dict[str, MempoolEntry] = {}
        """By txid, parents before children."""
        self.spent: dict[OutPoint, tuple[str, int]] = {}

    def output(self, outpoint: OutPoint) -> TxOutput | None:
        """Of the mempool or the chain, spent or not."""
        entry = self.waiting.get(outpoint.txid)
        if entry is None:
            return self._ledger.output(outpoint)
        outputs = entry.transaction.outputs
        return outputs[outpoint.vout] if outpoint.vout < len(outputs) else None

    def accept(self, transaction: Transaction, now: int, *, relay: bool = True) -> MempoolEntry:
        """Adds it, and evicts whom it replaces. Raises `TransactionRejected`. `relay=False`: consensus and order only,
        for what was in a block already.
        """
        entry, evicted = self.judge(transaction, now, relay=relay)
        for txid in evicted:
            self._drop(txid)
        self.waiting[entry.txid] = entry
        for vin, each in enumerate(transaction.inputs):
            self.spent[each.outpoint] = entry.txid, vin
        for parent in entry.parents:
            self.waiting[parent].children.add(entry.txid)
        return entry

    def judge(self, transaction: Transaction, now: int, *, relay: bool = True) -> tuple[MempoolEntry, set[str]]:
        """What `accept` would do: the entry, and who would leave for it. Changes nothing."""
        txid = transaction.txid
        if txid in self.waiting:
            raise TransactionRejected("txn-already-in-mempool", -27)
        if txid in self._ledger.transactions:
            raise TransactionRejected("Transaction outputs already in utxo set", -27)
        if relay:
            check_form(transaction, self.rules)
        prevouts = tuple(self._prevout(each.outpoint) for each in transaction.inputs)
        self._check_locks(transaction)
        fee = sum(each.sats for each in prevouts) - sum(each.sats for each in transaction.outputs)
        if fee < 0:
            raise TransactionRejected("bad-txns-in-belowout")
        parents = frozenset(each.outpoint.txid for each in transaction.inputs) & self.waiting.keys()
        entry = MempoolEntry(transaction, txid, fee, transaction.vsize, now, prevouts, parents)
        floor = -(-entry.vsize * self.rules.min_rate // 1000)
        if relay and fee < floor:
            raise TransactionRejected(f"min relay fee not met, {fee} < {floor}")
        evicted = self._replaced(entry, floor)
        self._check_chain(entry)
        failed = failed_input(transaction, prevouts)
        if failed is not None:
            raise TransactionRejected(f"mandatory-script-verify-flag-failed (input {failed} of {txid} does not hold)")
        return entry, evicted

    def _prevout(self, outpoint: OutPoint) -> TxOutput:
        coin = self._ledger.coins.get(outpoint)
        if coin is not None:
            if coin.is_coinbase and self._ledger.height + 1 - coin.height < MATURITY:
                raise TransactionRejected("bad-txns-premature-spend-of-coinbase")
            return coin.output
        output = self.output(outpoint) if outpoint.txid in self.waiting else None
        if output is None or output.script.startswith(b"\x6a"):
            raise TransactionRejected("bad-txns-inputs-missingorspent", -25)
        return output

    def _check_locks(self, transaction: Transaction) -> None:
        height, median = self._ledger.height + 1, self._ledger.median_time()
        if not is_final(transaction, height, median):
            raise TransactionRejected("non-final")
        if transaction.version < 2:
            return
        for each in transaction.inputs:
            if each.sequence & SEQUENCE_DISABLED:
                continue
            coin = self._ledger.coins.get(each.outpoint)
            born = coin.height if coin else height
            wait = each.sequence & 0xFFFF
            if each.sequence & SEQUENCE_IS_TIME:
                holds = self._ledger.median_time(max(born - 1, 0)) + (wait << 9) <= median
            else:
                holds = born + wait <= height
            if not holds:
                raise TransactionRejected("non-BIP68-final")

    def _replaced(self, entry: MempoolEntry, increment: int) -> set[str]:
        """Whom the newcomer throws out: those that spend what it spends, and all that stand on them."""
        direct = {self.spent[each.outpoint][0] for each in entry.transaction.inputs if each.outpoint in self.spent}
        if not direct:
            return set()
        evicted = set().union(*(self.descendants(txid) for txid in direct))
        if evicted & self.ancestors(entry.parents):
            raise TransactionRejected("bad-txns-spends-conflicting-tx")
        if len(evicted) > MAX_EVICTIONS:
            raise TransactionRejected(f"too many potential replacements, rejecting replacement {entry.txid}")
        for txid in direct:
            old = self.waiting[txid]
            if entry.fee * old.vsize <= old.fee * entry.vsize:
                rates = [f"{_bitcoin(each.fee * 1000 // each.vsize)} BTC/kvB" for each in (entry, old)]
                words = f"new feerate {rates[0]} <= old feerate {rates[1]}"
                raise TransactionRejected(f"insufficient fee, rejecting replacement {entry.txid}; {words}")
        old_parents = set().union(*(self.waiting[txid].parents for txid in direct))
        if entry.parents - old_parents:
            raise TransactionRejected(f"replacement-adds-unconfirmed, replacement {entry.txid}")
        old_fees = sum(self.waiting[txid].fee for txid in evicted)
        for what, paid, least in (
            ("less fees than conflicting txs", entry.fee, old_fees),
            ("not enough additional fees to relay", entry.fee - old_fees, increment),
        ):
            if paid < least:
                words = f"{what}; {_bitcoin(paid)} < {_bitcoin(least)}"
                raise TransactionRejected(f"insufficient fee, rejecting replacement {entry.txid}, {words}")
        return evicted

    def _check_chain(self, entry: MempoolEntry) -> None:
        above = self.ancestors(entry.parents)
        if len(above) + 1 > MAX_CHAIN:
            raise TransactionRejected("too-long-mempool-chain, too many unconfirmed ancestors")
        if any(len(self.descendants(txid)) + 1 > MAX_CHAIN for txid in above):
            raise TransactionRejected("too-long-mempool-chain, too many descendants")

    def ancestors(self, parents: frozenset[str]) -> set[str]:
        """The parents and all they stand on."""
        return self._closure(parents, {txid: entry.parents for txid, entry in self.waiting.items()})

    def descendants(self, txid: str) -> set[str]:
        """The transaction and all that stand on it."""
        return self._closure({txid}, {txid: entry.children for txid, entry in self.waiting.items()})

    def _closure(self, start: set[str] | frozenset[str], edges: Mapping[str, set[str] | frozenset[str]]) -> set[str]:
        found: set[str] = set()
        todo = list(start)
        while todo:
            txid = todo.pop()
            if txid not in found:
                found.add(txid)
                todo += edges[txid]
        return found

    def remove(self, txid: str) -> set[str]:
        """Drops it and all that stand on it; returns their txids."""
        gone = self.descendants(txid)
        for each in gone:
            self._drop(each)
        return gone

    def _drop(self, txid: str) -> None:
        entry = self.waiting.pop(txid)
        for each in entry.transaction.inputs:
            self.spent.pop(each.outpoint, None)
        for parent in entry.parents & self.waiting.keys():
            self.waiting[parent].children.discard(txid)

    def chosen(self, weight: int) -> Iterator[MempoolEntry]:
        """What fits into a block, in the order of arrival."""
        left_out: set[str] = set()
        for entry in self.waiting.values():
            size = entry.transaction.weight
            if size <= weight and not entry.parents & left_out:
                weight -= size
                yield entry
            else:
                left_out.add(entry.txid)

    def clear(self) -> list[MempoolEntry]:
        """Empties it; returns what was in it, parents first."""
        entries = list(self.waiting.values())
        self.waiting.clear()
        self.spent.clear()
        return entries


def _bitcoin(sats: int) -> str:
    """As Bitcoin Core writes amounts (FormatMoney): at least two decimals."""
    whole, rest = divmod(sats, 10**8)
    return f"{whole}.{f'{rest:08d}'.rstrip('0').ljust(2, '0')}"
