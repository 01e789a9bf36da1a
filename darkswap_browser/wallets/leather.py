"""Leather: `request` with JSON-RPC, PSBTs in hex, the network named in each call. P2TR for assets, P2WPKH for sats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from darkswap_browser.bitcoin.script import ScriptKind, kind_of
from darkswap_browser.bitcoin.sighash import Sighash
from darkswap_browser.runtime.base.wallet_extensions import WalletProviders
from darkswap_browser.wallets.accounts import account, one_or_two
from darkswap_browser.wallets.base import Account, AccountPurpose
from darkswap_browser.wallets.extension import ExtensionWallet, entries, from_base64, from_hex, mapping

NETWORKS = {
    "mainnet": "mainnet",
    "testnet": "testnet",
    "testnet4": "testnet4",
    "signet": "signet",
    "regtest": "devnet",
}
"""Ours → Leather's modes; its devnet is a regtest."""
PURPOSES = {"p2tr": AccountPurpose.ASSETS, "p2wpkh": AccountPurpose.PAYMENT}


class LeatherWallet(ExtensionWallet):
    async def _sign_psbt(self, psbt: bytes, inputs: Mapping[int, Account]) -> bytes:
        return await self._listed(psbt, sorted(inputs), (Sighash.DEFAULT, Sighash.ALL))

    async def _sign_single_anyonecanpay(self, psbt: bytes, account: Account) -> bytes:
        return await self._listed(psbt, (0,), (Sighash.SINGLE_ANYONECANPAY,))

    async def _listed(self, psbt: bytes, inputs: Sequence[int], types: Sequence[Sighash]) -> bytes:
        params = {
            "hex": psbt.hex(),
            "signAtIndex": list(inputs),
            "allowedSighash": [int(each) for each in types],
            "broadcast": False,
            "network": NETWORKS[self.network],
        }
        answer = mapping(self.kind, await self._call("signPsbt", params))
        return from_hex(self.kind, answer.get("hex"))

    async def _sign_message(self, account: Account, message: str) -> bytes:
        kind = "p2tr" if kind_of(account.script) is ScriptKind.P2TR else "p2wpkh"
        params = {"message": message, "paymentType": kind, "type": "bip322", "network": NETWORKS[self.network]}
        answer = mapping(self.kind, await self._call("signMessage", params))
        return from_base64(self.kind, answer.get("signature"))


async def connect_leather(providers: WalletProviders, kind: str, network: str) -> LeatherWallet:
    answer = mapping(kind, await providers.call(kind, "getAddresses", {"network": NETWORKS[network]}))
    found = {
        PURPOSES[each["type"]]: account(
            kind, PURPOSES[each["type"]], each.get("address"), each.get("publicKey"), network
        )
        for each in entries(kind, answer.get("addresses"))
        if each.get("symbol") == "BTC" and each.get("type") in PURPOSES
    }
    accounts = one_or_two(kind, network, found.get(AccountPurpose.ASSETS), found.get(AccountPurpose.PAYMENT))
    return LeatherWallet(providers, kind, network, accounts)
