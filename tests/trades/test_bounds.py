"""Bounds of orders and trades, each on both of its sides."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.concurrency.faults import log_fault
from darkswap_browser.errors import InvalidOrder
from darkswap_browser.market import order_codec
from darkswap_browser.orders.book import OrderBook
from darkswap_browser.settlement.effects import Broadcast, Effect, Send
from darkswap_browser.settlement.events import Event
from darkswap_browser.settlement.states import AwaitingConfirmation, Failed
from darkswap_browser.settlement.terms import Role
from darkswap_browser.storage.orders import MAX_ORDERS, OrderRecord, OrderStatus, order_records
from darkswap_browser.storage.trades import MAX_TRADES, TradeRecord, trade_records
from darkswap_browser.testing.host import SimulatedStore
from darkswap_browser.trades.runner import REBROADCAST_SECONDS, TradeRunner, Work
from tests.market.cases import order, signed
from tests.orders.test_imported_orders import _resigned
from tests.soak.world import DEADLINE, MAKER, START, trade_of
from tests.support import private_sales
from tests.support.trade_world import NETWORK, TradeWorld, TradingPeer, sells_dog


def _never(key: str, why: str) -> None:
    raise AssertionError(f"{key}: {why}")


# --- trades


async def _with_history(world: TradeWorld, most: int) -> list[str]:
    """The taker has `most` ended trades, loaded again, oldest first."""
    view = await world.taker.takes(await sells_dog(world), review=True)
    await world.taker.until("reviewing")
    await world.taker.trades.cancel(view.id)
    await asyncio.sleep(20)
    records = trade_records(world.taker.peer.runtime.store, NETWORK, str(world.taker.peer.id), _never)
    record = (await records.all())[view.id]
    assert record.released
    for number in range(most - 1):
        await records.put(f"{number:032x}", _copy(record, f"{number:032x}", record.updated_at - 2 * most + number))
    await world.reload(world.taker)
    return [f"{number:032x}" for number in range(most - 1)]


def _copy(record: TradeRecord, trade_id: str, at: int) -> TradeRecord:
    trade = replace(record.state.trade, terms=replace(record.state.trade.terms, trade_id=trade_id))
    return replace(record, state=replace(record.state, trade=trade), updated_at=at)


async def _kept(party: TradingPeer) -> set[str]:
    return {view.id for view in party.trades.all()}


@pytest.mark.parametrize("room", [0, 1])
async def test_take_with_all_trades_kept_evicts_the_oldest_and_with_room_none(room: int) -> None:
    async with TradeWorld() as world:
        ids = await _with_history(world, MAX_TRADES - room)
        view = await world.taker.takes(await sells_dog(world), review=True)
        kept = await _kept(world.taker)
        assert len(kept) == MAX_TRADES and view.id in kept
        assert (ids[0] in kept) is bool(room) and ids[1] in kept
        await world.taker.until("reviewing")
        await world.taker.trades.cancel(view.id)
        await asyncio.sleep(10)


async def test_bogus_requests_of_strangers_do_not_wash_out_what_was_traded() -> None:
    async with TradeWorld() as world:
        ids = await _with_history(world, MAX_TRADES)
        records = trade_records(world.taker.peer.runtime.store, NETWORK, str(world.taker.peer.id), _never)
        record = (await records.all())[ids[5]]
        asked = replace(record.state.trade, role=Role.MAKER, own=None, last_sent=None)
        await records.put(ids[5], replace(record, state=Failed(asked, "BAD_SIGNATURE", "no proof")))
        await world.reload(world.taker)
        view = await world.taker.takes(await sells_dog(world), review=True)
        kept = await _kept(world.taker)
        assert ids[0] in kept and ids[5] not in kept and len(kept) == MAX_TRADES
        await world.taker.until("reviewing")
        await world.taker.trades.cancel(view.id)
        await asyncio.sleep(10)


async def test_take_with_all_trades_kept_does_not_evict_one_whose_coins_are_reserved() -> None:
    async with TradeWorld() as world:
        ids = await _with_history(world, MAX_TRADES)
        runtime = world.taker.peer.runtime
        records = trade_records(runtime.store, NETWORK, str(world.taker.peer.id), _never)
        oldest = (await records.all())[ids[0]]
        await records.put(ids[0], replace(oldest, released=False))
        offered = await sells_dog(world)
        taker = world.taker
        await taker.stop()
        taker.store.died.set()
        taker.peer = await world.sim.reload(taker.peer, *taker.listen)
        taker.build()
        # So that no coin can be released meanwhile.
        async with taker.peer.runtime.locks.hold(f"darkswap/coins/{NETWORK}"):
            await taker.start()
            await world.taker.orders.import_text(offered.text)
            taking = asyncio.create_task(world.taker.trades.take(offered.id, review=True))
            await asyncio.sleep(5)
            kept = await _kept(world.taker)
            assert ids[0] in kept and ids[1] not in kept
        view = await taking
        await world.taker.until("reviewing")
        await world.taker.trades.cancel(view.id)
        await asyncio.sleep(10)


class Servers:
    """Broadcasts are taken at once."""

    def __init__(self) -> None:
        self.time = START
        self.sent = 0

    def now(self) -> int:
        return self.time

    async def save(self, record: TradeRecord) -> None: ...

    async def send(self, record: TradeRecord, message: Send) -> None: ...

    async def perform(self, record: TradeRecord, effect: Work) -> Event | None:
        self.sent += isinstance(effect, Broadcast)
        return None

    def perform_now(self, run: TradeRunner, effect: Effect) -> None: ...


async def test_run_broadcasts_again_after_fifteen_seconds_and_not_before() -> None:
    servers = Servers()
    state = AwaitingConfirmation(replace(trade_of(MAKER), txid="ab" * 32, raw=b"settlement"), DEADLINE)
    run = TradeRunner(TradeRecord(state=state, order="", updated_at=START), servers, 4)
    for after, sent in ((0, 1), (REBROADCAST_SECONDS - 1, 1), (REBROADCAST_SECONDS, 2)):
        servers.time = START + after
        run.resume()
        await asyncio.sleep(1)
        assert servers.sent == sent
    await run.stop()


# --- orders


async def test_shelf_with_all_orders_kept_has_no_room_and_with_one_less_it_has() -> None:
    records = order_records(SimulatedStore(), NETWORK, "me", _never)
    book = OrderBook(records, "me", lambda: START, log_fault)
    text = order_codec.encode_text(signed(order()))
    for number in range(MAX_ORDERS):
        if number == MAX_ORDERS - 1:
            book.check_capacity("somebody")
        record = OrderRecord(text=text, status=OrderStatus.FILLED, seq=0, updated_at=0)
        await book.put(f"{number:064x}", record, "created")
    with pytest.raises(InvalidOrder, match="1000"):
        book.check_capacity("somebody")


@pytest.mark.parametrize("beyond", [0, 1, 2**31])
async def test_order_on_an_output_that_does_not_exist_is_not_funded(beyond: int) -> None:
    async with TradeWorld() as world:
        made = order_codec.decode_text((await sells_dog(world)).text).order
        (coin,) = made.funding
        source = world.chain.find(coin.txid)
        assert source is not None
        outpoint = OutPoint(coin.txid, len(source[0].outputs) + beyond)
        text = await _resigned(world.maker, replace(made, funding=(outpoint,)))
        assert (await world.taker.orders.import_text(text)).funded is False


async def test_canceled_private_sale_holds_its_lot_until_the_seventh_confirmation() -> None:
    async with private_sales.world() as there:
        made = await private_sales.sells(there.maker)
        await there.maker.orders.cancel(made.id)
        for blocks in (1, 5):
            await there.mined(blocks, seconds=40)
            assert await private_sales.held(there.maker, made) == [private_sales.lot_of(made)]
        await there.mined(seconds=40)
        assert await private_sales.held(there.maker, made) == []
