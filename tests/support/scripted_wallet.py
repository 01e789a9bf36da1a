"""A wallet extension by script: real keys behind it, answers in the shape of each family, manners of every sort.

`Manner` decides what becomes of a PSBT that the user agreed to sign.
"""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from darkswap_browser.bitcoin import bip322, curve, hd, psbt_fields
from darkswap_browser.bitcoin.psbt import Psbt, create_psbt, with_witness
from darkswap_browser.bitcoin.psbt_fields import PsbtMap
from darkswap_browser.bitcoin.script import ScriptKind, kind_of
from darkswap_browser.bitcoin.sighash import Sighash, taproot_digest
from darkswap_browser.bitcoin.signing import script_for, script_sig_of, sign_input, sign_single_anyonecanpay, witness_of
from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput, serialize_witness
from darkswap_browser.errors import WalletRejected
from darkswap_browser.testing.host import SeededEntropy
from darkswap_browser.wallets.base import Account
from darkswap_browser.wallets.seed import SeedWallet

WORDS = "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about"
OTHER = "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo wrong"


def opened(network: str = "regtest", words: str = WORDS) -> SeedWallet:
    return SeedWallet(network, words, SeededEntropy(random.Random(words)))


@cache
def accounts_of(network: str = "regtest", words: str = WORDS) -> tuple[Account, ...]:
    """Those of `opened`, without its keys."""
    return tuple(opened(network, words).accounts)


@cache
def _private(coin: int) -> tuple[bytes, bytes]:
    seed = hd.seed_of(WORDS)
    return hd.derive(seed, f"m/86'/{coin}'/0'/0/0"), hd.derive(seed, f"m/84'/{coin}'/0'/0/0")


@dataclass(frozen=True)
class Trade:
    """A transaction of three inputs: two of our accounts, one of somebody else."""

    tx: Transaction
    prevouts: tuple[TxOutput, ...]
    previous: Mapping[str, bytes]
    keys: Mapping[int, bytes]
    inputs: Mapping[int, Account]
    psbt: Psbt

    @classmethod
    def of(cls, wallet: Any) -> Trade:
        """`wallet`: anything with two accounts."""
        assets, payment = wallet.accounts
        foreign = accounts_of(words=OTHER)[0].script
        prevouts = tuple(TxOutput(10_000 + n, each) for n, each in enumerate((assets.script, payment.script, foreign)))
        sources = [
            Transaction((TxInput(OutPoint(f"{n + 1:064x}", 0)),), (prevout,)) for n, prevout in enumerate(prevouts)
        ]
        spends = tuple(TxInput(OutPoint(source.txid, 0)) for source in sources)
        tx = Transaction(spends, (TxOutput(9_000, assets.script), TxOutput(9_000, foreign)))
        previous = {source.txid: source.serialize() for source in sources}
        keys = {0: assets.public_key, 1: payment.public_key}
        return cls(tx, prevouts, previous, keys, {0: assets, 1: payment}, create_psbt(tx, prevouts, previous, keys))

    def with_inputs(self, changed: Mapping[int, PsbtMap]) -> Psbt:
        inputs = tuple(changed.get(index, fields) for index, fields in enumerate(self.psbt.inputs))
        return replace(self.psbt, inputs=inputs)

    def with_field(self, index: int, key: bytes, value: bytes) -> Psbt:
        return self.with_inputs({index: with_pair(self.psbt.inputs[index], key, value)})

    def without_fields(self, index: int) -> Psbt:
        return self.with_inputs({index: PsbtMap()})


def with_pair(fields: PsbtMap, key: bytes, value: bytes) -> PsbtMap:
    return PsbtMap(tuple(sorted({**dict(fields.pairs), key: value}.items())))


