"""Trades as they are kept: `trades/<network>/<peer id>/<id>`. The state is enough to go on; the rest is for faces.

Tabs of one browser share a store and may be different peers, so everything is kept under the peer id whose it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from darkswap_browser.runtime.base.storage import KeyValueStore
from darkswap_browser.settlement.messages import TakeRequest
from darkswap_browser.settlement.states import VERSION, State
from darkswap_browser.storage import codec
from darkswap_browser.storage.codec import stored
from darkswap_browser.storage.records import QuarantineListener, RecordStore
from darkswap_browser.wire.fields import Flag, Maybe

MAX_TRADES = 1000
"""Kept per network and peer, ended ones included: the history; a record takes some KiB."""
MAX_BEGUN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeRecord:
    """Times in unix seconds."""

    state: State
    order: str
    """Text of the very revision that is taken."""
    relays: tuple[str, ...] = ()
    """Where the other side may be met: full multiaddrs."""
    request: TakeRequest | None = None
    """Maker: what the taker asked, its proofs included."""
    updated_at: int
    completed_at: int | None = None
    released: bool = False
    """Coins that were reserved for it are free again."""


@dataclass(frozen=True, slots=True)
class PendingTake:
    """Kept under a trade's id from before its first coin is reserved until the trade itself is kept: what a crash in
    between leaves reserved is found by it. `at`: unix seconds.
    """

    at: int


TRADE_RECORD = stored(
    TradeRecord,
    "TradeRecord",
    ("state", codec.STATE),
    ("order", codec.ORDER_TEXT),
    ("relays", codec.RELAYS),
    ("request", Maybe(codec.REQUEST)),
    ("updated_at", codec.TIME),
    ("completed_at", Maybe(codec.TIME)),
    ("released", Flag()),
)
TAKE_BEGUN = stored(PendingTake, "TakeBegun", ("at", codec.TIME))


def trade_records(
    store: KeyValueStore, network: str, peer: str, report: QuarantineListener, *, moves: bool = True
) -> RecordStore[TradeRecord]:
    prefix = f"trades/{network}/{peer}/"
    return RecordStore(store, prefix, TRADE_RECORD, version=VERSION, cap=MAX_TRADES, report=report, moves=moves)


def pending_takes(
    store: KeyValueStore, network: str, peer: str, report: QuarantineListener
) -> RecordStore[PendingTake]:
    return RecordStore(
        store, f"pending-takes/{network}/{peer}/", TAKE_BEGUN, version=VERSION, cap=MAX_BEGUN, report=report
    )
