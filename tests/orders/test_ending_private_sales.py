"""How private sales end: bought and buried, undone by a reorganisation, taken back."""

from __future__ import annotations

import asyncio

import pytest

from darkswap_browser.bitcoin.transaction import Transaction, TxInput, TxOutput
from darkswap_browser.errors import InsufficientFunds, InvalidOrder, WalletRejected
from darkswap_browser.market.assets import BTC, Asset
from darkswap_browser.regtest.chain.kernel import kernel_verifies
from darkswap_browser.storage.orders import OrderStatus
from tests.support.private_sales import BLOCKS, held, lot_of, prevouts_of, sells, told, world
from tests.support.trade_world import CAT, DIESEL, DOG

# --- sold, as its maker sees it


async def test_a_lot_stays_reserved_until_its_sale_is_buried() -> None:
    async with world() as there:
        order = await sells(there.maker)
        assert await held(there.maker, order) == [lot_of(order)]
        await there.reload(there.maker)
        assert await held(there.maker, order) == [lot_of(order)]
        with pytest.raises(InsufficientFunds):
            await there.maker.offers(DOG, 1, BTC, 1_000)
        await there.taker.takes(order)
        await there.taker.until("pending")
        await asyncio.sleep(40)
        assert told(there.maker, order).status is OrderStatus.OPEN  # what waits in a mempool may be replaced
        await there.mined(seconds=40)
        view = told(there.maker, order)
        assert (view.status, view.filled_atoms, view.remaining_atoms) == (OrderStatus.FILLED, 1000, 0)
        assert [event.kind for event in there.maker.order_events][-1] == "filled"
        assert await held(there.maker, order) == [lot_of(order)]
        await there.mined(BLOCKS, seconds=40)
        assert await held(there.maker, order) == [] and told(there.maker, order).status is OrderStatus.FILLED


async def test_a_sale_that_a_reorganisation_undoes_stands_again() -> None:
    async with world() as there:
        order = await sells(there.maker)
        await there.taker.takes(order)
        txid = (await there.taker.until("pending")).txid or ""
        await there.mined(seconds=40)
        assert told(there.maker, order).status is OrderStatus.FILLED
        there.chain.reorg(1, without=[txid])
        there.chain.mempool.clear()
        there.taker.servers.rejects = "not now"
        await asyncio.sleep(40)
        view = told(there.maker, order)
        assert (view.status, view.remaining_atoms) == (OrderStatus.OPEN, 1000)
        assert await held(there.maker, order) == [lot_of(order)]


async def test_the_signature_outlives_the_order_and_whoever_kept_it_can_still_buy() -> None:
    async with world() as there:
        order = await sells(there.maker, expires_in=500)
        await there.taker.takes(order, review=True)
        await there.taker.until("reviewing")
        await asyncio.sleep(260)
        await there.taker.trades.confirm(there.taker.only().id)
        await there.taker.until("pending")
        await asyncio.sleep(300)
        assert told(there.maker, order).status is OrderStatus.EXPIRED
        assert await held(there.maker, order) == [lot_of(order)]
        late = await there.party("late", "ws")
        with pytest.raises(InvalidOrder, match="expires_at"):
            await late.orders.import_text(order.text)
        await there.mined(seconds=40)
        assert told(there.maker, order).status is OrderStatus.FILLED


# --- taken back


@pytest.mark.parametrize("base", [DOG, DIESEL], ids=["rune", "alkane"])
async def test_a_sale_is_taken_back_by_spending_its_coin_to_ourselves(base: Asset) -> None:
    async with world() as there:
        if base is DIESEL:
            there.maker.give(546, DIESEL, 1000)
        order = await sells(there.maker, base=base)
        before = there.maker.balance()
        view = await there.maker.orders.cancel(order.id)
        assert view.status is OrderStatus.CANCELED and not view.is_active
        ((txid, tx),) = there.chain.mempool.items()
        assert view.cancel_txid == txid and lot_of(order) in [each.outpoint for each in tx.inputs]
        assert kernel_verifies(tx, prevouts_of(there, tx))
        await there.mined(seconds=40)
        fee = sum(each.sats for each in prevouts_of(there, tx)) - sum(each.sats for each in tx.outputs)
        assert (there.maker.balance(base), there.maker.balance()) == (1000, before - fee) and fee > 0
        assert await held(there.maker, order) == [lot_of(order)]
        with pytest.raises(InvalidOrder, match="is over already"):
            await there.maker.orders.cancel(order.id)
        await there.mined(BLOCKS, seconds=40)
        assert await there.maker.holds_nothing() and told(there.maker, order).status is OrderStatus.CANCELED
        assert told(there.maker, order).cancel_txid is None
        again = await sells(there.maker, base=base)
        await there.taker.orders.import_text(order.text)
        with pytest.raises(InvalidOrder, match="no coins behind it"):
            await there.taker.trades.take(order.id)
        await there.taker.takes(again)
        await there.taker.until("pending")


