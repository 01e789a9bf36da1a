"""Taking a signature back while the settlement waits for a block: by whom, and what it costs."""

from __future__ import annotations

import asyncio

import pytest

from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from darkswap_browser.errors import InvalidArgument
from darkswap_browser.trades.views import TradeView
from tests.support.trade_world import TradeWorld, sells_dog
from tests.trades.test_revoking import buried, exposed, fee_of


@pytest.mark.parametrize("role", ["maker", "taker"])
async def test_settlement_in_a_mempool_can_be_taken_back_by_either_side_until_a_block_has_it(role: str) -> None:
    async with TradeWorld() as world:
        trade = await world.taker.takes(await sells_dog(world))
        await world.maker.until("pending")
        await asyncio.sleep(5)
        party, other = (world.maker, world.taker) if role == "maker" else (world.taker, world.maker)
        (settlement,) = world.chain.mempool.values()
        assert party.only().can_revoke and other.only().can_revoke
        fee, most = await party.trades.estimate_revoke_fee(trade.id)
        assert fee_of(world, settlement) < fee < most
        await party.trades.revoke(trade.id)
        await asyncio.sleep(25)
        (spend,) = world.chain.mempool.values()
        assert spend.txid == party.only().revoke_txid and abs(fee_of(world, spend) - fee) <= 200
        view = other.only()
        assert view.phase == "pending" and view.reason is not None and view.reason.code == "INPUT_SPENT"
        assert spend.txid in view.reason.detail, "told at once, not when it is mined"
        await buried(world)
        assert (party.only().phase, other.only().phase) == ("revoked", "failed")


async def test_settlement_in_a_block_cannot_be_taken_back() -> None:
    async with TradeWorld() as world:
        trade = await world.taker.takes(await sells_dog(world))
        await world.settles()
        for party in (world.maker, world.taker):
            assert not party.only().can_revoke
            with pytest.raises(InvalidArgument, match="no signature to take back"):
                await party.trades.revoke(trade.id)
            with pytest.raises(InvalidArgument, match="no signature to take back"):
                await party.trades.estimate_revoke_fee(trade.id)


async def pinned(world: TradeWorld, sats: int) -> TradeView:
    """The maker hangs a child that pays `sats` on its output of the settlement."""
    world.maker.give(200_000)
    trade = await world.taker.takes(await sells_dog(world))
    await world.maker.until("pending")
    await asyncio.sleep(5)
    (settlement,) = world.chain.mempool.values()
    place = next(i for i, each in enumerate(settlement.outputs) if each.script == world.maker.wallet.payment.script)
    paid = settlement.outputs[place].sats
    child = Transaction(
        (TxInput(OutPoint(settlement.txid, place), witness=(b"w",)),),
        (TxOutput(paid - sats, world.maker.wallet.payment.script),),
    )
    world.chain.accept(child.serialize())
    return trade


async def test_pin_is_beaten_by_one_wish_with_what_the_refusal_says_it_takes() -> None:
    """It took 283 wishes, each two sats per vbyte more."""
    async with TradeWorld() as world:
        trade = await pinned(world, 4_000)
        await world.taker.trades.revoke(trade.id)
        await asyncio.sleep(30)
        (spend,) = world.chain.mempool.values()
        assert spend.txid == world.taker.only().revoke_txid
        await buried(world)
        assert world.taker.only().phase == "revoked"


async def test_pin_beyond_the_bound_is_told_and_beaten_once_the_bound_is_named() -> None:
    async with TradeWorld() as world:
        trade = await pinned(world, 20_000)
        _, most = await world.taker.trades.estimate_revoke_fee(trade.id)
        await world.taker.trades.revoke(trade.id)
        await asyncio.sleep(30)
        view = world.taker.only()
        assert len(world.chain.mempool) == 2 and view.phase == "revoking" and view.can_revoke
        assert view.reason is not None and f"may cost {most}" in view.reason.detail
        await world.taker.trades.revoke(trade.id, max_fee=30_000)
        await asyncio.sleep(30)
        (spend,) = world.chain.mempool.values()
        assert 20_000 < fee_of(world, spend) <= 30_000
        await buried(world)
        assert world.taker.only().phase == "revoked"


async def test_fee_of_taking_back_is_the_one_that_was_named() -> None:
    async with TradeWorld() as world:
        trade = await exposed(world)
        await world.taker.trades.revoke(trade.id, fee=3_333)
        await asyncio.sleep(5)
        (spend,) = world.chain.mempool.values()
        assert fee_of(world, spend) == 3_333
        await buried(world)
        assert world.taker.only().phase == "revoked"
