"""What a side knows of the chain when it checks a settlement; `trades.chain_snapshot` fetches it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.market.assets import Asset

MATURITY = 100
"""Blocks before a coinbase may be spent."""


@dataclass(frozen=True, slots=True)
class InputSnapshot:
    """One declared coin, as chain and indexes tell. None: they could not."""

    raw: bytes | None = None
    """The transaction that made it."""
    height: int | None = None
    """Of its block; None: in no block."""
    spent_by: str | None = None
    """Txid of what spends it, mempool included."""
    runes: Mapping[Asset, int] | None = None
    alkanes: Mapping[Asset, int] | None = None
    inscriptions: tuple[str, ...] | None = None

    @property
    def known(self) -> bool:
        return self.runes is not None and self.alkanes is not None and self.inscriptions is not None

    @property
    def assets(self) -> Mapping[Asset, int]:
        """Atoms that are known to be there."""
        return {**(self.runes or {}), **(self.alkanes or {})}


NOTHING_KNOWN = InputSnapshot()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainSnapshot:
    """`now` in unix seconds; `genesis`: hash of block 0, display order; `index_lag`: blocks the indexes are behind."""

    now: float
    genesis: str
    tip_height: int
    index_lag: int = 0
    coins: Mapping[OutPoint, InputSnapshot] = field(default_factory=dict)

    def of(self, outpoint: OutPoint) -> InputSnapshot:
        return self.coins.get(outpoint, NOTHING_KNOWN)
