"""The trading face on CPython: two nodes, our relay, a regtest chain under Bitcoin Core's validation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from darkswap_browser import DarkSwap, NetworkConfig
from darkswap_browser.api.trading.records import TradeInfo
from darkswap_browser.bitcoin.address import address_of
from darkswap_browser.bitcoin.transaction import Transaction
from darkswap_browser.errors import InvalidArgument, Unsupported
from darkswap_browser.market.amounts import format_amount
from darkswap_browser.runtime.native.host import native_runtime
from darkswap_browser.settlement.private_sale import LOT, RISKS
from tests.interop.processes import our_relay
from tests.support.regtest import RegtestProcess

pytestmark = [pytest.mark.native, pytest.mark.takes(20)]


class Table:
    """A relay, a chain, and whoever sits at the table."""

    def __init__(self, chain: RegtestProcess, relay: str, stack: AsyncExitStack) -> None:
        self.chain = chain
        self.relay = relay
        self._stack = stack

    async def seat(self, **trade: object) -> DarkSwap:
        config = {
            **self.chain.config, "network": {"relays": [self.relay]}, "identity": {"persist": False}, "trade": trade,
        }  # fmt: skip
        node = await self._stack.enter_async_context(DarkSwap(NetworkConfig.from_mapping(config), native_runtime()))
        await node.make_relay_reservation(self.relay.rpartition("/")[2])
        await node.connect_wallet({"type": "seed"})
        return node

    async def give(self, node: DarkSwap, asset: str = "BTC", atoms: int | None = None) -> None:
        purpose = "payment" if asset == "BTC" else "assets"
        address = await node.get_address(purpose)
        await asyncio.to_thread(self.chain.faucet, address, asset, atoms)

    async def mine_with(self, txid: str | None) -> None:
        """A block, as soon as the network has that transaction."""
        assert txid is not None
        await asyncio.to_thread(self.chain.mine_with, txid)


@asynccontextmanager
async def table(folder: Path) -> AsyncIterator[Table]:
    async with AsyncExitStack() as stack:
        chain = stack.enter_context(RegtestProcess(folder))
        relay = stack.enter_context(our_relay())
        yield Table(chain, relay, stack)


async def atoms_of(node: DarkSwap, asset: str) -> int:
    return sum(each.atoms for each in await node.get_balances() if each.asset == asset)


async def free_atoms_of(node: DarkSwap, asset: str) -> int:
    return sum(each.available_atoms for each in await node.get_balances() if each.asset == asset)


async def rune(node: DarkSwap, name: str) -> str:
    found = await node.get_rune_info(name)
    assert found is not None
    return found.asset


async def reaches(node: DarkSwap, trade_id: str, phase: str) -> TradeInfo:
    """The trade as soon as it is told to be in that phase, or is in it already."""
    told: asyncio.Queue[None] = asyncio.Queue()
    end = node.subscribe(lambda event: told.put_nowait(None))
    try:
        while True:
            trade = await node.get_trade(trade_id)
            assert trade is not None and trade.status in ("pending", "confirming"), trade
            if trade.phase == phase:
                return trade
            await told.get()
    finally:
        end()


async def settle(there: Table, maker: DarkSwap, taker: DarkSwap, draft: dict[str, object], amount: str | None) -> str:
    """From the draft to both sides' word that it is completed; the txid."""
    assert (await maker.check_order(draft)).problems == ()
    order = await maker.create_order(draft)
    seen = await taker.import_order(f"https://example.org/#order={order.text}")
    assert seen.funded and seen.is_active and not seen.is_local
    trade = await taker.take_order(order.id, amount, review=True)
    trade = await reaches(taker, trade.id, "reviewing")
    assert trade.vouched_by == 1 and len(trade.vouchers) == 1
    assert trade.effect is not None and trade.effect.fee_sats > 0
    await taker.confirm_trade(trade.id)
    await there.mine_with((await reaches(taker, trade.id, "pending")).txid)
    ended = await taker.wait_for_trade(trade.id)
    made = await maker.wait_for_trade(trade.id)
    assert ended.status == made.status == "completed" and ended.txid == made.txid
    assert ended.txid is not None
    return ended.txid


