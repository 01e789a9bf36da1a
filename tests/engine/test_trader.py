"""Whole trades between two peers: real messages over simulated sockets, real signatures, a chain in memory."""

from __future__ import annotations

import asyncio

from darkswap_browser.engine.views import TradeStatus
from tests.support.traders import DOG, TradeWorld, sells_dog


async def test_a_rune_is_sold_for_bitcoin_and_both_see_it_completed() -> None:
    async with TradeWorld() as world:
        order = await sells_dog(world)
        trade = await world.taker.takes(order)
        await asyncio.sleep(5)
        assert world.taker.only().phase == world.maker.only().phase == "pending"
        await world.mined()
        taken, made = await world.taker.trader.wait(trade.id), await world.maker.trader.wait(trade.id)
        assert taken.status is made.status is TradeStatus.COMPLETED
        assert taken.txid == made.txid and taken.raw == made.raw
        assert world.taker.balance(DOG) == 600 and world.maker.balance(DOG) == 400
