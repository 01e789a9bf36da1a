"""Where a trade stands: one frozen value per state, with all that a restart needs. `machine.step` alone moves them.

What is written of each to the store, and under which keys, is in `storage.codec`; `VERSION` is the version of that.

    taker: Requesting → Verifying → Reviewing → Signing → AwaitingMakerSignatures ─┐
    maker: Validating → Offered → Countersigning → Broadcasting ─────────┴→ Pending → Completed → Settled
    taker of a private sale, where the maker has signed and nobody is talked to:
           Verifying → Reviewing → Countersigning → Pending …
    our signatures out, and no broadcast by the deadline: Exposed → Revoking → Revoked, or Completed
    no server takes the settlement: Broadcasting → Revoking; no block has it yet: Pending → Revoking, if we want
    another spend of an input in a block: Conflicted → Failed          before our signatures: Failed, Canceled, Expired
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from darkswap_browser.settlement.messages import Body, Witnesses
from darkswap_browser.settlement.terms import Contribution, Role, TradeTerms

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """What all states share. `sent` and `received`: the last message's number on each side, 0 before the first."""

    role: Role
    terms: TradeTerms
    peer: str
    """Peer id of the other side."""
    auto_sign: bool
    """The user is not asked before signing."""
    sign_seconds: int
    """What our wallet is given: 60 with a key in the page, 180 with an extension."""
    confirmations: int
    """How deep the settlement is when the trade is completed."""
    created_at: int
    max_fee: int
    """Sats that we pay the miners at most."""
    sign_by: int = 0
    """Unix second by which the taker's signatures must be with the maker; 0 until both sides' coins are known."""
    own: Contribution | None = None
    theirs: Contribution | None = None
    txid: str = ""
    """The settlement's, once both contributions are known."""
    last_sent: Body | None = None
    """What we sent last, under the number `sent`."""
    sent: int = 0
    received: int = 0
    witnesses: Witnesses = ()
    """Taker: ours, from when they left."""
    raw: bytes = b""
    """The whole settlement. Empty for a taker who has not got the maker's last message."""
    sale: Witnesses = ()
    """Taker of a private sale: the maker's, out of the order."""
    spend_txid: str = ""
    """Our self-spend, once there is one; then `spend_raw` too."""
    spend_raw: bytes = b""
    revoke_fee: int = 0
    """Sats that our self-spend shall pay; 0: what it needs to."""
    revoke_max: int = 0
    """Sats that it may pay; 0: in proportion to the settlement's fee."""
    revoke_beat: int = 0
    """Sats that a server said stand against it."""


@dataclass(frozen=True, slots=True)
class AwaitingAcceptance:
    """Taker: the request is out. `until`, here and below: unix second at which this state is given up."""

    trade: Trade
    until: int


@dataclass(frozen=True, slots=True)
class Verifying:
    trade: Trade
    until: int


@dataclass(frozen=True, slots=True)
class Reviewing:
    trade: Trade
    until: int


@dataclass(frozen=True, slots=True)
class Signing:
    trade: Trade
    until: int


@dataclass(frozen=True, slots=True)
class AwaitingMakerSignatures:
    """Taker: the maker can complete the settlement from now on."""

    trade: Trade
    until: int


@dataclass(frozen=True, slots=True)
class Validating:
    """Maker: a request is here."""

    trade: Trade
    until: int


@dataclass(frozen=True, slots=True)
class AwaitingTakerSignatures:
    """Maker: waits for the taker's signatures."""

    trade: Trade
    until: int


@dataclass(frozen=True, slots=True)
class Countersigning:
    trade: Trade
    until: int
    witnesses: Witnesses
    """The other side's."""


@dataclass(frozen=True, slots=True)
class Broadcasting:
    """Maker: the whole settlement is here, and offered to servers. The taker gets it once one took it."""

    trade: Trade
    until: int


@dataclass(frozen=True, slots=True)
class AwaitingConfirmation:
    """All signatures are out. `until` is 0 once a server has the settlement."""

    trade: Trade
    until: int
    seen: bool = False
    depth: int = 0
    refusal: str = ""
    """Why servers did not take it, the last time."""
    rival: str = ""
    """Txid of what spends a coin of the settlement and waits in the mempool in its place."""


