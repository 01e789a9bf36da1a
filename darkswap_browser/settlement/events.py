"""What happens to a trade. The driver makes these: of authenticated messages, results of effects, user and chain."""

from __future__ import annotations

from dataclasses import dataclass

from darkswap_browser.settlement.messages import Body, Witnesses
from darkswap_browser.settlement.terms import Contribution


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """A message of this trade whose signature holds under the peer's key, its role and this trade id."""

    seq: int
    body: Body


@dataclass(frozen=True, slots=True)
class TimerFired:
    """Time went on; every event carries the time, this one nothing else."""


@dataclass(frozen=True, slots=True)
class Reconnected:
    """There is a new stream to the peer."""


@dataclass(frozen=True, slots=True)
class Validated:
    """Of `Validate`: the request holds, our coins are reserved under the trade id, the settlement has this `txid`."""

    own: Contribution
    txid: str


@dataclass(frozen=True, slots=True)
class Verified:
    """Of `Verify`: every rule before signing holds for the settlement with the state's txid."""


@dataclass(frozen=True, slots=True)
class CheckFailed:
    """Of `Validate` or `Verify`. `code`: a cancel code or a rule, V1 to V14."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Approved:
    """The user wants this settlement signed."""


@dataclass(frozen=True, slots=True)
class Signed:
    """Of `Sign`: our witnesses, which V15 and V16 hold for. They went nowhere yet."""

    witnesses: Witnesses


@dataclass(frozen=True, slots=True)
class Countersigned:
    """Of `Countersign`: the peer's witnesses and ours hold; `raw` is the whole transaction. It went nowhere yet."""

    raw: bytes


@dataclass(frozen=True, slots=True)
class SigningFailed:
    """Of `Sign` or `Countersign`: the wallet declined, or a rule, V1 to V17, does not hold."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """By the user; after our signatures left it changes nothing. `reason`: a sentence for the other side."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class RevokeRequested:
    """By the user, when our signatures are out. Sats: what it shall cost, and what it may; 0: not said."""

    fee: int = 0
    max_fee: int = 0


@dataclass(frozen=True, slots=True)
class SelfSpendSigned:
    """Of `SelfSpend`: signed, not broadcast."""

    txid: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class SelfSpendFailed:
    detail: str


@dataclass(frozen=True, slots=True)
class BroadcastAccepted:
    """A server says that it took the transaction `txid`."""

    txid: str


@dataclass(frozen=True, slots=True)
class BroadcastFailed:
    """No server took the transaction `txid`. `is_spent`: since another one spends a coin of it. `beat`: sats that the
    refusal says it must pay at least; 0: it does not say.
    """

    txid: str
    detail: str
    is_spent: bool = False
    beat: int = 0


@dataclass(frozen=True, slots=True)
class RivalSeen:
    """`txid`, neither settlement nor our self-spend, spends an input of the settlement and waits in a mempool."""

    txid: str


@dataclass(frozen=True, slots=True)
class FinalTransactionFetched:
    """The whole settlement, as a server has it, though the maker's last message never came; its signatures hold."""

    raw: bytes


@dataclass(frozen=True, slots=True)
class SeenInMempool:
    """`txid`, of the settlement or of our self-spend, waits in a mempool; it is in no block, or no longer."""

    txid: str


@dataclass(frozen=True, slots=True)
class Confirmed:
    """`txid`, of the settlement or of our self-spend, has `depth` confirmations (1: in the last block)."""

    txid: str
    height: int
    depth: int


@dataclass(frozen=True, slots=True)
class NotSeenOnChain:
    """The settlement is in no mempool and no block, and its inputs are unspent: never sent, evicted, or reorganised."""


@dataclass(frozen=True, slots=True)
class ConflictConfirmed:
    """`txid`, neither settlement nor our self-spend, spends an input of the settlement, `depth` blocks deep (≥ 1)."""

    txid: str
    depth: int


Event = (
    MessageReceived
    | TimerFired
    | Reconnected
    | Validated
    | Verified
    | CheckFailed
    | Approved
    | Signed
    | Countersigned
    | SigningFailed
    | CancelRequested
    | RevokeRequested
    | SelfSpendSigned
    | SelfSpendFailed
    | BroadcastAccepted
    | BroadcastFailed
    | RivalSeen
    | FinalTransactionFetched
    | SeenInMempool
    | Confirmed
    | NotSeenOnChain
    | ConflictConfirmed
)
