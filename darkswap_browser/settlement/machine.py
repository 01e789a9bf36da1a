"""The rules of a trade: `step(state, event, now)`. Pure; what is not in the rules is answered by name.

The driver keeps the state first, then performs the effects, and feeds their results back. After a restart it performs
`effects_of(state)`. A coin is released by the step into an end state and by no other, and none of those is reached with
our signatures out before a spend of the settlement's inputs is too deep in the chain to be undone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from darkswap_browser.bitcoin.transaction import OutPoint, Transaction
from darkswap_browser.errors import MalformedMessage
from darkswap_browser.settlement.effects import (
    AskUser,
    Broadcast,
    Countersign,
    Effect,
    Notify,
    Release,
    SelfSpend,
    Send,
    SetTimer,
    Sign,
    Validate,
    Verify,
    Watch,
)
from darkswap_browser.settlement.events import (
    Approved,
    BroadcastRefused,
    CancelAsked,
    CheckRefused,
    Confirmed,
    Countersigned,
    Event,
    Found,
    Received,
    Reconnected,
    RevokeAsked,
    SeenInMempool,
    SelfSpendRefused,
    SelfSpent,
    Signed,
    SignRefused,
    Tick,
    Unconfirmed,
    Validated,
    Verified,
)
from darkswap_browser.settlement.events import Conflicted as ConflictSeen
from darkswap_browser.settlement.messages import (
    Body,
    Cancel,
    FinalTransaction,
    TakeAccept,
    TakeRequest,
    TakerSignatures,
)
from darkswap_browser.settlement.states import (
    Canceled,
    Completed,
    Conflicted,
    Countersigning,
    End,
    Expired,
    Exposed,
    Failed,
    Offered,
    Out,
    Pending,
    Requesting,
    Reviewing,
    Revoked,
    Revoking,
    Settled,
    SignaturesOut,
    Signing,
    State,
    Timed,
    Trade,
    Validating,
    Verifying,
    phase_of,
)

ANSWER_SECONDS = 20
"""The maker's for its answer, and then for its last message beyond its signing time."""
VERIFY_SECONDS = 10
PEER_SIGN_SECONDS = 180
"""For the other side's signature, whose wallet is not known: a person may have to read an extension's popup."""
BROADCAST_SECONDS = 60
"""For a settlement that fell out of the mempools to be seen again."""
BURIED = 6
"""Blocks beyond the wanted confirmations after which a spend counts as never to be undone."""


class Answer(StrEnum):
    MOVED = "moved"
    KEPT = "kept"
    """Nothing changed; there may be effects that repeat what was done."""
    DUPLICATE = "duplicate"
    REFUSED = "refused"
    """Out of order: a message or wish that this state has no use for."""
    STALE = "stale"
    """A result, or a sight of the chain, that nobody waits for any more."""


@dataclass(frozen=True, slots=True)
class Step:
    state: State
    effects: tuple[Effect, ...] = ()
    answer: Answer = Answer.MOVED


def take(trade: Trade, request: TakeRequest, now: int) -> Step:
    """The taker's first; its coins are reserved and in `trade.own`."""
    said = replace(trade, said=request, sent=1)
    return _to(Requesting(said, min(now + ANSWER_SECONDS, trade.terms.deadline)))


def buy(trade: Trade, now: int) -> Step:
    """The taker's first in a private sale: all is known, and nobody is asked."""
    return _to(Verifying(trade, min(now + VERIFY_SECONDS, trade.terms.deadline)))


def answer(trade: Trade, seq: int, now: int) -> Step:
    """The maker's first, for a `TakeRequest` under number `seq` whose declaration is in `trade.theirs`."""
    return _to(Validating(replace(trade, received=seq), min(now + ANSWER_SECONDS, trade.terms.deadline)))


def step(state: State, event: Event, now: int) -> Step:
    """`now`: unix seconds. What took too long is given up before the event is looked at."""
    until = getattr(state, "until", 0)
    if not until or now < until:
        return _apply(state, event, now)
    if isinstance(state, Timed):
        phase = phase_of(state)
        late = _to(Expired(_say(state.trade, Cancel("TIMEOUT", phase)), phase))
    else:
        late = _to(Exposed(state.trade))
    then = _apply(late.state, event, now)
    return Step(then.state, late.effects + then.effects)


