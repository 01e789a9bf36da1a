"""Trades as they are kept: `trades/<network>/<id>`. The state alone is enough to go on; the rest is for faces."""

from __future__ import annotations

from dataclasses import dataclass

from darkswap_browser.market.messages import TakeRequest
from darkswap_browser.market.trade.states import VERSION, State
from darkswap_browser.runtime.base import KeyValueStore
from darkswap_browser.storage.records import Records, Report

MAX_TRADES = 1000
"""Kept per network, ended ones included: the history; a record takes some KiB."""


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


def trade_records(store: KeyValueStore, network: str, report: Report) -> Records[TradeRecord]:
    return Records(store, f"trades/{network}/", TradeRecord, version=VERSION, cap=MAX_TRADES, report=report)
