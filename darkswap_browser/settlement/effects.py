"""What the driver does, after it saved the state. Each may be done twice: after a restart all are asked for again."""

from __future__ import annotations

from dataclasses import dataclass

from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.settlement.messages import Body, Witnesses


@dataclass(frozen=True, slots=True)
class Send:
    """Sign and send to the peer, if it can be reached; not waited for. The same `seq` is always the same body."""

    seq: int
    body: Body


@dataclass(frozen=True, slots=True)
class SetTimer:
    """`TimerFired` at this unix second; replaces the trade's earlier timer."""

    at: int


@dataclass(frozen=True, slots=True)
class Validate:
    """Maker: judge the request, choose and reserve coins. → `Validated` or `CheckFailed`."""


@dataclass(frozen=True, slots=True)
class Verify:
    """Taker: rebuild, compare the txid, fetch a chain snapshot, run the rules. → `Verified` or `CheckFailed`."""


@dataclass(frozen=True, slots=True)
class RequestApproval:
    """Taker: show what the settlement does. → `Approved` or `CancelRequested`."""


@dataclass(frozen=True, slots=True)
class Sign:
    """Taker: → `Signed` or `SigningFailed`."""


@dataclass(frozen=True, slots=True)
class Countersign:
    """Check the other side's witnesses (V17), and all rules again; sign. → `Countersigned` or `SigningFailed`."""

    witnesses: Witnesses


@dataclass(frozen=True, slots=True)
class Broadcast:
    """To every server; again at each restart. → `BroadcastAccepted` when one takes it, else `BroadcastFailed`."""

    txid: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Watch:
    """Until the state says otherwise. → `SeenInMempool`, `Confirmed`, `NotSeenOnChain`, `RivalSeen`,
    `ConflictConfirmed`.

    `txids`: the settlement and, once it exists, our self-spend. `outpoints`: all inputs of the settlement.
    """

    txids: tuple[str, ...]
    outpoints: tuple[OutPoint, ...]


@dataclass(frozen=True, slots=True)
class SelfSpend:
    """Build and sign a spend of one of our coins that beats the settlement. → `SelfSpendSigned` or
    `SelfSpendFailed`.
    """


@dataclass(frozen=True, slots=True)
class Release:
    """What is reserved under this trade id is free again, spent coins excepted. Nothing else is touched."""


@dataclass(frozen=True, slots=True)
class PublishChange:
    """The state changed in a way that the user is told of."""


Effect = (
    Send
    | SetTimer
    | Validate
    | Verify
    | RequestApproval
    | Sign
    | Countersign
    | Broadcast
    | Watch
    | SelfSpend
    | Release
    | PublishChange
)
