"""Trades that go well: every kind of pair, both directions, whole orders and parts of them."""

from __future__ import annotations

import asyncio

import pytest

from darkswap_browser.errors import InvalidArgument, InvalidOrder
from darkswap_browser.market.assets import BTC, Asset
from darkswap_browser.market.orders import FeeRule, Side
from darkswap_browser.settlement.machine import FINALITY_MARGIN_BLOCKS
from darkswap_browser.storage.orders import OrderStatus
from darkswap_browser.trades.views import TradeState, TradeStatus
from tests.support.trade_world import CAT, DIESEL, DOG, TradeWorld, TradingPeer, sells_dog

# Pairs of one kind in both orders of their ids: edicts stand by id in the runestone, whatever is base.
PAIRS = [(DOG, BTC), (DIESEL, BTC), (BTC, CAT), (DOG, CAT), (CAT, DOG), (DOG, DIESEL), (DIESEL, CAT)]
ATOMS = {BTC: 20_000, DOG: 600, CAT: 5, DIESEL: 2**70}


def _equip(party: TradingPeer, asset: Asset, more: int) -> None:
    """With a coin that holds what is traded and `more`, and bitcoin for the fee."""
    party.give(60_000)
    if asset != BTC:
        party.give(3_000, asset, ATOMS[asset] + more)


def _holds(party: TradingPeer) -> dict[Asset, int]:
    return {asset: party.balance(None if asset == BTC else asset) for asset in ATOMS}


@pytest.mark.parametrize("more", [0, 37], ids=["exact", "change"])
@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize(("base", "quote"), PAIRS, ids=lambda asset: str(asset))
async def test_both_sides_get_what_the_order_says_and_pay_what_they_were_shown(
    base: Asset, quote: Asset, side: Side, more: int
) -> None:
    async with TradeWorld() as world:
        maker, taker = world.maker, world.taker
        given, got = (base, quote) if side is Side.SELL else (quote, base)
        _equip(maker, given, more)
        _equip(taker, got, more)
        before = {party: _holds(party) for party in (maker, taker)}
        order = await maker.offers(base, ATOMS[base], quote, ATOMS[quote], side=side)
        trade = await taker.takes(order)
        await taker.until("pending")
        effects = {party: party.trades.effect(trade.id) for party in (maker, taker)}
        await world.mined()
        fees = 0
        for party, gives, gets in ((maker, given, got), (taker, got, given)):
            assert party.only().status is TradeStatus.COMPLETED
            effect, after = effects[party], _holds(party)
            assert effect is not None
            assert (dict(effect.gives), dict(effect.gets)) == ({gives: ATOMS[gives]}, {gets: ATOMS[gets]})
            assert not effect.lost
            fees += effect.fee_sats
            for asset in ATOMS:
                moved = (
                    (asset == gets) * ATOMS[asset] - (asset == gives) * ATOMS[asset] - (asset == BTC) * effect.fee_sats
                )
                assert after[asset] - before[party][asset] == moved
        raw = maker.only().raw
        assert raw is not None and raw == taker.only().raw
        assert fees > 0


async def test_both_views_tell_one_trade_from_its_two_sides() -> None:
    async with TradeWorld() as world:
        order = await sells_dog(world)
        began = int(world.maker.peer.runtime.clock.now())
        trade = await world.taker.takes(order)
        await asyncio.sleep(1)  # so that the times of its beginning and of its end are two
        await world.settles()
        taken, made = await world.taker.trades.wait(trade.id), await world.maker.trades.wait(trade.id)
        for name in ("id", "order_id", "maker", "taker", "base", "base_atoms", "quote", "quote_atoms", "side", "txid"):
            assert getattr(taken, name) == getattr(made, name), name
        assert (taken.peer, made.peer) == (str(world.maker.peer.id), str(world.taker.peer.id))
        assert (taken.maker, taken.taker) == (taken.peer, made.peer)
        assert (taken.state, taken.fee_rate, taken.raw) == (TradeState.COMPLETED, made.fee_rate, made.raw)
        for view in (taken, made):
            assert view.completed_at is not None
            assert began <= view.created_at < view.completed_at <= view.updated_at
            assert (view.confirmations, view.reason, view.expires_at) == (1, None, None)
            assert not (view.can_cancel or view.can_confirm or view.can_revoke)


