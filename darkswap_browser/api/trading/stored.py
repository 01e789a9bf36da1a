"""Orders and trades as they lie in the store, for whoever only looks: another program may go on with them meanwhile.

`unread` is told of records that could not be read; they stay where they are.
"""

from __future__ import annotations

from collections.abc import Sequence

from darkswap_browser.orders.views import OrderView, build_order_view
from darkswap_browser.runtime.base.host import Runtime
from darkswap_browser.storage.orders import order_records
from darkswap_browser.storage.records import QuarantineListener
from darkswap_browser.storage.trades import trade_records
from darkswap_browser.trades import view_builder
from darkswap_browser.trades.views import TradeView


async def orders(runtime: Runtime, network: str, peer: str, unread: QuarantineListener) -> Sequence[OrderView]:
    """Newest change first. Cancellation: Safe; it only reads."""
    records = await order_records(runtime.store, network, peer, unread, moves=False).all()
    now = int(runtime.clock.now())
    views = [build_order_view(order_id, record, peer, now) for order_id, record in records.items()]
    return sorted(views, key=lambda view: (-view.updated_at, view.id))


async def trades(runtime: Runtime, network: str, peer: str, unread: QuarantineListener) -> Sequence[TradeView]:
    """Newest first. Cancellation: Safe; it only reads."""
    records = await trade_records(runtime.store, network, peer, unread, moves=False).all()
    views = [view_builder.build_trade_view(record, peer) for record in records.values()]
    return sorted(views, key=lambda view: (-view.created_at, view.id))
