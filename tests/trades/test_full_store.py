"""A store that takes no more: what is asked for fails or works at once, what happened is kept as soon as it can be."""

from __future__ import annotations

import asyncio

import pytest

from darkswap_browser.errors import StorageError, StorageFull
from tests.support.trade_world import TradeWorld, sells_dog


async def _reviewing(world: TradeWorld) -> str:
    """Id of a trade that waits for its taker to confirm it."""
    order = await sells_dog(world)
    view = await world.taker.takes(order, review=True)
    await world.taker.until("reviewing")
    return view.id


async def test_cancel_on_a_full_store_behind_an_event_that_cannot_be_kept_works_at_once() -> None:
    async with TradeWorld() as world:
        trade_id = await _reviewing(world)
        world.taker.store.full = True
        await world.maker.trades.cancel(world.maker.only().id, "changed my mind")
        await asyncio.sleep(30)
        assert world.taker.only().phase == "reviewing" and world.taker.store_trouble == ["STORAGE_FULL"]
        async with asyncio.timeout(1):
            assert (await world.taker.trades.cancel(trade_id)).phase == "canceled"
        world.taker.store.full = False
        await asyncio.sleep(20)
        assert await world.taker.holds_nothing()
        await world.reload(world.taker)
        assert world.taker.only().phase == "canceled"


async def test_cancel_on_a_full_store_holds_after_a_restart() -> None:
    async with TradeWorld() as world:
        trade_id = await _reviewing(world)
        world.taker.store.full = True
        await world.taker.trades.cancel(trade_id)
        await world.reload(world.taker)
        await asyncio.sleep(1000)
        assert world.taker.trades.all() == [] and not world.taker.wallet.settled


async def test_confirm_on_a_full_store_fails_at_once_and_works_when_there_is_room() -> None:
    async with TradeWorld() as world:
        trade_id = await _reviewing(world)
        world.taker.store.full = True
        async with asyncio.timeout(1):
            with pytest.raises(StorageFull):
                await world.taker.trades.confirm(trade_id)
        assert not world.taker.wallet.settled
        world.taker.store.full = False
        await world.taker.trades.confirm(trade_id)
        await world.settles()
        assert world.taker.only().phase == "completed"


async def test_cancel_on_a_store_that_is_gone_fails_at_once_and_can_be_repeated() -> None:
    async with TradeWorld() as world:
        trade_id = await _reviewing(world)
        world.taker.store.broken = True
        for _ in range(2):
            async with asyncio.timeout(1):
                with pytest.raises(StorageError):
                    await world.taker.trades.cancel(trade_id)
        assert world.taker.store_trouble == ["STORAGE"]
        world.taker.store.broken = False
        assert (await world.taker.trades.cancel(trade_id)).phase == "canceled"
        await asyncio.sleep(10)
        assert await world.taker.holds_nothing()
