"""Private sales between two peers in the simulated world: made, bought while the maker is away, raced for, taken back."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from darkswap_browser.app.regtest.kernel import kernel_verifies
from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxOutput
from darkswap_browser.chain.base import Holdings
from darkswap_browser.engine.views import OrderView, TradeStatus
from darkswap_browser.errors import (
    ChainUnreachable,
    InsufficientFunds,
    InvalidOrder,
    Unsupported,
    VerificationFailed,
    WalletNotConnected,
    WalletRejected,
)
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.market import order_codec
from darkswap_browser.market.assets import BTC, Asset
from darkswap_browser.market.messages import Cancel, TakeRequest, body_of, decode, encode, envelope
from darkswap_browser.market.order_codec import SignedOrder
from darkswap_browser.market.orders import Order
from darkswap_browser.market.trade.checks import Policy
from darkswap_browser.market.trade.sale import RISKS
from darkswap_browser.market.trade.terms import FeeRule, Role
from darkswap_browser.storage.orders import OrderStatus
from tests.support.traders import CAT, DIESEL, DOG, Party, TradeWorld

ON = Policy(private_sales=True)
PRICE = 30_000
BLOCKS = 7
"""Until a spend of one confirmation is buried."""


def world(**more: Any) -> TradeWorld:
    return TradeWorld(policy=ON, **more)


async def sells(seller: Party, atoms: int = 1000, base: Asset = DOG, sats: int = PRICE, **more: object) -> OrderView:
    return await seller.offers(base, atoms, BTC, sats, private_sale=True, **more)


def order_of(view: OrderView) -> Order:
    return order_codec.decode_text(view.text).order


def lot_of(view: OrderView) -> OutPoint:
    (lot,) = order_of(view).funding
    return lot


async def held(seller: Party, view: OrderView) -> list[OutPoint]:
    return list(await seller.coins.reserved(f"order {view.id}"))


def told(party: Party, view: OrderView) -> OrderView:
    found = party.desk.get(view.id)
    assert found is not None
    return found


async def closed(there: TradeWorld, seller: Party) -> None:
    """The seller's page, for good."""
    await seller.stop()
    there.sim.world.isolate(seller.peer.name)


def prevouts_of(there: TradeWorld, tx: Transaction) -> tuple[TxOutput, ...]:
    outputs = []
    for each in tx.inputs:
        source = there.chain.find(each.outpoint.txid)
        assert source is not None
        outputs.append(source[0].outputs[each.outpoint.vout])
    return tuple(outputs)


# --- bought


@pytest.mark.parametrize("base", [DOG, DIESEL], ids=["rune", "alkane"])
async def test_a_lot_is_bought_while_its_maker_is_away(base: Asset) -> None:
    async with world() as there:
        if base is DIESEL:
            there.maker.give(546, DIESEL, 1000)
        order = await sells(there.maker, base=base)
        assert order.private_sale and order.fee_rule is FeeRule.TAKER_PAYS and order.funded
        before = there.maker.balance(), there.taker.balance()
        await closed(there, there.maker)
        seen = await there.taker.desk.import_text(order.text)
        assert seen.funded and seen.is_active and seen.private_sale
        await there.taker.trader.take(order.id)
        view = await there.taker.until("pending")
        tx = Transaction.parse(view.raw or b"")
        assert kernel_verifies(tx, prevouts_of(there, tx))
        await there.mined()
        view = await there.taker.trader.wait(view.id)
        assert view.status is TradeStatus.COMPLETED
        assert (there.taker.balance(base), there.maker.balance(base)) == (1000, 0)
        fee = sum(each.sats for each in prevouts_of(there, tx)) - sum(each.sats for each in tx.outputs)
        # The lot's own sats go with the price; the buyer has postage on its new coin.
        assert (there.maker.balance(), there.taker.balance()) == (before[0] + PRICE, before[1] - PRICE - fee)
        await there.mined(BLOCKS)
        assert there.taker.only().phase == "settled" and await there.taker.holds_nothing()


async def test_what_is_bought_is_shown_before_it_is_signed() -> None:
    async with world() as there:
        order = await sells(there.maker)
        trade = await there.taker.takes(order, review=True)
        view = await there.taker.until("reviewing")
        assert [name for name, _ in view.steps] == ["verify", "review", "sign", "broadcast", "confirm"]
        assert view.can_confirm and view.can_cancel and not there.chain.mempool
        effect = there.taker.trader.effect(trade.id)
        assert effect is not None and not effect.lost
        assert (effect.gives, effect.gets) == ({BTC: PRICE}, {DOG: 1000})
        await there.taker.trader.confirm(trade.id)
        view = await there.taker.until("pending")
        assert dict(view.steps)["sign"] == "done" and there.taker.wallet.signed == [view.txid]
        assert there.maker.trader.all() == []


