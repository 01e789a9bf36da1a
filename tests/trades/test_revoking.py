"""A signature that is out and not answered: what is said of it, how it is taken back, and who wins."""

from __future__ import annotations

import asyncio

import pytest

from darkswap_browser.bitcoin.transaction import Transaction
from darkswap_browser.chain.base import TxStatus
from darkswap_browser.errors import InvalidArgument, TradeNotFound, WalletNotConnected
from darkswap_browser.market.assets import BTC, Asset
from darkswap_browser.market.orders import Side
from darkswap_browser.orders.views import OrderView
from darkswap_browser.settlement import transaction as settlements
from darkswap_browser.settlement.machine import FINALITY_MARGIN_BLOCKS
from darkswap_browser.settlement.states import Trade
from darkswap_browser.trades.views import TradeState, TradeStatus, TradeView
from tests.support.trade_world import DIESEL, DOG, TradeWorld, TradingPeer, sells_dog
from tests.trades.test_crashes import entering


async def exposed(world: TradeWorld, order: OrderView | None = None) -> TradeView:
    """The taker has signed, and the maker is gone before it did."""
    world.maker.wallet.delay = 5
    await world.taker.takes(order or await sells_dog(world, max_fee_sats=100_000), max_fee=100_000)
    view = await world.taker.until("signatures_out")
    await world.maker.until("countersigning")
    await world.maker.stop()
    world.sim.world.kill("maker", silent=True)
    return view


def settlement_of(trade: Trade) -> bytes:
    """Without any signature."""
    assert trade.own is not None and trade.theirs is not None
    return settlements.build(trade.terms, trade.theirs, trade.own).tx.serialize()


async def buried(world: TradeWorld) -> None:
    await asyncio.sleep(25)
    await world.mined()
    await world.mined(FINALITY_MARGIN_BLOCKS)


def fee_of(world: TradeWorld, made: Transaction) -> int:
    spent = 0
    for each in made.inputs:
        source = world.chain.find(each.outpoint.txid)
        assert source is not None
        spent += source[0].outputs[each.outpoint.vout].sats
    return spent - sum(output.sats for output in made.outputs)


async def test_a_silent_maker_leaves_the_taker_exposed_who_takes_the_signature_back_in_one_call() -> None:
    async with TradeWorld() as world:
        before = world.taker.balance()
        trade = await exposed(world)
        assert trade.can_revoke and not trade.can_cancel
        view = await world.taker.until("exposed")
        assert (view.status, view.state, view.expires_at) == (TradeStatus.CONFIRMING, TradeState.TAKER_SIGNED, None)
        assert view.can_revoke and "take your signature back" in view.advice.lower()
        await asyncio.sleep(600)
        assert world.taker.only() == view and await world.taker.reserved(trade.id) > 0
        view = await world.taker.trades.revoke(trade.id)
        assert view.phase == "revoking"
        await asyncio.sleep(25)
        view = world.taker.only()
        assert view.revoke_txid in world.chain.mempool and view.can_revoke
        await world.mined()
        assert not world.taker.only().can_revoke and await world.taker.reserved(trade.id) > 0
        await world.mined(FINALITY_MARGIN_BLOCKS)
        view = await world.taker.trades.wait(trade.id)
        assert (view.phase, view.state, view.status) == ("revoked", TradeState.CANCELED, TradeStatus.CANCELED)
        await asyncio.sleep(1)
        assert await world.taker.holds_nothing()
        assert 0 < before - world.taker.balance() < 5_000
        assert [event.kind for event in world.taker.events][-1] == "canceled"


async def test_seen_one_server_that_shows_no_transaction_does_not_take_revoking_away() -> None:
    """One of two servers, in league with the maker, says that the settlement waits in a mempool; nobody sent it."""
    async with TradeWorld() as world:
        trade = await exposed(world)
        world.taker.servers.told_statuses[trade.txid or ""] = TxStatus()
        await asyncio.sleep(60)
        view = world.taker.only()
        assert view.phase == "signatures_out" and view.can_revoke
        view = await world.taker.until("exposed")
        assert (await world.taker.trades.revoke(trade.id)).phase == "revoking"