async def test_events_come_in_order_and_the_good_end_is_told_once() -> None:
    async with TradeWorld() as world:
        await world.taker.takes(await sells_dog(world))
        await world.settles()
        await world.mined(FINALITY_MARGIN_BLOCKS)
        for party, phases in (
            (world.taker, ["requesting", "verifying", "signing", "signatures_out", "pending", "completed", "settled"]),
            (
                world.maker,
                ["validating", "offered", "countersigning", "broadcasting", "pending", "completed", "settled"],
            ),
        ):
            told = [event.trade.phase for event in party.events]
            assert list(dict.fromkeys(told)) == phases
            kinds = [event.kind for event in party.events]
            assert kinds[0] == "created" and kinds.count("created") == 1
            assert [event.trade.phase for event in party.events if event.kind == "completed"] == ["completed"]
            assert set(kinds) == {"created", "updated", "completed"}


async def test_coins_are_reserved_until_no_reorganisation_can_undo_the_trade() -> None:
    async with TradeWorld() as world:
        trade = await world.taker.takes(await sells_dog(world))
        await world.taker.until("pending")
        for party in (world.taker, world.maker):
            assert await party.reserved(trade.id) > 0
        await world.mined(FINALITY_MARGIN_BLOCKS)
        assert world.taker.only().phase == world.maker.only().phase == "completed"
        assert await world.taker.reserved(trade.id) > 0
        await world.mined()
        for party in (world.taker, world.maker):
            assert (party.only().phase, party.only().confirmations) == ("settled", 1 + FINALITY_MARGIN_BLOCKS)
            assert await party.holds_nothing()


async def test_a_whole_order_is_filled_and_cannot_be_taken_again() -> None:
    async with TradeWorld() as world:
        order = await sells_dog(world)
        await world.taker.takes(order)
        await world.taker.until("pending")
        view = world.maker.orders.get(order.id)
        assert view is not None
        assert (view.remaining_atoms, view.filled_atoms, view.is_active) == (0, 0, False)
        await world.mined()
        view = world.maker.orders.get(order.id)
        assert view is not None
        assert (view.status, view.filled_atoms, view.is_active) == (OrderStatus.FILLED, 600, False)
        assert [event.kind for event in world.maker.order_events][-1] == "filled"
        await world.taker.orders.refresh_funding(order.id)
        with pytest.raises(InvalidOrder, match="no coins behind it"):
            await world.taker.trades.take(order.id)


async def test_two_takers_take_their_parts_of_one_order_one_after_the_other() -> None:
    async with TradeWorld() as world:
        third = await world.party("third", "ws")
        third.give(100_000)
        order = await sells_dog(world, min_fill=100)
        await world.taker.takes(order, 200)
        await world.settles()
        await asyncio.sleep(60)
        view = world.maker.orders.get(order.id)
        assert view is not None
        assert (view.remaining_atoms, view.filled_atoms, view.status) == (400, 200, OrderStatus.OPEN)
        assert view.seq > order.seq, "other coins stand behind it now"
        await third.takes(view, 400)
        await third.until("pending")
        await world.mined()
        assert third.only().status is TradeStatus.COMPLETED
        assert (world.taker.balance(DOG), third.balance(DOG), world.maker.balance(DOG)) == (200, 400, 400)
        view = world.maker.orders.get(order.id)
        assert view is not None and view.status is OrderStatus.FILLED
        assert world.taker.only().quote_atoms + third.only().quote_atoms == 30_000


