"""Orders as others take them in and judge them, and as clocks and the chain undo them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from darkswap_browser.errors import (
    InvalidOrder,
)
from darkswap_browser.identity.keys import Identity
from darkswap_browser.market import order_codec
from darkswap_browser.market.assets import BTC
from darkswap_browser.market.order_codec import SignedOrder
from darkswap_browser.market.orders import CLOCK_SKEW, Order, Side, cancel_order
from darkswap_browser.orders.order_manager import CHECK_SECONDS, FOREIGN_ROUNDS
from darkswap_browser.storage.orders import OrderStatus
from tests.orders.test_order_manager import view_of
from tests.support.trade_world import CAT, DOG, TradeWorld, TradingPeer, sells_dog

ROUND = CHECK_SECONDS + 5


async def _resigned(party: TradingPeer, order: Order) -> str:
    signature = await party.peer.swarm.identity.sign(order_codec.signing_bytes(order))
    return order_codec.encode_text(SignedOrder(order, signature))


def _spend(world: TradeWorld, outpoint: OutPoint) -> None:
    """Its owner uses it for something else."""
    source = world.chain.find(outpoint.txid)
    assert source is not None
    script = source[0].outputs[outpoint.vout].script
    made = Transaction((TxInput(outpoint, witness=(bytes(64),)),), (TxOutput(546, script),))
    world.chain.mempool[made.txid] = made


# --- others'


@pytest.mark.parametrize(
    "damage", ["nothing of the kind", "bent", "by somebody else", "another network", "past", "future"]
)
async def test_an_order_that_does_not_hold_is_not_taken_in(damage: str) -> None:
    async with TradeWorld() as world:
        made = await sells_dog(world)
        order = order_codec.decode_text(made.text).order
        text = made.text
        match damage:
            case "nothing of the kind":
                text = "hello"
            case "bent":
                signed = order_codec.decode_text(text)
                text = order_codec.encode_text(replace(signed, order=replace(order, quote_atoms=1_000)))
            case "by somebody else":
                other = Identity(await world.taker.peer.runtime.crypto.generate_signing_key())
                signature = await other.sign(order_codec.signing_bytes(order))
                text = order_codec.encode_text(SignedOrder(order, signature))
            case "another network":
                text = await _resigned(world.maker, replace(order, network="mainnet"))
            case "past":
                await asyncio.sleep(10)
                text = await _resigned(world.maker, replace(order, expires_at=order.created_at + 1))
            case "future":
                later = order.created_at + CLOCK_SKEW + 100
                text = await _resigned(world.maker, replace(order, created_at=later, expires_at=later + 60))
        with pytest.raises(InvalidOrder):
            await world.taker.orders.import_text(text)
        assert world.taker.orders.all() == []


async def test_of_two_revisions_under_one_number_the_lower_hash_is_kept_and_nothing_is_dropped() -> None:
    async with TradeWorld() as world:
        order = order_codec.decode_text((await sells_dog(world)).text).order
        other = replace(order, quote_atoms=20_000)
        kept = min(order, other, key=order_codec.order_hash)
        for made in (order, other, order):
            view = await world.taker.orders.import_text(await _resigned(world.maker, made))
        assert (view.hash, view.quote_atoms) == (order_codec.order_hash(kept), kept.quote_atoms)
        assert len(world.taker.orders.all()) == 1


async def test_a_cancellation_that_is_passed_on_ends_the_order_and_older_revisions_come_too_late() -> None:
    async with TradeWorld() as world:
        made = await sells_dog(world)
        order = order_codec.decode_text(made.text).order
        await world.taker.orders.import_text(made.text)
        ended = await _resigned(world.maker, cancel_order(order, order.seq + 1))
        assert (await world.taker.orders.import_text(ended)).status is OrderStatus.CANCELED
        assert (await world.taker.orders.import_text(made.text)).status is OrderStatus.CANCELED
        third = await world.party("third", "ws")
        with pytest.raises(InvalidOrder, match="was canceled"):
            await third.orders.import_text(ended)


@pytest.mark.parametrize(
    "lie",
    ["nothing", "too little", "spent", "no coins", "somebody else's", "no proof", "no such coin", "another asset"],
)
async def test_whether_an_order_is_funded_is_read_from_the_chain_and_its_proofs(lie: str) -> None:
    async with TradeWorld() as world:
        least = None if lie == "spent" else 300
        order = order_codec.decode_text((await sells_dog(world, min_fill=least)).text).order
        (coin,) = order.funding
        match lie:
            case "too little":
                order = replace(order, base_atoms=4_000, open_atoms=4_000, min_fill=1_500)
            case "spent":
                _spend(world, coin)
            case "no coins":
                order = replace(order, funding=(), proofs=())
            case "somebody else's":
                order = replace(order, funding=(world.chain.fund(world.taker.wallet.assets.script, 1_000, {DOG: 900}),))
            case "no proof":
                order = replace(order, proofs=())
            case "no such coin":
                order = replace(order, funding=(OutPoint("ab" * 32, 0),))
            case "another asset":
                order = replace(order, base=CAT)
        view = await world.taker.orders.import_text(await _resigned(world.maker, order))
        assert (view.funded, view.is_active) == ((True, True) if lie == "nothing" else (False, False))


@pytest.mark.parametrize(("least", "funded"), [(60, True), (224, True), (226, False), (600, False)])
async def test_an_order_to_buy_is_funded_while_its_least_part_is(least: int, funded: bool) -> None:
    """30,000 sats of the 80,000 are there: the rest may be bought with already."""
    async with TradeWorld() as world:
        world.maker.give(30_000)
        made = await world.maker.offers(DOG, 600, BTC, 25_000, side=Side.BUY)
        order = order_codec.decode_text(made.text).order
        larger = replace(order, quote_atoms=80_000, min_fill=least)
        view = await world.taker.orders.import_text(await _resigned(world.maker, larger))
        assert view.funded is funded


async def test_while_the_chain_is_silent_nobody_knows_whether_an_order_is_funded() -> None:
    async with TradeWorld() as world:
        made = await sells_dog(world)
        world.taker.servers.down = True
        view = await world.taker.orders.import_text(made.text)
        assert (view.funded, view.is_active) == (None, True)
        world.taker.servers.down = False
        await asyncio.sleep(ROUND * FOREIGN_ROUNDS)
        assert view_of(world.taker, made).funded is True


async def test_the_first_link_of_an_order_in_parts_is_good_for_one_taker_after_another() -> None:
    async with TradeWorld() as world:
        order = await sells_dog(world, min_fill=100)
        second = await world.party("second", "ws")
        second.give(100_000)
        await world.taker.takes(order, 200)
        await world.taker.until("pending")
        world.chain.mine()
        await world.taker.until("completed")
        await world.maker.until("completed")
        await asyncio.sleep(1)
        assert view_of(world.maker, order).text != order.text
        seen = await second.orders.import_text(order.text)
        assert seen.funded is None and seen.is_active
        await second.trades.take(order.id, 300)
        await second.until("pending")
        world.chain.mine()
        await second.until("completed")
        assert second.balance(DOG) == 300


async def test_a_taker_who_pays_may_come_back_as_often_as_it_likes() -> None:
    async with TradeWorld() as world:
        order = await sells_dog(world, min_fill=100)
        await world.taker.orders.import_text(order.text)
        for _ in range(world.sim.limits.trades_per_peer + 1):
            world.maker.give(10_000, DOG, 100)
            world.taker.give(20_000)
            trade = await world.taker.trades.take(order.id, 100)
            await asyncio.sleep(5)
            view = world.taker.trades.get(trade.id)
            assert view is not None and view.phase == "pending", view


async def test_a_revision_made_while_no_relay_holds_a_place_names_those_of_before() -> None:
    async with TradeWorld() as world:
        relay = f"/ip4/192.0.2.1/tcp/1/ws/p2p/{world.taker.peer.id}"
        world.maker.relays = (relay,)
        order = await sells_dog(world, min_fill=100)
        world.maker.relays = ()
        changed = await world.maker.orders.update(order.id, quote_atoms=31_000)
        assert order_codec.decode_text(changed.text).order.relays == (relay,)


# --- watching


async def test_an_order_whose_coin_is_spent_ends_and_its_takers_see_it() -> None:
    async with TradeWorld() as world:
        made = await sells_dog(world)
        await world.taker.orders.import_text(made.text)
        _spend(world, order_codec.decode_text(made.text).order.funding[0])
        await asyncio.sleep(ROUND * FOREIGN_ROUNDS)
        assert view_of(world.maker, made).status is OrderStatus.UNFUNDED
        assert world.maker.order_events[-1].kind == "canceled"
        assert view_of(world.taker, made).funded is False


async def test_orders_expire_are_told_of_and_those_of_others_forgotten() -> None:
    async with TradeWorld() as world:
        made = await sells_dog(world, expires_in=100)
        await world.taker.orders.import_text(made.text)
        await asyncio.sleep(101)
        assert view_of(world.maker, made).status is OrderStatus.EXPIRED and not view_of(world.taker, made).is_active
        with pytest.raises(InvalidOrder):
            await world.taker.trades.take(made.id)
        await asyncio.sleep(ROUND)
        assert [event.kind for event in world.maker.order_events][-1] == "expired"
        with pytest.raises(InvalidOrder, match="expired already"):
            await world.maker.orders.update(made.id, expires_in=100)
        await asyncio.sleep(CLOCK_SKEW + ROUND)
        assert world.taker.orders.get(made.id) is None and view_of(world.maker, made).status is OrderStatus.EXPIRED


@pytest.mark.parametrize("side", list(Side))
async def test_other_coins_take_the_place_of_those_that_a_partial_trade_spent(side: Side) -> None:
    async with TradeWorld() as world:
        if side is Side.BUY:
            world.taker.give(10_000, DOG, 1_000)
            world.maker.give(40_000)
        order = await world.maker.offers(DOG, 600, BTC, 40_000, side=side, min_fill=100)
        await world.taker.takes(order, 400)
        await world.settles()
        await asyncio.sleep(ROUND)
        renewed = view_of(world.maker, order)
        assert renewed.seq > order.seq
        assert (renewed.status, renewed.remaining_atoms, renewed.funded) == (OrderStatus.OPEN, 200, True)
        before, after = (order_codec.decode_text(each.text).order for each in (order, renewed))
        assert not set(before.funding) & set(after.funding)
        assert (before.open_atoms, after.open_atoms) == (600, 200)
        third = await world.party("third", "ws")
        assert (await third.orders.import_text(renewed.text)).is_active
        assert world.maker.orders.revision(order.id, order.hash) is not None, "who holds the older text may still take"


async def test_an_order_without_coins_for_its_rest_is_said_to_be_unfunded_until_there_are_some() -> None:
    async with TradeWorld() as world:
        order = await sells_dog(world, min_fill=100)
        await world.taker.takes(order, 400)
        await world.taker.until("pending")
        await asyncio.sleep(3)
        world.chain.mine()
        (left,) = world.chain.utxos(world.maker.wallet.assets.script)
        await world.maker.coins.freeze(left.outpoint, True)
        await asyncio.sleep(2 * ROUND)
        view = view_of(world.maker, order)
        assert (view.funded, view.is_active, view.status) == (False, False, OrderStatus.OPEN)
        await world.maker.coins.freeze(left.outpoint, False)
        await asyncio.sleep(ROUND)
        view = view_of(world.maker, order)
        assert (view.funded, view.is_active) == (True, True) and view.seq > order.seq


async def test_watching_goes_on_whatever_one_order_does() -> None:
    async with TradeWorld() as world:
        made, other = await sells_dog(world), await sells_dog(world, expires_in=200)
        world.maker.store.broken = world.maker.servers.down = True
        await asyncio.sleep(2 * ROUND)
        world.maker.store.broken = world.maker.servers.down = False
        await asyncio.sleep(200)
        assert view_of(world.maker, other).status is OrderStatus.EXPIRED
        assert view_of(world.maker, made).is_active
