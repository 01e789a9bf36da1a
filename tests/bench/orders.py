"""What it costs to list as many orders as are kept, and to look whether there is room for one more."""

from __future__ import annotations

import asyncio
import statistics
import time

from darkswap_browser.concurrency.faults import log_fault
from darkswap_browser.market import order_codec
from darkswap_browser.orders.book import OrderBook
from darkswap_browser.runtime.memory_store import MemoryStore
from darkswap_browser.storage.orders import OrderRecord, OrderStatus, order_records
from tests.bench.row import Row
from tests.market.cases import CREATED, funded, signed

ORDERS = 950
ROUNDS = 9


def orders() -> list[Row]:
    book = asyncio.run(_filled())
    first = _milliseconds(book)
    again = statistics.median(_milliseconds(book) for _ in range(ROUNDS))
    return [
        Row(
            name=f"list of {ORDERS} orders",
            unit="ms",
            ours=again,
            against={"first": first},
            aims={"first": 0.2},
            more_is_better=False,
            note="first: each order decoded",
        )
    ]


async def _filled() -> OrderBook:
    records = order_records(MemoryStore(), "mainnet", "me", lambda key, why: None)
    book = OrderBook(records, "me", lambda: CREATED, log_fault)
    for number in range(ORDERS):
        text = order_codec.encode_text(signed(funded(nonce=number.to_bytes(16, "big"))))
        record = OrderRecord(text=text, status=OrderStatus.OPEN, seq=0, updated_at=CREATED)
        await book.put(f"{number:064x}", record, "created")
    await book.load()
    return book


def _milliseconds(book: OrderBook) -> float:
    before = time.perf_counter()
    assert len(book.views()) == ORDERS
    return 1000 * (time.perf_counter() - before)
