"""A chain in memory: real transactions, a mempool, blocks, reorgs, and an index of assets. No proof of work.

`SimChain` is the chain, `SimServers` one peer's view of it (the `Chain` interface), with faults of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from darkswap_browser.chain.base import OutputAssets, ServerQuorum, Spend, Tip, TxStatus, Utxo
from darkswap_browser.errors import BroadcastRejected, ChainUnreachable, IndexerLagging, NotOnChain
from darkswap_browser.market.assets import BITCOIN_INFO, Asset, AssetKind, AssetMetadata
from tests.support.asset_index import assets_of_outputs

REPLACEMENT_STEP = 1000
"""Sats per 1000 vB that a replacement must pay on top, as nodes ask for."""
FEE_RATE = 5000


@dataclass(frozen=True)
class Block:
    hash: str
    transactions: tuple[Transaction, ...]

    @cached_property
    def by_txid(self) -> Mapping[str, Transaction]:
        return {each.txid: each for each in self.transactions}

    @cached_property
    def spends(self) -> Mapping[OutPoint, str]:
        return {spent.outpoint: txid for txid, each in self.by_txid.items() for spent in each.inputs}


class SimChain:
    """Starts at height 0. `fund` puts coins into the next block; everything else comes by `broadcast`."""

    def __init__(self) -> None:
        self.blocks = [Block(_hash("genesis"), ())]
        self.mempool: dict[str, Transaction] = {}
        self.decreed: dict[OutPoint, dict[Asset, int]] = {}
        self.infos: dict[Asset, AssetMetadata] = {}
        self._waiting: list[Transaction] = []
        self._count = 0
        self._ledger = _Ledger(self.decreed)

    # --- blocks

    @property
    def height(self) -> int:
        return len(self.blocks) - 1

    def fund(self, script: bytes, sats: int, assets: Mapping[Asset, int] | None = None) -> OutPoint:
        """A coin out of nowhere, mined at once."""
        self._count += 1
        source = TxInput(OutPoint(_hash(f"source {self._count}"), 0))
        made = Transaction((source,), (TxOutput(sats, script),))
        outpoint = OutPoint(made.txid, 0)
        self.decreed[outpoint] = dict(assets or {})
        self._waiting.append(made)
        self.mine()
        return outpoint

    def mine(self, count: int = 1, *, only: Sequence[str] | None = None) -> None:
        """Blocks with the whole mempool, or with `only` these."""
        for _ in range(count):
            taken = [txid for txid in self.mempool if only is None or txid in only]
            block = (*self._waiting, *(self.mempool.pop(txid) for txid in taken))
            self._waiting = []
            self._append(block)

    def reorg(self, depth: int, *, without: Sequence[str] = (), instead: Sequence[Transaction] = ()) -> None:
        """The last `depth` blocks are replaced by one more, of which `instead` takes the place of `without`."""
        gone = [each for block in self.blocks[-depth:] for each in block.transactions]
        del self.blocks[-depth:]
        self._ledger = _Ledger(self.decreed)
        kept = [each for each in gone if each.txid not in without]
        funded = [each for each in kept if OutPoint(each.txid, 0) in self.decreed]
        for each in kept:
            if each not in funded:
                self.mempool[each.txid] = each
        self._append((*funded, *instead))
        for _ in range(depth):
            self._append(())

    def _append(self, transactions: Sequence[Transaction]) -> None:
        self._count += 1
        self.blocks.append(Block(_hash(f"block {len(self.blocks)} {self._count}"), tuple(transactions)))
        spent = {each.outpoint for made in transactions for each in made.inputs}
        for txid, waiting in list(self.mempool.items()):
            if any(each.outpoint in spent for each in waiting.inputs):
                del self.mempool[txid]

    # --- what there is

    def find(self, txid: str) -> tuple[Transaction, int | None] | None:
        """A transaction and its height, None in the mempool."""
        for height, block in enumerate(self.blocks):
            if txid in block.by_txid:
                return block.by_txid[txid], height
        waiting = self.mempool.get(txid)
        return (waiting, None) if waiting is not None else None

    def spend(self, outpoint: OutPoint) -> Spend | None:
        for height, block in enumerate(self.blocks):
            if outpoint in block.spends:
                return Spend(block.spends[outpoint], height)
        for txid, waiting in self.mempool.items():
            if any(spent.outpoint == outpoint for spent in waiting.inputs):
                return Spend(txid, None)
        return None

    def utxos(self, script: bytes) -> list[Utxo]:
        everything: list[tuple[int | None, str, Transaction]] = [
            (height, txid, each) for height, block in enumerate(self.blocks) for txid, each in block.by_txid.items()
        ]
        everything += [(None, txid, each) for txid, each in self.mempool.items()]
        found = []
        for height, txid, made in everything:
            for vout, output in enumerate(made.outputs):
                outpoint = OutPoint(txid, vout)
                if output.script == script and self.spend(outpoint) is None:
                    found.append(Utxo(outpoint, output.sats, script, height))
        return found

    def assets(self, outpoint: OutPoint) -> Mapping[Asset, int] | None:
        """None: not in a block, so no index knows it."""
        return self._ledger.read(self.blocks).get(outpoint)

    def total(self, script: bytes) -> dict[Asset | None, int]:
        """Confirmed atoms by asset at a script; sats under None."""
        sums: dict[Asset | None, int] = {None: 0}
        for each in self.utxos(script):
            if each.height is not None:
                sums[None] += each.sats
                for asset, atoms in (self.assets(each.outpoint) or {}).items():
                    sums[asset] = sums.get(asset, 0) + atoms
        return sums

    # --- the mempool

    def accept(self, raw: bytes) -> str:
        """As a node: inputs must exist, witnesses be there, and a replacement pay more. Raises `BroadcastRejected`."""
        made = Transaction.parse(raw)
        txid = made.txid
        if self.find(txid) is not None:
            return txid
        sats_in, rivals = 0, set[str]()
        for each in made.inputs:
            source = self.find(each.outpoint.txid)
            if source is None or each.outpoint.vout >= len(source[0].outputs):
                raise BroadcastRejected("sim", "bad-txns-inputs-missingorspent")
            if not each.witness:
                raise BroadcastRejected("sim", "mandatory-script-verify-flag-failed (empty witness)")
            spender = self.spend(each.outpoint)
            if spender is not None and spender.height is not None:
                raise BroadcastRejected("sim", "bad-txns-inputs-missingorspent")
            if spender is not None:
                rivals.add(spender.txid)
            sats_in += source[0].outputs[each.outpoint.vout].sats
        fee = sats_in - sum(each.sats for each in made.outputs)
        if fee * 1000 < 1000 * made.vsize:
            raise BroadcastRejected("sim", "min relay fee not met")
        evicted = self._with_descendants(rivals)
        stands = sum(map(self._fee, evicted))
        if evicted and fee < stands:
            amounts = f"{fee / 10**8:.8f} < {stands / 10**8:.8f}"
            words = f"insufficient fee, rejecting replacement {txid}, less fees than conflicting txs; {amounts}"
            raise BroadcastRejected("sim", words)
        if evicted and fee * 1000 < stands * 1000 + REPLACEMENT_STEP * made.vsize:
            raise BroadcastRejected(
                "sim", "insufficient fee, rejecting replacement, not enough additional fees to relay"
            )
        for each in evicted:
            del self.mempool[each]
        self.mempool[txid] = made
        return txid

    def _with_descendants(self, txids: set[str]) -> set[str]:
        found = set(txids)
        while True:
            more = {
                txid
                for txid, each in self.mempool.items()
                if any(spent.outpoint.txid in found for spent in each.inputs)
            }
            if more <= found:
                return found
            found |= more

    def _fee(self, txid: str) -> int:
        made = self.mempool[txid]
        sources = [(self.find(each.outpoint.txid), each.outpoint.vout) for each in made.inputs]
        sats_in = sum(source[0].outputs[vout].sats for source, vout in sources if source is not None)
        return sats_in - sum(each.sats for each in made.outputs)


class _Ledger:
    """Assets of every confirmed output, read block by block."""

    def __init__(self, decreed: Mapping[OutPoint, Mapping[Asset, int]]) -> None:
        self._decreed = decreed
        self._read = 0
        self._held: dict[OutPoint, Mapping[Asset, int]] = {}

    def read(self, blocks: Sequence[Block]) -> Mapping[OutPoint, Mapping[Asset, int]]:
        for block in blocks[self._read :]:
            for made in block.transactions:
                self._take(made)
        self._read = len(blocks)
        return self._held

    def _take(self, made: Transaction) -> None:
        carried: dict[Asset, int] = {}
        for each in made.inputs:
            for asset, atoms in self._held.get(each.outpoint, {}).items():
                carried[asset] = carried.get(asset, 0) + atoms
        shares = assets_of_outputs(made, carried)
        for vout in range(len(made.outputs)):
            outpoint = OutPoint(made.txid, vout)
            self._held[outpoint] = self._decreed.get(outpoint) or shares.get(vout, {})


class SimServers:
    """`Chain` for one peer. Faults: `down`, `lag` (blocks that its indexes are behind), and lies by outpoint."""

    def __init__(self, chain: SimChain) -> None:
        self.chain = chain
        self.down = False
        self.delay = 0.0
        """Seconds before each answer."""
        self.hidden: set[str] = set()
        """Transactions that they never heard of."""
        self.lag = 0
        self.asked: list[str] = []
        self.offered: list[str] = []
        """Ids of the transactions that they were asked to broadcast."""
        self.told_holdings: dict[OutPoint, OutputAssets] = {}
        self.told_height: int | None = None
        """What one of the servers says of the latest block; the others do not."""
        self.told_statuses: dict[str, TxStatus] = {}
        """What one of the servers says of where a transaction is; the others do not."""
        self.told_spends: dict[OutPoint, Spend | None] = {}
        self.told_transactions: dict[str, bytes] = {}
        self.told_genesis = ""
        self.swallows = False
        """No broadcast is answered."""
        self.rejects: str = ""
        """What every broadcast is answered with, when set."""
        self.rate = FEE_RATE
        self.needed = 1
        """How many servers must agree."""

    async def _ask(self, what: str) -> None:
        self.asked.append(what)
        if self.delay:
            await asyncio.sleep(self.delay)
        if self.down:
            raise ChainUnreachable("sim", "no answer")

    async def tip(self, *, verify: bool = False) -> Tip:
        await self._ask("tip")
        if self.told_height is not None and not verify:
            return Tip(self.told_height, self.chain.blocks[-1].hash)
        return Tip(self.chain.height, self.chain.blocks[-1].hash)

    async def genesis(self) -> str:
        await self._ask("genesis")
        return self.told_genesis or self.chain.blocks[0].hash

    async def transaction(self, txid: str) -> bytes:
        await self._ask("transaction")
        if txid in self.told_transactions:
            return self.told_transactions[txid]
        found = self.chain.find(txid)
        if found is None:
            raise NotOnChain("sim", f"no transaction {txid}")
        return found[0].serialize()

    async def status(self, txid: str, *, verify: bool = False) -> TxStatus | None:
        await self._ask("status")
        if not verify and txid in self.told_statuses:
            return self.told_statuses[txid]
        found = None if txid in self.hidden else self.chain.find(txid)
        if found is None:
            return None
        height = found[1]
        return TxStatus(height, None if height is None else self.chain.blocks[height].hash)

    async def spend(self, outpoint: OutPoint, *, verify: bool = False) -> Spend | None:
        await self._ask("spend")
        if outpoint in self.told_spends:
            return self.told_spends[outpoint]
        spend = self.chain.spend(outpoint)
        return None if spend is not None and spend.txid in self.hidden else spend

    async def utxos(self, script: bytes) -> Sequence[Utxo]:
        await self._ask("utxos")
        return self.chain.utxos(script)

    async def broadcast(self, raw: bytes) -> str:
        self.offered.append(Transaction.parse(raw).txid)
        await self._ask("broadcast")
        if self.swallows:
            raise ChainUnreachable("sim", "no answer")
        if self.rejects:
            raise BroadcastRejected("sim", self.rejects)
        return self.chain.accept(raw)

    async def fee_rate(self, target: int) -> int:
        await self._ask("fee_rate")
        return self.rate

    async def holdings(self, outpoints: Sequence[OutPoint], *, verify: bool = False) -> Mapping[OutPoint, OutputAssets]:
        await self._ask("holdings")
        if verify and self.lag:
            raise IndexerLagging("sim", self.chain.height - self.lag, self.chain.height)
        return {each: self.told_holdings.get(each) or self._holdings(each) for each in outpoints}

    def _holdings(self, outpoint: OutPoint) -> OutputAssets:
        held = self.chain.assets(outpoint)
        if held is None:
            return OutputAssets()
        runes = {asset: atoms for asset, atoms in held.items() if asset.kind is AssetKind.RUNE}
        alkanes = {asset: atoms for asset, atoms in held.items() if asset.kind is AssetKind.ALKANE}
        return OutputAssets(runes, alkanes, ())

    async def info(self, asset: Asset) -> AssetMetadata | None:
        await self._ask("info")
        return BITCOIN_INFO if asset.kind is AssetKind.BTC else self.chain.infos.get(asset)

    async def find(self, kind: AssetKind, name: str) -> AssetMetadata | None:
        await self._ask("find")
        found = (each for asset, each in self.chain.infos.items() if asset.kind is kind and each.name == name)
        return next(found, None)

    def quorum_for(self, kind: AssetKind) -> ServerQuorum:
        return ServerQuorum(("sim",), self.needed)


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()
