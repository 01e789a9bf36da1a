"""A settlement that was signed at the rate of a quiet day, on a day that then turns dear."""

from __future__ import annotations

import asyncio

import pytest

from darkswap_browser.bitcoin.transaction import Transaction
from darkswap_browser.errors import BroadcastRejected, InsufficientFunds, InvalidArgument, TradeNotFound
from darkswap_browser.market.assets import BTC
from darkswap_browser.regtest.chain.policy import STRICT, check_form
from darkswap_browser.trades.views import TradeView
from tests.support.trade_world import DOG, TradeWorld, TradingPeer, sells_dog
from tests.trades.test_revoking import fee_of

QUIET, DEAR = 1_000, 50_000


async def stuck(world: TradeWorld) -> TradeView:
    for party in (world.maker, world.taker):
        party.servers.rate = QUIET
    trade = await world.taker.takes(await sells_dog(world))
    await world.maker.until("pending")
    await asyncio.sleep(5)
    for party in (world.maker, world.taker):
        party.servers.rate = DEAR
    return trade


def package(world: TradeWorld) -> tuple[Transaction, Transaction]:
    """The settlement and its child."""
    settlement, child = world.chain.mempool.values()
    assert child.inputs[0].outpoint.txid == settlement.txid
    return settlement, child


@pytest.mark.parametrize("role", ["maker", "taker"])
async def test_either_side_speeds_a_settlement_up_from_its_own_bitcoin_output(role: str) -> None:
    async with TradeWorld() as world:
        trade = await stuck(world)
        party: TradingPeer = getattr(world, role)
        assert party.only().can_bump_fee
        txid, fee = await party.trades.bump_fee(trade.id, max_fee=50_000)
        settlement, child = package(world)
        assert (child.txid, fee_of(world, child), child.version) == (txid, fee, 3)
        both = fee_of(world, settlement) + fee
        assert DEAR <= 1000 * both / (settlement.vsize + child.vsize) <= DEAR * 1.02
        check_form(child, STRICT)
        (output,) = child.outputs
        assert output.script == party.wallet.payment.script
        spent = settlement.outputs[child.inputs[0].outpoint.vout]
        assert spent.sats != 546 and output.sats == spent.sats - fee, "no output that carries an asset"
        await world.mined()
        assert world.maker.only().phase == world.taker.only().phase == "completed"
        assert world.taker.balance(DOG) == 600 and not party.only().can_bump_fee


async def test_a_second_bump_replaces_the_first_and_pays_more() -> None:
    async with TradeWorld() as world:
        trade = await stuck(world)
        first, paid = await world.taker.trades.bump_fee(trade.id, 10_000)
        _, same = await world.taker.trades.bump_fee(trade.id, 10_000)
        assert same > paid, "what replaces pays more, also where the rate is the same"
        second, more = await world.taker.trades.bump_fee(trade.id, 20_000)
        _, child = package(world)
        assert child.txid == second != first and more > same
        assert fee_of(world, child) == more


async def test_a_bump_beyond_its_bound_is_refused_and_nothing_is_signed() -> None:
    async with TradeWorld() as world:
        trade = await stuck(world)
        signed = len(world.taker.wallet.signed)
        with pytest.raises(InvalidArgument, match="is 10000, and it would cost") as refused:
            await world.taker.trades.bump_fee(trade.id)
        assert refused.value.path == "max_fee_sats" and refused.value.hint
        with pytest.raises(InvalidArgument, match="max_fee_sats: is 500"):
            await world.taker.trades.bump_fee(trade.id, 5_000, 500)
        assert len(world.taker.wallet.signed) == signed and len(world.chain.mempool) == 1


async def test_what_pays_as_much_already_is_not_bumped() -> None:
    async with TradeWorld() as world:
        trade = await stuck(world)
        with pytest.raises(InvalidArgument, match="the settlement pays as much already"):
            await world.taker.trades.bump_fee(trade.id, QUIET)
        with pytest.raises(InvalidArgument, match="fee_rate"):
            await world.taker.trades.bump_fee(trade.id, 999)


async def test_an_output_that_does_not_bear_the_fee_says_so() -> None:
    async with TradeWorld() as world:
        trade = await stuck(world)
        with pytest.raises(InsufficientFunds):
            await world.taker.trades.bump_fee(trade.id, 400_000, 10**6)


async def test_who_has_no_bitcoin_output_is_told_that_it_cannot() -> None:
    """Its coin held the price and the fee, and nothing came back."""
    async with TradeWorld() as world:
        exact = await world.party("exact", "ws")
        exact.give(30_900)
        for party in (world.maker, exact):
            party.servers.rate = 1_000
        trade = await exact.takes(await sells_dog(world))
        await exact.until("pending")
        await asyncio.sleep(5)
        assert trade.quote == BTC and not exact.only().can_bump_fee
        with pytest.raises(InvalidArgument, match="no bitcoin output of yours"):
            await exact.trades.bump_fee(trade.id)
        assert world.maker.only().can_bump_fee


async def test_only_what_waits_for_a_block_can_be_bumped() -> None:
    async with TradeWorld() as world:
        with pytest.raises(TradeNotFound):
            await world.taker.trades.bump_fee("ab" * 16)
        trade = await world.taker.takes(await sells_dog(world), review=True)
        await world.taker.until("reviewing")
        with pytest.raises(InvalidArgument, match="nothing to speed up"):
            await world.taker.trades.bump_fee(trade.id)


async def test_a_child_that_no_server_takes_is_an_error_and_can_be_made_again() -> None:
    async with TradeWorld() as world:
        trade = await stuck(world)
        world.taker.servers.rejects = "TRUC-violation, tx would exceed descendant count limit"
        with pytest.raises(BroadcastRejected, match="TRUC-violation"):
            await world.taker.trades.bump_fee(trade.id, 10_000)
        world.taker.servers.rejects = ""
        await world.taker.trades.bump_fee(trade.id, 10_000)
        package(world)