class Keys:
    """The private keys of a scripted wallet by script; with `nested` its payment account is P2SH-P2WPKH."""

    def __init__(self, network: str = "regtest", *, nested: bool = False) -> None:
        taproot, payment = _private(0 if network == "mainnet" else 1)
        kinds = (ScriptKind.P2TR, ScriptKind.P2SH if nested else ScriptKind.P2WPKH)
        self.public = [curve.public_key(each) for each in (taproot, payment)]
        self.scripts = [script_for(kind, key) for kind, key in zip(kinds, self.public, strict=True)]
        self.private = dict(zip(self.scripts, (taproot, payment), strict=True))

    def witness(self, psbt: Psbt, index: int) -> tuple[bytes, ...]:
        prevouts = [psbt.spent(n) or TxOutput(0, b"") for n in range(len(psbt.inputs))]
        script = prevouts[index].script
        private = self.private[script]
        pair = psbt.inputs[index].get(psbt_fields.SIGHASH_TYPE) == Sighash.SINGLE_ANYONECANPAY
        signature = (sign_single_anyonecanpay if pair else sign_input)(
            psbt.unsigned, index, prevouts, private, bytes(32)
        )
        return witness_of(script, curve.public_key(private), signature)


Manner = Callable[[Keys, Psbt, list[int]], Psbt]


def honest(keys: Keys, psbt: Psbt, inputs: list[int]) -> Psbt:
    for index in inputs:
        psbt = with_witness(psbt, index, keys.witness(psbt, index))
    return psbt


def finalises(keys: Keys, psbt: Psbt, inputs: list[int]) -> Psbt:
    """As UniSat does when it is left to itself: only the final fields remain."""
    maps = list(psbt.inputs)
    for index in inputs:
        witness = keys.witness(psbt, index)
        spent = psbt.spent(index)
        assert spent is not None
        pairs = {psbt_fields.FINAL_WITNESS.key(): serialize_witness(witness)}
        if script_sig := script_sig_of(spent.script, witness):
            pairs[psbt_fields.FINAL_SCRIPT_SIG.key()] = script_sig
        maps[index] = PsbtMap(tuple(pairs.items()))
    return replace(psbt, inputs=tuple(maps))


def reorders(keys: Keys, psbt: Psbt, inputs: list[int]) -> Psbt:
    """Fields the other way round, with some of its own."""
    signed = honest(keys, psbt, inputs)
    own = (b"\xfc\x06wallet\x00", b"mark")
    maps = tuple(PsbtMap((own, *reversed(fields.pairs))) for fields in signed.inputs)
    return replace(signed, inputs=maps, outputs=tuple(PsbtMap((own,)) for _ in signed.outputs))


def signs_more(keys: Keys, psbt: Psbt, inputs: list[int]) -> Psbt:
    """What it was asked for, and a signature of nothing for each input that is not its own."""
    signed = honest(keys, psbt, inputs)
    maps = [
        fields if index in inputs else with_pair(fields, psbt_fields.TAP_KEY_SIGNATURE.key(), bytes(64))
        for index, fields in enumerate(signed.inputs)
    ]
    return replace(signed, inputs=tuple(maps))


def signs_nothing(keys: Keys, psbt: Psbt, inputs: list[int]) -> Psbt:
    return psbt


def signs_single(keys: Keys, psbt: Psbt, inputs: list[int]) -> Psbt:
    """SIGHASH_SINGLE | ANYONECANPAY on taproot: valid on the chain, and good for another trade than this one."""
    signed = honest(keys, psbt, inputs)
    prevouts = [psbt.spent(n) or TxOutput(0, b"") for n in range(len(psbt.inputs))]
    maps = list(signed.inputs)
    for index in inputs:
        if kind_of(prevouts[index].script) is ScriptKind.P2TR:
            digest = taproot_digest(psbt.unsigned, index, prevouts, Sighash.SINGLE_ANYONECANPAY)
            private = curve.taproot_private(keys.private[prevouts[index].script])
            signature = curve.schnorr_sign(private, digest, bytes(32)) + b"\x83"
            maps[index] = with_pair(maps[index], psbt_fields.TAP_KEY_SIGNATURE.key(), signature)
    return replace(signed, inputs=tuple(maps))