async def test_a_buyer_who_thinks_better_of_it_has_signed_nothing() -> None:
    async with world() as there:
        order = await sells(there.maker)
        trade = await there.taker.takes(order, review=True)
        await there.taker.until("reviewing")
        view = await there.taker.trader.cancel(trade.id)
        assert view.status is TradeStatus.CANCELED and not there.taker.wallet.signed
        await asyncio.sleep(1)
        assert await there.taker.holds_nothing()
        await there.taker.trader.take(order.id)
        await there.taker.until("pending")


@pytest.mark.parametrize("state", ["Verifying", "Countersigning", "Pending", "Completed"])
async def test_a_buyer_whose_page_is_reloaded_goes_on(state: str) -> None:
    async with world() as there:
        order = await sells(there.maker)
        phase = state.lower()
        there.taker.wallet.delay = 3 if state == "Countersigning" else 0
        await there.taker.takes(order)
        if state == "Completed":
            await there.taker.until("pending")
            there.chain.mine()
        await there.taker.until(phase)
        await there.reload(there.taker)
        await asyncio.sleep(5)
        await there.mined(BLOCKS)
        await there.taker.until("settled")
        await asyncio.sleep(1)
        assert there.taker.balance(DOG) == 1000 and await there.taker.holds_nothing()


async def test_of_two_buyers_one_has_the_lot_and_the_other_his_coins() -> None:
    async with world() as there:
        other = await there.party("other", "ws")
        other.give(100_000)
        order = await sells(there.maker)
        for buyer in (there.taker, other):
            await buyer.takes(order, review=True)
        for buyer in (there.taker, other):
            await buyer.trader.confirm((await buyer.until("reviewing")).id)
            await buyer.until("pending")
        await asyncio.sleep(1)
        (bought,) = there.chain.mempool
        winner, loser = (there.taker, other) if there.taker.only().txid == bought else (other, there.taker)
        await there.mined(2)
        assert winner.only().phase == "completed" and loser.only().phase == "conflicted"
        await there.mined(BLOCKS)
        view = loser.only()
        assert (view.phase, view.status) == ("failed", TradeStatus.FAILED)
        assert view.reason is not None and view.reason.code == "INPUT_SPENT"
        assert (winner.balance(DOG), loser.balance()) == (1000, 100_000)
        assert await loser.holds_nothing() and await winner.holds_nothing()


async def test_the_loser_of_a_race_can_try_with_a_higher_fee_as_sniping_does() -> None:
    async with world() as there:
        other = await there.party("other", "ws")
        other.give(100_000)
        order = await sells(there.maker)
        await there.taker.takes(order, rate=2_000, review=True)
        await other.takes(order, rate=20_000, review=True)
        await there.taker.trader.confirm((await there.taker.until("reviewing")).id)
        await there.taker.until("pending")
        # Whoever looks before he signs sees that it is being bought.
        await other.until("reviewing")
        await asyncio.sleep(20)
        await other.trader.confirm(other.only().id)
        view = await other.until("failed")
        assert view.reason is not None and view.reason.code == "V10"
        await asyncio.sleep(1)
        assert await other.holds_nothing()


async def test_one_does_not_buy_a_lot_twice_or_one_of_ones_own() -> None:
    async with world() as there:
        order = await sells(there.maker)
        await there.taker.takes(order)
        with pytest.raises(InvalidOrder, match="by you already"):
            await there.taker.trader.take(order.id)
        with pytest.raises(InvalidOrder, match="of your own"):
            await there.maker.trader.take(order.id)
        await there.taker.until("pending")


async def test_a_part_of_a_lot_is_not_sold() -> None:
    async with world() as there:
        order = await sells(there.maker)
        with pytest.raises(InvalidOrder, match="least part"):
            await there.taker.takes(order, 999)
        assert await there.taker.holds_nothing()


async def test_a_buyer_with_too_little_is_told_so() -> None:
    async with world() as there:
        order = await sells(there.maker, sats=99_000)
        with pytest.raises(InsufficientFunds):
            await there.taker.takes(order)
        assert await there.taker.holds_nothing() and there.taker.trader.all() == []


async def test_a_request_for_a_private_sale_is_not_answered_with_coins() -> None:
    async with world() as there:
        order = await sells(there.maker)
        order_ = order_of(order)
        await there.taker.desk.import_text(order.text)
        plain = replace(order_, sale=None)
        taker = there.taker
        # As a taker would who asks for it in the manner of other orders.
        request = TakeRequest(
            order_id=order.id, order_hash=order.hash, fill=1000, fee_rate=5_000, deadline=taker.trader._now() + 100,
            declaration=_nothing(taker), proofs=(),
        )  # fmt: skip
        intake = there.maker.trader._driver.intake
        with pytest.raises(Exception, match="private sale") as refused:
            await intake.admit(str(taker.peer.id), "ab" * 16, request, [], there.maker.trader._now())
        assert getattr(refused.value, "reason", "") == "ORDER_GONE" and plain.order_id == order.id


def _nothing(party: Party) -> Any:
    from darkswap_browser.market.trade.terms import Declaration

    script = party.wallet.payment.script
    return Declaration(receive_script=script, asset_change_script=script, bitcoin_change_script=script)
