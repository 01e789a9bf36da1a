"""Private sales of a simulated world: made by one party, and what is told and held of them."""

from __future__ import annotations

from typing import Any

from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxOutput
from darkswap_browser.market import order_codec
from darkswap_browser.market.assets import BTC, Asset
from darkswap_browser.market.orders import Order
from darkswap_browser.orders.views import OrderView
from darkswap_browser.settlement.checks import TradePolicy
from tests.support.trade_world import DOG, TradeWorld, TradingPeer

ON = TradePolicy(private_sales=True)
PRICE = 30_000
BLOCKS = 7
"""Until a spend of one confirmation is buried."""


def world(**more: Any) -> TradeWorld:
    return TradeWorld(policy=ON, **more)


async def sells(
    seller: TradingPeer, atoms: int = 1000, base: Asset = DOG, sats: int = PRICE, **more: object
) -> OrderView:
    return await seller.offers(base, atoms, BTC, sats, private_sale=True, **more)


def order_of(view: OrderView) -> Order:
    return order_codec.decode_text(view.text).order


def lot_of(view: OrderView) -> OutPoint:
    (lot,) = order_of(view).funding
    return lot


async def held(seller: TradingPeer, view: OrderView) -> list[OutPoint]:
    return list(await seller.coins.reserved(f"order {view.id}"))


def told(party: TradingPeer, view: OrderView) -> OrderView:
    found = party.orders.get(view.id)
    assert found is not None
    return found


async def closed(there: TradeWorld, seller: TradingPeer) -> None:
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
