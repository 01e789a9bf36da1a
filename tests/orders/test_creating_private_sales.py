"""Private sales as their makers make them: of what, with which wallet, and what a page that dies leaves behind."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from darkswap_browser.errors import (
    Aborted,
    ChainUnreachable,
    InsufficientFunds,
    InvalidOrder,
    Unsupported,
    VerificationFailed,
    WalletNotConnected,
    WalletRejected,
)
from darkswap_browser.market.assets import BTC
from darkswap_browser.market.orders import Side
from darkswap_browser.orders.draft import OrderDraft
from darkswap_browser.settlement.checks import TradePolicy
from darkswap_browser.settlement.private_sale import RISKS
from tests.support.private_sales import PRICE, held, lot_of, sells, told, world
from tests.support.simulated_wallet import SimulatedWallet
from tests.support.trade_world import DIESEL, DOG, TradeWorld, decimals_of


async def test_private_sales_are_off_until_their_risks_are_accepted() -> None:
    async with TradeWorld() as there:
        with pytest.raises(Unsupported) as refused:
            await sells(there.maker)
        assert refused.value.code == "UNSUPPORTED" and all(risk in refused.value.hint for risk in RISKS)
        assert await there.maker.holds_nothing() and not there.maker.wallet.sold
    async with world() as there:
        order = await sells(there.maker)
        there.policy = TradePolicy()
        careful = await there.party("careful", "ws")
        careful.give(100_000)
        with pytest.raises(Unsupported) as refused:
            await careful.takes(order)
        assert all(risk in refused.value.hint for risk in RISKS)
        assert await careful.holds_nothing() and careful.trades.all() == []


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
        usual |= {"base_decimals": decimals_of(usual["base"]), "quote_decimals": decimals_of(usual["quote"])}
        usual["side"] = Side(usual["side"])
        with pytest.raises(InvalidOrder) as refused:
            await there.maker.orders.create(OrderDraft(private_sale=True, **usual))
        assert refused.value.path == path and not there.maker.wallet.sold


async def test_a_maker_who_declines_has_sold_nothing() -> None:
    async with world() as there:
        there.maker.wallet.refuses = True
        with pytest.raises(WalletRejected):
            await sells(there.maker)
        assert await there.maker.holds_nothing() and not there.maker.orders.all()
        there.maker.wallet.refuses = False
        there.maker.servers.down = True
        with pytest.raises(ChainUnreachable):
            await sells(there.maker)
        there.maker.servers.down = False
        assert await there.maker.holds_nothing()


async def test_a_wallet_that_cannot_sell_is_told_from_one_that_is_not_there() -> None:
    async with world() as there:
        there.maker.orders.set_wallet(CannotSell(there.maker.wallet), there.maker.coins)
        with pytest.raises(Unsupported, match="simulated"):
            await sells(there.maker)
        there.maker.orders.set_wallet(None, None)
        with pytest.raises(WalletNotConnected):
            await sells(there.maker)
        assert await there.maker.holds_nothing()


class CannotSell:
    """A wallet without `sign_sale`."""

    def __init__(self, inner: SimulatedWallet) -> None:
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
@pytest.mark.parametrize("key", ["pending-sales/", "coins/", "orders/"])
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
        if maker.orders.all():
            (view,) = maker.orders.all()
            assert key == "orders/" and kept
            assert await held(maker, view) == [lot_of(view)]
        else:
            assert await maker.holds_nothing()
        assert not await maker.peer.runtime.store.keys("pending-sales/")


async def test_what_was_signed_once_is_not_changed() -> None:
    async with world() as there:
        order = await sells(there.maker)
        for change in ({"quote_atoms": PRICE + 1}, {"paused": True}, {"expires_in": 1000}):
            with pytest.raises(InvalidOrder) as refused:
                await there.maker.orders.update(order.id, **change)  # type: ignore[arg-type]
            assert refused.value.path == "sale"
        assert told(there.maker, order).text == order.text