async def test_two_takers_take_parts_at_once_when_there_are_coins_for_both() -> None:
    async with TradeWorld() as world:
        third = await world.party("third", "ws")
        third.give(100_000)
        world.maker.give(10_000, DOG, 300)
        world.maker.give(50_000)
        order = await sells_dog(world, min_fill=100)
        await asyncio.gather(world.taker.takes(order, 300), third.takes(order, 300))
        for party in (world.taker, third):
            await party.until("pending")
        await world.mined()
        assert {party.only().status for party in (world.taker, third)} == {TradeStatus.COMPLETED}
        view = world.maker.orders.get(order.id)
        assert view is not None and view.status is OrderStatus.FILLED


async def test_less_than_the_least_part_or_more_than_all_is_not_even_asked_for() -> None:
    async with TradeWorld() as world:
        order = await sells_dog(world, min_fill=100)
        for fill in (99, 601, 0, -5):
            with pytest.raises(InvalidOrder) as refused:
                await world.taker.takes(order, fill)
            assert refused.value.path == "amount"
        assert world.maker.trades.all() == [] and await world.taker.holds_nothing()


async def test_with_review_nothing_is_signed_before_it_is_confirmed() -> None:
    async with TradeWorld() as world:
        trade = await world.taker.takes(await sells_dog(world), review=True)
        view = await world.taker.until("reviewing")
        assert view.can_confirm and view.state is TradeState.TAKER_PSBT_SENT
        assert ("review", "active") in view.steps
        effect = world.taker.trades.effect(trade.id)
        assert effect is not None and effect.gets == {DOG: 600} and effect.gives == {BTC: 30_000}
        await asyncio.sleep(50)
        assert world.taker.wallet.signed == [] and world.taker.only().phase == "reviewing"
        await world.taker.trades.confirm(trade.id)
        await world.taker.trades.confirm(trade.id)
        await world.taker.until("pending")
        await world.mined()
        assert world.taker.only().status is TradeStatus.COMPLETED
        assert len(world.taker.wallet.signed) == 1
        with pytest.raises(InvalidArgument):
            await world.mined(FINALITY_MARGIN_BLOCKS)
            await world.taker.trades.confirm(trade.id)


async def test_a_review_that_nobody_answers_runs_out_with_nothing_signed() -> None:
    async with TradeWorld() as world:
        trade = await world.taker.takes(await sells_dog(world), review=True)
        view = await world.taker.trades.wait(trade.id)
        assert (view.phase, view.status) == ("expired", TradeStatus.FAILED)
        await asyncio.sleep(5)
        assert world.taker.wallet.signed == world.maker.wallet.signed == []
        assert await world.taker.holds_nothing() and await world.maker.holds_nothing()


async def test_the_taker_pays_all_fees_where_the_order_says_so() -> None:
    async with TradeWorld() as world:
        before = world.maker.balance()
        order = await sells_dog(world, fee_rule=FeeRule.TAKER_PAYS)
        trade = await world.taker.takes(order, rate=6_000)
        await world.settles()
        made, taken = world.maker.trades.effect(trade.id), world.taker.trades.effect(trade.id)
        assert made is not None and taken is not None
        assert (made.fee_sats, taken.fee_sats > 500) == (0, True)
        assert world.maker.balance() == before + 30_000


async def test_the_fee_rate_is_todays_or_the_takers_and_never_beyond_what_is_accepted() -> None:
    async with TradeWorld() as world:
        order = await sells_dog(world)
        for rate in (999, 500_001):
            with pytest.raises(InvalidArgument) as refused:
                await world.taker.takes(order, rate=rate)
            assert refused.value.path == "fee_rate"
        world.taker.servers.rate = 7_000
        trade = await world.taker.takes(order)
        assert trade.fee_rate == 7_000


async def test_nobody_takes_an_order_of_his_own() -> None:
    async with TradeWorld() as world:
        order = await sells_dog(world)
        with pytest.raises(InvalidOrder, match="your own"):
            await world.maker.trades.take(order.id)
