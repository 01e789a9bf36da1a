"""Trades that end before a signature leaves: canceled by either side, run out, or stopped with the page."""

from __future__ import annotations

import asyncio

import pytest

from darkswap_browser.errors import InvalidArgument, NoAddress, ObjectClosed, StorageError, TooManyRequests
from darkswap_browser.net.limits import Limits
from darkswap_browser.settlement.machine import FINALITY_MARGIN_BLOCKS
from darkswap_browser.trades.runner import MAX_SLEEP_SECONDS
from darkswap_browser.trades.views import TradeStatus
from tests.support.trade_world import DOG, TradeWorld, TradingPeer, sells_dog


async def _free(world: TradeWorld) -> None:
    await asyncio.sleep(2)
    for party in (world.maker, world.taker):
        assert await party.holds_nothing() and party.wallet.signed == []
    assert world.chain.mempool == {}


async def _paused_at(world: TradeWorld, phase: str) -> str:
    """A trade that stays in `phase`: id of it."""
    order = await sells_dog(world)
    await world.taker.orders.import_text(order.text)
    match phase:
        case "requesting" | "validating":
            world.maker.servers.delay = 30
        case "verifying":
            world.taker.trades.subscribe(
                lambda event: setattr(world.taker.servers, "delay", 30 * (event.trade.phase == "verifying"))
            )
        case "signing" | "offered":
            world.taker.wallet.delay = 1_000
    trade = await world.taker.trades.take(order.id, review=phase == "reviewing")
    party: TradingPeer = world.maker if phase in ("validating", "offered") else world.taker
    await party.until(phase)
    await asyncio.sleep(1)
    return trade.id


@pytest.mark.parametrize("phase", ["requesting", "verifying", "reviewing", "signing", "validating", "offered"])
async def test_either_side_may_leave_until_its_signature_has_left(phase: str) -> None:
    async with TradeWorld() as world:
        trade_id = await _paused_at(world, phase)
        leaves, other = (world.maker, world.taker) if phase in ("validating", "offered") else (world.taker, world.maker)
        assert leaves.only().can_cancel
        view = await leaves.trades.cancel(trade_id, "I must go")
        assert (view.phase, view.status, view.can_cancel) == ("canceled", TradeStatus.CANCELED, False)
        assert view.reason is not None and view.reason.detail == "You canceled it."
        assert view.advice == "Nothing that was signed left this device. Your coins are free."
        told = await other.until("canceled")
        assert told.reason is not None and told.reason.code == "USER_REJECTED"
        assert told.reason.detail.endswith("It was declined. They say: “I must go”")
        assert (await leaves.trades.cancel(trade_id)).phase == "canceled"
        world.taker.wallet.delay = 0
        await _free(world)


@pytest.mark.parametrize(
    ("phase", "code", "words"),
    [
        ("requesting", "TIMEOUT", "The maker did not answer in time."),
        ("verifying", "TIMEOUT", "Checking the transaction took too long."),
        ("reviewing", "TIMEOUT", "It was not signed in time."),
        ("signing", "TIMEOUT", "The wallet did not sign in time."),
    ],
)
async def test_whatever_takes_too_long_for_the_taker_is_given_up(phase: str, code: str, words: str) -> None:
    async with TradeWorld() as world:
        trade_id = await _paused_at(world, phase)
        ends = world.taker.only().expires_at
        view = await world.taker.trades.wait(trade_id)
        assert (view.phase, view.status, view.expires_at) == ("expired", TradeStatus.FAILED, None)
        assert view.reason is not None and (view.reason.code, view.reason.detail) == (code, words)
        assert ends == view.updated_at
        await asyncio.sleep(60)
        assert world.maker.only().phase in ("canceled", "expired")
        await _free(world)


async def test_whatever_takes_too_long_for_the_maker_is_given_up_and_the_taker_is_told() -> None:
    async with TradeWorld() as world:
        world.maker.servers.delay = 7
        world.taker.wallet.sign_seconds = 180.0
        order = await sells_dog(world)
        await world.taker.takes(order)
        made = await world.maker.until("expired")
        assert made.reason is not None and made.reason.detail == "Checking the taker's coins took too long."
        view = await world.taker.trades.wait(world.taker.only().id)
        assert view.reason is not None and view.reason.code == "TIMEOUT"
        await _free(world)


