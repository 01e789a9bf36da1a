"""Orders as they are kept: `orders/<network>/<peer id>/<id>`, our own and those of others, of whoever we are there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from darkswap_browser.runtime.base import KeyValueStore
from darkswap_browser.storage.records import Records, Report

VERSION = 1
MAX_ORDERS = 1000
"""Kept per network and peer: the original's maxOrders; a record takes 1 to 5 KiB."""

MAX_BEGUN = 100


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
class SaleBegun:
    """Kept under an order's id from before its lot is reserved until the order itself is kept: what a crash in between
    leaves reserved is found by it. `at`: unix seconds.
    """

    at: int


def sales_begun(store: KeyValueStore, network: str, peer: str, report: Report) -> Records[SaleBegun]:
    return Records(store, f"pending-sales/{network}/{peer}/", SaleBegun, version=VERSION, cap=MAX_BEGUN, report=report)


def order_records(store: KeyValueStore, network: str, peer: str, report: Report) -> Records[OrderRecord]:
    return Records(store, f"orders/{network}/{peer}/", OrderRecord, version=VERSION, cap=MAX_ORDERS, report=report)
