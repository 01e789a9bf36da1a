"""Orders as their owner makes, changes, sells in parts and ends them."""

from __future__ import annotations

import asyncio

import pytest

from darkswap_browser.errors import (
    ChainUnreachable,
    InsufficientFunds,
    InvalidOrder,
    OrderNotFound,
    StorageError,
    WalletNotConnected,
)
from darkswap_browser.market.assets import BTC
from darkswap_browser.market.orders import MAX_LIFETIME
from darkswap_browser.orders import book
from darkswap_browser.orders.views import OrderView
from darkswap_browser.storage import codec
from darkswap_browser.storage.orders import ORDER_RECORD, VERSION, OrderStatus
from tests.support.trade_world import CAT, DOG, TradeWorld, TradingPeer, sells_dog


def view_of(party: TradingPeer, order: OrderView) -> OrderView:
    view = party.orders.get(order.id)
    assert view is not None
    return view


# --- our own


async def test_an_order_is_kept_proved_and_told_and_there_after_a_reload() -> None:
    async with TradeWorld() as world:
        made = await sells_dog(world, min_fill=20)
        assert (made.is_local, made.is_active, made.funded, made.status, made.seq) == (
            True,
            True,
            True,
            OrderStatus.OPEN,
            made.created_at,
        )
        assert (made.remaining_atoms, made.filled_atoms, made.expires_at - made.created_at) == (600, 0, 86_400)
        await asyncio.sleep(0)
        assert [event.kind for event in world.maker.order_events] == ["created"]
        assert await world.maker.holds_nothing(), "an order reserves nothing"
        await world.reload(world.maker)
        assert view_of(world.maker, made) == made
        seen = await world.taker.orders.import_text(made.text)
        assert (seen.is_local, seen.funded, seen.is_active, seen.hash) == (False, True, True, made.hash)
        assert await world.taker.orders.import_text(f"Look: https://example.org/#{made.text} !") == seen


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"quote": DOG}, "quote"),
        ({"base_atoms": 0}, "base_atoms"),
        ({"quote_atoms": 545}, "min_fill"),
        ({"min_fill": 601}, "min_fill"),
        ({"min_fill": 1}, "min_fill"),
        ({"expires_in": 0}, "expires_at"),
        ({"expires_in": MAX_LIFETIME + 1}, "expires_at"),
    ],
)
async def test_an_order_that_cannot_be_is_refused_by_its_field(change: dict[str, object], path: str) -> None:
    async with TradeWorld() as world:
        fields: dict[str, object] = {"base": DOG, "atoms": 600, "quote": BTC, "quote_atoms": 30_000}
        renamed = {"base_atoms": "atoms"}
        fields |= {renamed.get(name, name): value for name, value in change.items()}
        with pytest.raises(InvalidOrder) as refused:
            await world.maker.offers(**fields)  # type: ignore[arg-type]
        assert refused.value.path == path
        assert world.maker.orders.all() == []


async def test_an_order_needs_coins_a_wallet_and_the_chain() -> None:
    async with TradeWorld() as world:
        for asset, atoms in ((DOG, 1001), (CAT, 1)):
            with pytest.raises(InsufficientFunds):
                await world.maker.offers(asset, atoms, BTC, 30_000)
        world.maker.servers.down = True
        with pytest.raises(ChainUnreachable):
            await sells_dog(world)
        world.maker.servers.down = False
        world.maker.orders.set_wallet(None, None)
        with pytest.raises(WalletNotConnected):
            await sells_dog(world)
        assert world.maker.orders.all() == [] and await world.maker.holds_nothing()


async def test_a_maker_has_so_many_open_orders_and_no_more() -> None:
    async with TradeWorld() as world:
        first = await sells_dog(world)
        for _ in range(book.MAX_OPEN_PER_MAKER - 1):
            await sells_dog(world)
        with pytest.raises(InvalidOrder, match="one more than"):
            await sells_dog(world)
        await world.maker.orders.cancel(first.id)
        await sells_dog(world)


async def test_a_change_is_another_revision_of_the_same_order() -> None:
    async with TradeWorld() as world:
        made = await sells_dog(world)
        await world.taker.orders.import_text(made.text)
        await asyncio.sleep(10)
        dearer = await world.maker.orders.update(made.id, quote_atoms=40_000, expires_in=3_600)
        assert (dearer.id, dearer.seq, dearer.quote_atoms) == (made.id, made.seq + 10, 40_000)
        assert dearer.hash != made.hash and dearer.expires_at == made.created_at + 10 + 3_600
        paused = await world.maker.orders.update(made.id, paused=True)
        assert (paused.status, paused.is_active, paused.quote_atoms) == (OrderStatus.PAUSED, False, 40_000)
        seen = await world.taker.orders.import_text(paused.text)
        assert (seen.status, seen.seq) == (OrderStatus.PAUSED, made.seq + 11)
        with pytest.raises(InvalidOrder):
            await world.taker.trades.take(made.id)
        assert (await world.taker.orders.import_text(dearer.text)).seq == made.seq + 11, "the older one comes too late"
        opened = await world.maker.orders.update(made.id, paused=False)
        assert (opened.status, opened.seq) == (OrderStatus.OPEN, made.seq + 12)
        with pytest.raises(InvalidOrder) as refused:
            await world.maker.orders.update(made.id, quote_atoms=1)
        assert refused.value.path == "min_fill" and view_of(world.maker, made) == opened


