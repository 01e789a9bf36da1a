"""What all wallets in extensions share: accounts that are good until the user changes them, answers taken as bytes."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from darkswap_browser.bitcoin.bip322 import verify_simple
from darkswap_browser.bitcoin.psbt import MAX_PSBT, Psbt, create_psbt
from darkswap_browser.bitcoin.sighash import Sighash
from darkswap_browser.bitcoin.signing import SINGLE_ANYONECANPAY
from darkswap_browser.bitcoin.transaction import TxOutput
from darkswap_browser.errors import InvalidArgument, MalformedMessage, Unsupported, WalletFailed, WalletNotConnected
from darkswap_browser.runtime.base.wallet_extensions import TAB_GONE, WalletProviders
from darkswap_browser.settlement.private_sale import maker_template
from darkswap_browser.settlement.signature_checks import wallet_signatures
from darkswap_browser.settlement.terms import TradeInput
from darkswap_browser.wallets.base import Account

SIGN_SECONDS = 180.0
"""A person reads a popup."""
MAX_ANSWER = 2 * MAX_PSBT
"""Characters of a signed PSBT in hex."""


class ExtensionWallet:
    """Raises `WalletFailed` for every request after the user changed account or network there: connect again. After
    `disconnect`, or when its tab is gone, `WalletNotConnected`.
    """

    sign_seconds = SIGN_SECONDS

    def __init__(self, providers: WalletProviders, provider: str, network: str, accounts: Sequence[Account]) -> None:
        self.kind = provider
        self.network = network
        self.accounts = tuple(accounts)
        self._providers = providers
        self._changed = ""
        self._callbacks: dict[int, Callable[[str], None]] = {}
        self._next = 0
        self._unsubscribe = providers.subscribe(provider, self._on_change)

    def subscribe(self, callback: Callable[[str], None]) -> Callable[[], None]:
        self._next += 1
        number = self._next
        self._callbacks[number] = callback

        def unsubscribe() -> None:
            self._callbacks.pop(number, None)

        return unsubscribe

    async def sign_sale(
        self, lot: TradeInput, payment: TxOutput, account: Account, previous: bytes
    ) -> tuple[bytes, ...]:
        """Of what comes back, only a good signature of that very type is taken. Raises `VerificationFailed` too."""
        self._judge()
        if account not in self.accounts or lot.script != account.script:
            raise WalletFailed(self.kind, f"has no account {account.address} that this coin is of")
        prevouts, sources = (TxOutput(lot.sats, lot.script),), {lot.outpoint.txid: previous}
        kind = Sighash.SINGLE_ANYONECANPAY
        try:
            asked = create_psbt(maker_template(lot, payment), prevouts, sources, {0: account.public_key}, kind)
            answer = Psbt.parse(await self._sign_single_anyonecanpay(asked.serialize(), account))
        except (InvalidArgument, MalformedMessage) as error:
            raise WalletFailed(self.kind, str(error)) from error
        return wallet_signatures(answer, asked, (0,), SINGLE_ANYONECANPAY)[0]

    async def sign_psbt(self, psbt: bytes, inputs: Mapping[int, Account]) -> bytes:
        self._judge()
        for index, account in inputs.items():
            if account not in self.accounts:
                raise WalletFailed(self.kind, f"has no account {account.address}, which input {index} is of")
        return await self._sign_psbt(psbt, inputs)

    async def sign_message(self, account: Account, message: str) -> bytes:
        """Signatures in other manners (UniSat's "ecdsa", legacy) are refused: they prove nothing for these scripts."""
        self._judge()
        witness = await self._sign_message(account, message)
        if not verify_simple(account.script, message, witness):
            raise WalletFailed(self.kind, "signed in another manner than BIP322's, another message or with another key")
        return witness

    async def disconnect(self) -> None:
        """Of this page's own doing: that the wallet trusts the page is for its user to take back, in the wallet."""
        self._unsubscribe()
        self._callbacks.clear()
        self._changed = self._changed or "disconnect"

    async def _sign_psbt(self, psbt: bytes, inputs: Mapping[int, Account]) -> bytes:
        raise NotImplementedError

    async def _sign_single_anyonecanpay(self, psbt: bytes, account: Account) -> bytes:
        """Input 0 with SIGHASH_SINGLE|ANYONECANPAY, for those that can be told so."""
        hint = "Private sales are signed by the wallet of this page, by UniSat and its kind, and by Leather."
        raise Unsupported(f"a private sale with {self.kind}", hint)

    async def _sign_message(self, account: Account, message: str) -> bytes:
        raise NotImplementedError

    async def _call(self, method: str, params: Any) -> Any:
        return await self._providers.call(self.kind, method, params)

    def _on_change(self, word: str) -> None:
        self._changed = word
        for callback in list(self._callbacks.values()):
            callback(word)

    def _judge(self) -> None:
        if self._changed in ("disconnect", TAB_GONE):
            raise WalletNotConnected
        if self._changed:
            raise WalletFailed(self.kind, f"is not as it was when it was connected ({self._changed}): connect it again")


def mapping(wallet: str, answer: Any) -> Mapping[str, Any]:
    if not isinstance(answer, Mapping):
        raise WalletFailed(wallet, "gave an answer of another shape")
    return answer


def entries(wallet: str, answer: Any) -> Sequence[Mapping[str, Any]]:
    """A list of objects."""
    if not isinstance(answer, list):
        raise WalletFailed(wallet, "gave an answer of another shape")
    return [mapping(wallet, each) for each in answer]


def from_hex(wallet: str, text: Any) -> bytes:
    try:
        return bytes.fromhex(_text(wallet, text))
    except ValueError as error:
        raise WalletFailed(wallet, "answered with something else than hex") from error


def from_base64(wallet: str, text: Any) -> bytes:
    try:
        return base64.b64decode(_text(wallet, text), validate=True)
    except binascii.Error as error:
        raise WalletFailed(wallet, "answered with something else than base64") from error


def to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def by_address(inputs: Mapping[int, Account]) -> dict[str, list[int]]:
    """Address → its inputs, in order."""
    found: dict[str, list[int]] = {}
    for index in sorted(inputs):
        found.setdefault(inputs[index].address, []).append(index)
    return found


def _text(wallet: str, text: Any) -> str:
    if not isinstance(text, str) or not text.isascii() or len(text) > MAX_ANSWER:
        raise WalletFailed(wallet, "gave no signed bytes")
    return text