async def test_seen_transaction_without_signatures_does_not_take_revoking_away() -> None:
    """Witnesses are no part of a txid: a server can show a transaction that nobody signed."""
    async with TradeWorld() as world:
        trade = await exposed(world)
        txid = trade.txid or ""
        run = world.taker.trades._driver.run(trade.id)
        unsigned = settlement_of(run.state.trade)
        world.taker.servers.told_statuses[txid] = TxStatus()
        world.taker.servers.told_transactions[txid] = unsigned
        await asyncio.sleep(60)
        view = world.taker.only()
        assert view.phase == "signatures_out" and view.can_revoke and view.raw is None


async def test_a_self_spend_pays_more_than_the_settlement_and_replaces_it_in_the_mempool() -> None:
    async with TradeWorld() as world:
        world.maker.wallet.delay = 5
        await world.taker.takes(await sells_dog(world))
        await world.maker.until("countersigning")
        world.taker.servers.hidden = {world.taker.only().txid or ""}
        world.sim.world.isolate("taker")
        await world.maker.until("pending")
        await asyncio.sleep(1)
        (settlement,) = world.chain.mempool.values()
        await world.taker.trades.revoke(world.taker.only().id)
        await asyncio.sleep(5)
        (spend,) = world.chain.mempool.values()
        assert spend.txid == world.taker.only().revoke_txid != settlement.txid
        assert fee_of(world, spend) > fee_of(world, settlement)
        await buried(world)
        assert world.taker.only().phase == "revoked"
        view = world.maker.only()
        assert (view.phase, view.status) == ("failed", TradeStatus.FAILED)
        assert view.reason is not None and view.reason.code == "INPUT_SPENT"
        assert await world.maker.holds_nothing() and await world.taker.holds_nothing()
        order = world.maker.orders.get(view.order_id)
        assert order is not None and order.remaining_atoms == 600


async def test_a_maker_who_completes_while_the_signature_is_taken_back_has_the_trade_if_its_block_comes_first() -> None:
    async with TradeWorld() as world:
        world.maker.wallet.delay = 5
        await world.taker.takes(await sells_dog(world))
        await world.maker.until("countersigning")
        await asyncio.sleep(1)
        txid = world.taker.only().txid
        await world.taker.trades.revoke(world.taker.only().id)
        await world.maker.until("exposed")
        await asyncio.sleep(25)
        assert world.maker.only().reason is not None, "the network does not take the settlement beside the self-spend"
        assert list(world.chain.mempool) == [world.taker.only().revoke_txid]
        raw = world.maker.only().raw
        assert raw is not None
        world.chain.mempool = {txid or "": Transaction.parse(raw)}
        await world.mined()
        await world.mined(FINALITY_MARGIN_BLOCKS)
        assert world.taker.only().phase == world.maker.only().phase == "settled"
        assert world.taker.balance(DOG) == 600


async def test_a_maker_who_completes_after_the_deadline_completes_the_trade_of_a_taker_who_waits() -> None:
    async with TradeWorld() as world:
        world.maker.wallet.delay = 1
        world.maker.servers.swallows = True
        await world.taker.takes(await sells_dog(world))
        await world.maker.until("countersigning")
        world.sim.world.isolate("taker")
        await world.taker.until("exposed")
        world.maker.servers.swallows = False
        await world.taker.until("pending")
        await asyncio.sleep(1)
        view = world.taker.only()
        assert view.raw == world.maker.only().raw, "read from the chain: the maker is not there"
        await buried(world)
        assert world.taker.only().phase == "settled"


async def test_a_maker_who_declines_at_the_last_look_is_told_in_words_and_the_signature_can_be_taken_back() -> None:
    async with TradeWorld() as world:
        world.maker.wallet.refuses = True
        trade = await world.taker.takes(await sells_dog(world))
        view = await world.taker.until("exposed")
        assert view.reason is not None and view.reason.code == "USER_REJECTED"
        assert view.reason.detail == "The maker says that it does not complete the trade. It was declined."
        made = world.maker.only()
        assert (made.phase, made.status) == ("canceled", TradeStatus.CANCELED)
        assert made.reason is not None and made.reason.detail == "You canceled it."
        assert await world.maker.holds_nothing()
        await world.taker.trades.revoke(trade.id)
        await buried(world)
        assert world.taker.only().phase == "revoked" and await world.taker.holds_nothing()


