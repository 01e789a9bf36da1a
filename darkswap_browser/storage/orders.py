"""Orders as they are kept: `orders/<network>/<peer id>/<id>`, our own and those of others, of whoever we are there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from darkswap_browser.market.order_codec import MAX_ORDER
from darkswap_browser.runtime.base.storage import KeyValueStore
from darkswap_browser.storage import codec
from darkswap_browser.storage.codec import stored
from darkswap_browser.storage.records import QuarantineListener, RecordStore
from darkswap_browser.wire.fields import Choice, Data, Flag, Maybe, Text
from darkswap_browser.wire.records import Listed

VERSION = 1
MAX_ORDERS = 1000
"""Kept per network and peer: the original's maxOrders; a record takes 1 to 5 KiB."""

MAX_BEGUN = 100
MAX_EARLIER = 64
"""Far more revisions than are kept of an order."""
MAX_FILLS = 10_000
"""Of some 60 bytes: more do not fit into a record."""


class OrderStatus(StrEnum):
    OPEN = "open"
    PAUSED = "paused"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    UNFUNDED = "unfunded"
    """A coin that stood behind it is spent."""

    @property
    def is_over(self) -> bool:
        return self not in (OrderStatus.OPEN, OrderStatus.PAUSED)


@dataclass(frozen=True, slots=True)
class Fill:
    """Base atoms that a trade takes of an order of ours; `done` once its transaction is confirmed."""

    trade_id: str
    atoms: int
    done: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRecord:
    """`text`: the latest revision. `earlier`: older ones of ours on the same terms, which people may still hold."""

    text: str
    earlier: tuple[str, ...] = ()
    status: OrderStatus = OrderStatus.OPEN
    funded: bool | None = None
    fills: tuple[Fill, ...] = ()
    cancellation: bytes = b""
    """Signed; empty while there is none."""
    seq: int
    """The highest seen, of a revision or of the cancellation."""
    updated_at: int
    reclaim: bytes = b""
    """Of a private sale of ours: the transaction that takes its coin back, once that was asked for."""
    released: bool = False
    """Of a private sale of ours: a spend of its coin is buried, so that nothing has to be held any more."""


@dataclass(frozen=True, slots=True)
class PendingSale:
    """Kept under an order's id from before its lot is reserved until the order itself is kept: what a crash in between
    leaves reserved is found by it. `at`: unix seconds.
    """

    at: int


FILL = stored(Fill, "Fill", ("trade_id", Text(64)), ("atoms", codec.ATOMS), ("done", Flag()))
ORDER_RECORD = stored(
    OrderRecord,
    "OrderRecord",
    ("text", codec.ORDER_TEXT),
    ("earlier", Listed(codec.ORDER_TEXT, MAX_EARLIER)),
    ("status", Choice(OrderStatus)),
    ("funded", Maybe(Flag())),
    ("fills", Listed(FILL, MAX_FILLS)),
    ("cancellation", Data(MAX_ORDER)),
    ("seq", codec.COUNT),
    ("updated_at", codec.TIME),
    ("reclaim", codec.TRANSACTION),
    ("released", Flag()),
)
SALE_BEGUN = stored(PendingSale, "SaleBegun", ("at", codec.TIME))


def pending_sales(
    store: KeyValueStore, network: str, peer: str, report: QuarantineListener
) -> RecordStore[PendingSale]:
    return RecordStore(
        store, f"pending-sales/{network}/{peer}/", SALE_BEGUN, version=VERSION, cap=MAX_BEGUN, report=report
    )


def order_records(
    store: KeyValueStore, network: str, peer: str, report: QuarantineListener, *, moves: bool = True
) -> RecordStore[OrderRecord]:
    prefix = f"orders/{network}/{peer}/"
    return RecordStore(store, prefix, ORDER_RECORD, version=VERSION, cap=MAX_ORDERS, report=report, moves=moves)