def changes_the_transaction(keys: Keys, psbt: Psbt, inputs: list[int]) -> Psbt:
    """One sat more for somebody, with signatures that are right for that."""
    first, *others = psbt.unsigned.outputs
    other = replace(psbt.unsigned, outputs=(replace(first, sats=first.sats + 1), *others))
    pair = psbt_fields.UNSIGNED.key(), other.serialize(witness=False)
    return honest(keys, replace(psbt, unsigned=other, globals=PsbtMap((pair,))), inputs)


def signs_another_transaction(keys: Keys, psbt: Psbt, inputs: list[int]) -> Psbt:
    """The transaction is as it was; the signatures are those of another."""
    other = changes_the_transaction(keys, psbt, inputs)
    return replace(psbt, inputs=other.inputs)


def refuses(keys: Keys, psbt: Psbt, inputs: list[int]) -> Psbt:
    raise WalletRejected("scripted", "User rejected the request.")


class ScriptedExtension:
    """Answers as UniSat, Xverse, Leather or a wallet-standard wallet; what it was asked lies in `calls`."""

    def __init__(self, keys: Keys, addresses: tuple[str, str], manner: Manner = honest, *, delay: float = 0.0) -> None:
        self.keys = keys
        self.addresses = addresses
        self.manner = manner
        self.delay = delay
        self.calls: list[tuple[str, Any]] = []
        self.answers: dict[str, Any] = {}
        """Method → what it answers instead of the usual, or raises."""
        self.network = "regtest"

    async def __call__(self, method: str, params: Any) -> Any:
        self.calls.append((method, params))
        if method in self.answers:
            answer = self.answers[method]
            if isinstance(answer, Exception):
                raise answer
            return answer
        return await getattr(self, "_" + method.replace(":", "_").replace(".", "_"))(params)

    async def sign(self, psbt: bytes, inputs: list[int]) -> bytes:
        await asyncio.sleep(self.delay)
        return self.manner(self.keys, Psbt.parse(psbt), inputs).serialize()

    def message(self, message: str, which: int) -> bytes:
        script = self.keys.scripts[which]
        return bip322.sign_simple(script, self.keys.private[script], message, bytes(32))


def _check_types(text: str, named: list[int]) -> None:
    """Another type than the usual is signed only if it is named beside the PSBT and in it."""
    wanted = [fields.get(psbt_fields.SIGHASH_TYPE) for fields in Psbt.parse(bytes.fromhex(text)).inputs]
    assert [kind for kind in wanted if kind is not None] == named


class UnisatExtension(ScriptedExtension):
    """One address: the first."""

    async def _requestAccounts(self, params: Any) -> Any:
        return [self.addresses[0]]

    _getAccounts = _requestAccounts

    async def _connect(self, params: Any) -> Any:
        return {"address": self.addresses[0], "publicKey": self.keys.public[0].hex()}

    async def _getPublicKey(self, params: Any) -> Any:
        return self.keys.public[0].hex()

    async def _getChain(self, params: Any) -> Any:
        names = {"mainnet": "Bitcoin Mainnet", "signet": "Bitcoin Signet"}
        return {"enum": f"BITCOIN_{self.network.upper()}", "name": names.get(self.network, ""), "network": "livenet"}

    async def _switchChain(self, params: Any) -> Any:
        self.network = params[0].removeprefix("BITCOIN_").lower()
        return await self._getChain([])

    async def _signPsbt(self, params: Any) -> Any:
        text, options = params
        assert options["autoFinalized"] is False
        assert {each["address"] for each in options["toSignInputs"]} <= set(self.addresses[:1])
        _check_types(text, [kind for each in options["toSignInputs"] for kind in each.get("sighashTypes", ())])
        return (await self.sign(bytes.fromhex(text), [each["index"] for each in options["toSignInputs"]])).hex()

    async def _signMessage(self, params: Any) -> Any:
        message, kind = params
        assert kind == "bip322-simple"
        return base64.b64encode(self.message(message, 0)).decode()