async def test_a_maker_who_cannot_be_reached_is_said_to_be_away_before_anything_is_reserved() -> None:
    async with TradeWorld() as world:
        order = await sells_dog(world)
        await world.taker.orders.import_text(order.text)
        world.parties.remove(world.maker)
        with pytest.raises(NoAddress):
            await world.taker.trades.take(order.id)
        world.parties.append(world.maker)
        assert world.taker.trades.all() == [] and await world.taker.holds_nothing()


async def test_a_maker_without_a_wallet_says_so() -> None:
    async with TradeWorld() as world:
        order = await sells_dog(world)
        world.maker.trades.set_wallet(None)
        await world.taker.takes(order)
        view = await world.taker.until("canceled")
        assert view.reason is not None and view.reason.code == "WALLET_NOT_CONNECTED"
        assert view.reason.detail == "The maker ended it. The maker's wallet is closed."
        assert world.maker.trades.all() == []
        await _free(world)


async def test_a_maker_whose_coins_went_elsewhere_says_so_without_telling_what_it_has() -> None:
    async with TradeWorld() as world:
        order = await sells_dog(world)
        for coin in await world.maker.coins.refresh():
            await world.maker.coins.freeze(coin.utxo.outpoint, True)
        await world.taker.takes(order)
        view = await world.taker.until("canceled")
        assert view.reason is not None
        assert (view.reason.code, view.reason.detail) == (
            "INSUFFICIENT_FUNDS",
            "The maker ended it. There are not enough coins for this trade.",
        )
        made = world.maker.only()
        assert made.phase == "failed" and made.reason is not None and "1000" not in view.reason.detail
        await _free(world)


# --- the page and its store


async def test_who_waits_for_a_trade_of_a_page_that_closes_is_told() -> None:
    async with TradeWorld() as world:
        trade_id = await _paused_at(world, "reviewing")
        waiting = asyncio.create_task(world.taker.trades.wait(trade_id))
        await asyncio.sleep(1)
        await world.taker.stop()
        with pytest.raises(ObjectClosed):
            await waiting
        for call in (world.taker.trades.wait, world.taker.trades.cancel, world.taker.trades.confirm):
            with pytest.raises(ObjectClosed):
                await call(trade_id)
        assert world.taker.only().phase == "reviewing", "what was saved is all that stays"


async def test_no_trade_is_begun_that_cannot_be_kept() -> None:
    async with TradeWorld() as world:
        order = await sells_dog(world)
        await world.taker.orders.import_text(order.text)
        world.taker.store.broken = True
        with pytest.raises(StorageError):
            await world.taker.trades.take(order.id)
        world.taker.store.broken, world.maker.store.broken = False, True
        await world.taker.trades.take(order.id)
        view = await world.taker.until("canceled")
        assert view.reason is not None and view.reason.code == "BUSY"
        world.maker.store.broken = False
        assert world.maker.trades.all() == []
        await _free(world)


async def test_a_step_that_cannot_be_kept_is_taken_when_it_can() -> None:
    async with TradeWorld() as world:
        trade_id = await _paused_at(world, "reviewing")
        world.taker.store.broken = True
        with pytest.raises(StorageError):
            await world.taker.trades.confirm(trade_id)
        assert world.taker.only().phase == "reviewing"
        world.taker.store.broken = False
        world.maker.wallet.delay = 5
        await world.taker.trades.confirm(trade_id)
        await world.maker.until("countersigning")
        world.maker.store.broken = True
        await asyncio.sleep(20)
        assert world.maker.only().phase == "countersigning" and world.chain.mempool == {}
        world.maker.store.broken = False
        await world.settles()
        assert world.taker.balance(DOG) == 600


async def test_a_deadline_that_passes_while_nothing_can_be_kept_still_ends_the_trade() -> None:
    async with TradeWorld() as world:
        await _paused_at(world, "reviewing")
        world.taker.store.broken = True
        await asyncio.sleep(600)
        assert world.taker.only().phase == "reviewing"
        world.taker.store.broken = False
        await world.taker.until("expired", 10)
        await _free(world)


