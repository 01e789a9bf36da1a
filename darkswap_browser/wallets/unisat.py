"""UniSat and its clones (OKX, Wizz, Tokeo, Keplr): one address, methods of their own, PSBTs in hex."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from darkswap_browser.bitcoin.sighash import Sighash
from darkswap_browser.errors import Unsupported, WalletFailed
from darkswap_browser.runtime.base.wallet_extensions import WalletProviders
from darkswap_browser.wallets.accounts import account, one_or_two
from darkswap_browser.wallets.base import Account, AccountPurpose
from darkswap_browser.wallets.extension import ExtensionWallet, from_base64, from_hex

KINDS = ("unisat", "okx", "okx-testnet", "okx-signet", "wizz", "tokeo", "keplr")
CHAINS = {
    "mainnet": "BITCOIN_MAINNET",
    "testnet": "BITCOIN_TESTNET",
    "testnet4": "BITCOIN_TESTNET4",
    "signet": "BITCOIN_SIGNET",
}
"""The words of `getChain` and `switchChain`; there is none for regtest."""
OLD_NETWORKS = {"livenet": "mainnet", "mainnet": "mainnet", "testnet": "testnet", "signet": "signet"}
"""The words of `getNetwork`, for clones without `getChain`."""


class UnisatWallet(ExtensionWallet):
    async def _sign_psbt(self, psbt: bytes, inputs: Mapping[int, Account]) -> bytes:
        # Without the list it signs every input it can; left to itself it finalises (facts P1, P2).
        return await self._listed(
            psbt, [{"index": index, "address": inputs[index].address} for index in sorted(inputs)]
        )

    async def _sign_single_anyonecanpay(self, psbt: bytes, account: Account) -> bytes:
        # Another type than the usual is signed only if it is named here and in the PSBT.
        types = [int(Sighash.SINGLE_ANYONECANPAY)]
        return await self._listed(psbt, [{"index": 0, "address": account.address, "sighashTypes": types}])

    async def _listed(self, psbt: bytes, inputs: Sequence[Mapping[str, Any]]) -> bytes:
        options = {"autoFinalized": False, "toSignInputs": list(inputs)}
        return from_hex(self.kind, await self._call("signPsbt", [psbt.hex(), options]))

    async def _sign_message(self, account: Account, message: str) -> bytes:
        return from_base64(self.kind, await self._call("signMessage", [message, "bip322-simple"]))


async def connect_unisat(providers: WalletProviders, kind: str, network: str) -> UnisatWallet:
    """Asks the user to switch networks when the wallet is on another."""
    await providers.call(kind, "connect" if kind.startswith("okx") else "requestAccounts", [])
    if await _network(providers, kind) != network:
        if network not in CHAINS:
            raise WalletFailed(kind, f"does not know the network {network}; use the seed wallet there")
        try:
            await providers.call(kind, "switchChain", [CHAINS[network]])
        except Unsupported as error:
            raise WalletFailed(kind, f"is on another network than {network}; switch it there") from error
        if await _network(providers, kind) != network:
            raise WalletFailed(kind, f"is on another network than {network}")
    # Asked for after the switch, which may come with another address.
    addresses = await providers.call(kind, "getAccounts", [])
    if not isinstance(addresses, list) or not addresses:
        raise WalletFailed(kind, "shows no account to this page")
    key = await providers.call(kind, "getPublicKey", [])
    only = account(kind, AccountPurpose.ASSETS, addresses[0], key, network)
    return UnisatWallet(providers, kind, network, one_or_two(kind, network, only, only))


async def _network(providers: WalletProviders, kind: str) -> str | None:
    """In our words; None for one that we have no word for."""
    try:
        chain: Any = await providers.call(kind, "getChain", [])
    except Unsupported:
        return OLD_NETWORKS.get(str(await providers.call(kind, "getNetwork", [])))
    enum = chain.get("enum") if isinstance(chain, Mapping) else None
    return next((network for network, word in CHAINS.items() if word == enum), None)
