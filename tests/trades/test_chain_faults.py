"""What the chain and its servers do to a trade: reorganisations, rivals, refusals, silence, lag and lies."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from darkswap_browser.chain.base import OutputAssets, Spend
from darkswap_browser.errors import ChainUnreachable, IndexerLagging
from darkswap_browser.settlement.machine import FINALITY_MARGIN_BLOCKS
from darkswap_browser.storage.orders import OrderStatus
from darkswap_browser.trades.views import TradeStatus, TradeView
from tests.support.trade_world import DOG, TradeWorld, TradingPeer, sells_dog


async def pending(world: TradeWorld) -> TradeView:
    await world.taker.takes(await sells_dog(world))
    await world.maker.until("pending")
    await world.taker.until("pending")
    await asyncio.sleep(5)
    return world.taker.only()


async def buried(world: TradeWorld) -> None:
    await asyncio.sleep(25)
    await world.mined()
    await world.mined(FINALITY_MARGIN_BLOCKS)


def _rival(world: TradeWorld, txid: str) -> Transaction:
    """Somebody spends the taker's coin of the settlement elsewhere."""
    found = world.chain.find(txid)
    assert found is not None
    script = world.taker.wallet.payment.script
    coin = next(each.outpoint for each in found[0].inputs if _script(world, each.outpoint) == script)
    return Transaction((TxInput(coin, witness=(bytes(64),)),), (TxOutput(90_000, script),))


def _script(world: TradeWorld, outpoint: OutPoint) -> bytes:
    source = world.chain.find(outpoint.txid)
    assert source is not None
    return source[0].outputs[outpoint.vout].script


async def test_a_completed_trade_that_a_reorganisation_undoes_is_pending_again_and_completed_again() -> None:
    async with TradeWorld() as world:
        trade = await pending(world)
        await world.mined()
        first = {party: party.only().completed_at for party in (world.maker, world.taker)}
        world.chain.reorg(1)
        await asyncio.sleep(25)
        for party in (world.maker, world.taker):
            view = party.only()
            assert (view.phase, view.status, view.confirmations) == ("pending", TradeStatus.CONFIRMING, 0)
            assert view.completed_at is None and view.can_revoke
            assert await party.reserved(trade.id) > 0
        await buried(world)
        for party in (world.maker, world.taker):
            assert party.only().phase == "settled" and party.only().completed_at == first[party]
            assert await party.holds_nothing()
        order = world.maker.orders.get(trade.order_id)
        assert order is not None and (order.status, order.filled_atoms) == (OrderStatus.FILLED, 600)
        assert world.taker.balance(DOG) == 600


@pytest.mark.parametrize("alone", ["maker", "taker"])
async def test_a_settlement_that_falls_out_of_chain_and_mempool_is_broadcast_again_by_either_side(alone: str) -> None:
    async with TradeWorld() as world:
        trade = await pending(world)
        await world.mined()
        other = world.taker if alone == "maker" else world.maker
        await other.stop()
        world.chain.reorg(1, without=[trade.txid or ""])
        world.chain.mempool.clear()
        await asyncio.sleep(60)
        assert list(world.chain.mempool) == [trade.txid]
        await buried(world)
        assert getattr(world, alone).only().phase == "settled"


@pytest.mark.parametrize("alone", ["maker", "taker"])
async def test_a_settlement_evicted_from_the_mempool_is_broadcast_again_by_either_side(alone: str) -> None:
    async with TradeWorld() as world:
        trade = await pending(world)
        await (world.taker if alone == "maker" else world.maker).stop()
        await asyncio.sleep(200)
        world.chain.mempool.clear()
        await asyncio.sleep(45)
        assert list(world.chain.mempool) == [trade.txid]


async def test_a_taker_who_never_heard_the_makers_last_message_broadcasts_again_what_the_chain_had() -> None:
    async with TradeWorld() as world:
        world.maker.wallet.delay = 2
        await world.taker.takes(await sells_dog(world))
        await world.maker.until("countersigning")
        world.sim.world.isolate("taker")
        await world.maker.until("pending")
        await asyncio.sleep(5)
        await world.maker.stop()
        (settlement,) = world.chain.mempool.values()
        assert world.taker.only().raw == settlement.serialize()
        world.chain.mempool.clear()
        await asyncio.sleep(45)
        assert list(world.chain.mempool) == [settlement.txid]


