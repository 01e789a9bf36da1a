"""A trade as the faces see it: read from its record, nothing kept."""

from __future__ import annotations

from darkswap_browser.errors import DarkSwapError
from darkswap_browser.market import order_codec
from darkswap_browser.settlement.fee_bump import bitcoin_output
from darkswap_browser.settlement.machine import FINALITY_MARGIN_BLOCKS
from darkswap_browser.settlement.states import (
    AwaitingConfirmation,
    AwaitingMakerSignatures,
    Broadcasting,
    Completed,
    Negotiating,
    Reviewing,
    Revoking,
    Settled,
    SignatureExposed,
    State,
    names_of,
    phase_of,
)
from darkswap_browser.settlement.terms import Role
from darkswap_browser.storage.trades import TradeRecord
from darkswap_browser.trades.operations import settlement_of_trade
from darkswap_browser.trades.status_text import advice_text, failure_reason, progress_steps
from darkswap_browser.trades.views import TradeState, TradeStatus, TradeView


def build_trade_view(record: TradeRecord, local: str, blind: str = "") -> TradeView:
    """`local`: our peer id. `blind`: why the chain cannot be seen, if so."""
    state, trade = record.state, record.state.trade
    terms = trade.terms
    maker, taker = (local, trade.peer) if trade.role is Role.MAKER else (trade.peer, local)
    name, status = names_of(state)
    until = getattr(state, "until", 0)
    return TradeView(
        id=terms.trade_id,
        order_id=terms.order_id,
        role=trade.role,
        peer=trade.peer,
        maker=maker,
        taker=taker,
        base=terms.base,
        base_atoms=terms.base_atoms,
        quote=terms.quote,
        quote_atoms=terms.quote_atoms,
        side=order_codec.decode_text(record.order).order.side,
        fee_rate=terms.fee_rate,
        state=TradeState(name),
        status=TradeStatus(status),
        phase=phase_of(state),
        steps=progress_steps(state),
        txid=trade.txid or None,
        raw=trade.raw or None,
        confirmations=_confirmations(state),
        created_at=trade.created_at,
        updated_at=record.updated_at,
        completed_at=record.completed_at if status == TradeStatus.COMPLETED else None,
        expires_at=until or None,
        reason=failure_reason(state, blind),
        advice=advice_text(state),
        can_confirm=isinstance(state, Reviewing),
        can_cancel=isinstance(state, Negotiating),
        can_revoke=_can_revoke(state),
        can_bump_fee=_can_bump_fee(state),
        revoke_txid=trade.spend_txid or None,
    )


def _confirmations(state: State) -> int:
    match state:
        case AwaitingConfirmation(_, _, _, depth) | Completed(_, _, depth):
            return depth
        case Settled(trade, _):
            return trade.confirmations + FINALITY_MARGIN_BLOCKS
    return 0


def _can_bump_fee(state: State) -> bool:
    match state:
        case AwaitingConfirmation(trade, _, _, 0) if trade.raw:
            try:
                return bitcoin_output(settlement_of_trade(trade), trade.role) is not None
            except DarkSwapError:
                return False  # of terms that no transaction can be built of
    return False


def _can_revoke(state: State) -> bool:
    """As the machine takes `RevokeRequested`; a first self-spend that is under way needs no second wish."""
    match state:
        case AwaitingMakerSignatures() | Broadcasting() | SignatureExposed():
            return True
        case AwaitingConfirmation(_, _, _, depth):
            return not depth
        case Revoking(trade, depth):
            return bool(trade.spend_raw) and not depth
    return False
