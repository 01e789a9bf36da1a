"""Private sales in the simulated world: made, bought while the maker is away, raced for, taken back."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from darkswap_browser.app.regtest.kernel import kernel_verifies
from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from darkswap_browser.chain.base import Holdings
from darkswap_browser.engine.composing import OrderDraft
from darkswap_browser.engine.intake import Intake
from darkswap_browser.engine.views import OrderView, TradeStatus
from darkswap_browser.errors import (
    Aborted,
    ChainUnreachable,
    InsufficientFunds,
    InvalidOrder,
    TradeRefused,
    Unsupported,
    VerificationFailed,
    WalletNotConnected,
    WalletRejected,
)
from darkswap_browser.market import order_codec
from darkswap_browser.market.assets import BTC, Asset
from darkswap_browser.market.messages import TakeRequest
from darkswap_browser.market.order_codec import SignedOrder
from darkswap_browser.market.orders import Order, Side, ownership_message
from darkswap_browser.market.trade.checks import Policy
from darkswap_browser.market.trade.sale import RISKS
from darkswap_browser.market.trade.terms import Declaration, FeeRule
from darkswap_browser.net.limits import DEFAULT_LIMITS
from darkswap_browser.storage.orders import OrderStatus
from tests.support.purse import SimWallet
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


async def both_sign(there: TradeWorld, order: OrderView, *rates: int) -> list[Party]:
    """The taker and another, both past their last look at the chain before either broadcasts."""
    other = await there.party("other", "ws")
    other.give(100_000)
    buyers = [there.taker, other]
    for buyer, rate in zip(buyers, rates, strict=True):
        buyer.wallet.delay = 3
        await buyer.takes(order, rate=rate, review=True)
    for buyer in buyers:
        await buyer.trader.confirm((await buyer.until("reviewing")).id)
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
        await other.trader.confirm(other.only().id)
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
        await there.taker.trader.revoke(trade.id)
        await asyncio.sleep(2)
        await there.mined(1 + BLOCKS)
        assert there.taker.only().phase == "revoked" and await there.taker.holds_nothing()
        assert told(there.maker, order).status is OrderStatus.OPEN


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
            declaration=Declaration(receive_script=script, asset_change_script=script, bitcoin_change_script=script),
            proofs=(),
        )
        intake = Intake(there.maker.desk, ON, DEFAULT_LIMITS)
        with pytest.raises(TradeRefused, match="private sale"):
            await intake.admit(str(there.taker.peer.id), "ab" * 16, wanted, [], order.created_at)


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
        await there.taker.trader.confirm(there.taker.only().id)
        await there.taker.until("pending")
        await asyncio.sleep(300)
        assert told(there.maker, order).status is OrderStatus.EXPIRED
        assert await held(there.maker, order) == [lot_of(order)]
        late = await there.party("late", "ws")
        with pytest.raises(InvalidOrder, match="expires_at"):
            await late.desk.import_text(order.text)
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
        view = await there.maker.desk.cancel(order.id)
        assert view.status is OrderStatus.CANCELED and not view.is_active
        ((txid, tx),) = there.chain.mempool.items()
        assert view.cancel_txid == txid and lot_of(order) in [each.outpoint for each in tx.inputs]
        assert kernel_verifies(tx, prevouts_of(there, tx))
        await there.mined(seconds=40)
        fee = sum(each.sats for each in prevouts_of(there, tx)) - sum(each.sats for each in tx.outputs)
        assert (there.maker.balance(base), there.maker.balance()) == (1000, before - fee) and fee > 0
        assert await held(there.maker, order) == [lot_of(order)]
        with pytest.raises(InvalidOrder, match="is over already"):
            await there.maker.desk.cancel(order.id)
        await there.mined(BLOCKS, seconds=40)
        assert await there.maker.holds_nothing() and told(there.maker, order).status is OrderStatus.CANCELED
        assert told(there.maker, order).cancel_txid is None
        again = await sells(there.maker, base=base)
        await there.taker.desk.import_text(order.text)
        with pytest.raises(InvalidOrder, match="no coins behind it"):
            await there.taker.trader.take(order.id)
        await there.taker.takes(again)
        await there.taker.until("pending")


async def test_until_the_spend_is_in_a_block_a_sale_can_still_be_completed() -> None:
    async with world() as there:
        order = await sells(there.maker)
        await there.maker.desk.cancel(order.id)
        ((mine, _),) = there.chain.mempool.items()
        there.taker.servers.hidden = {mine}
        there.taker.servers.told_spends[lot_of(order)] = None
        await there.taker.takes(order, rate=50_000)
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
            await there.maker.desk.cancel(order.id)
        assert told(there.maker, order).status is OrderStatus.OPEN


async def test_taking_back_is_done_again_with_a_higher_fee_and_over_reloads() -> None:
    async with world() as there:
        order = await sells(there.maker)
        there.maker.servers.rate = 1_000
        await there.maker.desk.cancel(order.id)
        ((first, low),) = there.chain.mempool.items()
        there.chain.mempool.clear()
        await there.reload(there.maker)
        await asyncio.sleep(40)
        assert list(there.chain.mempool) == [first]
        view = await there.maker.desk.cancel(order.id)
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
        canceling = asyncio.create_task(maker.desk.cancel(order.id))
        await maker.store.died.wait()
        await there.reload(maker)
        canceling.cancel()
        await asyncio.wait((canceling,))
        await asyncio.sleep(40)
        assert len(there.chain.mempool) == kept
        if not kept:
            assert told(maker, order).status is OrderStatus.OPEN
            await maker.desk.cancel(order.id)
        (spend,) = there.chain.mempool.values()
        assert len(await maker.coins.reserved(f"cancel {order.id}")) == len(spend.inputs) - 1
        await there.mined(1 + BLOCKS, seconds=40)
        assert maker.balance(DOG) == 1000 and await maker.holds_nothing()


async def test_an_expired_sale_is_taken_back_too() -> None:
    async with world() as there:
        order = await sells(there.maker, expires_in=10)
        await asyncio.sleep(40)
        assert told(there.maker, order).status is OrderStatus.EXPIRED
        await there.maker.desk.cancel(order.id)
        await there.mined(1 + BLOCKS, seconds=40)
        assert told(there.maker, order).status is OrderStatus.CANCELED and await there.maker.holds_nothing()


async def test_taking_back_needs_bitcoin_for_its_fee_and_leaves_all_as_it_was_without() -> None:
    async with world() as there:
        seller = await there.party("seller", "ws")
        seller.give(546, CAT, 5)
        order = await sells(seller, 5, CAT)
        with pytest.raises(InsufficientFunds):
            await seller.desk.cancel(order.id)
        assert told(seller, order).status is OrderStatus.OPEN and await held(seller, order) == [lot_of(order)]
        seller.give(20_000)
        seller.wallet.refuses = True
        with pytest.raises(WalletRejected):
            await seller.desk.cancel(order.id)
        assert told(seller, order).status is OrderStatus.OPEN
        assert (await seller.coins.balances())[0].reserved == 0
        seller.wallet.refuses = False
        await seller.desk.cancel(order.id)


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


# --- made


async def test_private_sales_are_off_until_their_risks_are_accepted() -> None:
    async with TradeWorld() as there:
        with pytest.raises(Unsupported) as refused:
            await sells(there.maker)
        assert refused.value.code == "UNSUPPORTED" and all(risk in refused.value.hint for risk in RISKS)
        assert await there.maker.holds_nothing() and not there.maker.wallet.sold
    async with world() as there:
        order = await sells(there.maker)
        there.policy = Policy()
        careful = await there.party("careful", "ws")
        careful.give(100_000)
        with pytest.raises(Unsupported) as refused:
            await careful.takes(order)
        assert all(risk in refused.value.hint for risk in RISKS)
        assert await careful.holds_nothing() and careful.trader.all() == []


async def test_only_one_coin_that_holds_exactly_the_lot_is_sold() -> None:
    async with world() as there:
        with pytest.raises(InsufficientFunds) as refused:
            await sells(there.maker, 600)
        assert "exactly what is sold" in refused.value.hint
        assert await there.maker.holds_nothing() and not there.maker.wallet.sold


@pytest.mark.parametrize(
    ("draft", "path"),
    [
        ({"quote": DIESEL, "quote_atoms": 5}, "quote"),
        ({"side": "buy"}, "side"),
        ({"min_fill": 10}, "min_fill"),
        ({"base": BTC, "base_atoms": 10_000, "quote": DOG, "quote_atoms": 5}, "base"),
    ],
)
async def test_nothing_but_a_whole_lot_for_bitcoin_is_sold_so(draft: dict[str, Any], path: str) -> None:
    async with world() as there:
        usual = {"base": DOG, "base_atoms": 1000, "quote": BTC, "quote_atoms": PRICE, "side": "sell"} | draft
        usual["side"] = Side(usual["side"])
        with pytest.raises(InvalidOrder) as refused:
            await there.maker.desk.create(OrderDraft(private_sale=True, **usual))
        assert refused.value.path == path and not there.maker.wallet.sold


async def test_a_maker_who_declines_has_sold_nothing() -> None:
    async with world() as there:
        there.maker.wallet.refuses = True
        with pytest.raises(WalletRejected):
            await sells(there.maker)
        assert await there.maker.holds_nothing() and not there.maker.desk.all()
        there.maker.wallet.refuses = False
        there.maker.servers.down = True
        with pytest.raises(ChainUnreachable):
            await sells(there.maker)
        there.maker.servers.down = False
        assert await there.maker.holds_nothing()


async def test_a_wallet_that_cannot_sell_is_told_from_one_that_is_not_there() -> None:
    async with world() as there:
        there.maker.desk.set_wallet(CannotSell(there.maker.wallet), there.maker.coins)
        with pytest.raises(Unsupported, match="simulated"):
            await sells(there.maker)
        there.maker.desk.set_wallet(None, None)
        with pytest.raises(WalletNotConnected):
            await sells(there.maker)
        assert await there.maker.holds_nothing()


class CannotSell:
    """A wallet without `sign_sale`."""

    def __init__(self, inner: SimWallet) -> None:
        self.kind, self.network, self.accounts, self.sign_seconds = "simulated", inner.network, inner.accounts, 60.0
        self.sign_psbt, self.sign_message = inner.sign_psbt, inner.sign_message
        self.subscribe, self.disconnect = inner.subscribe, inner.disconnect


async def test_what_a_wallet_signs_must_sell_the_lot() -> None:
    async with world() as there:
        there.maker.wallet.sign_sale = _signs_nonsense  # type: ignore[method-assign]
        with pytest.raises(VerificationFailed) as failed:
            await sells(there.maker)
        assert failed.value.rule == "V15" and await there.maker.holds_nothing()


async def _signs_nonsense(*args: object) -> tuple[bytes, ...]:
    return (bytes(64) + b"\x83",)


@pytest.mark.parametrize("kept", [True, False], ids=["after", "before"])
@pytest.mark.parametrize("key", ["sales/", "coins/", "orders/"])
async def test_a_page_that_dies_while_it_makes_a_sale_leaves_no_coin_behind(key: str, kept: bool) -> None:
    async with world() as there:
        maker = there.maker
        maker.store.die_at(lambda name, _: name.startswith(key), kept=kept)
        making = asyncio.create_task(sells(maker))
        await maker.store.died.wait()
        await there.reload(maker)
        making.cancel()
        await asyncio.wait((making,))
        assert making.cancelled() or isinstance(making.exception(), Aborted)
        await asyncio.sleep(70)
        if maker.desk.all():
            (view,) = maker.desk.all()
            assert key == "orders/" and kept
            assert await held(maker, view) == [lot_of(view)]
        else:
            assert await maker.holds_nothing()
        assert not await maker.peer.runtime.store.keys("sales/")


async def test_what_was_signed_once_is_not_changed() -> None:
    async with world() as there:
        order = await sells(there.maker)
        for change in ({"quote_atoms": PRICE + 1}, {"paused": True}, {"expires_in": 1000}):
            with pytest.raises(InvalidOrder) as refused:
                await there.maker.desk.change(order.id, **change)  # type: ignore[arg-type]
            assert refused.value.path == "sale"
        assert told(there.maker, order).text == order.text


# --- taken in from text


async def resigned(there: TradeWorld, order: Order) -> str:
    """As its maker would who cheats."""
    identity = there.maker.peer.swarm.identity
    return order_codec.encode_text(SignedOrder(order, await identity.sign(order_codec.signing_bytes(order))))


async def test_a_signature_that_sells_something_else_is_seen_when_the_order_comes() -> None:
    async with world() as there:
        order = order_of(await sells(there.maker))
        lies = (replace(order, quote_atoms=PRICE - 1), replace(order, base_atoms=999, min_fill=999))
        for number, changed in enumerate((*lies, replace(order, base=CAT))):
            made = replace(changed, nonce=bytes(15) + bytes([number]))
            message = ownership_message(made.order_id, made.funding)
            proof = await there.maker.wallet.sign_message(there.maker.wallet.assets, message)
            text = await resigned(there, replace(made, proofs=(replace(made.proofs[0], witness=proof),)))
            assert (await there.taker.desk.import_text(text)).funded is False


async def test_a_buyer_checks_all_of_it_himself_though_the_order_looked_well() -> None:
    async with world() as there:
        order = await sells(there.maker)
        await there.taker.desk.import_text(order.text)
        lot = lot_of(order)
        for holdings in (
            Holdings({DOG: 1000, CAT: 1}, {}, ()),
            Holdings({DOG: 999}, {}, ()),
            Holdings({DOG: 1000}, None, ()),
            Holdings({DOG: 1000}, {}, ("an inscription",)),
        ):
            there.taker.servers.told_holdings = {lot: holdings}
            trade = await there.taker.trader.take(order.id)
            view = await there.taker.trader.wait(trade.id)
            assert view.reason is not None and view.reason.code == "V11"
        await asyncio.sleep(1)
        assert not there.taker.wallet.signed and await there.taker.holds_nothing()
