"""The rules of a trade: `step(state, event, now)`. Pure; what is not in the rules is answered by name.

The driver keeps the state first, then performs the effects, and feeds their results back. After a restart it performs
`effects_on_resume(state)`. A coin is released by the step into an end state and by no other, and none of those is
reached with our signatures out before a spend of the settlement's inputs is too deep in the chain to be undone.
"""

from __future__ import annotations

from dataclasses import replace

from darkswap_browser.bitcoin.transaction import Transaction
from darkswap_browser.errors import MalformedMessage
from darkswap_browser.settlement.effects import (
    Broadcast,
    PublishChange,
    SelfSpend,
)
from darkswap_browser.settlement.events import (
    Approved,
    BroadcastAccepted,
    BroadcastFailed,
    CancelRequested,
    CheckFailed,
    Confirmed,
    ConflictConfirmed,
    Countersigned,
    Event,
    FinalTransactionFetched,
    MessageReceived,
    NotSeenOnChain,
    Reconnected,
    RevokeRequested,
    RivalSeen,
    SeenInMempool,
    SelfSpendFailed,
    SelfSpendSigned,
    Signed,
    SigningFailed,
    TimerFired,
    Validated,
    Verified,
)
from darkswap_browser.settlement.messages import (
    Body,
    Cancel,
    FinalTransaction,
    TakeAccept,
    TakeRequest,
    TakerSignatures,
)
from darkswap_browser.settlement.states import (
    AwaitingAcceptance,
    AwaitingConfirmation,
    AwaitingMakerSignatures,
    AwaitingTakerSignatures,
    Broadcasting,
    Canceled,
    Committed,
    Completed,
    Conflicted,
    Countersigning,
    Ended,
    Expired,
    Failed,
    Negotiating,
    Reviewing,
    Revoked,
    Revoking,
    Settled,
    SignatureExposed,
    Signing,
    State,
    Trade,
    Validating,
    Verifying,
    phase_of,
)
from darkswap_browser.settlement.step import Step, StepOutcome, effects_on_resume, enter, repeat_last

ANSWER_SECONDS = 20
"""The maker's for its answer, and then for its last message beyond its signing time."""
VERIFY_SECONDS = 10
TRAVEL_SECONDS = 15
"""For both messages on their way, within which the taker's signing time lies."""
OFFER_SECONDS = 30
"""For servers to answer, before the taker gets a settlement that none of them has."""
PEER_SIGN_SECONDS = 180
"""For the other side's signature, whose wallet is not known: a person may have to read an extension's popup."""
BROADCAST_SECONDS = 60
"""For a settlement that fell out of the mempools to be seen again."""
FINALITY_MARGIN_BLOCKS = 6
"""Blocks beyond the wanted confirmations after which a spend counts as never to be undone."""


def start_taker(trade: Trade, request: TakeRequest, now: int) -> Step:
    """The taker's first; its coins are reserved and in `trade.own`."""
    said = replace(trade, last_sent=request, sent=1)
    return enter(AwaitingAcceptance(said, min(now + ANSWER_SECONDS, trade.terms.deadline)))


def start_purchase(trade: Trade, now: int) -> Step:
    """The taker's first in a private sale: all is known, and nobody is asked."""
    return enter(Verifying(trade, min(now + VERIFY_SECONDS, trade.terms.deadline)))


def start_maker(trade: Trade, seq: int, now: int) -> Step:
    """The maker's first, for a `TakeRequest` under number `seq` whose declaration is in `trade.theirs`."""
    return enter(Validating(replace(trade, received=seq), min(now + ANSWER_SECONDS, trade.terms.deadline)))


def step(state: State, event: Event, now: int) -> Step:
    """`now`: unix seconds. What took too long is given up before the event is looked at."""
    until = getattr(state, "until", 0)
    if not until or now < until:
        return _apply(state, event, now)
    if isinstance(state, Broadcasting) and now < state.trade.terms.deadline:
        late = enter(_handed_over(state))
    elif isinstance(state, Negotiating):
        phase = phase_of(state)
        late = enter(Expired(_say(state.trade, Cancel("TIMEOUT", phase)), phase))
    else:
        late = enter(SignatureExposed(state.trade))
    then = _apply(late.state, event, now)
    return Step(then.state, late.effects + then.effects)


