"""A step of a trade: the state it comes to, and what that state wants done, on entering it and after a restart."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.settlement.effects import (
    Broadcast,
    Countersign,
    Effect,
    PublishChange,
    Release,
    RequestApproval,
    SelfSpend,
    Send,
    SetTimer,
    Sign,
    Validate,
    Verify,
    Watch,
)
from darkswap_browser.settlement.messages import Cancel
from darkswap_browser.settlement.states import (
    AwaitingAcceptance,
    AwaitingConfirmation,
    AwaitingMakerSignatures,
    AwaitingTakerSignatures,
    Broadcasting,
    Completed,
    Conflicted,
    Countersigning,
    Reviewing,
    Revoking,
    SignatureExposed,
    Signing,
    State,
    Trade,
    Validating,
    Verifying,
)


class StepOutcome(StrEnum):
    MOVED = "moved"
    UNCHANGED = "kept"
    """Nothing changed; there may be effects that repeat what was done."""
    DUPLICATE = "duplicate"
    REFUSED = "refused"
    """Out of order: a message or wish that this state has no use for."""
    STALE = "stale"
    """A result, or an observation of the chain, that nobody waits for any more."""


@dataclass(frozen=True, slots=True)
class Step:
    state: State
    effects: tuple[Effect, ...] = ()
    answer: StepOutcome = StepOutcome.MOVED


def enter(state: State) -> Step:
    return Step(state, (*effects_on_resume(state), PublishChange()))


def effects_on_resume(state: State) -> tuple[Effect, ...]:
    """All that a state wants done, on entering it and again after a restart."""
    trade = state.trade
    watch = Watch((trade.txid, trade.spend_txid) if trade.spend_txid else (trade.txid,), outpoints_of(trade))
    again = (Broadcast(trade.txid, trade.raw),) if trade.raw else ()
    match state:
        case AwaitingAcceptance(_, until) | AwaitingTakerSignatures(_, until):
            return (SetTimer(until), *repeat_last(trade))
        case Validating(_, until):
            return (SetTimer(until), Validate())
        case Verifying(_, until):
            return (SetTimer(until), Verify())
        case Reviewing(_, until):
            return (SetTimer(until), RequestApproval())
        case Signing(_, until):
            return (SetTimer(until), Sign())
        case Countersigning(_, until, witnesses):
            return (SetTimer(until), Countersign(witnesses))
        case AwaitingMakerSignatures(_, until):
            return (SetTimer(until), watch, *repeat_last(trade))
        case Broadcasting(_, until):
            return (SetTimer(until), watch, *again)
        case AwaitingConfirmation(_, until):
            return (*((SetTimer(until),) if until else ()), watch, *again, *repeat_last(trade))
        case SignatureExposed():
            # Who said that it is off does not go on with it.
            off = repeat_cancel(trade)
            return (watch, *(off or again))
        case Revoking(_, _, _, remake):
            spend = (Broadcast(trade.spend_txid, trade.spend_raw),) if trade.spend_raw else ()
            return (watch, *spend, *((SelfSpend(),) if remake or not spend else ()), *repeat_cancel(trade))
        case Completed() | Conflicted():
            return (watch,)
        case _:
            return (Release(), *repeat_cancel(trade))


def repeat_last(trade: Trade) -> tuple[Effect, ...]:
    return (Send(trade.sent, trade.last_sent),) if trade.last_sent is not None else ()


def repeat_cancel(trade: Trade) -> tuple[Effect, ...]:
    return repeat_last(trade) if isinstance(trade.last_sent, Cancel) else ()


def outpoints_of(trade: Trade) -> tuple[OutPoint, ...]:
    sides = (trade.own, trade.theirs)
    return tuple(coin.outpoint for side in sides if side is not None for coin in side.coins)
