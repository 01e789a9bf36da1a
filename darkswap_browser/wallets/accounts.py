"""Accounts as wallets describe them: address and key in whatever form, checked against each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from darkswap_browser.bitcoin.address import script_of
from darkswap_browser.bitcoin.script import ScriptKind, kind_of
from darkswap_browser.bitcoin.signing import script_for
from darkswap_browser.errors import InvalidArgument, WalletFailed
from darkswap_browser.wallets.base import Account, AccountPurpose, Wallet

KINDS = (ScriptKind.P2TR, ScriptKind.P2WPKH)
"""Those of `settlement.transaction.INPUT_KINDS`: what is paid to an account must be good for the next trade."""
MAX_KEY = 132
"""Characters: an uncompressed key in hex, so that one is told by its length."""


def account(wallet: str, purpose: AccountPurpose, address: Any, key: Any, network: str) -> Account:
    """`key`: bytes or hex, 33 bytes or 32 x-only. Raises `WalletFailed` for what cannot trade, or does not fit."""
    if not isinstance(address, str):
        raise WalletFailed(wallet, "gave an account without an address")
    try:
        script = script_of(address, network)
    except InvalidArgument as error:
        raise WalletFailed(wallet, f"has {address[:100]}, which is no address of {network}") from error
    if kind_of(script) is ScriptKind.P2SH:
        hint = "choose native segwit (bc1q…) as its type of payment address; Xverse has it under Settings"
        raise WalletFailed(wallet, f"uses {address}, a nested address, which cannot be part of a trade: {hint}")
    if kind_of(script) not in KINDS:
        raise WalletFailed(wallet, f"uses {address}: choose a taproot or native segwit address in it")
    public = _key(wallet, key)
    try:
        fits = script_for(kind_of(script), public) == script
    except InvalidArgument as error:
        raise WalletFailed(wallet, "gave a public key that is none") from error
    if not fits:
        raise WalletFailed(wallet, f"gave a public key that {address} is not made of")
    return Account(purpose, address, script, public)


def one_or_two(wallet: str, network: str, assets: Account | None, payment: Account | None) -> Sequence[Account]:
    """Both purposes; a wallet with one address has it twice. Assets go to taproot where there is one (D5)."""
    if assets is None and payment is None:
        raise WalletFailed(wallet, f"has no bitcoin account on {network}")
    found = assets or payment
    assert found is not None
    first, second = assets or found, payment or found
    return (
        Account(AccountPurpose.ASSETS, first.address, first.script, first.public_key),
        Account(AccountPurpose.PAYMENT, second.address, second.script, second.public_key),
    )


def _key(wallet: str, key: Any) -> bytes:
    """As 33 bytes; an x-only key gets the even parity: of a taproot address only its other 32 bytes are used."""
    if not isinstance(key, str | bytes) or len(key) > MAX_KEY:
        raise WalletFailed(wallet, "gave a public key that is none")
    try:
        raw = bytes.fromhex(key) if isinstance(key, str) else key
    except ValueError as error:
        raise WalletFailed(wallet, "gave a public key that is none") from error
    if len(raw) not in (32, 33):
        raise WalletFailed(wallet, f"gave a public key of {len(raw)} bytes")
    return raw if len(raw) == 33 else b"\x02" + raw


def find_account(wallet: Wallet, purpose: AccountPurpose) -> Account:
    for account in wallet.accounts:
        if account.purpose is purpose:
            return account
    raise WalletFailed(wallet.kind, f"has no account for {purpose.value}")
