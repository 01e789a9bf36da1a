"""What the faces tell of wallets, orders and trades: the shapes of darkswap.d.ts as frozen records.

Assets are texts ("BTC", "RUNE:840000:1", "ALKANE:2:0"). Amounts are decimal texts in display units, and beside each
stands the whole number of atoms, under a name that ends in `atoms` (in sats: `sats`). Times are unix seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from darkswap_browser.api.records import NULL_IF_NONE


@dataclass(frozen=True, slots=True)
class TradingEvent:
    """`type` and the keys of `fields` are those of `TradingEvent` in darkswap.d.ts."""

    type: str
    at: float
    fields: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetInfo:
    """`id` is "840000:1", and empty for bitcoin. What the index does not tell is None."""

    asset: str
    kind: str
    id: str
    name: str
    symbol: str
    decimals: int
    supply: str | None = None
    supply_atoms: int | None = None
    created_height: int | None = None


@dataclass(frozen=True, slots=True)
class AssetAmount:
    asset: str
    name: str
    amount: str
    atoms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletInfo:
    """`is_new`: a seed wallet made just now, whose words its owner has not seen."""

    type: str
    network: str
    address: str
    payment_address: str
    supports_runes: bool
    supports_alkanes: bool
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceInfo:
    """`amount` is `available`, `pending` and `locked` together."""

    asset: str
    type: str
    name: str
    symbol: str
    decimals: int
    amount: str
    atoms: int
    available: str
    available_atoms: int
    pending: str
    pending_atoms: int
    locked: str
    locked_atoms: int
    unknown_atoms: int
    """Sats on coins that no index vouches for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoinInfo:
    """One unspent output, `txid:vout`. `known`: the indexes say all that is on it."""

    outpoint: str
    sats: int
    address: str
    state: str
    reserved_by: str
    assets: tuple[AssetAmount, ...]
    inscriptions: tuple[str, ...]
    known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderInfo:
    """`funded` is None while unknown. `text` is the signed order, to be passed on."""

    id: str
    hash: str
    seq: int
    maker: str
    network: str
    base: AssetInfo
    quote: AssetInfo
    base_asset: str
    quote_asset: str
    side: str
    price: str
    amount: str
    base_atoms: int
    total: str
    quote_atoms: int
    min_amount: str
    min_fill_atoms: int
    remaining_amount: str
    remaining_atoms: int
    filled_amount: str
    filled_atoms: int
    fee_rule: str
    max_fee_sats: int
    """Most that its maker pays the miners for one trade."""
    signing_seconds: int
    """What a taker gets for its signature."""
    status: str
    is_local: bool
    is_active: bool
    funded: bool | None = field(metadata=NULL_IF_NONE)
    created_at: int
    updated_at: int
    expires_at: int
    text: str
    private_sale: bool
    """Its text holds the maker's signature: whoever has it can complete the sale."""
    cancel_txid: str | None
    """Of the transaction that takes the coin of a private sale back; until it is in a block, others can complete it.
    None once the coin is back for good.
    """


@dataclass(frozen=True, slots=True)
class OrderProblem:
    """`field`: of the draft, or "wallet"."""

    field: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCheck:
    """What an order to be would be. `fee_rate` in sats per vbyte. `warnings`: what its maker should know before; they
    hinder nothing.
    """

    ok: bool
    problems: tuple[OrderProblem, ...]
    warnings: tuple[str, ...]
    price: str
    total: str
    quote_atoms: int
    fee_sats: int
    fee_rate: str


@dataclass(frozen=True, slots=True)
class TradeStep:
    """`state`: "done", "active", "todo" or "failed"."""

    name: str
    state: str


@dataclass(frozen=True, slots=True)
class TradeEffect:
    """What the very transaction does to this wallet."""

    gives: tuple[AssetAmount, ...]
    gets: tuple[AssetAmount, ...]
    fee_sats: int


@dataclass(frozen=True, slots=True)
class FeeBump:
    """The child that speeds a settlement up, and what it pays."""

    txid: str
    fee_sats: int


@dataclass(frozen=True, slots=True)
class RevokeFee:
    """Sats that taking a signature back would cost now, and may cost where nothing else is said."""

    fee_sats: int
    max_fee_sats: int


@dataclass(frozen=True, slots=True)
class TradeReason:
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeInfo:
    id: str
    order_id: str
    role: str
    peer_id: str
    maker_id: str
    taker_id: str
    base_asset: str
    quote_asset: str
    side: str
    price: str
    amount: str
    base_atoms: int
    total: str
    quote_atoms: int
    state: str
    status: str
    phase: str
    steps: tuple[TradeStep, ...]
    effect: TradeEffect | None
    txid: str | None
    raw: str | None
    confirmations: int
    created_at: int
    updated_at: int
    expires_at: int | None
    completed_at: int | None
    reason: TradeReason | None
    advice: str
    can_confirm: bool
    can_cancel: bool
    can_revoke: bool
    can_bump_fee: bool
    revoke_txid: str | None
    vouched_by: int
    """How many of `vouchers` must agree on what the other side's coins hold before anything is signed."""
    vouchers: tuple[str, ...]
    """Servers that are asked what the other side's coins hold: indexes of the asset; of bitcoin, chain servers."""
