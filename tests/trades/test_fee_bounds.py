"""What each side pays the miners at most, and how long a price stands still."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from darkswap_browser.errors import InvalidArgument, InvalidOrder
from darkswap_browser.market import order_codec
from darkswap_browser.market.assets import BTC
from darkswap_browser.market.orders import MAX_FEE
from darkswap_browser.settlement.machine import TRAVEL_SECONDS
from darkswap_browser.settlement.messages import TakeAccept
from tests.support.attacker import attacker
from tests.support.trade_world import CAT, DOG, TradeWorld, sells_dog
from tests.trades.test_revoking import fee_of


async def test_maker_who_sells_in_parts_on_a_quiet_day_is_never_paid_less_than_nothing() -> None:
    """Each part of 3,000 sats cost its maker 3,605 sats in fees at the taker's 20 sat/vB."""
    async with TradeWorld() as world:
        for party in (world.maker, world.taker):
            party.servers.rate = 1_000
        order = await sells_dog(world, 1000, 30_000, min_fill=100)
        assert order.max_fee_sats == 960
        trade = await world.taker.takes(order, 100, 20_000, max_fee=50_000)
        view = await world.taker.trades.wait(trade.id)
        assert view.reason is not None and view.reason.code == "FEE_RANGE"
        assert world.maker.wallet.signed == [] and await world.maker.holds_nothing()
        await asyncio.sleep(120)
        before = world.maker.balance()
        await world.taker.takes(order, 100)
        await world.settles()
        assert world.maker.balance() > before


async def test_maker_bound_by_default_is_a_tenth_of_the_least_part_or_thrice_what_it_costs_today() -> None:
    async with TradeWorld() as world:
        world.maker.servers.rate = 1_000
        assert (await sells_dog(world, 600, 30_000)).max_fee_sats == 3_000
        assert (await sells_dog(world, 600, 30_000, min_fill=300)).max_fee_sats == 1_500
        assert (await sells_dog(world, 600, 30_000, min_fill=60)).max_fee_sats == 960
        assert (await sells_dog(world, 600, 30_000, max_fee_sats=7)).max_fee_sats == 7
        assert (await world.maker.offers(DOG, 600, CAT, 5)).max_fee_sats == 960
        assert (await world.maker.offers(DOG, 600, BTC, 10**12)).max_fee_sats == MAX_FEE


async def test_order_that_names_its_bound_is_made_also_where_nobody_tells_the_fee_rate() -> None:
    async with TradeWorld() as world:
        asked = world.maker.servers.asked
        await sells_dog(world, max_fee_sats=900)
        assert "fee_rate" not in asked
        await sells_dog(world)
        assert "fee_rate" in asked


async def test_taker_pays_no_more_than_a_quarter_of_the_trade_unless_it_says_so() -> None:
    async with TradeWorld() as world:
        world.taker.give(200_000)
        order = await sells_dog(world, 600, 10_000, max_fee_sats=500_000)
        with pytest.raises(InvalidArgument) as refused:
            await world.taker.takes(order, rate=100_000)
        assert refused.value.path == "max_fee_sats" and "is 2500" in refused.value.reason and refused.value.hint
        assert await world.taker.holds_nothing() and world.maker.trades.all() == []
        await world.taker.takes(order, rate=100_000, max_fee=60_000)
        await world.settles()


async def test_taker_bound_is_checked_again_on_the_very_transaction() -> None:
    """What the coins alone cost is below it, what the whole transaction costs is not."""
    async with TradeWorld() as world:
        order = await sells_dog(world, max_fee_sats=50_000)
        trade = await world.taker.takes(order, rate=20_000, max_fee=2_500)
        view = await world.taker.trades.wait(trade.id)
        assert view.reason is not None and view.reason.code == "V8" and "at most 2500" in view.reason.detail
        await asyncio.sleep(1)
        assert world.taker.wallet.signed == [] and await world.taker.holds_nothing()


async def test_settlement_is_of_version_3_and_pays_what_both_sides_agreed_to() -> None:
    async with TradeWorld() as world:
        order = await sells_dog(world)
        trade = await world.taker.takes(order)
        for party in (world.maker, world.taker):
            await party.until("pending")
        await asyncio.sleep(1)
        (made,) = world.chain.mempool.values()
        assert made.version == 3
        effects = [party.trades.effect(trade.id) for party in (world.maker, world.taker)]
        assert fee_of(world, made) == sum(each.fee_sats for each in effects if each is not None)


# --- time


async def test_price_stands_still_for_the_time_that_the_maker_gives_and_no_longer() -> None:
    async with TradeWorld() as world:
        order = await sells_dog(world, signing_seconds=30)
        await world.taker.takes(order, review=True)
        await world.taker.until("reviewing")
        await asyncio.sleep(29)
        assert world.maker.only().phase == "offered"
        await asyncio.sleep(20)
        assert (world.maker.only().phase, world.taker.only().phase) == ("canceled", "expired")
        assert await world.maker.holds_nothing()


async def test_taker_who_says_nothing_holds_the_makers_coins_no_longer_than_the_maker_gives() -> None:
    async with TradeWorld() as world:
        eve = await attacker(world)
        order = await sells_dog(world, signing_seconds=30)
        await eve.open(world.maker)
        terms, request = await eve.request(order)
        await eve.say(terms.trade_id, 1, request)
        assert isinstance(await eve.hears(), TakeAccept)
        await asyncio.sleep(30 + TRAVEL_SECONDS + 2)
        assert world.maker.only().phase == "expired" and await world.maker.holds_nothing()


async def test_deadline_beyond_the_end_of_the_order_is_refused_and_ours_never_is() -> None:
    async with TradeWorld() as world:
        order = await sells_dog(world, expires_in=60)
        trade = await world.taker.takes(order, review=True)
        assert world.taker.trades._driver.run(trade.id).state.trade.terms.deadline == order.expires_at
        await world.taker.trades.cancel(trade.id)
        await asyncio.sleep(20)
        eve = await attacker(world)
        await eve.open(world.maker)
        terms, request = await eve.request(order)
        made = order_codec.decode_text(order.text).order
        assert terms.deadline == made.expires_at
        await eve.say(terms.trade_id, 1, replace(request, deadline=terms.deadline + 1))
        assert await eve.hears_code() == "TIMEOUT"


async def test_order_whose_time_is_over_is_not_countersigned() -> None:
    async with TradeWorld() as world:
        order = await sells_dog(world, expires_in=40)
        world.taker.wallet.delay = 35
        await world.taker.takes(order)
        await world.maker.until("offered")
        await asyncio.sleep(60)
        assert world.maker.wallet.signed == [] and world.chain.mempool == {}


async def test_rest_that_nobody_could_take_is_not_left() -> None:
    async with TradeWorld() as world:
        order = await sells_dog(world, 1000, 30_000, min_fill=100)
        with pytest.raises(InvalidOrder, match="leaves a rest that nobody can take"):
            await world.taker.takes(order, 985)
        await world.taker.takes(order, 980)
        await world.settles()
        await asyncio.sleep(40)
        rest = world.maker.orders.get(order.id)
        assert rest is not None and rest.remaining_atoms == 20
        third = await world.party("third", "ws")
        third.give(100_000)
        await third.orders.import_text(rest.text)
        trade = await third.trades.take(order.id)
        assert trade.base_atoms == 20 and trade.quote == BTC
        await third.until("pending")