def _apply(state: State, event: Event, now: int) -> Step:
    if isinstance(event, TimerFired):
        return Step(state, (), StepOutcome.UNCHANGED)
    if isinstance(event, Reconnected):
        return Step(state, repeat_last(state.trade), StepOutcome.UNCHANGED)
    if isinstance(event, MessageReceived):
        return _received(state, event, now)
    if isinstance(state, Ended):
        return Step(
            state,
            (),
            StepOutcome.REFUSED
            if isinstance(event, Approved | CancelRequested | RevokeRequested)
            else StepOutcome.STALE,
        )
    if isinstance(state, Negotiating):
        return _before(state, event, now)
    return _after(state, event, now)


def _received(state: State, event: MessageReceived, now: int) -> Step:
    trade, body = state.trade, event.body
    if event.seq <= trade.received:
        return Step(state, (), StepOutcome.DUPLICATE)
    if trade.sale:
        return Step(state, (), StepOutcome.REFUSED)
    heard = replace(trade, received=event.seq)
    deadline = trade.terms.deadline
    match state, body:
        case (
            (
                AwaitingAcceptance()
                | Verifying()
                | Reviewing()
                | Signing()
                | Validating()
                | AwaitingTakerSignatures()
                | Countersigning()
            ),
            Cancel(),
        ):
            return enter(Canceled(heard, trade.role.other, body.code, body.reason))
        case AwaitingMakerSignatures(), Cancel():
            # Advice: the maker can still complete the settlement, so the coins stay reserved; the user may revoke now.
            return enter(SignatureExposed(trade, declined=body.code))
        case AwaitingAcceptance(), TakeAccept():
            sign_by = min(now + trade.terms.signing_seconds, deadline)
            checked = replace(heard, theirs=body.declaration, txid=body.txid, sign_by=sign_by)
            return enter(Verifying(checked, min(now + VERIFY_SECONDS, sign_by)))
        case AwaitingTakerSignatures(), TakerSignatures():
            return enter(Countersigning(heard, min(now + trade.sign_seconds, deadline), body.witnesses))
        case (
            (
                AwaitingMakerSignatures()
                | AwaitingConfirmation()
                | SignatureExposed()
                | Revoking()
                | Conflicted()
                | Completed()
            ),
            FinalTransaction(),
        ):
            return _final(state, heard, body.raw, now)
    return Step(state, (), StepOutcome.REFUSED)


def _final(state: Committed, heard: Trade, raw: bytes, now: int) -> Step:
    try:
        fits = Transaction.parse(raw).txid == heard.txid
    except MalformedMessage:
        fits = False
    if not fits or heard.raw:
        return Step(state, (), StepOutcome.REFUSED)
    trade = replace(heard, raw=raw)
    if isinstance(state, AwaitingMakerSignatures | SignatureExposed):
        return enter(AwaitingConfirmation(trade, max(now + BROADCAST_SECONDS, trade.terms.deadline)))
    if isinstance(state, AwaitingConfirmation):
        return enter(replace(state, trade=trade))
    return Step(replace(state, trade=trade))


def _before(state: Negotiating, event: Event, now: int) -> Step:
    """Our signatures are not out: every end is free."""
    trade, deadline = state.trade, state.trade.terms.deadline
    sign_by = trade.sign_by or deadline
    signing = min(now + trade.sign_seconds, sign_by)
    match state, event:
        case _, CancelRequested(reason):
            return _cancel(trade, "USER_REJECTED", reason)
        case ((Validating() | Verifying()), CheckFailed(code, detail)):
            return enter(Failed(_say(trade, Cancel(code, detail)), code, detail))
        case ((Signing() | Countersigning()), SigningFailed("USER_REJECTED" as code, detail)):
            return _cancel(trade, code, detail)
        case ((Signing() | Countersigning()), SigningFailed(code, detail)):
            return enter(Failed(_say(trade, Cancel(code, detail)), code, detail))
        case Validating(), Validated(own, txid):
            offered = replace(trade, own=own, txid=txid)
            until = min(now + trade.terms.signing_seconds + TRAVEL_SECONDS, deadline)
            return enter(AwaitingTakerSignatures(_say(offered, TakeAccept(own, txid)), until))
        case Verifying(), Verified():
            return enter(_signing(trade, signing) if trade.auto_sign else Reviewing(trade, sign_by))
        case Reviewing(), Approved():
            return enter(_signing(trade, signing))
        case Signing(), Signed(witnesses):
            said = _say(replace(trade, witnesses=witnesses), TakerSignatures(witnesses))
            return enter(AwaitingMakerSignatures(said, min(now + PEER_SIGN_SECONDS + ANSWER_SECONDS, deadline)))
        case Countersigning(), Countersigned(raw) if trade.sale:
            return enter(AwaitingConfirmation(replace(trade, raw=raw), deadline))
        case Countersigning(), Countersigned(raw):
            until = max(now + 1, min(now + OFFER_SECONDS, deadline - TRAVEL_SECONDS))
            return enter(Broadcasting(replace(trade, raw=raw), until))
    return Step(state, (), StepOutcome.REFUSED if isinstance(event, Approved | RevokeRequested) else StepOutcome.STALE)


