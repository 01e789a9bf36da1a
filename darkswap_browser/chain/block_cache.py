"""What the chain servers agreed on, kept while the tip stays the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.chain.base import OutputAssets, Tip, TxStatus
from darkswap_browser.market.assets import Asset, AssetKind

K = TypeVar("K")


V = TypeVar("V")


AGREED_SECONDS = 2.0
"""How long the latest block is good for what is signed on: one trade asks for it a dozen times within a second."""


MAX_FACTS = 10_000
"""Of one kind, under one latest block: far above what a wallet has coins."""


AssetAmounts = tuple[tuple[Asset, int], ...] | None


Content = tuple[AssetAmounts, AssetAmounts, tuple[str, ...] | None]


Contents = tuple[Content, ...]


class BlockCache:
    """What servers agreed on of blocks. It cannot change without another latest block, so it is good as long as that
    is the same: in which block a transaction is, and what an output carries, by the kinds of assets asked for.
    """

    def __init__(self) -> None:
        self._tip: Tip | None = None
        self.statuses: dict[str, TxStatus] = {}
        self.contents: dict[frozenset[AssetKind], dict[OutPoint, Content]] = {}

    def at(self, tip: Tip) -> None:
        if tip != self._tip:
            self._tip = tip
            self.statuses, self.contents = {}, {}

    def keep(self, kept: dict[K, V], key: K, value: V) -> None:
        """As far as there is room."""
        if len(kept) < MAX_FACTS:
            kept[key] = value


def contents_of(held: OutputAssets) -> Content:
    """In an order of its own, so that equal holdings are equal values."""
    inscriptions = None if held.inscriptions is None else tuple(sorted(held.inscriptions))
    return _amounts(held.runes), _amounts(held.alkanes), inscriptions


def _amounts(atoms: Mapping[Asset, int] | None) -> AssetAmounts:
    return None if atoms is None else tuple(sorted(atoms.items()))


def holdings_of(runes: AssetAmounts, alkanes: AssetAmounts, inscriptions: tuple[str, ...] | None) -> OutputAssets:
    return OutputAssets(
        None if runes is None else dict(runes), None if alkanes is None else dict(alkanes), inscriptions
    )


def merged(one: OutputAssets, other: OutputAssets) -> OutputAssets:
    """What one of two indexes of different kinds does not know, the other may."""
    return replace(
        one,
        runes=other.runes if one.runes is None else one.runes,
        alkanes=other.alkanes if one.alkanes is None else one.alkanes,
        inscriptions=other.inscriptions if one.inscriptions is None else one.inscriptions,
    )


def nothing_of(kinds: frozenset[AssetKind]) -> OutputAssets:
    """Nothing, by the word of an index of `kinds`; whoever indexes runes indexes inscriptions."""
    is_ord = AssetKind.RUNE in kinds
    return OutputAssets(
        runes={} if is_ord else None,
        alkanes={} if AssetKind.ALKANE in kinds else None,
        inscriptions=() if is_ord else None,
    )
