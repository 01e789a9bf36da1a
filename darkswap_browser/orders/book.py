"""The orders that are kept here: at once for whoever looks, durable when a change returns, told to whoever listens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from darkswap_browser.concurrency.faults import ReportFault
from darkswap_browser.concurrency.notify import Subscribers
from darkswap_browser.errors import InvalidOrder, OrderNotFound
from darkswap_browser.orders.views import OrderEvent, OrderView, build_order_view
from darkswap_browser.storage.orders import MAX_ORDERS, OrderRecord, OrderStatus
from darkswap_browser.storage.records import RecordStore

MAX_OPEN_PER_MAKER = 50
"""Open orders of one maker, ourselves included."""


class OrderBook:
    """`local`: our peer id; `now()` tells unix seconds; `report` hears of subscribers that raise."""

    def __init__(
        self, records: RecordStore[OrderRecord], local: str, now: Callable[[], int], report: ReportFault
    ) -> None:
        self._records = records
        self._local = local
        self._now = now
        self._orders: dict[str, OrderRecord] = {}
        self._views: dict[str, tuple[OrderRecord, OrderView]] = {}
        """The last view of each order, with the record it is of."""
        self._writing = asyncio.Lock()
        self._subscribers = Subscribers[OrderEvent](lambda error, event: report("a subscriber of orders", error))

    async def load(self) -> None:
        self._orders = await self._records.all()

    def subscribe(self, callback: Callable[[OrderEvent], None]) -> Callable[[], None]:
        """Call `callback` with every change; returns how to stop it."""
        return self._subscribers.subscribe(callback)

    # --- what there is

    def all(self) -> Mapping[str, OrderRecord]:
        """As of now: later changes do not show in it."""
        return dict(self._orders)

    def find(self, order_id: str) -> OrderRecord | None:
        return self._orders.get(order_id)

    def record(self, order_id: str) -> OrderRecord:
        """Raises `OrderNotFound`."""
        record = self._orders.get(order_id)
        if record is None:
            raise OrderNotFound(order_id)
        return record

    def view(self, order_id: str, record: OrderRecord) -> OrderView:
        """Decoded once for each record, and once more when the order expires: nothing else of a view changes."""
        now = self._now()
        known, view = self._views.get(order_id, (None, None))
        if view is not None and known is record and (view.status is not OrderStatus.OPEN or now < view.expires_at):
            return view
        view = build_order_view(order_id, record, self._local, now)
        if self._orders.get(order_id) is record:
            self._views[order_id] = record, view
        return view

    def views(self) -> Sequence[OrderView]:
        """Newest change first."""
        views = [self.view(order_id, record) for order_id, record in self._orders.items()]
        return sorted(views, key=lambda view: (-view.updated_at, view.id))

    def check_capacity(self, maker: str) -> None:
        """Raises `InvalidOrder` when that maker has too many open orders, or there is no room for one more."""
        live = [view for view in self.views() if not view.status.is_over and view.maker == maker]
        if len(live) >= MAX_OPEN_PER_MAKER:
            raise InvalidOrder("order", f"is one more than the {MAX_OPEN_PER_MAKER} that a maker may have open")
        if len(self._orders) >= MAX_ORDERS:
            raise InvalidOrder("order", f"is one more than the {MAX_ORDERS} that are kept", "Cancel some first.")

    # --- changes

    async def put(self, order_id: str, record: OrderRecord, kind: str) -> OrderView:
        """What reads a record and puts another without waiting in between loses nobody's change."""
        before = self._orders.get(order_id)
        stamped = self._orders[order_id] = replace(record, updated_at=self._now())
        try:
            await self._write(order_id)
        except BaseException:
            if self._orders.get(order_id) is stamped:
                self._orders.pop(order_id)
                self._orders |= {} if before is None else {order_id: before}
            raise
        view = self.view(order_id, stamped)
        self._subscribers.publish(OrderEvent(kind, view))
        return view

    async def drop(self, order_id: str) -> None:
        self._orders.pop(order_id, None)
        self._views.pop(order_id, None)
        await self._write(order_id)

    async def _write(self, order_id: str) -> None:
        """What the record is by now: one after the other, so that the newest stays."""
        async with self._writing:
            record = self._orders.get(order_id)
            if record is None:
                await self._records.delete(order_id)
            else:
                await self._records.put(order_id, record)
