"""What is asked of the chain, and of the indexes beside it. Servers may lie: see `chain.quorum` for whom to believe.

All methods raise `ChainError` and its kinds (`ChainUnreachable`, `RateLimited`, `NotOnChain`, `ChainInconsistent`,
`IndexerLagging`, `BroadcastRejected`). Amounts are sats and atoms, feerates sats per 1000 virtual bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.market.assets import Asset, AssetKind, AssetMetadata


@dataclass(frozen=True, slots=True)
class Tip:
    """`block_hash` in display order, 64 hex digits."""

    height: int
    block_hash: str


@dataclass(frozen=True, slots=True)
class Utxo:
    """An unspent output; `height` is None while unconfirmed."""

    outpoint: OutPoint
    sats: int
    script: bytes
    height: int | None
    is_coinbase: bool = False


@dataclass(frozen=True, slots=True)
class TxStatus:
    """`height` and `block_hash` are None while in the mempool."""

    height: int | None = None
    block_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Spend:
    """Who spends an output: in the mempool (`height` None) or in a block."""

    txid: str
    height: int | None


@dataclass(frozen=True, slots=True)
class OutputAssets:
    """What one output carries besides sats. None: the one asked cannot tell, so it is unknown."""

    runes: Mapping[Asset, int] | None = None
    alkanes: Mapping[Asset, int] | None = None
    inscriptions: Sequence[str] | None = None

    @property
    def complete(self) -> bool:
        return self.runes is not None and self.alkanes is not None and self.inscriptions is not None

    @property
    def assets(self) -> Mapping[Asset, int]:
        """Known atoms by asset."""
        return {**(self.runes or {}), **(self.alkanes or {})}

    @property
    def is_clean(self) -> bool:
        """Known to be nothing but sats."""
        return self.complete and not self.assets and not self.inscriptions


UNKNOWN = OutputAssets()


@dataclass(frozen=True, slots=True)
class ServerQuorum:
    """The servers of one kind, by name, and how many of them must agree before anything is signed."""

    servers: tuple[str, ...]
    needed: int


class ChainSource(Protocol):
    """One server of the chain: Esplora."""

    @property
    def name(self) -> str: ...

    async def tip(self) -> Tip: ...

    async def block_hash(self, height: int) -> str: ...

    async def transaction(self, txid: str) -> bytes:
        """Raw bytes, whose hash the adapter has checked. `NotOnChain` when it is unknown there."""
        ...

    async def status(self, txid: str) -> TxStatus | None:
        """None: neither in a block nor in the mempool."""
        ...

    async def spend(self, outpoint: OutPoint) -> Spend | None:
        """None: unspent, mempool included."""
        ...

    async def utxos(self, script: bytes) -> Sequence[Utxo]: ...

    async def broadcast(self, raw: bytes) -> str:
        """The txid; one that is known there already is success. Raises `BroadcastRejected`."""
        ...

    async def fee_rates(self) -> Mapping[int, int]:
        """Confirmation target in blocks → sats per 1000 vB; empty on quiet networks."""
        ...


class AssetSource(Protocol):
    """One index of assets: ord for runes and inscriptions, an alkanes server for alkanes."""

    @property
    def name(self) -> str: ...

    @property
    def covers(self) -> frozenset[AssetKind]: ...

    @property
    def first_height(self) -> int:
        """The first block it reads: outputs of earlier ones can hold nothing that it covers, and it knows none."""
        ...

    async def height(self) -> int:
        """The last block it has read."""
        ...

    async def holdings(self, outpoints: Sequence[OutPoint]) -> Mapping[OutPoint, OutputAssets]:
        """One entry per outpoint asked for; what it does not know is None in it."""
        ...

    async def info(self, asset: Asset) -> AssetMetadata | None: ...

    async def find(self, name: str) -> AssetMetadata | None:
        """By name, spacers ignored."""
        ...


class Chain(Protocol):
    """All configured servers as one. `verify=True`: as many as the quorum asks for must agree, and the indexes must be
    at the tip (else `ChainInconsistent`, `IndexerLagging`); otherwise the first answer will do.
    """

    async def tip(self, *, verify: bool = False) -> Tip: ...

    async def genesis(self) -> str:
        """Hash of block 0: which network this is."""
        ...

    async def transaction(self, txid: str) -> bytes: ...

    async def status(self, txid: str, *, verify: bool = False) -> TxStatus | None: ...

    async def spend(self, outpoint: OutPoint, *, verify: bool = False) -> Spend | None: ...

    async def utxos(self, script: bytes) -> Sequence[Utxo]: ...

    async def broadcast(self, raw: bytes) -> str:
        """To every server; success when one takes it."""
        ...

    async def fee_rate(self, target: int) -> int:
        """Sats per 1000 vB for `target` blocks, between the relay floor and the cap. Raises `ChainInconsistent` when
        the servers are far apart and nothing tells whom to believe.
        """
        ...

    async def holdings(
        self, outpoints: Sequence[OutPoint], *, verify: bool = False
    ) -> Mapping[OutPoint, OutputAssets]: ...

    async def info(self, asset: Asset) -> AssetMetadata | None:
        """Always verified: what an amount means is part of what is signed. None: there is none, the indexes agree."""
        ...

    async def find(self, kind: AssetKind, name: str) -> AssetMetadata | None:
        """As `info`, by name."""
        ...

    def quorum_for(self, kind: AssetKind) -> ServerQuorum:
        """Who vouches for what outputs hold of a kind; of bitcoin, who tells of the chain."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainConfig:
    """Base addresses of servers, e.g. `https://mempool.space/api`. `network`: which chain they must be of; "" asks
    nobody.
    """

    network: str = ""
    esplora: tuple[str, ...] = ()
    ord: tuple[str, ...] = ()
    alkanes: tuple[str, ...] = ()
    quorum: int = 1
    """How many servers of a kind must agree before anything is signed; at most as many as there are."""
    headers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Extra headers (API keys) by base address."""