@pytest.mark.parametrize("asset", [DOG, DIESEL], ids=["rune", "alkane"])
async def test_runes_and_alkanes_come_home_when_only_they_can_be_spent(asset: Asset) -> None:
    async with TradeWorld() as world:
        world.taker.give(10_000, asset, 1_500)
        world.maker.give(100_000)
        trade = await exposed(world, await world.maker.offers(asset, 600, BTC, 30_000, side=Side.BUY))
        await world.taker.trades.revoke(trade.id)
        await buried(world)
        assert world.taker.only().phase == "revoked"
        assert world.taker.balance(asset) == 1_500 and await world.taker.holds_nothing()


async def test_without_funds_for_its_fee_a_signature_stays_out_and_that_is_said() -> None:
    async with TradeWorld() as world:
        poor = await world.party("poor", "ws")
        poor.give(10_000, DOG, 1_500)
        world.maker.give(100_000)
        world.taker = poor
        trade = await exposed(world, await world.maker.offers(DOG, 600, BTC, 30_000, side=Side.BUY))
        await poor.trades.revoke(trade.id)
        view = await poor.until("exposed")
        assert view.reason is not None and view.reason.code == "REVOKE_FAILED"
        assert "BTC" in view.reason.detail
        assert view.can_revoke and await poor.reserved(trade.id) == 1
        poor.give(20_000)
        await poor.trades.revoke(trade.id)
        await buried(world)
        assert poor.only().phase == "revoked" and poor.balance(DOG) == 1_500


async def test_all_bitcoin_of_the_trade_may_pay_for_taking_it_back() -> None:
    async with TradeWorld() as world:
        poor = await world.party("poor", "ws")
        for _ in range(6):
            poor.give(5_000)
        world.taker = poor
        poor.servers.rate = world.maker.servers.rate = 30_000
        trade = await exposed(world, await sells_dog(world, 600, 10_000, max_fee_sats=100_000))
        poor.servers.rate = 25_000
        assert await poor.reserved(trade.id) == 6
        await poor.trades.revoke(trade.id)
        await poor.until("revoking")
        await buried(world)
        assert poor.only().phase == "revoked"


