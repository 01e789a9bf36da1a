"""What callers see of a trade, in atoms and ids: state, status, progress, failure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from darkswap_browser.market.assets import Asset
from darkswap_browser.market.orders import Side
from darkswap_browser.settlement.terms import Role


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
    can_bump_fee: bool
    """The settlement waits for a block, and an output of ours in it can pay for more speed."""
    revoke_txid: str | None
    """Of our self-spend that makes the signature given away worth nothing."""


@dataclass(frozen=True, slots=True)
class TradeEvent:
    """`kind`: "created", "updated", "completed", "failed" or "canceled"."""

    kind: str
    trade: TradeView