@dataclass(frozen=True, slots=True)
class Completed:
    """Deep enough to count, not yet to be out of a reorganisation's reach: coins stay reserved."""

    trade: Trade
    height: int
    depth: int


@dataclass(frozen=True, slots=True)
class SignatureExposed:
    """Our signatures are out, the deadline is over, no server has the settlement: the peer may still broadcast it."""

    trade: Trade
    detail: str = ""
    """Why taking the signature back failed, the last time."""
    declined: str = ""
    """The code with which the maker said that it will not complete the settlement; it can do so all the same."""
    refused: str = ""
    """Maker: why no server took the settlement."""


@dataclass(frozen=True, slots=True)
class Revoking:
    """A self-spend is being made, or is broadcast; it or the settlement will be mined."""

    trade: Trade
    depth: int = 0
    """The self-spend's."""
    refusal: str = ""
    """Why servers did not take the self-spend, the last time."""
    remake: bool = False
    """Another one, which pays more, is being made."""


@dataclass(frozen=True, slots=True)
class Conflicted:
    """Another transaction, `by`, spent an input and is in a block, not yet out of a reorganisation's reach."""

    trade: Trade
    by: str
    depth: int


@dataclass(frozen=True, slots=True)
class Settled:
    """End: completed, for good."""

    trade: Trade
    height: int


@dataclass(frozen=True, slots=True)
class Revoked:
    """End: our self-spend is in the chain for good."""

    trade: Trade


@dataclass(frozen=True, slots=True)
class Failed:
    """End. `code`: a cancel code, or the rule that does not hold."""

    trade: Trade
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Canceled:
    """End, before our signatures left. `by` whom, and why."""

    trade: Trade
    by: Role
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Expired:
    """End, before our signatures left: `waiting` is the phase of the state that took too long."""

    trade: Trade
    waiting: str


Negotiating: TypeAlias = (
    AwaitingAcceptance | Verifying | Reviewing | Signing | Validating | AwaitingTakerSignatures | Countersigning
)
"""Before our signatures left: may be given up at any time."""
Committed: TypeAlias = (
    AwaitingMakerSignatures | Broadcasting | AwaitingConfirmation | Completed | SignatureExposed | Revoking | Conflicted
)
"""Our signatures are, or may be, with the peer: coins stay reserved."""
Ended: TypeAlias = Settled | Revoked | Failed | Canceled | Expired
State: TypeAlias = Negotiating | Committed | Ended

_NAMES: dict[type[State], tuple[str, str, str]] = {
    AwaitingAcceptance: ("requesting", "Created", "pending"),
    Validating: ("validating", "Created", "pending"),
    Verifying: ("verifying", "MakerPsbtSent", "pending"),
    AwaitingTakerSignatures: ("offered", "MakerPsbtSent", "pending"),
    Reviewing: ("reviewing", "TakerPsbtSent", "pending"),
    Signing: ("signing", "TakerPsbtSent", "pending"),
    AwaitingMakerSignatures: ("signatures_out", "TakerSigned", "confirming"),
    Countersigning: ("countersigning", "TakerSigned", "confirming"),
    Broadcasting: ("broadcasting", "MakerSigned", "confirming"),
    AwaitingConfirmation: ("pending", "MakerSigned", "confirming"),
    Completed: ("completed", "Completed", "completed"),
    Settled: ("settled", "Completed", "completed"),
    SignatureExposed: ("exposed", "TakerSigned", "confirming"),
    Revoking: ("revoking", "TakerSigned", "confirming"),
    Conflicted: ("conflicted", "Failed", "failed"),
    Failed: ("failed", "Failed", "failed"),
    Revoked: ("revoked", "Canceled", "canceled"),
    Canceled: ("canceled", "Canceled", "canceled"),
    Expired: ("expired", "Expired", "failed"),
}


def phase_of(state: State) -> str:
    """The public word for a state, also in records (`Expired.waiting`) and cancellations. Never a class name."""
    return _NAMES[type(state)][0]


def names_of(state: State) -> tuple[str, str]:
    """TradeState and TradeStatus of the original bindings.

    Their words do not all fit: no PSBT is sent before the taker's signatures. `phase_of` tells where a trade is.
    """
    return _NAMES[type(state)][1:]
