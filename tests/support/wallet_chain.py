"""One script's coins as a `Chain` tells them: what the test put there, no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.chain.base import UNKNOWN, OutputAssets, ServerQuorum, Spend, Tip, TxStatus, Utxo
from darkswap_browser.errors import ChainUnreachable, IndexerLagging, NotOnChain
from darkswap_browser.market.assets import Asset, AssetKind, AssetMetadata

CLEAN = OutputAssets({}, {}, ())
HEIGHT = 800


def outpoint(number: int) -> OutPoint:
    return OutPoint(f"{number:064x}", 0)


class WalletChain:
    """A `chain.base.Chain` for what the coins of a wallet are asked about."""

    def __init__(self) -> None:
        self.coins: dict[OutPoint, Utxo] = {}
        self.contents: dict[OutPoint, OutputAssets] = {}
        self.spends: dict[OutPoint, Spend] = {}
        self.lagging = False
        self.asked: list[str] = []

    def add(
        self,
        number: int,
        script: bytes,
        sats: int = 10_000,
        holdings: OutputAssets = CLEAN,
        *,
        height: int | None = 700,
        is_coinbase: bool = False,
    ) -> OutPoint:
        place = outpoint(number)
        self.coins[place] = Utxo(place, sats, script, height, is_coinbase)
        self.contents[place] = holdings
        return place

    async def tip(self, *, verify: bool = False) -> Tip:
        return Tip(HEIGHT, "00" * 32)

    async def genesis(self) -> str:
        return "00" * 32

    async def transaction(self, txid: str) -> bytes:
        raise NotOnChain("chain", txid)

    async def status(self, txid: str, *, verify: bool = False) -> TxStatus | None:
        return None

    async def spend(self, outpoint: OutPoint, *, verify: bool = False) -> Spend | None:
        self.asked.append(f"spend {verify}")
        return self.spends.get(outpoint)

    async def utxos(self, script: bytes) -> Sequence[Utxo]:
        self.asked.append("utxos")
        return [utxo for utxo in self.coins.values() if utxo.script == script]

    async def broadcast(self, raw: bytes) -> str:
        raise ChainUnreachable("chain", "not here")

    async def fee_rate(self, target: int) -> int:
        return 1000

    async def holdings(self, outpoints: Sequence[OutPoint], *, verify: bool = False) -> Mapping[OutPoint, OutputAssets]:
        self.asked.append(f"holdings {verify}")
        if verify and self.lagging:
            raise IndexerLagging("index", HEIGHT - 1, HEIGHT)
        return {each: self.contents.get(each, UNKNOWN) for each in outpoints}

    async def info(self, asset: Asset) -> AssetMetadata | None:
        return None

    async def find(self, kind: AssetKind, name: str) -> AssetMetadata | None:
        return None

    def quorum_for(self, kind: AssetKind) -> ServerQuorum:
        return ServerQuorum(("chain",), 1)