async def test_a_rune_is_bought_for_bitcoin_a_part_at_a_time(tmp_path: Path) -> None:
    async with table(tmp_path) as there:
        maker, taker = await there.seat(), await there.seat()
        dark = await rune(maker, "DARK•TEST•COINS")
        await there.give(maker, dark)
        await there.give(maker)
        await there.give(taker)
        draft = {
            "base_asset": dark,
            "quote_asset": "BTC",
            "side": "sell",
            "amount": "100.5",
            "price": "0.000005",
            "min_amount": "10",
        }
        txid = await settle(there, maker, taker, draft, "50.25")
        assert await atoms_of(taker, dark) == 5025
        assert await atoms_of(maker, dark) == 100_000 - 5025
        (order,) = await maker.get_orders()
        assert (order.remaining_amount, order.filled_amount) == ("50.25", "50.25")
        assert there.chain.get(f"/api/tx/{txid}/status")["confirmed"]


async def test_an_alkane_is_bought_for_bitcoin_and_a_rune_for_a_rune(tmp_path: Path) -> None:
    async with table(tmp_path) as there:
        maker, taker = await there.seat(), await there.seat()
        dark, light = await rune(maker, "DARKTESTCOINS"), await rune(maker, "LIGHT.TEST.COINS")
        alkane = "ALKANE:2:0"
        for node, asset in ((maker, dark), (maker, "BTC"), (maker, alkane), (taker, light), (taker, "BTC")):
            await there.give(node, asset)
        await settle(
            there,
            maker,
            taker,
            {"base_asset": alkane, "quote_asset": "BTC", "side": "sell", "amount": "2", "total": "0.0002"},
            None,
        )
        await settle(
            there,
            maker,
            taker,
            {"base_asset": dark, "quote_asset": light, "side": "sell", "amount": "20", "total": "30"},
            None,
        )
        assert await atoms_of(taker, dark) == 2000 and await atoms_of(maker, light) == 30


async def test_settlement_that_waits_is_bumped_by_one_side_and_another_taken_back_by_the_other(tmp_path: Path) -> None:
    """Judged by Bitcoin Core's engine and the policy of its mempool."""
    async with table(tmp_path) as there:
        maker, taker = await there.seat(), await there.seat()
        dark = await rune(maker, "DARKTESTCOINS")
        for node, asset in ((maker, dark), (maker, "BTC"), (taker, "BTC")):
            await there.give(node, asset)
        draft = {
            "base_asset": dark,
            "quote_asset": "BTC",
            "side": "sell",
            "amount": "40",
            "total": "0.0004",
            "min_amount": "10",
        }
        order = await maker.create_order(draft)
        await taker.import_order(order.text)
        trade = await taker.take_order(order.id, "20")
        assert (await reaches(taker, trade.id, "pending")).can_bump_fee
        child = await taker.bump_trade_fee(trade.id, 20, 20_000)
        assert child.fee_sats > 1_000
        await there.mine_with(child.txid)
        ended = await taker.wait_for_trade(trade.id)
        assert ended.status == "completed" and there.chain.get(f"/api/tx/{child.txid}/status")["confirmed"]
        assert await atoms_of(taker, dark) == 2000
        await maker.wait_for_trade(trade.id)
        (latest,) = await maker.get_orders()
        while latest.hash == order.hash:
            await asyncio.sleep(0.05)
            (latest,) = await maker.get_orders()
        assert (await taker.import_order(latest.text)).remaining_amount == "20"
        trade = await taker.take_order(order.id, None, False, 2)
        assert trade.amount == "20"
        await reaches(taker, trade.id, "pending")
        await reaches(maker, trade.id, "pending")
        estimate = await maker.estimate_revoke_fee(trade.id)
        revoked = await maker.revoke_trade(trade.id)
        while not revoked.revoke_txid:
            await asyncio.sleep(0.05)
            revoked = await maker.get_trade(trade.id) or revoked
        await there.mine_with(revoked.revoke_txid)
        status = there.chain.get(f"/api/tx/{revoked.revoke_txid}")
        assert status["status"]["confirmed"] and abs(status["fee"] - estimate.fee_sats) <= 200


