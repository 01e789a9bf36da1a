"""Every error that leaves this package, as one tree.

    DarkSwapError                       base; `code`, `retryable`, `hint` for people and for JavaScript
     ├ LocalError                       the caller asked for something that cannot be
     │  ├ InvalidArgument               malformed peer id, multiaddr, config, candidate …; names the path
     │  ├ ObjectClosed                  a call after `free()` or `close()`
     │  ├ MessageTooLarge               an outgoing message over the limit
     │  ├ NotConnected                  no connection to that peer
     │  ├ NoAddress                     nothing known that could reach that peer
     │  ├ UnknownRelay                  a relay named by peer id that was never named by address
     │  ├ Unsupported                   this host or this build cannot do it
     │  ├ ListenFailed                  the host lets nothing listen there: the port is taken, or not ours
     │  ├ StorageError                  the host's store failed
     │  │  └ StorageFull                it takes no more
     │  ├ NodeMoved                     another tab took over the node of this identity
     │  ├ SubscriberFailed              a callback of the application raised; told as an event
     │  └ TooManyRequests               a local queue or budget is full
     ├ RemoteError                      the other side broke a rule
     │  ├ MalformedMessage              bytes that do not decode; the one error of every decoder
     │  ├ ProtocolViolation             well-formed bytes at a moment or in an amount that is not allowed
     │  ├ HandshakeFailed               Noise or multistream-select went wrong
     │  │  └ PeerIdMismatch             an authenticated peer that is not the one we dialled
     │  ├ ProtocolUnsupported           the peer speaks none of the protocols proposed
     │  ├ RelayRefused                  a relay answered with a status other than OK
     │  ├ VoucherInvalid                a reservation voucher that does not hold
     │  └ ResourceLimit                 the peer used up a limit of ours
     ├ StreamError                      four ways a stream has no more to give
     │  ├ StreamClosed                  we closed it
     │  ├ StreamReset                   one side broke it off
     │  ├ EndOfStream                   the peer finished writing
     │  └ StreamBusy                    two readers, or two writers, at once
     ├ MessageUndelivered               an accepted message that is not sent any more
     ├ ConnectionLost                   a connection or the medium below it is gone
     ├ DialFailed                       every address was tried; holds the reason of each
     │  └ PeerOffline                   every relay that was asked said that the peer is not there
     ├ NoDirectPath                     the peer is there, but no direct link to it came about; says why
     ├ TimedOut                         an operation passed its deadline
     ├ Aborted                          the caller gave it up (`AbortSignal`)
     ├ ChainError                       what a chain server told, or did not
     │  ├ ChainUnreachable              no server answered
     │  ├ RateLimited                   a server asks for patience (HTTP 429)
     │  ├ NotOnChain                    no such transaction, block or asset
     │  ├ ChainInconsistent             servers contradict each other or themselves
     │  ├ IndexerLagging                an index is behind the tip of the chain
     │  └ BroadcastRejected             a node refused a transaction, in its words
     ├ WalletError
     │  ├ WalletNotConnected            no wallet is connected
     │  ├ WalletRejected                the user said no in the wallet
     │  └ WalletFailed                  the wallet failed or answered with something else than asked
     └ (trading)                        LocalError: InsufficientFunds, OrderNotFound, TradeNotFound, InvalidOrder,
                                        IdentityInUse;
                                        RemoteError: TradeRefused (by the peer, with a `reason`),
                                        SignatureInvalid and
                                        VerificationFailed (a check of ours, V1 to V20, named by `rule`)

Errors carry fields; `str()` builds the sentence from them. `code` is stable and part of the public interface.
"""

from __future__ import annotations

from darkswap_browser.errors.base import DarkSwapError
from darkswap_browser.errors.local import (
    InvalidArgument,
    ListenFailed,
    LocalError,
    MessageTooLarge,
    NoAddress,
    NodeMoved,
    NotConnected,
    ObjectClosed,
    StorageError,
    StorageFull,
    SubscriberFailed,
    TooManyRequests,
    UnknownRelay,
    Unsupported,
)
from darkswap_browser.errors.network import (
    Aborted,
    ConnectionLost,
    DialFailed,
    HandshakeFailed,
    MalformedMessage,
    NoDirectPath,
    PeerIdMismatch,
    PeerOffline,
    ProtocolUnsupported,
    ProtocolViolation,
    RelayRefused,
    RemoteError,
    ResourceLimit,
    TimedOut,
    VoucherInvalid,
)
from darkswap_browser.errors.streams import (
    EndOfStream,
    MessageUndelivered,
    StreamBusy,
    StreamClosed,
    StreamError,
    StreamReset,
)
from darkswap_browser.errors.trading import (
    BroadcastRejected,
    ChainError,
    ChainInconsistent,
    ChainUnreachable,
    IdentityInUse,
    IndexerLagging,
    InsufficientFunds,
    InvalidOrder,
    NotOnChain,
    OrderNotFound,
    RateLimited,
    SignatureInvalid,
    TradeNotFound,
    TradeRefused,
    VerificationFailed,
    WalletError,
    WalletFailed,
    WalletNotConnected,
    WalletRejected,
)

__all__ = [
    "Aborted",
    "BroadcastRejected",
    "ChainError",
    "ChainInconsistent",
    "ChainUnreachable",
    "ConnectionLost",
    "DarkSwapError",
    "DialFailed",
    "EndOfStream",
    "HandshakeFailed",
    "IdentityInUse",
    "IndexerLagging",
    "InsufficientFunds",
    "InvalidArgument",
    "InvalidOrder",
    "ListenFailed",
    "LocalError",
    "MalformedMessage",
    "MessageTooLarge",
    "MessageUndelivered",
    "NoAddress",
    "NoDirectPath",
    "NodeMoved",
    "NotConnected",
    "NotOnChain",
    "ObjectClosed",
    "OrderNotFound",
    "PeerIdMismatch",
    "PeerOffline",
    "ProtocolUnsupported",
    "ProtocolViolation",
    "RateLimited",
    "RelayRefused",
    "RemoteError",
    "ResourceLimit",
    "SignatureInvalid",
    "StorageError",
    "StorageFull",
    "StreamBusy",
    "StreamClosed",
    "StreamError",
    "StreamReset",
    "SubscriberFailed",
    "TimedOut",
    "TooManyRequests",
    "TradeNotFound",
    "TradeRefused",
    "UnknownRelay",
    "Unsupported",
    "VerificationFailed",
    "VoucherInvalid",
    "WalletError",
    "WalletFailed",
    "WalletNotConnected",
    "WalletRejected",
]
