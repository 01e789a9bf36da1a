"""What people are told of a trade: where it stands, why it ended, and what is safe to do now."""

from __future__ import annotations

import re

from darkswap_browser.settlement.messages import Cancel
from darkswap_browser.settlement.states import (
    AwaitingAcceptance,
    AwaitingConfirmation,
    AwaitingMakerSignatures,
    AwaitingTakerSignatures,
    Broadcasting,
    Canceled,
    Completed,
    Conflicted,
    Countersigning,
    Expired,
    Failed,
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
from darkswap_browser.settlement.terms import Role
from darkswap_browser.trades.views import Reason

CODE = re.compile(r"[A-Z0-9_]{1,32}")
RULE = re.compile(r"V[0-9]{1,2}")
CODES = {
    "ORDER_GONE": "The order is no longer there.",
    "PRICE_CHANGED": "The order was changed in the meantime. Ask its maker for the present link.",
    "INSUFFICIENT_FUNDS": "There are not enough coins for this trade.",
    "INPUT_SPENT": "A coin of this trade was spent by another transaction.",
    "INDEXER_LAG": "An index is behind the chain. Try again in a minute.",
    "TX_MISMATCH": "Both sides computed different transactions.",
    "BAD_SIGNATURE": "A signature or proof of the other side does not hold.",
    "BAD_SIGHASH": "A signature of the other side does not commit to the whole transaction.",
    "FEE_RANGE": "The fee rate is beyond what one side accepts.",
    "TIMEOUT": "It took too long.",
    "USER_REJECTED": "It was declined.",
    "BROADCAST_REJECTED": "The network did not take the transaction.",
    "PEER_GONE": "The other side could not be reached.",
    "BUSY": "The maker has too much to do with others.",
    "WALLET_NOT_CONNECTED": "The maker's wallet is closed.",
    "CHAIN_UNREACHABLE": "The chain servers do not answer.",
    "CHAIN_INCONSISTENT": "The chain servers contradict each other.",
}
TIMEOUT_TEXTS = {
    "requesting": "The maker did not answer in time.",
    "validating": "Checking the taker's coins took too long.",
    "verifying": "Checking the transaction took too long.",
    "reviewing": "It was not signed in time.",
    "signing": "The wallet did not sign in time.",
    "offered": "The taker did not sign in time.",
    "countersigning": "The wallet did not sign in time.",
}
FREE = "Nothing that was signed left this device. Your coins are free."
ADVICE: dict[type[State], str] = {
    AwaitingAcceptance: "The maker was asked. Nothing is signed; you may leave at any time.",
    Validating: "Somebody takes your order; the coins are being checked. Nothing is signed.",
    Verifying: "The transaction is built again and checked here. Nothing is signed.",
    Reviewing: "Look at what you give and get, then sign. Until you do, nothing can happen to your coins.",
    Signing: "Confirm in your wallet if it asks. Nothing has left this device yet.",
    AwaitingTakerSignatures: "The taker decides now. Nothing is signed; keep this page open.",
    Countersigning: "The taker has signed. Confirm in your wallet if it asks: then the trade is sent to the network.",
    AwaitingMakerSignatures: "Your signature is with the maker, who can complete the trade now. Wait; your coins stay "
    "reserved.",
    Completed: "Done: what you got is in a block.",
    Settled: "Done, for good.",
    SignatureExposed: "Your signature is out. The maker did not complete the trade, but still can. Take your "
    "signature back to "
    "be safe, or wait.",
    Broadcasting: "Both have signed. The transaction is offered to the network; the taker gets it once that took it.",
    Revoking: "A transaction to yourself takes your signature back. Whichever of the two is mined first counts.",
    Revoked: "Your signature is worth nothing any more. Your coins are free.",
    Conflicted: "Another transaction spent a coin of this trade. Coins stay reserved until it is deep in the chain.",
    Canceled: FREE,
    Expired: FREE,
}
SALE_ADVICE: dict[type[State], str] = {
    Countersigning: "Confirm in your wallet if it asks: then the purchase is sent to the network.",
    SignatureExposed: "Your purchase was sent, and no server has it now; it can still be mined. Take your signature "
    "back to be "
    "safe, or wait.",
}
MAKER_EXPOSED = (
    "No server has the transaction, which both have signed; whoever has it can still send it. Take your signature "
    "back to be safe, or wait."
)
SALE_STEPS = ("verify", "review", "sign", "broadcast", "confirm")
"""Of a private sale, where nobody is asked and the maker has signed."""
STEPS: dict[Role, tuple[str, ...]] = {
    Role.TAKER: ("request", "verify", "review", "sign", "countersign", "broadcast", "confirm"),
    Role.MAKER: ("request", "verify", "sign", "countersign", "broadcast", "confirm"),
}
ACTIVE: dict[str, str] = {
    "requesting": "request",
    "validating": "verify",
    "verifying": "verify",
    "reviewing": "review",
    "signing": "sign",
    "offered": "sign",
    "signatures_out": "countersign",
    "exposed": "countersign",
    "revoking": "countersign",
    "countersigning": "countersign",
    "broadcasting": "broadcast",
}


def advice_text(state: State) -> str:
    match state:
        case AwaitingConfirmation(_, _, _, 0, _, rival) if rival:
            return "Another transaction spends a coin of this trade. Whichever of the two is mined first counts."
        case AwaitingConfirmation(_, _, True, depth):
            wait = "The transaction waits for a block; this page may be closed."
            return wait if depth else f"{wait} Until it is in one, either side can take its signature back, for a fee."
        case AwaitingConfirmation(_, _, _, _, ""):
            return "Both have signed. The transaction is being sent to the network."
        case AwaitingConfirmation():
            return "The network does not take the transaction; it is offered again. Your signature can be taken back."
        case SignatureExposed(trade) if trade.role is Role.MAKER:
            return MAKER_EXPOSED
        case Revoking(_, depth) if depth:
            return "Your signature is taken back: that transaction is in a block. Your coins are free when it is deep."
        case Failed(trade, _, _):
            return FREE if not trade.witnesses and not trade.raw else "The trade is over. Coins not spent are free."
    return (SALE_ADVICE if state.trade.sale else {}).get(type(state)) or ADVICE[type(state)]


def failure_reason(state: State, blind: str) -> Reason | None:
    """`blind`: why the chain cannot be seen now; empty when it can."""
    match state:
        case Failed(_, code, detail):
            return Reason(code, _sentence(code, detail))
        case Canceled(trade, by, code, reason):
            return Reason(_code(code), _canceled(trade, by, code, reason))
        case Expired(_, waiting):
            return Reason("TIMEOUT", TIMEOUT_TEXTS.get(waiting, CODES["TIMEOUT"]))
        case AwaitingConfirmation(_, _, _, 0, _, rival) if rival:
            return Reason("INPUT_SPENT", f"{rival} spends a coin of this trade, and waits for a block.")
        case AwaitingConfirmation(_, _, False, _, refusal) if refusal:
            return Reason("BROADCAST_REJECTED", f"The network says: {refusal}")
        case Revoking(trade, 0, "") if _is_called_off(trade):
            detail = "The network did not take the transaction. Servers have seen it, so that it is taken back."
            return Reason("BROADCAST_REJECTED", detail)
        case Revoking(_, 0, refusal) if refusal:
            return Reason("BROADCAST_REJECTED", f"The network does not take it back yet: {refusal}")
        case SignatureExposed(_, detail) if detail:
            return Reason("REVOKE_FAILED", f"Taking the signature back failed: {detail}")
        case SignatureExposed(_, _, _, refused) if refused:
            return Reason("BROADCAST_REJECTED", f"The network does not take the transaction: {refused}")
        case SignatureExposed(_, _, declined) if declined:
            return Reason(_code(declined), f"The maker says that it does not complete the trade. {_said(declined)}")
        case Conflicted(_, by_txid, depth):
            return Reason("INPUT_SPENT", f"{by_txid} spent a coin of this trade, {depth} blocks deep.")
    return Reason("CHAIN", f"The chain cannot be seen now: {blind}") if blind else None


def _is_called_off(trade: Trade) -> bool:
    return isinstance(trade.last_sent, Cancel) and trade.last_sent.code == "BROADCAST_REJECTED"


def progress_steps(state: State) -> tuple[tuple[str, str], ...]:
    trade = state.trade
    told = SALE_STEPS if trade.sale else STEPS[trade.role]
    names = [name for name in told if name != "review" or not trade.auto_sign]
    active = _active(state)
    if active is None:
        return tuple((name, "done") for name in names)
    at = names.index(active) if active in names else 0
    failed = isinstance(state, Failed | Canceled | Expired | Revoked | Conflicted)
    mark = "failed" if failed else "active"
    return tuple((name, "done" if i < at else mark if i == at else "todo") for i, name in enumerate(names))


def _active(state: State) -> str | None:
    trade = state.trade
    match state:
        case Completed() | Settled():
            return None
        case AwaitingConfirmation(_, _, seen):
            return "confirm" if seen else "broadcast"
        case Expired(_, waiting):
            return _in_sale(trade, ACTIVE[waiting])
        case Failed() | Canceled() | Revoked() | Conflicted():
            return _stopped_at(trade)
    return _in_sale(trade, ACTIVE[phase_of(state)])


def _in_sale(trade: Trade, step: str) -> str:
    """The taker of a private sale signs last."""
    if not trade.sale or step != "countersign":
        return step
    return "broadcast" if trade.raw else "sign"


def _stopped_at(trade: Trade) -> str:
    """The step that a trade which is over was at, by what it knows."""
    if trade.raw:
        return "confirm"
    if trade.role is Role.MAKER:
        return "sign" if trade.txid else "verify"
    if trade.witnesses:
        return "countersign"
    return "verify" if trade.theirs is not None else "request"


def _sentence(code: str, detail: str) -> str:
    if RULE.fullmatch(code):
        return f"A check before signing did not hold ({code}): {detail}."
    words = CODES.get(code, "It did not work out.")
    return f"{words} ({detail})" if detail else words


def _canceled(trade: Trade, by: Role, code: str, reason: str) -> str:
    if by is trade.role:
        return "You canceled it." if code == "USER_REJECTED" else _sentence(code, reason)
    who = "The maker" if by is Role.MAKER else "The taker"
    # Their own words, marked as theirs.
    return f"{who} ended it. {_said(code)}" + (f" They say: “{reason}”" if reason else "")


def _code(told: str) -> str:
    """A code from outside is passed on if it looks like one."""
    return told if CODE.fullmatch(told) else "OTHER"


def _said(told: str) -> str:
    if RULE.fullmatch(told):
        return f"A check did not hold there ({told})."
    return CODES.get(told, f"Its code is {_code(told)}.")