def _after(state: Committed, event: Event, now: int) -> Step:
    """Our signatures are out: only the chain ends it."""
    trade = state.trade
    if isinstance(state, Broadcasting) and (offered := _offered(state, event, now)) is not None:
        return offered
    match event:
        case FinalTransactionFetched(raw):
            return _final(state, trade, raw, now)
        case Confirmed(txid, height, depth) if txid == trade.txid:
            return _settled(state, height, depth)
        case Confirmed(txid, _, depth) if txid == trade.spend_txid:
            return enter(Revoked(trade)) if _buried(trade, depth) else _kept(state, _fighting(state, depth))
        case Confirmed(txid, _, depth) | ConflictConfirmed(txid, depth):
            if depth < 1:
                return Step(state, (), StepOutcome.STALE)
            if _buried(trade, depth):
                return enter(Failed(trade, "INPUT_SPENT", f"{txid} spent a coin of this trade"))
            return _kept(state, Conflicted(trade, txid, depth))
        case SeenInMempool(txid) if txid == trade.spend_txid:
            return _kept(state, replace(_fighting(state), refusal=""))
        case SeenInMempool(txid) if txid == trade.txid:
            # While we fight it, the settlement in a mempool is no news.
            fights = trade.spend_raw or isinstance(state, Revoking)
            return _kept(state, _fighting(state) if fights else AwaitingConfirmation(trade, 0, seen=True))
        case NotSeenOnChain():
            return _lost(state, now)
        case RivalSeen(txid) if isinstance(state, AwaitingConfirmation) and not state.depth and txid != state.rival:
            return Step(replace(state, rival=txid), (PublishChange(),))
        case RevokeRequested() if isinstance(state, AwaitingMakerSignatures | Broadcasting | SignatureExposed) or (
            isinstance(state, AwaitingConfirmation) and not state.depth
        ):
            return enter(Revoking(_wished(trade, event)))
        case RevokeRequested() if isinstance(state, Revoking) and trade.spend_raw and not state.depth:
            # The fee of the first was too low: another one, until then the first stays.
            return _remade(replace(state, trade=_wished(trade, event)))
        case SelfSpendSigned(txid, raw) if isinstance(state, Revoking) and not state.depth:
            return enter(Revoking(replace(trade, spend_txid=txid, spend_raw=raw)))
        case SelfSpendFailed(detail) if isinstance(state, Revoking) and not trade.spend_raw:
            return enter(SignatureExposed(trade, detail))
        case SelfSpendFailed(detail) if isinstance(state, Revoking) and state.remake:
            return Step(replace(state, remake=False, refusal=detail), (PublishChange(),))
        case BroadcastFailed(txid, detail, _, _) if (
            isinstance(state, AwaitingConfirmation) and not state.seen and txid == trade.txid
        ):
            return Step(replace(state, refusal=detail), (PublishChange(),))
        case BroadcastFailed(txid, detail, _, beat) if isinstance(state, Revoking) and txid == trade.spend_txid:
            if beat and beat == trade.revoke_beat:
                return Step(state, (), StepOutcome.UNCHANGED)  # what keeps us from paying that is told already
            told = replace(state, refusal=detail)
            if beat > trade.revoke_beat and not trade.revoke_fee:
                return _remade(replace(told, trade=replace(trade, revoke_beat=beat)))
            return Step(told, (PublishChange(),))
    return Step(
        state,
        (),
        StepOutcome.REFUSED if isinstance(event, Approved | CancelRequested | RevokeRequested) else StepOutcome.STALE,
    )


