"""What is asked of a wallet, whether in the page or an extension. Only signatures are taken from what one returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from darkswap_browser.bitcoin.transaction import OutPoint, TxOutput
from darkswap_browser.chain.base import OutputAssets, Utxo
from darkswap_browser.market.assets import Asset
from darkswap_browser.settlement.terms import TradeInput


class AccountPurpose(StrEnum):
    """Which coins an account keeps apart: runes and alkanes, or plain bitcoin for fees and payments."""

    ASSETS = "assets"
    PAYMENT = "payment"


@dataclass(frozen=True, slots=True)
class Account:
    """One address. `public_key` is what the wallet signs with: 33 bytes compressed (for P2TR the internal key,
    untweaked, whose 32 x-only bytes are `public_key[1:]`). One-address wallets have two accounts with that address.
    """

    purpose: AccountPurpose
    address: str
    script: bytes
    public_key: bytes


class Wallet(Protocol):
    """Raises `WalletRejected` (the user said no) and `WalletFailed`."""

    @property
    def kind(self) -> str:
        """ "seed", "unisat", "xverse", "leather" …"""
        ...

    @property
    def network(self) -> str: ...

    @property
    def accounts(self) -> Sequence[Account]: ...

    @property
    def sign_seconds(self) -> float:
        """How long a signature may take: 60 for a key in the page, 180 where a person reads a popup."""
        ...

    async def sign_psbt(self, psbt: bytes, inputs: Mapping[int, Account]) -> bytes:
        """Signs exactly the inputs listed, all ours, with SIGHASH_DEFAULT or ALL. Returns the PSBT as the wallet gave:
        maybe finalised, re-ordered or changed; the caller trusts nothing of it but signatures it verifies.
        """
        ...

    async def sign_message(self, account: Account, message: str) -> bytes:
        """BIP322 "simple": the serialised witness stack."""
        ...

    def subscribe(self, callback: Callable[[str], None]) -> Callable[[], None]:
        """ "accounts", "network" or "disconnect"."""
        ...

    async def disconnect(self) -> None: ...


@runtime_checkable
class PrivateSaleSigner(Protocol):
    """What a wallet can do besides, if its user has switched private sales on. Never asked for by a field of a PSBT:
    such a signature is made by this method alone.
    """

    async def sign_sale(
        self, lot: TradeInput, payment: TxOutput, account: Account, previous: bytes
    ) -> tuple[bytes, ...]:
        """The witness that gives `lot`, a coin of `account`, to whoever pays `payment` for it: SIGHASH_SINGLE|
        ANYONECANPAY, good until the coin is spent. `previous`: the transaction that made the coin. Raises
        `WalletRejected`, `WalletFailed`, and `Unsupported` where the wallet cannot be asked for it.
        """
        ...


class CoinState(StrEnum):
    CONFIRMED = "confirmed"
    PENDING = "pending"
    RESERVED = "reserved"
    """Held by a trade or a private sale, or frozen by the user: see `reserved_by`."""


@dataclass(frozen=True, slots=True)
class WalletCoin:
    """One of our outputs. `reserved_by`: a trade id, "order " and the id of a private sale, "frozen", or "" when it is
    free.
    """

    utxo: Utxo
    account: Account
    holdings: OutputAssets
    state: CoinState
    reserved_by: str = ""


@dataclass(frozen=True, slots=True)
class Balance:
    """Atoms of one asset: `confirmed` and free; `pending` (unconfirmed); `reserved` (by trades, orders or frozen);
    `unknown`: sats of coins whose contents no index vouches for, so they cannot be spent.
    """

    asset: Asset
    confirmed: int
    pending: int
    reserved: int
    unknown: int = 0


class CoinStore(Protocol):
    """The coins of the connected wallet, classified by the indexes. Reservations are durable and hold across tabs."""

    async def refresh(self) -> Sequence[WalletCoin]:
        """Asks the chain anew."""
        ...

    async def balances(self) -> Sequence[Balance]:
        """Bitcoin first."""
        ...

    async def select_asset(self, asset: Asset, atoms: int, owner: str) -> Sequence[WalletCoin]:
        """Confirmed free coins that hold `asset` and nothing else, together at least `atoms`, few of them; reserved
        at once for `owner` (a trade id). Raises `InsufficientFunds`.
        """
        ...

    async def select_exact(self, asset: Asset, atoms: int, owner: str) -> WalletCoin:
        """A confirmed free coin that holds exactly `atoms` of `asset` and nothing else; reserved at once for `owner`.
        Raises `InsufficientFunds`.
        """
        ...

    async def select_bitcoin(self, sats: Callable[[Sequence[WalletCoin]], int], owner: str) -> Sequence[WalletCoin]:
        """Confirmed coins known to hold nothing but sats, whose sum is at least `sats(coins)` of themselves (inputs
        cost fee); reserved at once for `owner`. Raises `InsufficientFunds`.
        """
        ...

    async def release(self, owner: str) -> None:
        """Frees whatever `owner` holds. Idempotent."""
        ...

    async def reserved(self, owner: str) -> Sequence[OutPoint]: ...

    async def freeze(self, outpoint: OutPoint, on: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class ConnectedWallet:
    """A connected wallet and its coins."""

    wallet: Wallet
    coins: CoinStore
