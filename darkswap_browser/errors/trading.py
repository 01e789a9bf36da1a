"""Errors of the trading half: chain, wallets, orders, trades. Amounts are in atoms, of which bitcoin's are sats."""

from __future__ import annotations

from darkswap_browser.errors.base import DarkSwapError, clipped
from darkswap_browser.errors.local import InvalidArgument, LocalError
from darkswap_browser.errors.network import RemoteError


class ChainError(DarkSwapError):
    """`source` is the server's address."""

    code = "CHAIN"
    retryable = True
    hint = "Try again, or set other chain servers."

    def __init__(self, source: str, reason: str) -> None:
        self.source = source
        self.reason = reason
        super().__init__(source, reason)

    def __str__(self) -> str:
        return f"{self.source}: {self.reason}"


class ChainUnreachable(ChainError):
    code = "CHAIN_UNREACHABLE"
    hint = "Check the network connection and the address of the chain server; it must allow this page (CORS)."


class RateLimited(ChainError):
    code = "RATE_LIMITED"
    hint = "The server asks for fewer requests; wait a minute, or set one of your own."


class NotOnChain(ChainError):
    code = "NOT_ON_CHAIN"
    retryable = False
    hint = "Check the network (mainnet, signet …) and the id."


class ChainInconsistent(ChainError):
    """Nothing is signed on facts that servers do not agree on."""

    code = "CHAIN_INCONSISTENT"
    hint = "One of the chain servers is wrong or late; try again in a minute, or set servers that you trust."


class IndexerLagging(ChainError):
    """`height` is that of the index, `tip` that of the chain."""

    code = "INDEXER_LAG"
    hint = "The index is still reading the latest blocks; try again in a minute."

    def __init__(self, source: str, height: int, tip: int) -> None:
        super().__init__(source, f"is at block {height}, the chain at {tip}")
        self.height = height
        self.tip = tip


class BroadcastRejected(ChainError):
    code = "BROADCAST_REJECTED"
    retryable = False
    hint = "The network does not take this transaction; its reason tells why."


class InsufficientFunds(LocalError):
    """`asset` in text form; `needed` and `available` in atoms."""

    code = "INSUFFICIENT_FUNDS"

    def __init__(self, asset: str, needed: int, available: int, hint: str = "") -> None:
        self.asset = asset
        self.needed = needed
        self.available = available
        self.hint = hint or "Add coins, or wait until pending ones are confirmed and reserved ones are free."
        super().__init__(asset, needed, available)

    def __str__(self) -> str:
        return f"{self.needed} atoms of {self.asset} are needed, {self.available} can be spent"


class OrderNotFound(LocalError):
    code = "ORDER_NOT_FOUND"
    hint = "Import the order by its link first."

    def __init__(self, order: str) -> None:
        self.order = order
        super().__init__(order)

    def __str__(self) -> str:
        return f"no order {clipped(self.order)}"


class TradeNotFound(LocalError):
    code = "TRADE_NOT_FOUND"
    hint = "get_trades() lists the trades kept on this device."

    def __init__(self, trade: str) -> None:
        self.trade = trade
        super().__init__(trade)

    def __str__(self) -> str:
        return f"no trade {clipped(self.trade)}"


class IdentityInUse(LocalError):
    """Two tabs or processes with one identity: only one of them may go on with its trades, and of the processes of one
    folder only one may run it at all.
    """

    code = "IDENTITY_IN_USE"
    retryable = True
    hint = "Close the other tab or program that trades under this identity, or use another identity.name here."

    def __init__(self, peer: str, hint: str = "") -> None:
        self.peer = peer
        self.hint = hint or type(self).hint
        super().__init__(peer)

    def __str__(self) -> str:
        return f"{self.peer} is in use by another tab or program"


class InvalidOrder(InvalidArgument):
    """An order that cannot be, or can no longer be, made, changed or taken."""

    code = "INVALID_ORDER"


class TradeRefused(RemoteError):
    """The peer ended a trade. `reason` is one of facts' codes: ORDER_GONE, PRICE_CHANGED, INSUFFICIENT_FUNDS …"""

    code = "TRADE_REFUSED"
    hint = "Nothing was signed; ask the other side, or take another order."

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(reason, detail)

    def __str__(self) -> str:
        return f"the trade was refused: {self.reason}" + (f" ({self.detail})" if self.detail else "")


class SignatureInvalid(RemoteError):
    """A signature is missing, wrong, or not of the type and by the key that was asked for. `reason` names the input."""

    code = "SIGNATURE_INVALID"
    hint = "Nothing of it was used. If it was your wallet's, update the wallet, or use another one."

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)

    def __str__(self) -> str:
        return f"a signature does not hold: {self.reason}"


class VerificationFailed(RemoteError):
    """A check before or after signing did not hold. `rule` is "V1" to "V20"."""

    code = "VERIFICATION_FAILED"
    hint = "Do not sign this trade: what the other side sent is not what was agreed."

    def __init__(self, rule: str, detail: str) -> None:
        self.rule = rule
        self.detail = detail
        super().__init__(rule, detail)

    def __str__(self) -> str:
        return f"{self.rule}: {self.detail}"


class WalletError(DarkSwapError):
    """`wallet` is its name, e.g. "unisat"."""

    code = "WALLET"

    def __init__(self, wallet: str, reason: str = "") -> None:
        self.wallet = wallet
        self.reason = reason
        super().__init__(wallet, reason)

    def __str__(self) -> str:
        return f"{self.wallet}: {self.reason}" if self.reason else self.wallet


class WalletNotConnected(WalletError):
    code = "WALLET_NOT_CONNECTED"
    hint = "Call connect_wallet first."

    def __init__(self) -> None:
        super().__init__("wallet", "none is connected")


class WalletRejected(WalletError):
    code = "USER_REJECTED"
    hint = "The request was declined in the wallet; nothing was signed."


class WalletFailed(WalletError):
    code = "WALLET_FAILED"
    retryable = True
    hint = "Unlock the wallet, check its network and account, and try again."

    def __init__(self, wallet: str, reason: str = "", hint: str = "") -> None:
        super().__init__(wallet, reason)
        self.hint = hint or type(self).hint