async def test_a_rival_in_a_block_fails_the_trade_once_it_is_buried_and_frees_coins_and_order() -> None:
    async with TradeWorld() as world:
        trade = await pending(world)
        rival = _rival(world, trade.txid or "")
        world.chain.mempool = {rival.txid: rival}
        await world.mined()
        for party in (world.maker, world.taker):
            view = party.only()
            assert (view.phase, view.status) == ("conflicted", TradeStatus.FAILED)
            assert view.reason is not None and view.reason.code == "INPUT_SPENT" and rival.txid in view.reason.detail
            assert await party.reserved(trade.id) > 0, "not yet out of a reorganisation's reach"
        await world.mined(FINALITY_MARGIN_BLOCKS)
        for party in (world.maker, world.taker):
            view = party.only()
            assert (view.phase, view.status) == ("failed", TradeStatus.FAILED)
            assert view.reason is not None and view.reason.code == "INPUT_SPENT"
            assert await party.holds_nothing()
            assert [event.kind for event in party.events].count("failed") == 1
        order = world.maker.orders.get(trade.order_id)
        assert order is not None and (order.status, order.remaining_atoms) == (OrderStatus.OPEN, 600)


async def test_a_reorganisation_that_brings_a_rival_undoes_a_completed_trade_and_opens_its_order_again() -> None:
    async with TradeWorld() as world:
        trade = await pending(world)
        await world.mined(3)
        assert world.maker.only().phase == "completed"
        order = world.maker.orders.get(trade.order_id)
        assert order is not None and order.status is OrderStatus.FILLED
        rival = _rival(world, trade.txid or "")
        world.chain.reorg(3, without=[trade.txid or ""], instead=[rival])
        await asyncio.sleep(25)
        assert world.maker.only().phase == world.taker.only().phase == "conflicted"
        await world.mined(FINALITY_MARGIN_BLOCKS)
        assert world.maker.only().phase == world.taker.only().phase == "failed"
        order = world.maker.orders.get(trade.order_id)
        assert order is not None and (order.status, order.filled_atoms) == (OrderStatus.OPEN, 0)
        assert await world.maker.holds_nothing() and world.maker.balance(DOG) == 1000


async def test_a_rival_whose_block_is_undone_leaves_the_trade_as_it_was() -> None:
    async with TradeWorld() as world:
        trade = await pending(world)
        settlement = world.chain.mempool[trade.txid or ""]
        rival = _rival(world, trade.txid or "")
        world.chain.mempool = {rival.txid: rival}
        await world.mined()
        assert world.taker.only().phase == "conflicted"
        world.chain.reorg(1, without=[rival.txid], instead=[settlement])
        await asyncio.sleep(25)
        assert world.taker.only().phase == world.maker.only().phase == "completed"


async def test_a_settlement_that_the_takers_servers_refuse_goes_out_through_the_makers() -> None:
    async with TradeWorld() as world:
        world.taker.servers.rejects = "min relay fee not met"
        trade = await pending(world)
        assert list(world.chain.mempool) == [trade.txid]
        await buried(world)
        assert world.taker.only().phase == world.maker.only().phase == "settled"


async def test_a_settlement_for_which_nobody_answers_is_offered_again_until_somebody_does() -> None:
    async with TradeWorld() as world:
        for party in (world.maker, world.taker):
            party.servers.swallows = True
        await pending(world)
        assert world.maker.only().can_revoke
        await asyncio.sleep(400)
        assert world.maker.only().phase == world.taker.only().phase == "exposed"
        asked = world.maker.servers.asked.count("broadcast")
        assert 5 < asked < 120, "neither given up nor hammered"
        for party in (world.maker, world.taker):
            party.servers.swallows = False
        await buried(world)
        assert world.taker.only().phase == world.maker.only().phase == "settled"


async def test_silent_servers_are_told_of_and_asked_until_they_answer() -> None:
    async with TradeWorld() as world:
        world.maker.wallet.delay = world.taker.wallet.delay = 2
        await world.taker.takes(await sells_dog(world))
        await world.maker.until("countersigning")
        await asyncio.sleep(1)
        for party in (world.maker, world.taker):
            party.servers.down = True
        await world.maker.until("pending")
        await asyncio.sleep(20)
        view = world.maker.only()
        assert view.reason is not None and view.reason.code == "CHAIN"
        assert world.chain.mempool == {}
        for party in (world.maker, world.taker):
            party.servers.down = False
        await asyncio.sleep(25)
        assert world.maker.only().reason is None and len(world.chain.mempool) == 1
        await buried(world)
        assert world.taker.only().phase == world.maker.only().phase == "settled"