def effects_of(state: State) -> tuple[Effect, ...]:
    """All that a state wants done, on entering it and again after a restart."""
    trade = state.trade
    watch = Watch((trade.txid, trade.spend_txid) if trade.spend_txid else (trade.txid,), _outpoints(trade))
    again = (Broadcast(trade.txid, trade.raw),) if trade.raw else ()
    match state:
        case Requesting(_, until) | Offered(_, until):
            return (SetTimer(until), *_repeat(trade))
        case Validating(_, until):
            return (SetTimer(until), Validate())
        case Verifying(_, until):
            return (SetTimer(until), Verify())
        case Reviewing(_, until):
            return (SetTimer(until), AskUser())
        case Signing(_, until):
            return (SetTimer(until), Sign())
        case Countersigning(_, until, witnesses):
            return (SetTimer(until), Countersign(witnesses))
        case SignaturesOut(_, until):
            return (SetTimer(until), watch, *_repeat(trade))
        case Pending(_, until):
            return (*((SetTimer(until),) if until else ()), watch, *again, *_repeat(trade))
        case Exposed():
            return (watch, *again)
        case Revoking():
            return (watch, Broadcast(trade.spend_txid, trade.spend_raw) if trade.spend_raw else SelfSpend())
        case Completed() | Conflicted():
            return (watch,)
        case _:
            return (Release(), *(_repeat(trade) if isinstance(trade.said, Cancel) else ()))


def _apply(state: State, event: Event, now: int) -> Step:
    if isinstance(event, Tick):
        return Step(state, (), Answer.KEPT)
    if isinstance(event, Reconnected):
        return Step(state, _repeat(state.trade), Answer.KEPT)
    if isinstance(event, Received):
        return _received(state, event, now)
    if isinstance(state, End):
        return Step(
            state, (), Answer.REFUSED if isinstance(event, Approved | CancelAsked | RevokeAsked) else Answer.STALE
        )
    if isinstance(state, Timed):
        return _before(state, event, now)
    return _after(state, event, now)


def _received(state: State, event: Received, now: int) -> Step:
    trade, body = state.trade, event.body
    if event.seq <= trade.received:
        return Step(state, (), Answer.DUPLICATE)
    if trade.sale:
        return Step(state, (), Answer.REFUSED)
    heard = replace(trade, received=event.seq)
    deadline = trade.terms.deadline
    match state, body:
        case (
            (Requesting() | Verifying() | Reviewing() | Signing() | Validating() | Offered() | Countersigning()),
            Cancel(),
        ):
            return _to(Canceled(heard, trade.role.other, body.code, body.reason))
        case SignaturesOut(), Cancel():
            # Advice: the maker can still complete the settlement, so the coins stay reserved; the user may revoke now.
            return _to(Exposed(trade, declined=body.code))
        case Requesting(), TakeAccept():
            checked = replace(heard, theirs=body.declaration, txid=body.txid)
            return _to(Verifying(checked, min(now + VERIFY_SECONDS, deadline)))
        case Offered(), TakerSignatures():
            return _to(Countersigning(heard, min(now + trade.sign_seconds, deadline), body.witnesses))
        case ((SignaturesOut() | Pending() | Exposed() | Revoking() | Conflicted() | Completed()), FinalTransaction()):
            return _final(state, heard, body.raw, now)
    return Step(state, (), Answer.REFUSED)


def _final(state: Out, heard: Trade, raw: bytes, now: int) -> Step:
    try:
        fits = Transaction.parse(raw).txid == heard.txid
    except MalformedMessage:
        fits = False
    if not fits or heard.raw:
        return Step(state, (), Answer.REFUSED)
    trade = replace(heard, raw=raw)
    if isinstance(state, SignaturesOut | Exposed):
        return _to(Pending(trade, max(now + BROADCAST_SECONDS, trade.terms.deadline)))
    if isinstance(state, Pending):
        return _to(replace(state, trade=trade))
    return Step(replace(state, trade=trade))


def _before(state: Timed, event: Event, now: int) -> Step:
    """Our signatures are not out: every end is free."""
    trade, deadline = state.trade, state.trade.terms.deadline
    signing = min(now + trade.sign_seconds, deadline)
    match state, event:
        case _, CancelAsked(reason):
            return _cancel(trade, "USER_REJECTED", reason)
        case ((Validating() | Verifying()), CheckRefused(code, detail)):
            return _to(Failed(_say(trade, Cancel(code, detail)), code, detail))
        case ((Signing() | Countersigning()), SignRefused("USER_REJECTED" as code, detail)):
            return _cancel(trade, code, detail)
        case ((Signing() | Countersigning()), SignRefused(code, detail)):
            return _to(Failed(_say(trade, Cancel(code, detail)), code, detail))
        case Validating(), Validated(own, txid):
            offered = replace(trade, own=own, txid=txid)
            return _to(Offered(_say(offered, TakeAccept(own, txid)), deadline))
        case Verifying(), Verified():
            return _to(_signing(trade, signing) if trade.auto else Reviewing(trade, deadline))
        case Reviewing(), Approved():
            return _to(_signing(trade, signing))
        case Signing(), Signed(witnesses):
            said = _say(replace(trade, witnesses=witnesses), TakerSignatures(witnesses))
            return _to(SignaturesOut(said, min(now + PEER_SIGN_SECONDS + ANSWER_SECONDS, deadline)))
        case Countersigning(), Countersigned(raw):
            return _to(Pending(_say(replace(trade, raw=raw), FinalTransaction(raw)), deadline))
    return Step(state, (), Answer.REFUSED if isinstance(event, Approved | RevokeAsked) else Answer.STALE)


