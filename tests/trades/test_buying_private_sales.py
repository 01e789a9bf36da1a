"""Private sales as their buyers see them: taken in from text, bought while the maker is away, raced for."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from darkswap_browser.bitcoin.transaction import Transaction
from darkswap_browser.chain.base import OutputAssets
from darkswap_browser.errors import InsufficientFunds, InvalidOrder, TradeRefused
from darkswap_browser.market import order_codec
from darkswap_browser.market.assets import BTC, Asset
from darkswap_browser.market.order_codec import SignedOrder
from darkswap_browser.market.orders import FeeRule, Order, ownership_message
from darkswap_browser.net.limits import DEFAULT_LIMITS
from darkswap_browser.orders.views import OrderView
from darkswap_browser.regtest.chain.kernel import kernel_verifies
from darkswap_browser.settlement.messages import TakeRequest
from darkswap_browser.settlement.terms import Contribution
from darkswap_browser.storage.orders import OrderStatus
from darkswap_browser.trades.admission import TradeAdmission
from darkswap_browser.trades.views import TradeStatus
from tests.support.private_sales import BLOCKS, ON, PRICE, closed, lot_of, order_of, prevouts_of, sells, told, world
from tests.support.trade_world import CAT, DIESEL, DOG, TradeWorld, TradingPeer

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
        seen = await there.taker.orders.import_text(order.text)
        assert seen.funded and seen.is_active and seen.private_sale
        await there.taker.trades.take(order.id)
        view = await there.taker.until("pending")
        tx = Transaction.parse(view.raw or b"")
        assert kernel_verifies(tx, prevouts_of(there, tx))
        await there.mined()
        view = await there.taker.trades.wait(view.id)
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
        effect = there.taker.trades.effect(trade.id)
        assert effect is not None and not effect.lost
        assert (effect.gives, effect.gets) == ({BTC: PRICE}, {DOG: 1000})
        await there.taker.trades.confirm(trade.id)
        view = await there.taker.until("pending")
        assert dict(view.steps)["sign"] == "done" and there.taker.wallet.signed == [view.txid]
        assert there.maker.trades.all() == []


async def test_a_buyer_who_thinks_better_of_it_has_signed_nothing() -> None:
    async with world() as there:
        order = await sells(there.maker)
        trade = await there.taker.takes(order, review=True)
        await there.taker.until("reviewing")
        view = await there.taker.trades.cancel(trade.id)
        assert view.status is TradeStatus.CANCELED and not there.taker.wallet.signed
        await asyncio.sleep(1)
        assert await there.taker.holds_nothing()
        await there.taker.trades.take(order.id)
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


async def both_sign(there: TradeWorld, order: OrderView, *rates: int) -> list[TradingPeer]:
    """The taker and another, both past their last look at the chain before either broadcasts."""
    other = await there.party("other", "ws")
    other.give(100_000)
    buyers = [there.taker, other]
    for buyer, rate in zip(buyers, rates, strict=True):
        buyer.wallet.delay = 3
        await buyer.takes(order, rate=rate, review=True)
    for buyer in buyers:
        await buyer.trades.confirm((await buyer.until("reviewing")).id)
    for buyer in buyers:
        await buyer.until("pending")
    await asyncio.sleep(1)
    return buyers


@pytest.mark.parametrize("rates", [(5_000, 5_000), (5_000, 20_000)], ids=["the first", "the one who pays more"])
async def test_of_two_buyers_one_has_the_lot_and_the_other_his_coins(rates: tuple[int, int]) -> None:
    async with world() as there:
        order = await sells(there.maker)
        taker, other = await both_sign(there, order, *rates)
        (bought,) = there.chain.mempool
        winner, loser = (taker, other) if taker.only().txid == bought else (other, taker)
        assert winner is (taker if rates[0] == rates[1] else other)
        await there.mined(2)
        assert winner.only().phase == "completed" and loser.only().phase == "conflicted"
        await there.mined(BLOCKS)
        view = loser.only()
        assert (view.phase, view.status) == ("failed", TradeStatus.FAILED)
        assert view.reason is not None and view.reason.code == "INPUT_SPENT"
        assert (winner.balance(DOG), loser.balance()) == (1000, 100_000)
        assert await loser.holds_nothing() and await winner.holds_nothing()
        assert told(there.maker, order).status is OrderStatus.FILLED


async def test_a_buyer_who_looks_before_he_signs_sees_that_it_is_bought() -> None:
    async with world() as there:
        other = await there.party("other", "ws")
        other.give(100_000)
        order = await sells(there.maker)
        await other.takes(order, review=True)
        await other.until("reviewing")
        await there.taker.takes(order)
        await there.taker.until("pending")
        await asyncio.sleep(1)
        await other.trades.confirm(other.only().id)
        view = await other.until("failed")
        assert view.reason is not None and view.reason.code == "V10"
        await asyncio.sleep(1)
        assert await other.holds_nothing() and not other.wallet.signed


async def test_a_purchase_that_no_server_has_can_be_taken_back() -> None:
    async with world() as there:
        order = await sells(there.maker)
        there.taker.servers.rejects = "not today"
        trade = await there.taker.takes(order)
        await there.taker.until("exposed")
        assert there.taker.only().can_revoke and "purchase" in there.taker.only().advice
        there.taker.servers.rejects = ""
        await there.taker.trades.revoke(trade.id)
        await asyncio.sleep(2)
        await there.mined(1 + BLOCKS)
        assert there.taker.only().phase == "revoked" and await there.taker.holds_nothing()
        assert told(there.maker, order).status is OrderStatus.OPEN


async def test_one_does_not_buy_a_lot_twice_or_one_of_ones_own() -> None:
    async with world() as there:
        order = await sells(there.maker)
        await there.taker.takes(order)
        with pytest.raises(InvalidOrder, match="by you already"):
            await there.taker.trades.take(order.id)
        with pytest.raises(InvalidOrder, match="of your own"):
            await there.maker.trades.take(order.id)
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
        assert await there.taker.holds_nothing() and there.taker.trades.all() == []


async def test_a_request_for_a_private_sale_is_not_answered_with_coins() -> None:
    """Its coin is set apart, and its text is all that a buyer needs."""
    async with world() as there:
        order = await sells(there.maker)
        script = there.taker.wallet.payment.script
        wanted = TakeRequest(
            order_id=order.id,
            order_hash=order.hash,
            fill=1000,
            fee_rate=5_000,
            deadline=order.created_at + 100,
            declaration=Contribution(receive_script=script, asset_change_script=script, bitcoin_change_script=script),
            proofs=(),
        )
        admission = TradeAdmission(there.maker.orders, ON, DEFAULT_LIMITS)
        with pytest.raises(TradeRefused, match="private sale"):
            await admission.admit(str(there.taker.peer.id), "ab" * 16, wanted, [], order.created_at)


# --- taken in from text


async def resigned(there: TradeWorld, order: Order) -> str:
    """As its maker would who cheats."""
    identity = there.maker.peer.swarm.identity
    return order_codec.encode_text(SignedOrder(order, await identity.sign(order_codec.signing_bytes(order))))


async def test_a_signature_that_sells_something_else_is_seen_when_the_order_comes() -> None:
    async with world() as there:
        order = order_of(await sells(there.maker))
        lies = (replace(order, quote_atoms=PRICE - 1), replace(order, base_atoms=999, open_atoms=999, min_fill=999))
        for number, changed in enumerate((*lies, replace(order, base=CAT))):
            made = replace(changed, nonce=bytes(15) + bytes([number]))
            message = ownership_message(made.order_id, made.funding)
            proof = await there.maker.wallet.sign_message(there.maker.wallet.assets, message)
            text = await resigned(there, replace(made, proofs=(replace(made.proofs[0], witness=proof),)))
            assert (await there.taker.orders.import_text(text)).funded is False


async def test_a_buyer_checks_all_of_it_himself_though_the_order_looked_well() -> None:
    async with world() as there:
        order = await sells(there.maker)
        await there.taker.orders.import_text(order.text)
        lot = lot_of(order)
        for holdings in (
            OutputAssets({DOG: 1000, CAT: 1}, {}, ()),
            OutputAssets({DOG: 999}, {}, ()),
            OutputAssets({DOG: 1000}, None, ()),
            OutputAssets({DOG: 1000}, {}, ("an inscription",)),
        ):
            there.taker.servers.told_holdings = {lot: holdings}
            trade = await there.taker.trades.take(order.id)
            view = await there.taker.trades.wait(trade.id)
            assert view.reason is not None and view.reason.code == "V11"
        await asyncio.sleep(1)
        assert not there.taker.wallet.signed and await there.taker.holds_nothing()