async def test_until_the_spend_is_in_a_block_a_sale_can_still_be_completed() -> None:
    async with world() as there:
        order = await sells(there.maker)
        await there.maker.orders.cancel(order.id)
        ((mine, _),) = there.chain.mempool.items()
        there.taker.servers.hidden = {mine}
        there.taker.servers.told_spends[lot_of(order)] = None
        await there.taker.takes(order, rate=50_000, max_fee=50_000)
        await there.taker.until("pending")
        await asyncio.sleep(1)
        assert mine not in there.chain.mempool
        there.taker.servers.told_spends.clear()
        await there.mined(seconds=40)
        view = told(there.maker, order)
        assert (view.status, view.filled_atoms) == (OrderStatus.FILLED, 1000)
        await there.mined(BLOCKS, seconds=40)
        assert await there.maker.holds_nothing()


async def test_a_sale_that_is_being_bought_is_not_taken_back() -> None:
    async with world() as there:
        order = await sells(there.maker)
        await there.taker.takes(order)
        txid = (await there.taker.until("pending")).txid
        await asyncio.sleep(1)
        with pytest.raises(InvalidOrder, match=f"being bought now, by {txid}"):
            await there.maker.orders.cancel(order.id)
        assert told(there.maker, order).status is OrderStatus.OPEN


async def test_taking_back_is_done_again_with_a_higher_fee_and_over_reloads() -> None:
    async with world() as there:
        order = await sells(there.maker)
        there.maker.servers.rate = 1_000
        await there.maker.orders.cancel(order.id)
        ((first, low),) = there.chain.mempool.items()
        there.chain.mempool.clear()
        await there.reload(there.maker)
        await asyncio.sleep(40)
        assert list(there.chain.mempool) == [first]
        view = await there.maker.orders.cancel(order.id)
        ((second, high),) = there.chain.mempool.items()
        assert second == view.cancel_txid != first
        assert sum(each.sats for each in high.outputs) < sum(each.sats for each in low.outputs)
        await there.mined(1 + BLOCKS, seconds=40)
        assert there.maker.balance(DOG) == 1000 and await there.maker.holds_nothing()


@pytest.mark.parametrize("kept", [True, False], ids=["after", "before"])
async def test_a_page_that_dies_while_it_takes_a_sale_back_goes_on_or_begins_again(kept: bool) -> None:
    async with world() as there:
        maker = there.maker
        order = await sells(maker)
        maker.store.die_at(lambda name, _: name.startswith("orders/"), kept=kept)
        canceling = asyncio.create_task(maker.orders.cancel(order.id))
        await maker.store.died.wait()
        await there.reload(maker)
        canceling.cancel()
        await asyncio.wait((canceling,))
        await asyncio.sleep(40)
        assert len(there.chain.mempool) == kept
        if not kept:
            assert told(maker, order).status is OrderStatus.OPEN
            await maker.orders.cancel(order.id)
        (spend,) = there.chain.mempool.values()
        assert len(await maker.coins.reserved(f"cancel {order.id}")) == len(spend.inputs) - 1
        await there.mined(1 + BLOCKS, seconds=40)
        assert maker.balance(DOG) == 1000 and await maker.holds_nothing()


async def test_an_expired_sale_is_taken_back_too() -> None:
    async with world() as there:
        order = await sells(there.maker, expires_in=10)
        await asyncio.sleep(40)
        assert told(there.maker, order).status is OrderStatus.EXPIRED
        await there.maker.orders.cancel(order.id)
        await there.mined(1 + BLOCKS, seconds=40)
        assert told(there.maker, order).status is OrderStatus.CANCELED and await there.maker.holds_nothing()


async def test_taking_back_needs_bitcoin_for_its_fee_and_leaves_all_as_it_was_without() -> None:
    async with world() as there:
        seller = await there.party("seller", "ws")
        seller.give(546, CAT, 5)
        order = await sells(seller, 5, CAT)
        with pytest.raises(InsufficientFunds):
            await seller.orders.cancel(order.id)
        assert told(seller, order).status is OrderStatus.OPEN and await held(seller, order) == [lot_of(order)]
        seller.give(20_000)
        seller.wallet.refuses = True
        with pytest.raises(WalletRejected):
            await seller.orders.cancel(order.id)
        assert told(seller, order).status is OrderStatus.OPEN
        assert (await seller.coins.balances())[0].reserved == 0
        seller.wallet.refuses = False
        await seller.orders.cancel(order.id)


async def test_a_lot_that_its_owner_spends_elsewhere_ends_the_sale() -> None:
    async with world() as there:
        order = await sells(there.maker)
        output = there.chain.find(lot_of(order).txid)
        assert output is not None
        spend = Transaction((TxInput(lot_of(order), witness=(b"x",)),), (TxOutput(9_000, b"\x51"),))
        there.chain.accept(spend.serialize())
        await there.mined(seconds=40)
        assert told(there.maker, order).status is OrderStatus.UNFUNDED
        await there.mined(BLOCKS, seconds=40)
        assert await there.maker.holds_nothing()
