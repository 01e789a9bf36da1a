"""Views of the orders that are kept: decoded once, and never out of date."""

from __future__ import annotations

from dataclasses import replace

import pytest

from darkswap_browser.concurrency.faults import log_fault
from darkswap_browser.errors import StorageFull
from darkswap_browser.market import order_codec
from darkswap_browser.orders.book import OrderBook
from darkswap_browser.storage.orders import OrderRecord, OrderStatus, order_records
from darkswap_browser.testing.host import SimulatedStore
from tests.market.cases import CREATED, order, signed

MADE = order()
RECORD = OrderRecord(text=order_codec.encode_text(signed(MADE)), seq=0, updated_at=CREATED)


class Clock:
    def __init__(self) -> None:
        self.time = CREATED

    def now(self) -> int:
        return self.time


def _book(clock: Clock, store: SimulatedStore | None = None) -> OrderBook:
    records = order_records(store or SimulatedStore(), "mainnet", "me", lambda key, why: None)
    return OrderBook(records, "me", clock.now, log_fault)


async def test_view_of_an_unchanged_order_is_the_same_until_it_expires() -> None:
    clock = Clock()
    book = _book(clock)
    await book.put(MADE.order_id, RECORD, "created")
    (view,) = book.views()
    clock.time = MADE.expires_at - 1
    assert book.views()[0] is view and view.status is OrderStatus.OPEN
    clock.time = MADE.expires_at
    assert book.views()[0].status is OrderStatus.EXPIRED


async def test_view_of_a_changed_order_is_of_the_change() -> None:
    book = _book(Clock())
    await book.put(MADE.order_id, RECORD, "created")
    assert book.views()[0].funded is None
    await book.put(MADE.order_id, replace(RECORD, funded=False), "updated")
    assert book.views()[0].funded is False
    await book.drop(MADE.order_id)
    assert book.views() == []
    await book.put(MADE.order_id, RECORD, "created")
    assert book.views()[0].funded is None


async def test_view_after_a_change_that_could_not_be_stored_is_as_before() -> None:
    store = SimulatedStore()
    book = _book(Clock(), store)
    await book.put(MADE.order_id, RECORD, "created")
    store.full = True
    with pytest.raises(StorageFull):
        await book.put(MADE.order_id, replace(RECORD, funded=False), "updated")
    assert book.views()[0].funded is None