@pytest.mark.parametrize("kept", ["coins/", "pending-takes/"])
async def test_coins_of_a_trade_that_could_not_be_kept_are_free_once_the_store_works_again(kept: str) -> None:
    async with TradeWorld() as world:
        order = await sells_dog(world)
        await world.taker.orders.import_text(order.text)
        store = world.taker.store
        store.watch(lambda key, data: setattr(store, "broken", store.broken or key.startswith(kept)))
        with pytest.raises(StorageError):
            await world.taker.trades.take(order.id)
        assert not await world.taker.holds_nothing()
        store.watch(lambda key, data: None)
        store.broken = False
        await asyncio.sleep(10)
        assert await world.taker.holds_nothing()


async def test_a_part_of_an_order_is_free_again_when_its_trade_could_not_be_kept() -> None:
    async with TradeWorld() as world:
        order = await sells_dog(world)
        store = world.maker.store
        store.watch(lambda key, data: setattr(store, "broken", True))
        await world.taker.takes(order)
        view = await world.taker.until("canceled")
        assert view.reason is not None and view.reason.code == "BUSY" and world.maker.orders.open_fills() != []
        store.watch(lambda key, data: None)
        store.broken = False
        await asyncio.sleep(10)
        assert world.maker.orders.open_fills() == [] and world.maker.trades.all() == []


# --- how many


async def test_so_many_trades_go_on_at_once_and_no_more() -> None:
    async with TradeWorld(limits=Limits(active_trades=2)) as world:
        world.taker.give(100_000)
        world.taker.give(100_000)
        for _ in range(3):
            world.maker.give(10_000, DOG, 100)
        order = await sells_dog(world, 300, 60_000, min_fill=100)
        for _ in range(2):
            await world.taker.takes(order, 100, review=True)
        with pytest.raises(TooManyRequests):
            await world.taker.takes(order, 100)
        third = await world.party("third", "ws")
        third.give(50_000)
        await third.takes(order, 100)
        view = await third.until("canceled")
        assert view.reason is not None and view.reason.code == "BUSY"


async def test_the_history_survives_reloads_newest_first() -> None:
    async with TradeWorld() as world:
        order = await sells_dog(world, min_fill=100)
        trade = await world.taker.takes(order, 300, review=True)
        await world.taker.until("reviewing")
        await world.taker.trades.cancel(trade.id)
        await asyncio.sleep(20)
        again = await world.taker.takes(order, 300)
        await world.settles()
        await world.mined(FINALITY_MARGIN_BLOCKS)
        before = world.taker.trades.all()
        assert [view.id for view in before] == [again.id, trade.id]
        await world.reload(world.taker)
        assert world.taker.trades.all() == before and world.taker.events == []
        with pytest.raises(InvalidArgument, match="this trade is over"):
            await world.taker.trades.confirm(trade.id)


@pytest.mark.parametrize("way", ["direct", "relayed"])
async def test_trade_canceled_right_before_the_node_stops_is_canceled_for_the_maker(way: str) -> None:
    async with TradeWorld() as world:
        if way == "relayed":
            world.maker = await _maker_behind_a_relay(world)
        trade_id = await _paused_at(world, "reviewing")
        await world.maker.until("offered")
        await world.taker.trades.cancel(trade_id)
        await world.taker.stop()
        await world.taker.peer.close()
        await asyncio.sleep(5)
        assert world.maker.only().phase == "canceled"
        await _free(world)


async def test_cancel_that_is_lost_frees_the_part_of_the_order_at_the_deadline() -> None:
    async with TradeWorld() as world:
        trade_id = await _paused_at(world, "reviewing")
        ends = (await world.maker.until("offered")).expires_at
        world.sim.world.kill("taker")
        await world.taker.trades.cancel(trade_id)
        await world.taker.stop()
        view = await world.maker.until("expired")
        assert ends is not None and ends <= view.updated_at <= ends + MAX_SLEEP_SECONDS
        await asyncio.sleep(2)
        assert await world.maker.holds_nothing()


async def _maker_behind_a_relay(world: TradeWorld) -> TradingPeer:
    relay = await world.sim.relay()
    maker = await world.party("far")
    await maker.peer.client.reserve(maker.peer.client.add_relay(relay.address))
    maker.give(10_000, DOG, 1000)
    maker.give(50_000)
    return maker
