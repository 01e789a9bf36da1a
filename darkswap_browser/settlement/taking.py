"""From an order to the terms of one trade: the same function on both sides, so that the terms are the same."""

from __future__ import annotations

from darkswap_browser.market.order_codec import order_hash
from darkswap_browser.market.orders import Order, Side, quote_for
from darkswap_browser.settlement.terms import Role, Terms


def terms_of(order: Order, trade_id: str, *, fill: int, fee_rate: int, deadline: int) -> Terms:
    """`fill`: base atoms, judged by `orders.check_fill`. `fee_rate`: sats per 1000 vB. `deadline`: unix seconds."""
    return Terms(
        trade_id=trade_id,
        order_id=order.order_id,
        order_hash=order_hash(order),
        network=order.network,
        base=order.base,
        base_atoms=fill,
        quote=order.quote,
        quote_atoms=quote_for(order, fill),
        base_giver=Role.MAKER if order.side is Side.SELL else Role.TAKER,
        fee_rule=order.fee_rule,
        fee_rate=fee_rate,
        deadline=deadline,
        private_sale=order.sale is not None,
    )