async def test_changes_at_the_same_time_never_share_a_number() -> None:
    async with TradeWorld() as world:
        made = await sells_dog(world)
        changes = [world.maker.orders.update(made.id, quote_atoms=31_000 + number) for number in range(5)]
        revisions = await asyncio.gather(*changes)
        assert [each.seq - made.seq for each in revisions] == [1, 2, 3, 4, 5]
        both = await asyncio.gather(
            world.maker.orders.cancel(made.id), world.maker.orders.update(made.id, paused=True), return_exceptions=True
        )
        assert isinstance(both[1], InvalidOrder) and view_of(world.maker, made).status is OrderStatus.CANCELED
        await world.reload(world.maker)
        assert view_of(world.maker, made).status is OrderStatus.CANCELED


async def test_a_canceled_order_stays_so_for_good() -> None:
    async with TradeWorld() as world:
        made = await sells_dog(world)
        await world.maker.orders.cancel(made.id)
        await world.reload(world.maker)
        assert view_of(world.maker, made).status is OrderStatus.CANCELED
        again = (world.maker.orders.cancel(made.id), world.maker.orders.update(made.id, paused=False))
        for each in again:
            with pytest.raises(InvalidOrder, match="canceled already"):
                await each
        assert (await world.maker.orders.import_text(made.text)).status is OrderStatus.CANCELED


@pytest.mark.parametrize("how", ["canceled", "paused"])
async def test_an_order_ended_while_its_last_part_was_traded_is_not_opened_by_a_trade_that_is_undone(how: str) -> None:
    async with TradeWorld() as world:
        orders = world.maker.orders
        made = await sells_dog(world)
        await orders.reserve_fill(made.id, "aa" * 16, 600)
        ended = await (orders.cancel(made.id) if how == "canceled" else orders.update(made.id, paused=True))
        await orders.complete_fill(made.id, "aa" * 16)
        view = view_of(world.maker, made)
        assert view.filled_atoms == 600
        assert view.status is (OrderStatus.CANCELED if how == "canceled" else OrderStatus.FILLED)
        await orders.release_fill(made.id, "aa" * 16)
        assert view_of(world.maker, made).status is ended.status


async def test_only_its_maker_changes_or_cancels_an_order() -> None:
    async with TradeWorld() as world:
        made = await sells_dog(world)
        await world.taker.orders.import_text(made.text)
        for each in (world.taker.orders.cancel(made.id), world.taker.orders.update(made.id, paused=True)):
            with pytest.raises(InvalidOrder, match="another maker's"):
                await each
        for each in (world.taker.orders.cancel("ab" * 32), world.taker.orders.update("ab" * 32, paused=True)):
            with pytest.raises(OrderNotFound):
                await each


async def test_what_the_store_does_not_keep_did_not_happen() -> None:
    async with TradeWorld() as world:
        made = await sells_dog(world)
        world.maker.store.broken = True
        for each in (
            sells_dog(world),
            world.maker.orders.cancel(made.id),
            world.maker.orders.reserve_fill(made.id, "ab" * 16, 600),
        ):
            with pytest.raises(StorageError):
                await each
        assert world.maker.orders.all() == [made] and world.maker.orders.open_fills() == []
        world.maker.store.broken = False
        assert (await world.maker.orders.cancel(made.id)).status is OrderStatus.CANCELED


# --- parts of it


async def test_of_changes_at_the_same_time_the_newest_record_is_what_stays() -> None:
    async with TradeWorld() as world:
        orders = world.maker.orders
        made = await sells_dog(world, min_fill=20)
        for first in range(0, 10, 2):
            await asyncio.gather(*(orders.reserve_fill(made.id, f"{number:032x}", 20) for number in (first, first + 1)))
            kept = await world.maker.peer.runtime.store.get(f"orders/regtest/{world.maker.peer.id}/{made.id}")
            assert kept is not None
            assert len(codec.decode(ORDER_RECORD, kept, VERSION).fills) == first + 2
            await orders.update(made.id, quote_atoms=30_000 + first)


async def test_parts_are_held_freed_and_filled_and_never_sold_twice() -> None:
    async with TradeWorld() as world:
        orders = world.maker.orders
        made = await sells_dog(world, min_fill=200)
        await asyncio.gather(orders.reserve_fill(made.id, "aa" * 16, 300), orders.reserve_fill(made.id, "bb" * 16, 300))
        await orders.reserve_fill(made.id, "aa" * 16, 300)
        with pytest.raises(InvalidOrder, match="more than is left"):
            await orders.reserve_fill(made.id, "cc" * 16, 200)
        await orders.release_fill(made.id, "bb" * 16)
        await orders.release_fill(made.id, "bb" * 16)
        held = await asyncio.gather(
            *(orders.reserve_fill(made.id, f"{number:032x}", 200) for number in range(4)), return_exceptions=True
        )
        assert [type(each).__name__ for each in held] == ["NoneType", "InvalidOrder", "InvalidOrder", "InvalidOrder"]
        await orders.complete_fill(made.id, "aa" * 16)
        await orders.complete_fill(made.id, "aa" * 16)
        view = view_of(world.maker, made)
        assert (view.remaining_atoms, view.filled_atoms, view.status) == (100, 300, OrderStatus.OPEN)
        await orders.reserve_fill(made.id, "dd" * 16, 100)
        assert [each for _, each in orders.open_fills()] == [f"{0:032x}", "dd" * 16]
        for trade in (f"{0:032x}", "dd" * 16):
            await orders.complete_fill(made.id, trade)
        assert view_of(world.maker, made).status is OrderStatus.FILLED
        await orders.release_fill(made.id, "dd" * 16)
        assert (view_of(world.maker, made).status, view_of(world.maker, made).remaining_atoms) == (
            OrderStatus.OPEN,
            100,
        )