def _offered(state: Broadcasting, event: Event, now: int) -> Step | None:
    """The taker gets the settlement once a server has it, so that it does not get what the network refused, to complete
    it when it likes. None: the event means what it always does.
    """
    trade = state.trade
    match event:
        case BroadcastAccepted(txid) if txid == trade.txid:
            return enter(_handed_over(state))
        case SeenInMempool(txid) | Confirmed(txid, _, _) if txid == trade.txid:
            handed = enter(_handed_over(state))
            then = _after(AwaitingConfirmation(handed.state.trade, trade.terms.deadline), event, now)
            return Step(then.state, handed.effects + then.effects)
        case BroadcastFailed(txid, detail, is_spent, _) if txid == trade.txid:
            off = _say(trade, Cancel("BROADCAST_REJECTED", detail))
            # Servers have seen our signatures. Where a rival waits for its block, that takes them back.
            return enter(SignatureExposed(off, refused=detail) if is_spent else Revoking(off))
        case NotSeenOnChain():
            return Step(state, (Broadcast(trade.txid, trade.raw),), StepOutcome.UNCHANGED)
    return None


def _handed_over(state: Broadcasting) -> AwaitingConfirmation:
    trade = state.trade
    return AwaitingConfirmation(_say(trade, FinalTransaction(trade.raw)), trade.terms.deadline)


def _wished(trade: Trade, wish: RevokeRequested) -> Trade:
    return replace(trade, revoke_fee=wish.fee, revoke_max=wish.max_fee)


def _remade(state: Revoking) -> Step:
    return Step(replace(state, remake=True), (SelfSpend(), PublishChange()))


def _settled(state: Committed, height: int, depth: int) -> Step:
    trade = state.trade
    if _buried(trade, depth):
        return enter(Settled(trade, height))
    if depth >= trade.confirmations:
        return _kept(state, Completed(trade, height, depth))
    return _kept(state, AwaitingConfirmation(trade, 0, seen=True, depth=depth))


def _lost(state: Committed, now: int) -> Step:
    """Nothing spends the inputs: what we want in the chain is broadcast again."""
    trade = state.trade
    if trade.spend_raw or isinstance(state, Revoking):
        return _kept(state, _fighting(state))
    unseen = isinstance(state, AwaitingMakerSignatures | SignatureExposed) or (
        isinstance(state, AwaitingConfirmation) and not state.seen
    )
    if unseen:
        is_off = isinstance(trade.last_sent, Cancel)
        again = (Broadcast(trade.txid, trade.raw),) if trade.raw and not is_off else ()
        return Step(state, again, StepOutcome.UNCHANGED)
    return enter(AwaitingConfirmation(trade, max(now + BROADCAST_SECONDS, trade.terms.deadline)))


def _fighting(state: Committed, depth: int = 0) -> Revoking:
    return replace(state, depth=depth) if isinstance(state, Revoking) else Revoking(state.trade, depth)


def _buried(trade: Trade, depth: int) -> bool:
    return depth >= trade.confirmations + FINALITY_MARGIN_BLOCKS


def _kept(state: Committed, then: Committed) -> Step:
    """An observation that tells nothing new repeats no more than broadcasts."""
    if then != state:
        return enter(then)
    return Step(
        state, tuple(each for each in effects_on_resume(state) if isinstance(each, Broadcast)), StepOutcome.UNCHANGED
    )


def _signing(trade: Trade, until: int) -> State:
    """Who signs last can broadcast: in a private sale that is the taker."""
    return Countersigning(trade, until, trade.sale) if trade.sale else Signing(trade, until)


def _cancel(trade: Trade, code: str, reason: str) -> Step:
    return enter(Canceled(_say(trade, Cancel(code, reason)), trade.role, code, reason))


def _say(trade: Trade, body: Body) -> Trade:
    if trade.sale:
        return trade
    return replace(trade, last_sent=body, sent=trade.sent + 1)
