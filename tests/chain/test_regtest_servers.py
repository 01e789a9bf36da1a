"""The adapters against the regtest node's own servers over HTTP: a second writing of the same formats."""

from __future__ import annotations

from pathlib import Path

import pytest

from darkswap_browser.bitcoin.address import script_of
from darkswap_browser.bitcoin.transaction import OutPoint, Transaction
from darkswap_browser.chain.base import ChainConfig, OutputAssets, TxStatus
from darkswap_browser.chain.fee_estimates import RELAY_FLOOR
from darkswap_browser.chain.quorum import Quorum, open_chain
from darkswap_browser.errors import BroadcastRejected, NotOnChain
from darkswap_browser.market.assets import Asset, AssetKind
from darkswap_browser.regtest.service import RegtestOptions, RegtestService
from darkswap_browser.runtime.memory_store import MemoryStore
from darkswap_browser.runtime.native.fetch import NativeFetch
from darkswap_browser.runtime.native.host import SystemEntropy

ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
SCRIPT = script_of(ADDRESS, "regtest")
REGTEST_GENESIS = "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"
"""Of Bitcoin Core's chainparams.cpp."""


def reached(service: RegtestService, alkanes: tuple[str, ...] = ("",)) -> Quorum:
    config = ChainConfig(
        esplora=(f"{service.url}/api",),
        ord=(f"{service.url}/ord",),
        alkanes=tuple(f"{service.url}/alkanes{manner}" for manner in alkanes),
    )
    return open_chain(config, fetch=NativeFetch(), store=MemoryStore(), entropy=SystemEntropy())


def give(service: RegtestService, asset: Asset, atoms: int) -> str:
    txid = service.faucet.give(SCRIPT, asset, atoms)
    service.node.mine(1, SCRIPT)
    return txid


@pytest.mark.native
async def test_coins_of_every_kind_are_found_and_told_apart(tmp_path: Path) -> None:
    async with RegtestService(RegtestOptions(folder=tmp_path)) as service:
        chain = reached(service)
        tip = await chain.tip(verify=True)
        assert (tip.height, tip.block_hash) == (service.node.ledger.height, service.node.ledger.tip.block_hash)
        assert await chain.genesis() == REGTEST_GENESIS
        assert await chain.fee_rate(6) >= RELAY_FLOOR
        rune_id = next(iter(service.runes.entries))
        rune, diesel = Asset.rune(*rune_id), Asset.alkane(2, 0)
        with_rune, with_alkane = give(service, rune, 1000), give(service, diesel, 2000)
        utxos = {utxo.outpoint: utxo for utxo in await chain.utxos(SCRIPT)}
        assert sum(utxo.is_coinbase for utxo in utxos.values()) == 2
        for verify in (False, True):
            held = await chain.holdings(list(utxos), verify=verify)
            found = {(outpoint.txid, tuple(each.assets.items())) for outpoint, each in held.items() if each.assets}
            assert found == {(with_rune, ((rune, 1000),)), (with_alkane, ((diesel, 2000),))}
            assert all(each.complete for each in held.values())
        status = await chain.status(with_rune, verify=True)
        assert status is not None and status.height == service.node.ledger.height - 1
        parent = Transaction.parse(await chain.transaction(with_rune))
        spend = await chain.spend(parent.inputs[0].outpoint, verify=True)
        assert spend is not None and (spend.txid, spend.height) == (with_rune, status.height)
        info = await chain.info(rune)
        assert info is not None and (await chain.find(AssetKind.RUNE, info.name)) == info
        assert (await chain.info(diesel)) == (await chain.find(AssetKind.ALKANE, "2:0"))


@pytest.mark.native
async def test_each_generation_of_gateways_is_understood(tmp_path: Path) -> None:
    async with RegtestService(RegtestOptions(folder=tmp_path)) as service:
        diesel = Asset.alkane(2, 0)
        txid = give(service, diesel, 2000)
        transaction = Transaction.parse(await reached(service).transaction(txid))
        vout = next(at for at, output in enumerate(transaction.outputs) if output.script == SCRIPT)
        for manner, atoms in (("", {diesel: 2000}), ("/old", {diesel: 2000}), ("/json", None)):
            chain = reached(service, (manner,))
            held = await chain.holdings([OutPoint(txid, vout)], verify=True)
            assert held[OutPoint(txid, vout)].alkanes == atoms
        clean = OutPoint(transaction.inputs[0].outpoint.txid, 99)
        assert (await reached(service, ("/json",)).holdings([clean]))[clean].alkanes == {}


@pytest.mark.native
async def test_a_transaction_is_sent_and_a_second_spend_refused(tmp_path: Path) -> None:
    async with RegtestService(RegtestOptions(folder=tmp_path)) as service:
        chain = reached(service)
        raw = service.node.ledger.transactions[give(service, Asset.parse("BTC"), 100_000)].transaction.serialize()
        txid = Transaction.parse(raw).txid
        assert await chain.broadcast(raw) == txid
        other = Transaction.parse(raw)
        with pytest.raises(BroadcastRejected):
            await chain.broadcast(Transaction(other.inputs, other.outputs[:1], 2, 7).serialize())
        waiting = service.faucet.give(SCRIPT, Asset.parse("BTC"), 50_000)
        assert await chain.status(waiting, verify=True) == TxStatus()
        coin = next(utxo for utxo in await chain.utxos(SCRIPT) if utxo.outpoint.txid == waiting)
        assert coin.height is None and (await chain.holdings([coin.outpoint]))[coin.outpoint] == OutputAssets(
            None, None, None
        )
        with pytest.raises(NotOnChain):
            await chain.transaction("77" * 32)
        assert await chain.status("77" * 32) is None
