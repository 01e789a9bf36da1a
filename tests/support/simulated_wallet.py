"""A wallet with two keys: real ones, real signatures, and faults to switch on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256

from darkswap_browser.bitcoin import bip322, curve
from darkswap_browser.bitcoin.address import address_of
from darkswap_browser.bitcoin.psbt import Psbt, with_witness
from darkswap_browser.bitcoin.script import ScriptKind
from darkswap_browser.bitcoin.signing import script_for, sign_input, sign_single_anyonecanpay, witness_of
from darkswap_browser.bitcoin.transaction import OutPoint, TxOutput
from darkswap_browser.errors import WalletFailed, WalletRejected
from darkswap_browser.settlement.private_sale import maker_template
from darkswap_browser.settlement.terms import TradeInput
from darkswap_browser.wallets.base import Account, AccountPurpose

AUX = bytes(32)


# Worlds of one seed sign the same things again and again: each is computed once.
@lru_cache
def _public_key(private: bytes) -> bytes:
    return curve.public_key(private)


@lru_cache(maxsize=1024)
def _message_witness(script: bytes, private: bytes, message: str) -> bytes:
    return bip322.sign_simple(script, private, message, AUX)


@lru_cache(maxsize=1024)
def _signature(psbt: bytes, index: int, private: bytes) -> bytes:
    asked = Psbt.parse(psbt)
    prevouts = [asked.spent(each) for each in range(len(asked.inputs))]
    return sign_input(asked.unsigned, index, [each for each in prevouts if each is not None], private, AUX)


class SimulatedWallet:
    """Assets on P2TR, payments on P2WPKH."""

    def __init__(self, name: str, network: str = "regtest") -> None:
        self.kind = "simulated"
        self.network = network
        self.sign_seconds = 60.0
        self.refuses = False
        self.broken = False
        self.trouble = "out of order"
        """What it says when it is broken."""
        self.delay = 0.0
        self.signed: list[str] = []
        """Ids of the transactions that it signed inputs of."""
        self.settled: dict[OutPoint, set[str]] = {}
        """Of each of its coins, the transactions shared with others that it signed it into."""
        self.sold: list[OutPoint] = []
        """Coins that it signed away for a payment."""
        self.forge: Callable[[Psbt], Psbt] | None = None
        """What is done to a PSBT before it is returned."""
        self._keys: dict[bytes, bytes] = {}
        self.accounts: Sequence[Account] = (
            self._account(name, AccountPurpose.ASSETS, ScriptKind.P2TR),
            self._account(name, AccountPurpose.PAYMENT, ScriptKind.P2WPKH),
        )

    def _account(self, name: str, purpose: AccountPurpose, kind: ScriptKind) -> Account:
        private = sha256(f"{name}/{purpose}".encode()).digest()
        public = _public_key(private)
        script = script_for(kind, public)
        self._keys[script] = private
        return Account(purpose, address_of(script, self.network) or "", script, public)

    @property
    def assets(self) -> Account:
        return self.accounts[0]

    @property
    def payment(self) -> Account:
        return self.accounts[1]

    def key(self, script: bytes) -> bytes:
        return self._keys[script]

    async def sign_psbt(self, psbt: bytes, inputs: Mapping[int, Account]) -> bytes:
        if self.delay:
            await asyncio.sleep(self.delay)
        if self.refuses:
            raise WalletRejected(self.kind)
        if self.broken:
            raise WalletFailed(self.kind, self.trouble)
        asked = signed = Psbt.parse(psbt)
        for index, account in inputs.items():
            signature = _signature(psbt, index, self._keys[account.script])
            signed = with_witness(signed, index, witness_of(account.script, account.public_key, signature))
        self.signed.append(asked.unsigned.txid)
        if len(inputs) < len(asked.inputs):
            for index in inputs:
                self.settled.setdefault(asked.unsigned.inputs[index].outpoint, set()).add(asked.unsigned.txid)
        return (self.forge(signed) if self.forge else signed).serialize()

    async def sign_sale(
        self, lot: TradeInput, payment: TxOutput, account: Account, previous: bytes
    ) -> tuple[bytes, ...]:
        if self.refuses:
            raise WalletRejected(self.kind)
        prevouts = (TxOutput(lot.sats, lot.script),)
        signature = sign_single_anyonecanpay(maker_template(lot, payment), 0, prevouts, self._keys[account.script], AUX)
        self.sold.append(lot.outpoint)
        return witness_of(account.script, account.public_key, signature)

    async def sign_message(self, account: Account, message: str) -> bytes:
        return _message_witness(account.script, self._keys[account.script], message)

    def subscribe(self, callback: Callable[[str], None]) -> Callable[[], None]:
        return lambda: None

    async def disconnect(self) -> None: ...