@pytest.mark.parametrize("kind", ["rune", "alkane"])
async def test_a_private_sale_is_bought_without_its_maker_and_another_taken_back(tmp_path: Path, kind: str) -> None:
    async with table(tmp_path) as there:
        maker, taker = await there.seat(private_sales=True), await there.seat(private_sales=True)
        asset = await rune(maker, "DARKTESTCOINS") if kind == "rune" else "ALKANE:2:0"
        for atoms in (5_000, 7_000):
            await there.give(maker, asset, atoms)
        await there.give(maker)
        await there.give(taker)
        info = await maker.get_rune_info("DARKTESTCOINS") if kind == "rune" else await maker.get_alkane_info("2:0")
        assert info is not None
        lots = [format_amount(atoms, info.decimals) for atoms in (5_000, 7_000)]
        draft = {"base_asset": asset, "quote_asset": "BTC", "side": "sell", "total": "0.0002", "private_sale": True}
        check = await maker.check_order({**draft, "amount": lots[0]})
        assert check.ok and check.warnings == RISKS and check.fee_sats == 0
        sold, kept = [await maker.create_order({**draft, "amount": amount}) for amount in lots]
        assert sold.private_sale and sold.fee_rule == "taker_pays" and await free_atoms_of(maker, asset) == 0
        canceled = await maker.cancel_order(kept.id)
        assert canceled.status == "canceled" and canceled.cancel_txid is not None
        await there.mine_with(canceled.cancel_txid)
        assert await free_atoms_of(maker, asset) == 7_000

        address = await maker.get_address("payment")
        await maker.stop()
        seen = await taker.import_order(f"https://example.org/#order={sold.text}")
        assert seen.funded and seen.is_active and seen.private_sale
        assert (await taker.import_order(kept.text)).funded is False
        trade = await taker.take_order(sold.id, review=True)
        trade = await reaches(taker, trade.id, "reviewing")
        assert trade.effect is not None
        assert [(each.asset, each.atoms) for each in trade.effect.gives] == [("BTC", 20_000)]
        assert [(each.asset, each.atoms) for each in trade.effect.gets] == [(asset, 5_000)]
        await taker.confirm_trade(trade.id)
        await there.mine_with((await reaches(taker, trade.id, "pending")).txid)
        ended = await taker.wait_for_trade(trade.id)
        assert ended.status == "completed" and await atoms_of(taker, asset) == 5_000
        paid = Transaction.parse(bytes.fromhex(ended.raw or "")).outputs[LOT]
        assert paid.sats > 20_000 and address_of(paid.script, "regtest") == address


async def test_private_sales_are_off_by_default_and_the_refusal_tells_their_risks(tmp_path: Path) -> None:
    async with table(tmp_path) as there:
        maker, careful = await there.seat(private_sales=True), await there.seat()
        asset = "ALKANE:2:0"
        for node in (maker, careful):
            await there.give(node, asset, 500)
            await there.give(node)
        info = await maker.get_alkane_info("2:0")
        assert info is not None
        draft = {
            "base_asset": asset, "quote_asset": "BTC", "side": "sell", "amount": format_amount(500, info.decimals),
            "total": "0.0002", "private_sale": True,
        }  # fmt: skip
        check = await careful.check_order(draft)
        assert [each.field for each in check.problems] == ["private_sale"] and check.warnings == RISKS
        assert (await careful.check_order({**draft, "private_sale": False})).warnings == ()
        order = await maker.create_order(draft)
        await careful.import_order(order.text)
        for refused in (careful.create_order(draft), careful.take_order(order.id)):
            with pytest.raises(Unsupported) as told:
                await refused
            assert all(risk in told.value.hint for risk in RISKS)
        wrong = {**draft, "amount": format_amount(499, info.decimals), "min_amount": format_amount(9, info.decimals)}
        fields = {each.field for each in (await maker.check_order(wrong)).problems}
        assert fields == {"amount", "min_amount"}
        with pytest.raises(InvalidArgument, match="private_sale"):
            await maker.create_order({**draft, "private_sale": 1})
