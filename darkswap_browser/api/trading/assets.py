"""What assets are called and how many decimals they have: what the indexes agree on, kept for when they are away.

Only here atoms become amounts, and amounts atoms: everything below the faces counts in whole atoms.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from darkswap_browser.api.trading.records import AssetAmount, AssetInfo
from darkswap_browser.chain.base import Chain
from darkswap_browser.errors import ChainError, InvalidOrder, NotOnChain, StorageError, TooManyRequests
from darkswap_browser.market.amounts import format_amount
from darkswap_browser.market.assets import BITCOIN_INFO, BTC, Asset, AssetKind, AssetMetadata
from darkswap_browser.runtime.base.storage import KeyValueStore
from darkswap_browser.storage.codec import ASSET_INFO
from darkswap_browser.storage.records import RecordStore

VERSION = 1
MAX_KEPT = 1000
"""Assets ever met on one network; further ones are asked for again at each start."""


class AssetRegistry:
    def __init__(self, chain: Callable[[], Chain], store: KeyValueStore, network: str) -> None:
        self._chain = chain
        self._known: dict[Asset, AssetMetadata] = {BTC: BITCOIN_INFO}
        self._kept = RecordStore(
            store, f"assets/{network}/", ASSET_INFO, version=VERSION, cap=MAX_KEPT, report=lambda key, reason: None
        )

    async def info(self, asset: Asset) -> AssetMetadata:
        """What is known of an asset; the indexes are asked once, and as many as the quorum says must agree.

        Raises:
            NotOnChain: The indexes know no such asset.
            ChainError: Too few indexes answer or agree, and it was not met before with as many.

        Cancellation: Safe; it is asked for again.
        """
        if asset not in self._known:
            self._known[asset] = await self._ask(asset)
        return self._known[asset]

    async def agreed(self, asset: Asset, decimals: int, path: str) -> AssetMetadata:
        """What is known of an asset, whose maker was shown so many decimals.

        Raises:
            InvalidOrder: The indexes tell of other decimals: one of both sides is lied to about what an amount means.
            NotOnChain, ChainError: As `info`.

        Cancellation: As `info`.
        """
        found = await self.info(asset)
        if found.decimals != decimals:
            reason = f"has {found.decimals} decimals by your indexes, and {decimals} by the order"
            raise InvalidOrder(path, reason, "An index lies, to you or to its maker. Do not take it.")
        return found

    async def find(self, kind: AssetKind, text: str) -> AssetMetadata | None:
        """By id ("840000:1") or name; as the index says now, so that the supply is of now.

        Cancellation: Safe; it only reads, but for the cache.
        """
        if ":" in text:
            found = await self._chain().info(Asset.parse(f"{kind}:{text}", "id"))
        else:
            found = await self._chain().find(kind, text)
        if found is not None:
            await self._keep(found)
        return found

    async def shown(self, asset: Asset, claimed: int = 0) -> AssetMetadata:
        """For display only: of an asset never met while its index is away, the id stands for the name, and its maker's
        word for the decimals of an order (`claimed`), else whole atoms for amounts. Taking it asks the indexes.
        Cancellation: As `info`.
        """
        try:
            return await self.info(asset)
        except ChainError:
            return AssetMetadata(asset=asset, name=str(asset), decimals=claimed)

    async def amount(self, asset: Asset, atoms: int) -> AssetAmount:
        """For display, as `shown`. Cancellation: As `info`."""
        known = await self.shown(asset)
        return AssetAmount(str(asset), known.name, format_amount(atoms, known.decimals), atoms)

    async def _ask(self, asset: Asset) -> AssetMetadata:
        try:
            found = await self._chain().info(asset)
        except ChainError:
            kept = await self._look_up(asset)
            if kept is None or kept.agreed_by < self._chain().quorum_for(asset.kind).needed:
                raise
            return kept
        if found is None:
            raise NotOnChain("the index", f"knows no {asset}")
        await self._keep(found)
        return found

    async def _look_up(self, asset: Asset) -> AssetMetadata | None:
        """What is kept of it; None also when the store fails: then only the index's error is worth telling."""
        try:
            return await self._kept.get(str(asset))
        except StorageError:
            return None

    async def _keep(self, found: AssetMetadata) -> None:
        """In the store too if there is room: it is a cache, and what has no place there is asked for again."""
        self._known[found.asset] = found
        with suppress(TooManyRequests, StorageError):
            await self._kept.put(str(found.asset), found)


def described(info: AssetMetadata) -> AssetInfo:
    asset = info.asset
    return AssetInfo(
        asset=str(asset),
        kind=asset.kind.value,
        id="" if asset == BTC else f"{asset.block}:{asset.tx}",
        name=info.name,
        symbol=info.symbol,
        decimals=info.decimals,
        supply=None if info.supply is None else format_amount(info.supply, info.decimals),
        supply_atoms=info.supply,
        created_height=info.created_height,
    )