async def test_what_is_taken_back_is_not_broadcast_when_the_servers_come_back() -> None:
    async with TradeWorld() as world:
        world.maker.wallet.delay = 2
        await world.taker.takes(await sells_dog(world))
        await world.maker.until("countersigning")
        world.sim.world.isolate("taker")
        await asyncio.sleep(1)
        world.maker.servers.down = True
        view = await world.maker.until("pending")
        await asyncio.sleep(8)
        world.maker.servers.down = False
        await world.maker.trades.revoke(view.id)
        world.maker.servers.offered.clear()
        await asyncio.sleep(25)
        assert set(world.maker.servers.offered) == set(world.chain.mempool) == {world.maker.only().revoke_txid}


@pytest.mark.parametrize("fault", ["down", "lag"])
@pytest.mark.parametrize("when", ["validating", "verifying", "signing", "countersigning"])
async def test_nothing_is_signed_while_the_chain_cannot_be_judged(when: str, fault: str) -> None:
    async with TradeWorld() as world:
        party: TradingPeer = world.maker if when in ("validating", "countersigning") else world.taker

        def break_it() -> None:
            party.servers.down, party.servers.lag = fault == "down", 2 * (fault == "lag")

        party.trades.subscribe(lambda event: break_it() if event.trade.phase == when else None)
        world.maker.servers.delay = world.taker.servers.delay = 0.2
        await world.taker.takes(await sells_dog(world), review=when == "signing")
        if when == "signing":
            view = await world.taker.until("reviewing")
            await asyncio.sleep(20)
            await world.taker.trades.confirm(view.id)
        view = await party.trades.wait(party.only().id) if party.trades.all() else await party.until("failed")
        assert (view.phase, party.wallet.signed) == ("failed", [])
        assert view.reason is not None
        expected = {"CHAIN_UNREACHABLE"} if fault == "down" else {"INDEXER_LAG", "V11", "V12"}
        assert view.reason.code in expected
        await asyncio.sleep(5)
        assert await party.holds_nothing()
        other = world.taker if party is world.maker else world.maker
        told = other.only()
        assert told.phase == ("exposed" if when == "countersigning" else "canceled")
        assert told.reason is not None and told.reason.code == view.reason.code
        assert "no answer" not in told.reason.detail, "which servers somebody asks is nobody else's business"


async def test_a_trade_is_not_begun_while_the_chain_cannot_be_judged() -> None:
    async with TradeWorld() as world:
        order = await sells_dog(world)
        await world.taker.orders.import_text(order.text)
        world.taker.servers.down = True
        with pytest.raises(ChainUnreachable):
            await world.taker.trades.take(order.id)
        world.taker.servers.down, world.taker.servers.lag = False, 2
        with pytest.raises(IndexerLagging):
            await world.taker.trades.take(order.id)
        assert world.taker.trades.all() == [] and await world.taker.holds_nothing()


@pytest.mark.parametrize("rule", ["V1", "V9", "V10", "V11", "V12"])
async def test_a_taker_does_not_sign_against_what_its_own_servers_say(rule: str) -> None:
    async with TradeWorld() as world:
        servers = world.taker.servers
        (coin,) = [each.outpoint for each in world.chain.utxos(world.maker.wallet.assets.script)]
        (mine,) = [each.outpoint for each in world.chain.utxos(world.taker.wallet.payment.script)]
        order = await sells_dog(world)

        def lie(phase: str) -> None:
            if phase != "verifying":
                return
            match rule:
                case "V1":
                    servers.told_genesis = "00" * 32
                case "V9":
                    found = world.chain.find(coin.txid)
                    assert found is not None
                    servers.told_transactions[coin.txid] = replace(found[0], locktime=9).serialize()
                case "V10":
                    servers.told_spends[coin] = Spend("ab" * 32, None)
                case "V11":
                    servers.told_holdings[coin] = OutputAssets({DOG: 599}, {}, ())
                case "V12":
                    servers.told_holdings[mine] = OutputAssets({DOG: 1}, {}, ())

        world.taker.trades.subscribe(lambda event: lie(event.trade.phase))
        servers.delay = 0.1
        trade = await world.taker.takes(order)
        view = await world.taker.trades.wait(trade.id)
        assert view.reason is not None
        assert (view.phase, view.reason.code, world.taker.wallet.signed) == ("failed", rule, [])
        await asyncio.sleep(1)
        made = world.maker.only()
        assert made.phase == "canceled" and made.reason is not None and made.reason.code == rule
        assert await world.taker.holds_nothing() and await world.maker.holds_nothing()
