"""Wallets of the Bitcoin wallet-standard: functions by feature, PSBTs as bytes, accounts given back as they came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from darkswap_browser.bitcoin.script import ScriptKind, kind_of
from darkswap_browser.errors import WalletFailed
from darkswap_browser.runtime.base.wallet_extensions import WalletProviders
from darkswap_browser.wallets.accounts import account, one_or_two
from darkswap_browser.wallets.base import Account, AccountPurpose
from darkswap_browser.wallets.extension import ExtensionWallet, by_address, entries, mapping

PREFIX = "standard:"
CONNECT = "bitcoin:connect.connect"
SIGN_TRANSACTION = "bitcoin:signTransaction.signTransaction"
SIGN_MESSAGE = "bitcoin:signMessage.signMessage"
PURPOSES = {"ordinals": AccountPurpose.ASSETS, "payment": AccountPurpose.PAYMENT}


class StandardWallet(ExtensionWallet):
    async def _sign_psbt(self, psbt: bytes, inputs: Mapping[int, Account]) -> bytes:
        listed = [{"account": address, "signingIndexes": indexes} for address, indexes in by_address(inputs).items()]
        params = {"psbt": psbt, "inputsToSign": listed, "chain": chain_of(self.network)}
        return self._bytes(await self._call(SIGN_TRANSACTION, params), "signedPsbt")

    async def _sign_message(self, account: Account, message: str) -> bytes:
        params = {"account": account.address, "message": message.encode()}
        return self._bytes(await self._call(SIGN_MESSAGE, params), "signature")

    def _bytes(self, answer: Any, name: str) -> bytes:
        """Of the first output: there was one input."""
        outputs = entries(self.kind, answer)
        found = outputs[0].get(name) if outputs else None
        if not isinstance(found, bytes):
            raise WalletFailed(self.kind, "gave no signed bytes")
        return found


def chain_of(network: str) -> str:
    return f"bitcoin:{network}"


async def connect_standard(providers: WalletProviders, kind: str, network: str) -> StandardWallet:
    """Of several accounts for one purpose the first counts: the one the user chose in the wallet."""
    answer = mapping(kind, await providers.call(kind, CONNECT, {"purposes": list(PURPOSES)}))
    found: dict[AccountPurpose, Account] = {}
    for each in entries(kind, answer.get("accounts")):
        chains = each.get("chains")
        if isinstance(chains, list) and chains and chain_of(network) not in chains:
            continue
        made = account(kind, AccountPurpose.ASSETS, each.get("address"), each.get("publicKey"), network)
        is_taproot = kind_of(made.script) is ScriptKind.P2TR
        found.setdefault(
            PURPOSES.get(str(each.get("purpose")), AccountPurpose.ASSETS if is_taproot else AccountPurpose.PAYMENT),
            made,
        )
    accounts = one_or_two(kind, network, found.get(AccountPurpose.ASSETS), found.get(AccountPurpose.PAYMENT))
    return StandardWallet(providers, kind, network, accounts)
