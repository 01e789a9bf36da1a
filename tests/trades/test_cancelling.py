"""Every public coroutine of orders and trades, given up at each of its awaits: what it reserved is free, or goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any

import pytest

from darkswap_browser.orders.views import OrderStatus
from darkswap_browser.trades.views import TradeView
from tests.support import private_sales
from tests.support.cancelling import cancel_at, cancel_on_turn
from tests.support.trade_world import BTC, DOG, TradeWorld, TradingPeer, sells_dog

SETTLE = 65.0
"""Seconds: two rounds of the order manager, which puts right what was left half made."""


async def _live(party: TradingPeer) -> TradeView | None:
    live = [view for view in party.trades.all() if not view.status.is_over]
    assert len(live) <= 1
    return live[0] if live else None


async def test_take_cancelled_at_any_await_releases_its_coins_or_goes_on() -> None:
    async with TradeWorld() as world:
        order = await sells_dog(world)
        await world.taker.orders.import_text(order.text)
        for number in count(1):
            outcome = await cancel_at(world.taker.trades.take(order.id, review=True), number)
            await asyncio.sleep(10)
            if (view := await _live(world.taker)) is not None:
                assert view.phase == "reviewing", number
                await world.taker.trades.cancel(view.id)
                await asyncio.sleep(10)
            assert await world.taker.holds_nothing() and await world.maker.holds_nothing(), number
            if not outcome.was_cancelled:
                break
        assert number > 5


async def test_create_cancelled_at_any_await_makes_an_order_or_leaves_nothing() -> None:
    async with TradeWorld() as world:
        for number in count(1):
            outcome = await cancel_at(sells_dog(world), number)
            await asyncio.sleep(SETTLE)
            for view in world.maker.orders.all():
                if view.status is OrderStatus.OPEN:
                    await world.maker.orders.cancel(view.id)
            assert await world.maker.holds_nothing(), number
            if not outcome.was_cancelled:
                break
        assert number > 2


async def test_private_sale_cancelled_at_any_await_reserves_its_lot_only_if_it_is_made() -> None:
    for number in count(1):
        async with private_sales.world() as world:
            outcome = await cancel_at(private_sales.sells(world.maker), number)
            await asyncio.sleep(SETTLE)
            made = world.maker.orders.all()
            store = world.maker.peer.runtime.store
            assert await store.keys("pending-sales/") == [], number
            if made:
                assert await private_sales.held(world.maker, made[0]) == [private_sales.lot_of(made[0])], number
            else:
                assert await world.maker.holds_nothing(), number
                await private_sales.sells(world.maker)
        if not outcome.was_cancelled:
            break
    assert number > 5


async def test_private_sale_cancel_cancelled_at_any_await_can_be_repeated() -> None:
    for number in count(1):
        async with private_sales.world() as world:
            order = await private_sales.sells(world.maker)
            outcome = await cancel_on_turn(world.maker.orders.cancel(order.id), number)
            if private_sales.told(world.maker, order).status is OrderStatus.OPEN:
                await world.maker.orders.cancel(order.id)
            await asyncio.sleep(SETTLE)
            await world.mined(private_sales.BLOCKS, seconds=SETTLE)
            assert private_sales.told(world.maker, order).status is OrderStatus.CANCELED, number
            assert await world.maker.holds_nothing(), number
        if not outcome.was_cancelled:
            break
    assert number > 5


Call = Callable[[TradingPeer, str], Coroutine[Any, Any, TradeView]]
CALLS: dict[str, Call] = {
    "confirm": lambda party, trade_id: party.trades.confirm(trade_id),
    "cancel": lambda party, trade_id: party.trades.cancel(trade_id),
    "wait": lambda party, trade_id: party.trades.wait(trade_id),
}


@pytest.mark.parametrize("name", CALLS)
async def test_call_of_a_trade_cancelled_at_any_await_can_be_repeated(name: str) -> None:
    for number in count(1):
        async with TradeWorld() as world:
            order = await sells_dog(world)
            view = await world.taker.takes(order, review=True)
            await world.taker.until("reviewing")
            call = CALLS[name](world.taker, view.id)
            outcome = await cancel_at(call, number) if name != "wait" else await cancel_at(call, 1)
            await asyncio.sleep(5)
            if name == "cancel":
                assert (await world.taker.trades.cancel(view.id)).phase == "canceled"
                await asyncio.sleep(10)
                assert await world.taker.holds_nothing() and await world.maker.holds_nothing(), number
            else:
                await world.taker.trades.confirm(view.id)
                await world.settles()
                assert (await world.taker.trades.wait(view.id)).phase == "completed", number
        if name == "wait" or not outcome.was_cancelled:
            break


async def test_revoke_cancelled_at_any_await_is_revoked_all_the_same_or_can_be_repeated() -> None:
    for number in count(1):
        async with TradeWorld() as world:
            world.maker.wallet.delay = 500
            view = await world.taker.takes(await sells_dog(world))
            await world.taker.until("signatures_out")
            outcome = await cancel_at(world.taker.trades.revoke(view.id), number)
            await asyncio.sleep(5)
            if world.taker.only().phase != "revoking":
                await world.taker.trades.revoke(view.id)
            await world.mined(8, seconds=100)
            assert world.taker.only().phase == "revoked" and await world.taker.holds_nothing(), number
        if not outcome.was_cancelled:
            break


async def test_import_and_change_cancelled_at_any_await_can_be_repeated() -> None:
    async with TradeWorld() as world:
        order = await sells_dog(world)
        for number in count(1):
            outcome = await cancel_at(world.taker.orders.import_text(order.text), number)
            assert (await world.taker.orders.import_text(order.text)).funded is True, number
            change = await cancel_at(world.maker.orders.update(order.id, quote_atoms=20_000 + number), number)
            changed = await world.maker.orders.update(order.id, quote_atoms=30_000 + number)
            assert changed.quote_atoms == 30_000 + number
            if not outcome.was_cancelled and not change.was_cancelled:
                break
        assert await world.maker.holds_nothing()


@pytest.mark.parametrize("role", ["maker", "taker"])
async def test_stop_cancelled_at_any_await_ends_everything_and_trades_go_on_after_a_restart(role: str) -> None:
    for number in count(1):
        async with TradeWorld() as world:
            party: TradingPeer = getattr(world, role)
            order = await sells_dog(world)
            view = await world.taker.takes(order, review=True)
            await world.taker.until("reviewing")
            before = len(asyncio.all_tasks())
            outcome = await cancel_at(party.trades.stop(), number)
            await asyncio.sleep(1)
            assert len(asyncio.all_tasks()) < before, number
            await world.reload(party)
            await world.taker.trades.confirm(view.id)
            await world.settles()
            assert world.taker.balance(DOG) == 600 and order.quote == BTC, number
        if not outcome.was_cancelled:
            break