@pytest.mark.parametrize("rate", [5_000, 60_000])
async def test_a_second_wish_pays_more_with_the_same_coins(rate: int) -> None:
    async with TradeWorld() as world:
        trade = await exposed(world)
        await world.taker.trades.revoke(trade.id)
        await asyncio.sleep(5)
        (first,) = world.chain.mempool.values()
        world.taker.servers.rate = rate
        await world.taker.trades.revoke(trade.id)
        await asyncio.sleep(5)
        (second,) = world.chain.mempool.values()
        assert [each.outpoint for each in first.inputs] == [each.outpoint for each in second.inputs]
        assert fee_of(world, second) >= max(rate * second.vsize // 1000, fee_of(world, first) + second.vsize)
        assert world.taker.only().revoke_txid == second.txid
        await buried(world)
        assert world.taker.only().phase == "revoked" and await world.taker.holds_nothing()


@pytest.mark.parametrize("state", ["signatures_out", "exposed", "revoking", "revoked"])
async def test_taking_back_goes_on_after_a_reload(state: str) -> None:
    async with TradeWorld() as world:
        world.taker.store.die_at(entering(state), kept=True)
        world.maker.wallet.delay = 5
        order = await sells_dog(world)
        begun = asyncio.create_task(world.taker.takes(order))
        if state == "signatures_out":
            await world.taker.store.died.wait()
        else:
            await world.maker.until("countersigning")
        await world.maker.stop()
        world.sim.world.kill("maker", silent=True)
        if state in ("revoking", "revoked"):
            await world.taker.until("signatures_out")
            asking = asyncio.create_task(world.taker.trades.revoke(world.taker.only().id))
            if state == "revoked":
                await asking
                await buried(world)
        await world.taker.store.died.wait()
        begun.cancel()
        await world.reload(world.taker)
        if state == "revoking":
            asking.cancel()
        if state in ("signatures_out", "exposed"):
            await world.taker.until("exposed")
            await world.taker.trades.revoke(world.taker.only().id)
        await buried(world)
        assert world.taker.only().phase == "revoked" and await world.taker.holds_nothing()
        await asyncio.gather(begun, return_exceptions=True)


async def test_what_the_network_refuses_is_not_handed_to_the_taker_and_the_maker_takes_its_signature_back() -> None:
    """Else the taker completes it when it likes: in an hour, at the old price."""
    async with TradeWorld() as world:
        for party in (world.maker, world.taker):
            party.servers.rejects = "min relay fee not met, 434 < 435"
        await world.taker.takes(await sells_dog(world))
        view = await world.maker.until("revoking")
        assert view.reason is not None and view.reason.code == "BROADCAST_REJECTED"
        view = await world.taker.until("exposed")
        assert view.reason is not None and view.reason.code == "BROADCAST_REJECTED" and view.can_revoke
        assert view.raw is None, "no whole transaction ever reached the taker"
        assert [event.trade.phase for event in world.maker.events].count("pending") == 0
        for party in (world.maker, world.taker):
            party.servers.rejects = ""
        await buried(world)
        assert world.maker.only().phase == "revoked" and world.taker.only().phase == "failed"
        assert (world.maker.balance(DOG), world.taker.balance()) == (1000, 100_000)
        assert await world.maker.holds_nothing() and await world.taker.holds_nothing()


async def test_what_a_rival_keeps_out_costs_the_maker_nothing_and_is_not_offered_again() -> None:
    async with TradeWorld() as world:
        world.maker.wallet.delay = 5
        await world.taker.takes(await sells_dog(world))
        await world.maker.until("countersigning")
        world.maker.servers.told_spends = dict.fromkeys(await world.taker.coins.reserved(world.taker.only().id))
        await world.taker.trades.revoke(world.taker.only().id)
        view = await world.maker.until("exposed")
        assert view.reason is not None and view.reason.code == "BROADCAST_REJECTED" and view.can_revoke
        assert "The maker" not in view.advice, "it is the maker"
        offered = len(world.maker.servers.offered)
        await asyncio.sleep(60)
        assert len(world.maker.servers.offered) == offered
        world.maker.servers.told_spends = {}
        await world.mined()
        await world.mined(FINALITY_MARGIN_BLOCKS)
        assert (world.maker.only().phase, world.taker.only().phase) == ("failed", "revoked")
        assert await world.maker.holds_nothing()


async def test_final_transaction_goes_to_the_taker_before_the_deadline_when_no_server_answers() -> None:
    async with TradeWorld() as world:
        world.maker.servers.swallows = True
        await world.taker.takes(await sells_dog(world))
        await world.maker.until("broadcasting")
        await asyncio.sleep(25)
        assert world.maker.only().phase == "broadcasting" and world.taker.only().phase == "signatures_out"
        await world.taker.until("pending")
        await asyncio.sleep(1)
        assert len(world.chain.mempool) == 1, "by the taker's servers"
        await buried(world)
        assert world.taker.only().phase == world.maker.only().phase == "settled"


async def test_what_cannot_be_taken_back_is_refused_with_the_reason() -> None:
    async with TradeWorld() as world:
        party: TradingPeer = world.taker
        with pytest.raises(TradeNotFound):
            await party.trades.revoke("ab" * 16)
        trade = await party.takes(await sells_dog(world), review=True)
        with pytest.raises(InvalidArgument, match="no signature to take back"):
            await party.trades.revoke(trade.id)
        party.trades.set_wallet(None)
        with pytest.raises(WalletNotConnected):
            await party.trades.revoke(trade.id)
        party.open_wallet()
        await party.until("reviewing")
        await party.trades.confirm(trade.id)
        await party.until("pending")
        await asyncio.sleep(3)
        with pytest.raises(InvalidArgument, match="left already"):
            await party.trades.cancel(trade.id)
        await world.mined()
        await world.mined(FINALITY_MARGIN_BLOCKS)
        assert (await party.trades.revoke(trade.id)).phase == "settled"
        assert (await party.trades.cancel(trade.id)).phase == "settled"


async def test_a_self_spend_that_the_network_does_not_take_is_told_and_tried_again() -> None:
    async with TradeWorld() as world:
        trade = await exposed(world)
        world.taker.servers.rejects = "mempool full"
        await world.taker.trades.revoke(trade.id)
        await asyncio.sleep(25)
        view = world.taker.only()
        assert view.phase == "revoking" and view.can_revoke
        assert view.reason is not None and view.reason.code == "BROADCAST_REJECTED"
        assert "mempool full" in view.reason.detail
        world.taker.servers.rejects = ""
        await asyncio.sleep(25)
        await world.mined()
        assert "is in a block" in world.taker.only().advice
        await buried(world)
        view = world.taker.only()
        assert view.phase == "revoked" and view.reason is None
