"""A real maker against a taker who lies: refused with the declared code before the maker's wallet signs anything."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from darkswap_browser.bitcoin.sighash import Sighash
from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from darkswap_browser.market.assets import BTC
from darkswap_browser.market.orders import Side
from darkswap_browser.orders.views import OrderView
from darkswap_browser.settlement.messages import Cancel, FinalTransaction, TakeAccept, TakeRequest, Witnesses
from darkswap_browser.settlement.terms import Contribution, Role, TradeInput
from darkswap_browser.settlement.transaction import Settlement
from darkswap_browser.trades.views import TradeStatus
from tests.support.attacker import Attacker, attacker
from tests.support.trade_world import DOG, TradeWorld, TradingPeer, sells_dog


async def _untouched(maker: TradingPeer, order: OrderView) -> None:
    """Nothing signed, nothing held, the order whole, and the node as alive as before."""
    await asyncio.sleep(1)
    assert maker.wallet.signed == []
    assert await maker.holds_nothing()
    view = maker.orders.get(order.id)
    assert view is not None and view.remaining_atoms == order.base_atoms


async def _still_trades(world: TradeWorld, order: OrderView) -> None:
    await world.taker.takes(order)
    view = await world.taker.until("pending")
    assert view.txid in world.maker.wallet.signed


# --- requests that are not let in

REFUSED: dict[str, tuple[str, Callable[[TakeRequest, int], TakeRequest]]] = {
    "an order that never was": ("ORDER_GONE", lambda request, now: replace(request, order_id="ab" * 32)),
    "another revision": ("PRICE_CHANGED", lambda request, now: replace(request, order_hash="cd" * 32)),
    "more than all": ("INSUFFICIENT_FUNDS", lambda request, now: replace(request, fill=601)),
    "less than the least": ("INSUFFICIENT_FUNDS", lambda request, now: replace(request, fill=99)),
    "a fee nobody relays": ("FEE_RANGE", lambda request, now: replace(request, fee_rate=999)),
    "a fee that eats the trade": ("FEE_RANGE", lambda request, now: replace(request, fee_rate=500_001)),
    "a deadline in the past": ("TIMEOUT", lambda request, now: replace(request, deadline=now - 1)),
    "a deadline next week": ("TIMEOUT", lambda request, now: replace(request, deadline=now + 600_000)),
}


@pytest.mark.parametrize("why", REFUSED)
async def test_a_request_is_not_let_in(why: str) -> None:
    async with TradeWorld() as world:
        eve = await attacker(world)
        order = await sells_dog(world, min_fill=100)
        await eve.open(world.maker)
        terms, request = await eve.request(order)
        code, change = REFUSED[why]
        await eve.say(terms.trade_id, 1, change(request, int(world.maker.peer.runtime.clock.now())))
        assert await eve.hears_code() == code
        assert world.maker.trades.all() == [] and eve.broken == 0
        await _untouched(world.maker, order)
        await _still_trades(world, order)


async def test_an_order_canceled_paused_or_changed_meanwhile_is_not_traded_on_the_old_terms() -> None:
    async with TradeWorld() as world:
        eve = await attacker(world)
        await eve.open(world.maker)
        canceled, changed, paused = [await sells_dog(world) for _ in range(3)]
        await world.maker.orders.cancel(canceled.id)
        await world.maker.orders.update(changed.id, quote_atoms=40_000)
        await world.maker.orders.update(paused.id, paused=True)
        for order, code in ((canceled, "ORDER_GONE"), (changed, "PRICE_CHANGED"), (paused, "PRICE_CHANGED")):
            terms, request = await eve.request(order)
            await eve.coins.release(terms.trade_id)
            await eve.say(terms.trade_id, 1, request)
            assert await eve.hears_code() == code
        paused_now = world.maker.orders.get(paused.id)
        assert paused_now is not None
        terms, request = await eve.request(paused_now)
        await eve.say(terms.trade_id, 1, request)
        assert await eve.hears_code() == "ORDER_GONE"
        assert world.maker.trades.all() == []


# --- coins that are not as told


def _first(own: Contribution, **changes: object) -> Contribution:
    coin, *others = own.bitcoin_coins
    return replace(own, bitcoin_coins=(replace(coin, **changes), *others))  # type: ignore[arg-type]


async def _foreign(world: TradeWorld, eve: Attacker, own: Contribution) -> Contribution:
    outpoint = world.chain.fund(world.taker.wallet.payment.script, 80_000)
    return replace(own, bitcoin_coins=(TradeInput(outpoint, 80_000, world.taker.wallet.payment.script),))


async def _foreign_as_own(world: TradeWorld, eve: Attacker, own: Contribution) -> Contribution:
    return _first(own, outpoint=world.chain.fund(world.taker.wallet.payment.script, own.bitcoin_coins[0].sats))


async def _spent(world: TradeWorld, eve: Attacker, own: Contribution) -> Contribution:
    script = eve.wallet.payment.script
    made = Transaction((TxInput(own.coins[0].outpoint, witness=(bytes(64),)),), (TxOutput(90_000, script),))
    world.chain.mempool[made.txid] = made
    return own


async def _unconfirmed(world: TradeWorld, eve: Attacker, own: Contribution) -> Contribution:
    script = eve.wallet.payment.script
    made = Transaction((TxInput(OutPoint("ee" * 32, 0), witness=(bytes(64),)),), (TxOutput(90_000, script),))
    world.chain.mempool[made.txid] = made
    return replace(own, bitcoin_coins=(TradeInput(OutPoint(made.txid, 0), 90_000, script),))


async def _makers_own(world: TradeWorld, eve: Attacker, own: Contribution) -> Contribution:
    (coin,) = world.chain.utxos(world.maker.wallet.payment.script)
    return replace(own, bitcoin_coins=(TradeInput(coin.outpoint, coin.sats, coin.script),))


async def _more_sats(world: TradeWorld, eve: Attacker, own: Contribution) -> Contribution:
    return _first(own, sats=own.bitcoin_coins[0].sats + 1)


async def _no_such_output(world: TradeWorld, eve: Attacker, own: Contribution) -> Contribution:
    return _first(own, outpoint=OutPoint(own.bitcoin_coins[0].outpoint.txid, 7))


async def _no_such_transaction(world: TradeWorld, eve: Attacker, own: Contribution) -> Contribution:
    return _first(own, outpoint=OutPoint("ab" * 32, 0))


async def _twice(world: TradeWorld, eve: Attacker, own: Contribution) -> Contribution:
    return replace(own, bitcoin_coins=own.bitcoin_coins * 2)


async def _too_little(world: TradeWorld, eve: Attacker, own: Contribution) -> Contribution:
    outpoint = world.chain.fund(eve.wallet.payment.script, 1_000)
    return replace(own, bitcoin_coins=(TradeInput(outpoint, 1_000, eve.wallet.payment.script),))


async def _runes_for_bitcoin(world: TradeWorld, eve: Attacker, own: Contribution) -> Contribution:
    return replace(own, asset_coins=own.bitcoin_coins, bitcoin_coins=())


async def _odd_script(world: TradeWorld, eve: Attacker, own: Contribution) -> Contribution:
    return replace(own, receive_script=b"\x6a\x5d\x00")


LIES: dict[str, tuple[str, Callable[[TradeWorld, Attacker, Contribution], object]]] = {
    "coins of somebody else": ("BAD_SIGNATURE", _foreign),
    "coins of somebody else under its own script": ("V9", _foreign_as_own),
    "a coin of the maker": ("BAD_SIGNATURE", _makers_own),
    "a coin that is spent in the mempool": ("V10", _spent),
    "a coin that is not confirmed": ("V10", _unconfirmed),
    "a coin with more sats than it has": ("V9", _more_sats),
    "an output that its transaction does not have": ("V9", _no_such_output),
    "a transaction that nobody knows": ("V9", _no_such_transaction),
    "one coin twice": ("TERMS", _twice),
    "coins that hold too little": ("INSUFFICIENT_FUNDS", _too_little),
    "assets where bitcoin is owed": ("TERMS", _runes_for_bitcoin),
    "an output that nodes do not relay": ("TERMS", _odd_script),
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_lie_about_coins_ends_the_trade_before_the_makers_coins_are_shown(lie: str) -> None:
    async with TradeWorld() as world:
        eve = await attacker(world)
        order = await sells_dog(world)
        await eve.open(world.maker)
        terms, request = await eve.request(order)
        code, change = LIES[lie]
        declared = await change(world, eve, request.declaration)  # type: ignore[misc]
        await eve.say(terms.trade_id, 1, await eve.asking(terms, declared))
        assert await eve.hears_code() == code
        view = world.maker.only()
        assert (view.status, view.txid) == (TradeStatus.FAILED, None)
        assert view.reason is not None and view.reason.code == code
        await _untouched(world.maker, order)


@pytest.mark.parametrize("lie", ["more atoms", "none at all", "nothing declared", "spent"])
async def test_runes_that_are_not_there_are_noticed_by_the_index(lie: str) -> None:
    async with TradeWorld() as world:
        eve = await attacker(world)
        world.maker.give(100_000)
        eve.give(10_000, DOG, 700)
        order = await world.maker.offers(DOG, 600, BTC, 30_000, side=Side.BUY)
        await eve.open(world.maker)
        terms, request = await eve.request(order)
        own = request.declaration
        (coin,) = own.asset_coins
        match lie:
            case "more atoms":
                own = replace(own, asset_coins=(replace(coin, atoms=800),))
            case "none at all":
                plain = world.chain.fund(eve.wallet.assets.script, 10_000)
                own = replace(own, asset_coins=(replace(coin, outpoint=plain),))
            case "nothing declared":
                own = replace(own, asset_coins=(), bitcoin_coins=(replace(coin, atoms=0),))
            case "spent":
                made = Transaction((TxInput(coin.outpoint, witness=(bytes(64),)),), (TxOutput(9_000, coin.script),))
                world.chain.mempool[made.txid] = made
        await eve.say(terms.trade_id, 1, await eve.asking(terms, own))
        code = {"nothing declared": "INSUFFICIENT_FUNDS", "spent": "V10"}.get(lie, "V11")
        assert await eve.hears_code() == code
        await _untouched(world.maker, order)


@pytest.mark.parametrize("proof", ["none", "of another trade", "of another order", "bent"])
async def test_only_a_proof_of_this_trade_with_this_maker_counts(proof: str) -> None:
    async with TradeWorld() as world:
        eve = await attacker(world)
        order, other = await sells_dog(world), await sells_dog(world)
        await eve.open(world.maker)
        terms, request = await eve.request(order)
        match proof:
            case "none":
                request = replace(request, proofs=())
            case "of another trade":
                replayed = await eve.asking(replace(terms, trade_id="ab" * 16), request.declaration)
                request = replace(request, proofs=replayed.proofs)
            case "of another order":
                replayed = await eve.asking(replace(terms, order_id=other.id), request.declaration)
                request = replace(request, proofs=replayed.proofs)
            case "bent":
                (good,) = request.proofs
                witness = (good.witness[0][:-2] + bytes([good.witness[0][-2] ^ 1]) + good.witness[0][-1:],)
                request = replace(request, proofs=(replace(good, witness=witness + good.witness[1:]),))
        await eve.say(terms.trade_id, 1, request)
        assert await eve.hears_code() == "BAD_SIGNATURE"
        await _untouched(world.maker, order)


@pytest.mark.parametrize(
    ("rate", "today", "served"),
    [
        (20_000, 1_000, True),
        (150_000, 100_000, True),
        (400_000, 100_000, False),
        (90_000, 100_000, True),
        (89_999, 100_000, False),
    ],
)
async def test_a_taker_burns_no_sats_of_the_makers_and_leaves_no_coins_waiting(
    rate: int, today: int, served: bool
) -> None:
    async with TradeWorld() as world:
        eve = await attacker(world)
        eve.give(500_000)
        world.maker.give(500_000)
        order = await sells_dog(world, max_fee_sats=50_000)
        await eve.open(world.maker)
        world.maker.servers.rate = today
        terms, request = await eve.request(order, rate=rate)
        await eve.say(terms.trade_id, 1, request)
        body = await eve.hears()
        if served:
            assert isinstance(body, TakeAccept)
        else:
            assert isinstance(body, Cancel) and body.code == "FEE_RANGE"
            await _untouched(world.maker, order)


# --- signatures that are not as they should be


def _as(kind: Sighash) -> Callable[[Attacker, Settlement], Witnesses]:
    return lambda eve, made: tuple((at, eve.typed(made, at, kind)) for at in made.inputs_of(Role.TAKER))


def _elsewhere(eve: Attacker, made: Settlement) -> Witnesses:
    """Good ones, of a transaction that pays the maker less."""
    outputs = (*made.tx.outputs[:1], replace(made.tx.outputs[1], sats=546), *made.tx.outputs[2:])
    return eve.witnesses(replace(made, tx=replace(made.tx, outputs=outputs)))


BAD: dict[str, Callable[[Attacker, Settlement], Witnesses]] = {
    "none": lambda eve, made: (),
    "for an input of the maker": lambda eve, made: ((made.inputs_of(Role.MAKER)[0], (bytes(64),)),),
    "for the maker's too": lambda eve, made: ((0, (bytes(64),)), *eve.witnesses(made)),
    "of zeros": lambda eve, made: tuple((at, (bytes(71), bytes(33))) for at, _ in eve.witnesses(made)),
    "with something behind": lambda eve, made: tuple((at, (*items, b"\x50")) for at, items in eve.witnesses(made)),
    "with an empty witness": lambda eve, made: tuple((at, ()) for at, _ in eve.witnesses(made)),
    "of another transaction": _elsewhere,
    **{f"of type {kind.name}": _as(kind) for kind in Sighash if kind not in (Sighash.DEFAULT, Sighash.ALL)},
}


@pytest.mark.parametrize("kind", BAD)
async def test_a_signature_that_does_not_hold_ends_the_trade_before_the_maker_signs(kind: str) -> None:
    async with TradeWorld() as world:
        eve = await attacker(world)
        order = await sells_dog(world)
        await eve.open(world.maker)
        terms, settlement = await eve.offered(order)
        await eve.signs(terms, BAD[kind](eve, settlement))
        assert await eve.hears_code() == "V17"
        assert world.maker.only().phase == "failed"
        await _untouched(world.maker, order)


async def test_a_coin_spent_between_offer_and_signature_is_noticed_before_the_maker_signs() -> None:
    async with TradeWorld() as world:
        eve = await attacker(world)
        order = await sells_dog(world)
        await eve.open(world.maker)
        terms, settlement = await eve.offered(order)
        coin = settlement.tx.inputs[settlement.inputs_of(Role.TAKER)[0]].outpoint
        made = Transaction((TxInput(coin, witness=(bytes(64),)),), (TxOutput(90_000, eve.wallet.payment.script),))
        world.chain.mempool[made.txid] = made
        await eve.signs(terms, eve.witnesses(settlement))
        assert await eve.hears_code() == "V10"
        await _untouched(world.maker, order)


@pytest.mark.parametrize("change", ["canceled", "changed", "paused"])
async def test_a_maker_who_thought_better_of_it_does_not_sign_and_one_who_only_pauses_does(change: str) -> None:
    async with TradeWorld() as world:
        eve = await attacker(world)
        order = await sells_dog(world)
        await eve.open(world.maker)
        terms, settlement = await eve.offered(order)
        match change:
            case "canceled":
                await world.maker.orders.cancel(order.id)
            case "changed":
                await world.maker.orders.update(order.id, quote_atoms=50_000)
            case "paused":
                await world.maker.orders.update(order.id, paused=True)
        await eve.signs(terms, eve.witnesses(settlement))
        body = await eve.hears()
        if change == "paused":
            assert isinstance(body, FinalTransaction)
        else:
            assert isinstance(body, Cancel)
            assert body.code == {"canceled": "ORDER_GONE", "changed": "PRICE_CHANGED"}[change]
            assert world.maker.wallet.signed == []


async def test_a_cancellation_that_was_lost_is_said_again_to_who_goes_on() -> None:
    async with TradeWorld() as world:
        eve = await attacker(world)
        order = await sells_dog(world)
        await eve.open(world.maker)
        terms, settlement = await eve.offered(order)
        world.sim.world.cut("maker", "eve")
        await world.maker.trades.cancel(terms.trade_id, "not today")
        await asyncio.sleep(30)
        assert eve.heard.empty()
        world.sim.world.heal("maker", "eve")
        world.sim.world.sever("maker", "eve")
        await asyncio.sleep(30)
        while not eve.heard.empty():
            eve.heard.get_nowait()
        await eve.open(world.maker)
        await eve.signs(terms, eve.witnesses(settlement))
        assert await eve.hears_code() == "USER_REJECTED"
        await _untouched(world.maker, order)


async def test_signatures_after_the_deadline_come_too_late() -> None:
    async with TradeWorld() as world:
        eve = await attacker(world)
        order = await sells_dog(world)
        await eve.open(world.maker)
        terms, settlement = await eve.offered(order)
        await asyncio.sleep(terms.deadline - eve.peer.runtime.clock.now() - 0.001)
        await eve.signs(terms, eve.witnesses(settlement))
        assert await eve.hears_code() == "TIMEOUT"
        assert world.maker.only().phase == "expired"
        await _untouched(world.maker, order)


async def test_an_honest_hand_made_take_goes_through() -> None:
    """All the others differ from it in one thing."""
    async with TradeWorld() as world:
        eve = await attacker(world)
        order = await sells_dog(world)
        await eve.open(world.maker)
        terms, settlement = await eve.offered(order)
        await eve.signs(terms, eve.witnesses(settlement))
        final = await eve.hears()
        assert isinstance(final, FinalTransaction)
        assert Transaction.parse(final.raw).txid == settlement.txid
        await asyncio.sleep(1)
        assert settlement.txid in world.chain.mempool
        await eve.say(terms.trade_id, 3, Cancel("USER_REJECTED", ""))
        await world.mined()
        assert world.maker.only().phase == "completed"
