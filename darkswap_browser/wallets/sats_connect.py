"""Xverse and the other wallets of the sats-connect family: `request` with JSON-RPC, PSBTs in base64.

Two addresses: "ordinals" (P2TR) for assets, "payment" (P2WPKH or P2SH-P2WPKH) for sats.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from darkswap_browser.errors import Unsupported, WalletFailed
from darkswap_browser.runtime.base.wallet_extensions import WalletProviders
from darkswap_browser.wallets.accounts import account, one_or_two
from darkswap_browser.wallets.base import Account, AccountPurpose
from darkswap_browser.wallets.extension import (
    ExtensionWallet,
    by_address,
    entries,
    from_base64,
    mapping,
    to_base64,
)

PREFIX = "sats-connect:"
NETWORKS = {
    "mainnet": "Mainnet",
    "testnet": "Testnet",
    "testnet4": "Testnet4",
    "signet": "Signet",
    "regtest": "Regtest",
}
PURPOSES = {"ordinals": AccountPurpose.ASSETS, "payment": AccountPurpose.PAYMENT}
MESSAGE = "DarkSwap shows your coins and asks you to sign each trade."


class SatsConnectWallet(ExtensionWallet):
    async def _sign_psbt(self, psbt: bytes, inputs: Mapping[int, Account]) -> bytes:
        params = {"psbt": to_base64(psbt), "signInputs": by_address(inputs), "broadcast": False}
        answer = mapping(self.kind, await self._call("signPsbt", params))
        return from_base64(self.kind, answer.get("psbt"))

    async def _sign_message(self, account: Account, message: str) -> bytes:
        params = {"address": account.address, "message": message, "protocol": "BIP322"}
        answer = mapping(self.kind, await self._call("signMessage", params))
        return from_base64(self.kind, answer.get("signature"))


async def connect_sats_connect(providers: WalletProviders, kind: str, network: str) -> SatsConnectWallet:
    """Asks the user to switch networks when the wallet is on another."""
    described = await _accounts(providers, kind, network)
    if await _is_elsewhere(providers, kind, network):
        try:
            await providers.call(kind, "wallet_changeNetwork", {"name": NETWORKS[network]})
        except Unsupported as error:
            raise WalletFailed(kind, f"is on another network than {network}; switch it there") from error
        if await _is_elsewhere(providers, kind, network):
            raise WalletFailed(kind, f"is on another network than {network}")
        described = await _accounts(providers, kind, network)
    found = {
        PURPOSES[each["purpose"]]: account(
            kind, PURPOSES[each["purpose"]], each.get("address"), each.get("publicKey"), network
        )
        for each in entries(kind, described)
        if each.get("purpose") in PURPOSES
    }
    accounts = one_or_two(kind, network, found.get(AccountPurpose.ASSETS), found.get(AccountPurpose.PAYMENT))
    return SatsConnectWallet(providers, kind, network, accounts)


async def _accounts(providers: WalletProviders, kind: str, network: str) -> Any:
    """By the method of today, else by the older one."""
    wanted = list(PURPOSES)
    try:
        params = {"addresses": wanted, "message": MESSAGE, "network": NETWORKS[network]}
        return mapping(kind, await providers.call(kind, "wallet_connect", params)).get("addresses")
    except Unsupported:
        return await providers.call(kind, "getAccounts", {"purposes": wanted, "message": MESSAGE})


async def _is_elsewhere(providers: WalletProviders, kind: str, network: str) -> bool:
    """A wallet that cannot tell is judged by its addresses alone."""
    try:
        answer = mapping(kind, await providers.call(kind, "wallet_getNetwork", {}))
    except Unsupported:
        return False
    bitcoin = answer.get("bitcoin")
    name = bitcoin.get("name") if isinstance(bitcoin, Mapping) else None
    return bool(name != NETWORKS[network])