class XverseExtension(ScriptedExtension):
    async def _wallet_connect(self, params: Any) -> Any:
        return {"id": "1", "walletType": "software", "addresses": await self._getAccounts(params)}

    async def _getAccounts(self, params: Any) -> Any:
        taproot, payment = self.keys.public
        kind = "p2sh" if kind_of(self.keys.scripts[1]) is ScriptKind.P2SH else "p2wpkh"
        return [
            {"address": self.addresses[1], "publicKey": payment.hex(), "purpose": "payment", "addressType": kind,
             "walletType": "software"},
            {"address": self.addresses[0], "publicKey": taproot[1:].hex(), "purpose": "ordinals",
             "addressType": "p2tr", "walletType": "software"},
            {"address": "SP000", "publicKey": payment.hex(), "purpose": "stacks", "addressType": "stacks",
             "walletType": "software"},
        ]  # fmt: skip

    async def _wallet_getNetwork(self, params: Any) -> Any:
        return {"bitcoin": {"name": self.network.capitalize()}, "stacks": {"name": "Testnet"}}

    async def _wallet_changeNetwork(self, params: Any) -> Any:
        self.network = params["name"].lower()

    async def _signPsbt(self, params: Any) -> Any:
        assert params["broadcast"] is False
        inputs = sorted(index for indexes in params["signInputs"].values() for index in indexes)
        signed = await self.sign(base64.b64decode(params["psbt"]), inputs)
        return {"psbt": base64.b64encode(signed).decode()}

    async def _signMessage(self, params: Any) -> Any:
        assert params["protocol"] == "BIP322"
        witness = self.message(params["message"], self.addresses.index(params["address"]))
        return {"signature": base64.b64encode(witness).decode(), "messageHash": "", "address": params["address"],
                "protocol": "BIP322"}  # fmt: skip


class LeatherExtension(ScriptedExtension):
    async def _getAddresses(self, params: Any) -> Any:
        taproot, payment = self.keys.public
        return {"addresses": [
            {"symbol": "BTC", "type": "p2wpkh", "address": self.addresses[1], "publicKey": payment.hex(),
             "derivationPath": "m/84'/1'/0'/0/0"},
            {"symbol": "BTC", "type": "p2tr", "address": self.addresses[0], "publicKey": taproot.hex(),
             "tweakedPublicKey": self.keys.scripts[0][2:].hex(), "derivationPath": "m/86'/1'/0'/0/0"},
            {"symbol": "STX", "address": "SP000", "publicKey": payment.hex()},
        ]}  # fmt: skip

    async def _signPsbt(self, params: Any) -> Any:
        assert params["broadcast"] is False and params["network"] == "devnet"
        _check_types(params["hex"], [kind for kind in params["allowedSighash"] if kind not in (0, 1)])
        return {"hex": (await self.sign(bytes.fromhex(params["hex"]), params["signAtIndex"])).hex()}

    async def _signMessage(self, params: Any) -> Any:
        assert params["type"] == "bip322"
        which = ["p2tr", "p2wpkh"].index(params["paymentType"])
        witness = self.message(params["message"], which)
        return {"signature": base64.b64encode(witness).decode(), "address": self.addresses[which]}


class StandardExtension(ScriptedExtension):
    async def _bitcoin_connect_connect(self, params: Any) -> Any:
        return {"accounts": [
            {"address": address, "publicKey": key, "chains": ["bitcoin:regtest"], "features": []}
            for address, key in zip(self.addresses, self.keys.public, strict=True)
        ]}  # fmt: skip

    async def _bitcoin_signTransaction_signTransaction(self, params: Any) -> Any:
        assert params["chain"] == "bitcoin:regtest"
        inputs = sorted(index for each in params["inputsToSign"] for index in each["signingIndexes"])
        return [{"signedPsbt": await self.sign(params["psbt"], inputs)}]

    async def _bitcoin_signMessage_signMessage(self, params: Any) -> Any:
        witness = self.message(params["message"].decode(), self.addresses.index(params["account"]))
        return [{"signedMessage": params["message"], "signature": witness}]
