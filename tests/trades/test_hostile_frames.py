"""Frames that no honest peer sends: they end their stream, or are ignored, and never a node or somebody's trade."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import msgpack
import pytest

from darkswap_browser.identity.keys import Identity
from darkswap_browser.net.limits import DEFAULT_LIMITS
from darkswap_browser.orders.views import OrderView
from darkswap_browser.settlement import messages
from darkswap_browser.settlement.messages import (
    Cancel,
    FinalTransaction,
    TakeAccept,
    TakeRequest,
    TakerSignatures,
)
from darkswap_browser.settlement.terms import Contribution, Role, TradeInput, TradeTerms
from darkswap_browser.trades import envelopes
from darkswap_browser.wire.framing import frame
from tests.support.attacker import Attacker, attacker
from tests.support.trade_world import DOG, TradeWorld, sells_dog

Say = Callable[[Attacker, TradeTerms, TakeRequest], Awaitable[object]]


async def _stranger(eve: Attacker) -> Identity:
    return Identity(await eve.peer.runtime.crypto.generate_signing_key())


def _packed(**changes: object) -> bytes:
    fields = {"v": 1, "type": "cancel", "trade_id": "ab" * 16, "seq": 1, "body": b"\x80", "signature": bytes(64)}
    return bytes(msgpack.packb(fields | changes))


async def _unsigned(eve: Attacker, terms: TradeTerms, request: TakeRequest) -> None:
    await eve.raw(messages.encode(messages.envelope(terms.trade_id, 1, request)))


async def _forged(eve: Attacker, terms: TradeTerms, request: TakeRequest) -> None:
    await eve.raw(await envelopes.sign_message(await _stranger(eve), Role.TAKER, terms.trade_id, 1, request))


async def _of_another_trade(eve: Attacker, terms: TradeTerms, request: TakeRequest) -> None:
    sealed = await envelopes.sign_message(eve.peer.swarm.identity, Role.TAKER, "ab" * 16, 1, request)
    await eve.raw(messages.encode(replace(messages.decode(sealed), trade_id=terms.trade_id)))


async def _under_another_number(eve: Attacker, terms: TradeTerms, request: TakeRequest) -> None:
    sealed = await envelopes.sign_message(eve.peer.swarm.identity, Role.TAKER, terms.trade_id, 1, request)
    await eve.raw(messages.encode(replace(messages.decode(sealed), seq=2)))


async def _changed(eve: Attacker, terms: TradeTerms, request: TakeRequest) -> None:
    sealed = await envelopes.sign_message(eve.peer.swarm.identity, Role.TAKER, terms.trade_id, 1, request)
    other = messages.envelope(terms.trade_id, 1, replace(request, fee_rate=9_999))
    await eve.raw(messages.encode(replace(messages.decode(sealed), body=other.body)))


BREAKING: dict[str, Say] = {
    "no msgpack": lambda eve, terms, request: eve.raw(b"\xc1\xc1\xc1"),
    "nothing": lambda eve, terms, request: eve.raw(b""),
    "no map": lambda eve, terms, request: eve.raw(msgpack.packb([1, 2, 3])),
    "another version": lambda eve, terms, request: eve.raw(_packed(v=2)),
    "a trade id of another form": lambda eve, terms, request: eve.raw(_packed(trade_id="AB" * 16)),
    "number 0": lambda eve, terms, request: eve.raw(_packed(seq=0)),
    "a body that is none": lambda eve, terms, request: eve.raw(_packed(type="take_request")),
    "too large": lambda eve, terms, request: eve.raw(bytes(DEFAULT_LIMITS.trade_message + 1)),
    "unsigned": _unsigned,
    "signed by somebody else": _forged,
    "signed for another trade": _of_another_trade,
    "signed under another number": _under_another_number,
    "changed after it was signed": _changed,
    "signed in the other role": lambda eve, terms, request: eve.say(terms.trade_id, 1, request, Role.MAKER),
}


@pytest.mark.parametrize("what", BREAKING)
async def test_what_no_honest_peer_sends_ends_its_stream_and_nothing_else(what: str) -> None:
    async with TradeWorld() as world:
        eve = await attacker(world)
        order = await sells_dog(world)
        await eve.open(world.maker)
        terms, request = await eve.request(order)
        await BREAKING[what](eve, terms, request)
        assert await eve.hears(2) is None
        assert (eve.broken, world.maker.trades.all(), world.maker.wallet.signed) == (1, [], [])
        await eve.open(world.maker)
        await eve.say(terms.trade_id, 1, request)
        assert isinstance(await eve.hears(), TakeAccept), "another stream is as good as the first"


IGNORED: dict[str, Say] = {
    "a kind that is not known": lambda eve, terms, request: eve.raw(_packed(type="bump_fee")),
    "signatures of no trade": lambda eve, terms, request: eve.say(terms.trade_id, 2, TakerSignatures(())),
    "an answer to no trade": lambda eve, terms, request: eve.say(terms.trade_id, 1, Cancel("X", ""), Role.MAKER),
}


@pytest.mark.parametrize("what", IGNORED)
async def test_what_means_nothing_here_is_ignored(what: str) -> None:
    async with TradeWorld() as world:
        eve = await attacker(world)
        order = await sells_dog(world)
        await eve.open(world.maker)
        terms, request = await eve.request(order)
        await IGNORED[what](eve, terms, request)
        await eve.say(terms.trade_id, 1, request)
        assert isinstance(await eve.hears(), TakeAccept)
        assert eve.broken == 0


async def test_messages_out_of_order_or_said_again_change_nothing() -> None:
    async with TradeWorld() as world:
        eve = await attacker(world)
        order = await sells_dog(world)
        await eve.open(world.maker)
        terms, settlement = await eve.offered(order)
        before = world.maker.only()
        eve.give(100_000)
        _, again = await eve.request(order)
        await eve.say(terms.trade_id, 1, again)
        await eve.say(terms.trade_id, 2, again)
        await eve.say(terms.trade_id, 3, TakeAccept(again.declaration, "ab" * 32))
        await eve.say(terms.trade_id, 1, TakerSignatures(eve.witnesses(settlement)))
        await asyncio.sleep(5)
        assert world.maker.only() == before and world.maker.wallet.signed == [] and eve.broken == 0
        await eve.signs(terms, eve.witnesses(settlement))
        final = await eve.hears()
        assert isinstance(final, FinalTransaction)
        txids = set(world.maker.wallet.signed)
        await eve.signs(terms, eve.witnesses(settlement))
        await eve.say(terms.trade_id, 9, TakerSignatures(()))
        await asyncio.sleep(1)
        assert set(world.maker.wallet.signed) == txids == {settlement.txid}


@pytest.mark.parametrize("to", ["maker", "taker"])
async def test_a_message_about_somebody_elses_trade_ends_the_stream_of_who_sent_it(to: str) -> None:
    async with TradeWorld() as world:
        eve = await attacker(world)
        trade = await world.taker.takes(await sells_dog(world), review=True)
        await world.taker.until("reviewing")
        await eve.open(getattr(world, to))
        role = Role.TAKER if to == "maker" else Role.MAKER
        await eve.say(trade.id, 7, Cancel("USER_REJECTED", "not mine to cancel"), role)
        await asyncio.sleep(2)
        assert eve.broken == 1
        await world.taker.trades.confirm(trade.id)
        await world.settles()
        assert world.taker.balance(DOG) == 600


async def test_a_request_with_the_id_of_somebody_elses_trade_starts_none() -> None:
    async with TradeWorld() as world:
        eve = await attacker(world)
        order = await sells_dog(world)
        trade = await world.taker.takes(order, review=True)
        await world.taker.until("reviewing")
        await eve.open(world.maker)
        _, request = await eve.request(order, trade_id=trade.id)
        await eve.say(trade.id, 1, request)
        await asyncio.sleep(2)
        assert eve.broken == 1 and len(world.maker.trades.all()) == 1


async def test_a_flood_ends_its_stream_while_others_go_on_trading() -> None:
    async with TradeWorld() as world:
        eve = await attacker(world)
        order = await sells_dog(world)
        stream = await eve.open(world.maker)
        terms, request = await eve.request(order)
        sealed = await envelopes.sign_message(
            eve.peer.swarm.identity, Role.TAKER, terms.trade_id, 1, replace(request, fill=601)
        )
        await stream.write(frame(sealed) * 200)
        await asyncio.sleep(1)
        assert eve.broken == 1
        assert eve.heard.qsize() <= DEFAULT_LIMITS.trade_burst + 1
        assert world.maker.trades.all() == []
        await world.taker.takes(order)
        await world.settles()
        assert world.taker.balance(DOG) == 600


async def test_who_breaks_every_stream_is_not_given_them_any_faster() -> None:
    async with TradeWorld() as world:
        eve = await attacker(world)
        await eve.open(world.maker)
        await eve.offered(await sells_dog(world))
        before = asyncio.get_running_loop().time()
        while asyncio.get_running_loop().time() < before + 10:
            for stream in list(eve.streams):
                stream.reset()
            await asyncio.sleep(0.05)
        assert 5 <= eve.given <= 10 / DEFAULT_LIMITS.trade_retry_first + 1


async def test_a_flood_into_a_running_trade_ends_the_stream_and_the_trade_goes_on_over_another() -> None:
    async with TradeWorld() as world:
        eve = await attacker(world)
        stream = await eve.open(world.maker)
        terms, settlement = await eve.offered(await sells_dog(world))
        sealed = await envelopes.sign_message(eve.peer.swarm.identity, Role.TAKER, terms.trade_id, 2, _accept(eve))
        await stream.write(frame(sealed) * 200)
        await asyncio.sleep(10)
        assert eve.broken >= 1 and world.maker.only().phase == "offered"
        await eve.open(world.maker)
        await eve.signs(terms, eve.witnesses(settlement))
        await world.maker.until("pending")


def _accept(eve: Attacker) -> TakeAccept:
    script = eve.wallet.payment.script
    declared = Contribution(receive_script=script, asset_change_script=script, bitcoin_change_script=script)
    return TakeAccept(declared, "ab" * 32)


# --- one who asks for more than his share


async def _dogs(world: TradeWorld, count: int) -> OrderView:
    for _ in range(count):
        world.maker.give(10_000, DOG, 100)
        world.maker.give(20_000)
    return await sells_dog(world, 1000, 100_000, min_fill=50)


async def test_one_peer_gets_no_more_trades_at_once_than_its_share_however_many_streams_it_opens() -> None:
    async with TradeWorld() as world:
        eve = await attacker(world)
        order = await _dogs(world, 8)
        for _ in range(9):
            eve.give(20_000)
        asking = [await eve.request(order, 50) for _ in range(9)]
        sealed = [
            await envelopes.sign_message(eve.peer.swarm.identity, Role.TAKER, terms.trade_id, 1, request)
            for terms, request in asking
        ]
        streams = [await eve.open(world.maker) for _ in range(DEFAULT_LIMITS.trade_streams)]
        for number, data in enumerate(sealed):
            await streams[number % len(streams)].write_message(data)
        bodies = [await eve.hears() for _ in asking]
        refused = [body.code for body in bodies if isinstance(body, Cancel)]
        assert refused == ["BUSY"] * 4
        assert sum(isinstance(body, TakeAccept) for body in bodies) == DEFAULT_LIMITS.trades_per_peer
        await asyncio.sleep(400)
        assert await world.maker.holds_nothing()


async def test_who_looks_at_coins_three_times_and_buys_nothing_is_shown_no_more() -> None:
    async with TradeWorld() as world:
        eve, mallory = await attacker(world), await attacker(world, "mallory")
        order = await sells_dog(world, min_fill=100)
        for peer in (eve, mallory):
            await peer.open(world.maker)
        for number in range(DEFAULT_LIMITS.trade_failures_allowed):
            terms, request = await eve.request(order)
            await eve.coins.release(terms.trade_id)
            await eve.say(terms.trade_id, 1, request)
            assert isinstance(await eve.hears(), TakeAccept)
            await eve.say(terms.trade_id, 2, Cancel("USER_REJECTED", "only looking"))
            await asyncio.sleep(1)
            if number == 0:
                continue
            terms, request = await eve.request(order)
            await eve.coins.release(terms.trade_id)
            await eve.say(terms.trade_id, 1, request)
            assert await eve.hears_code() == "BUSY", "there is a pause first"
            await asyncio.sleep(300)
        own, mallory.wallet = mallory.wallet, eve.wallet
        terms, request = await mallory.request(order)
        await mallory.say(terms.trade_id, 1, request)
        assert await mallory.hears_code() == "BUSY", "another peer with the same coin"
        mallory.wallet = own
        eve.give(100_000)
        script = eve.wallet.payment.script
        used = request.declaration.coins[0].outpoint
        (other,) = [each for each in world.chain.utxos(script) if each.outpoint != used]
        terms, request = await eve.request(order)
        moved = replace(request.declaration, bitcoin_coins=(TradeInput(other.outpoint, other.sats, script),))
        await eve.say(terms.trade_id, 1, await eve.asking(terms, moved))
        assert await eve.hears_code() == "BUSY", "another coin of the same peer"
        terms, request = await mallory.request(order)
        await mallory.say(terms.trade_id, 1, request)
        assert isinstance(await mallory.hears(), TakeAccept), "who did nothing is served"


async def test_naming_somebody_elses_coins_does_not_lock_their_owner_out() -> None:
    async with TradeWorld() as world:
        eve = await attacker(world)
        order = await sells_dog(world)
        (coin,) = world.chain.utxos(world.taker.wallet.payment.script)
        await eve.open(world.maker)
        for _ in range(DEFAULT_LIMITS.trade_failures_allowed):
            terms, request = await eve.request(order)
            await eve.coins.release(terms.trade_id)
            stolen = TradeInput(coin.outpoint, coin.sats, coin.script)
            declared = replace(request.declaration, bitcoin_coins=(stolen,))
            await eve.say(terms.trade_id, 1, replace(request, declaration=declared))
            assert await eve.hears_code() == "BAD_SIGNATURE"
            await asyncio.sleep(300)
        await world.taker.takes(order)
        await world.settles()
        assert world.taker.balance(DOG) == 600


# --- two who want the same


async def test_of_two_who_take_the_whole_order_at_once_one_gets_it() -> None:
    async with TradeWorld() as world:
        order = await sells_dog(world)
        eve, mallory = await attacker(world), await attacker(world, "mallory")
        bodies = []
        for peer in (eve, mallory):
            await peer.open(world.maker)
        asking = [(peer, *await peer.request(order)) for peer in (eve, mallory)]
        await asyncio.gather(*(peer.say(terms.trade_id, 1, request) for peer, terms, request in asking))
        bodies = [await peer.hears() for peer in (eve, mallory)]
        assert sorted(type(body).__name__ for body in bodies) == ["Cancel", "TakeAccept"]
        assert [body.code for body in bodies if isinstance(body, Cancel)] == ["INSUFFICIENT_FUNDS"]
        view = world.maker.orders.get(order.id)
        assert view is not None and view.remaining_atoms == 0


async def test_of_two_orders_on_one_coin_taken_at_once_one_is_served() -> None:
    async with TradeWorld() as world:
        first, second = await sells_dog(world), await sells_dog(world)
        eve, mallory = await attacker(world), await attacker(world, "mallory")
        for peer, order in ((eve, first), (mallory, second)):
            await peer.open(world.maker)
            terms, request = await peer.request(order)
            await peer.say(terms.trade_id, 1, request)
        bodies = [await peer.hears() for peer in (eve, mallory)]
        assert sorted(type(body).__name__ for body in bodies) == ["Cancel", "TakeAccept"]
        assert [body.code for body in bodies if isinstance(body, Cancel)] == ["INSUFFICIENT_FUNDS"]
        await asyncio.sleep(400)
        assert await world.maker.holds_nothing()