def _after(state: Out, event: Event, now: int) -> Step:
    """Our signatures are out: only the chain ends it."""
    trade = state.trade
    match event:
        case Found(raw):
            return _final(state, trade, raw, now)
        case Confirmed(txid, height, depth) if txid == trade.txid:
            return _settled(state, height, depth)
        case Confirmed(txid, _, depth) if txid == trade.spend_txid:
            return _to(Revoked(trade)) if _buried(trade, depth) else _kept(state, Revoking(trade, depth))
        case Confirmed(txid, _, depth) | ConflictSeen(txid, depth):
            if depth < 1:
                return Step(state, (), Answer.STALE)
            if _buried(trade, depth):
                return _to(Failed(trade, "INPUT_SPENT", f"{txid} spent a coin of this trade"))
            return _kept(state, Conflicted(trade, txid, depth))
        case SeenInMempool(txid) if txid == trade.spend_txid:
            return _kept(state, Revoking(trade))
        case SeenInMempool(txid) if txid == trade.txid:
            # While we fight it, the settlement in a mempool is no news.
            fights = trade.spend_raw or isinstance(state, Revoking)
            return _kept(state, _fighting(state) if fights else Pending(trade, 0, seen=True))
        case Unconfirmed():
            return _lost(state, now)
        case RevokeAsked() if isinstance(state, SignaturesOut | Exposed) or (
            isinstance(state, Pending) and not state.seen
        ):
            return _to(Revoking(trade))
        case RevokeAsked() if isinstance(state, Revoking) and trade.spend_raw and not state.depth:
            # The fee of the first was too low: another one, until then the first stays.
            return Step(state, (SelfSpend(),), Answer.KEPT)
        case SelfSpent(txid, raw) if isinstance(state, Revoking) and not state.depth:
            return _to(Revoking(replace(trade, spend_txid=txid, spend_raw=raw)))
        case SelfSpendRefused(detail) if isinstance(state, Revoking) and not trade.spend_raw:
            return _to(Exposed(trade, detail))
        case BroadcastRefused(txid, detail) if isinstance(state, Pending) and not state.seen and txid == trade.txid:
            return Step(replace(state, refusal=detail), (Notify(),))
        case BroadcastRefused(txid, detail) if isinstance(state, Revoking) and txid == trade.spend_txid:
            return Step(replace(state, refusal=detail), (Notify(),))
    return Step(state, (), Answer.REFUSED if isinstance(event, Approved | CancelAsked | RevokeAsked) else Answer.STALE)


def _settled(state: Out, height: int, depth: int) -> Step:
    trade = state.trade
    if _buried(trade, depth):
        return _to(Settled(trade, height))
    if depth >= trade.confirmations:
        return _kept(state, Completed(trade, height, depth))
    return _kept(state, Pending(trade, 0, seen=True, depth=depth))


def _lost(state: Out, now: int) -> Step:
    """Nothing spends the inputs: what we want in the chain is broadcast again."""
    trade = state.trade
    if trade.spend_raw or isinstance(state, Revoking):
        return _kept(state, _fighting(state))
    unseen = isinstance(state, SignaturesOut | Exposed) or (isinstance(state, Pending) and not state.seen)
    if unseen:
        again = (Broadcast(trade.txid, trade.raw),) if trade.raw else ()
        return Step(state, again, Answer.KEPT)
    return _to(Pending(trade, max(now + BROADCAST_SECONDS, trade.terms.deadline)))


def _fighting(state: Out) -> Revoking:
    return Revoking(state.trade, 0, state.refusal if isinstance(state, Revoking) else "")


def _buried(trade: Trade, depth: int) -> bool:
    return depth >= trade.confirmations + BURIED


def _kept(state: Out, then: Out) -> Step:
    """A sight that tells nothing new repeats no more than broadcasts."""
    if then != state:
        return _to(then)
    return Step(state, tuple(each for each in effects_of(state) if isinstance(each, Broadcast)), Answer.KEPT)


def _to(state: State) -> Step:
    return Step(state, (*effects_of(state), Notify()))


def _signing(trade: Trade, until: int) -> State:
    """Who signs last can broadcast: in a private sale that is the taker."""
    return Countersigning(trade, until, trade.sale) if trade.sale else Signing(trade, until)


def _cancel(trade: Trade, code: str, reason: str) -> Step:
    return _to(Canceled(_say(trade, Cancel(code, reason)), trade.role, code, reason))


def _say(trade: Trade, body: Body) -> Trade:
    if trade.sale:
        return trade
    return replace(trade, said=body, sent=trade.sent + 1)


def _repeat(trade: Trade) -> tuple[Effect, ...]:
    return (Send(trade.sent, trade.said),) if trade.said is not None else ()


def _outpoints(trade: Trade) -> tuple[OutPoint, ...]:
    sides = (trade.own, trade.theirs)
    return tuple(coin.outpoint for side in sides if side is not None for coin in side.coins)
