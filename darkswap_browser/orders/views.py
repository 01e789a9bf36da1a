"""What the faces are told of orders and trades: frozen records, whose amounts are atoms and whose times are seconds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from darkswap_browser.market.assets import Asset
from darkswap_browser.market.orders import Side
from darkswap_browser.settlement.terms import FeeRule, Role
from darkswap_browser.storage.orders import OrderStatus


class TradeState(StrEnum):
    """The words of the original bindings."""

    CREATED = "Created"
    MAKER_PSBT_SENT = "MakerPsbtSent"
    TAKER_PSBT_SENT = "TakerPsbtSent"
    TAKER_SIGNED = "TakerSigned"
    MAKER_SIGNED = "MakerSigned"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELED = "Canceled"
    EXPIRED = "Expired"


class TradeStatus(StrEnum):
    PENDING = "pending"
    CONFIRMING = "confirming"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def is_over(self) -> bool:
        return self in (TradeStatus.COMPLETED, TradeStatus.FAILED, TradeStatus.CANCELED)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderView:
    """`base_atoms` and `quote_atoms` are those of the whole order; `text` is the signed order, to be passed on."""

    id: str
    hash: str
    """Of this revision."""
    seq: int
    maker: str
    network: str
    base: Asset
    quote: Asset
    side: Side
    base_atoms: int
    quote_atoms: int
    min_fill: int
    remaining_atoms: int
    filled_atoms: int
    fee_rule: FeeRule
    status: OrderStatus
    is_local: bool
    is_active: bool
    """It can be taken now, as far as is known."""
    funded: bool | None
    """Whether the coins behind it exist and are proved to be the maker's; None while unknown."""
    created_at: int
    updated_at: int
    expires_at: int
    text: str
    private_sale: bool
    """Its text holds the maker's signature: whoever has it can complete the sale."""
    cancel_txid: str | None
    """Of our transaction that takes back the coin of a private sale: until it is in a block, others can complete it.
    None where there is none, or the coin is back for good.
    """


@dataclass(frozen=True, slots=True)
class Reason:
    """A stable code, and a sentence in plain words."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeView:
    id: str
    order_id: str
    role: Role
    peer: str
    maker: str
    taker: str
    base: Asset
    base_atoms: int
    quote: Asset
    quote_atoms: int
    side: Side
    fee_rate: int
    """Sats per 1000 vB."""
    state: TradeState
    status: TradeStatus
    phase: str
    """Finer than `state`: the name of the machine's own state, in lower case with underscores."""
    steps: tuple[tuple[str, str], ...]
    """Name and "done", "active", "todo" or "failed", in the order of the story."""
    txid: str | None
    raw: bytes | None
    """The final transaction, once both have signed."""
    confirmations: int
    created_at: int
    updated_at: int
    completed_at: int | None
    expires_at: int | None
    """End of the present step; None where nothing runs out."""
    reason: Reason | None
    """Why it ended, or what it waits for when something is wrong."""
    advice: str
    """What is safe to do now."""
    can_confirm: bool
    can_cancel: bool
    can_revoke: bool
    revoke_txid: str | None
    """Of our self-spend that makes the signature given away worth nothing."""


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """`kind`: "created", "updated", "canceled", "expired" or "filled"."""

    kind: str
    order: OrderView


@dataclass(frozen=True, slots=True)
class TradeEvent:
    """`kind`: "created", "updated", "completed", "failed" or "canceled"."""

    kind: str
    trade: TradeView
