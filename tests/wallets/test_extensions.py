"""Each family of wallet extensions by recorded shapes, and what a wallet may do wrong: caught, or handled."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass
from typing import Any

import pytest

from darkswap_browser.bitcoin.address import address_of
from darkswap_browser.bitcoin.psbt import Psbt, signatures_of
from darkswap_browser.bitcoin.script import ScriptKind, kind_of
from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from darkswap_browser.errors import (
    InvalidArgument,
    Unsupported,
    VerificationFailed,
    WalletFailed,
    WalletRejected,
)
from darkswap_browser.market.trade.sale import check_witness
from darkswap_browser.market.trade.terms import Coin
from darkswap_browser.runtime.simulated.wallets import ScriptedProviders
from darkswap_browser.runtime.simulated.world import World
from darkswap_browser.wallets.base import Account, Purpose, SaleSigner, Wallet
from darkswap_browser.wallets.connect import available, connect
from tests.support import scripted_wallet as scripted
from tests.support.native_identity import CRYPTO
from tests.support.scripted_wallet import Keys, Manner, ScriptedExtension, Trade, accounts_of

FAMILIES: dict[str, type[ScriptedExtension]] = {
    "okx": scripted.UnisatExtension,
    "unisat": scripted.UnisatExtension,
    "xverse": scripted.XverseExtension,
    "sats-connect:magicEden.bitcoin": scripted.XverseExtension,
    "leather": scripted.LeatherExtension,
    "standard:Some Wallet": scripted.StandardExtension,
}
BAD_MANNERS: dict[str, Manner] = {
    "V15 not signed": scripted.signs_nothing,
    "V15 single": scripted.signs_single,
    "V16": scripted.changes_the_transaction,
    "V15 of another transaction": scripted.signs_another_transaction,
}
GOOD_MANNERS = (scripted.honest, scripted.finalises, scripted.reorders, scripted.signs_more)


@dataclass
class Desk:
    kind: str
    providers: ScriptedProviders
    extension: ScriptedExtension
    network: str

    async def connect(self) -> Wallet:
        return await connect(self.kind, self.network, self.providers)


def desk(kind: str, manner: Manner = scripted.honest, *, nested: bool = False, delay: float = 0.0) -> Desk:
    """UniSat knows no regtest: there it is signet, for which the keys are the same."""
    network = "signet" if FAMILIES[kind] is scripted.UnisatExtension else "regtest"
    taproot, segwit = accounts_of(network)
    keys = Keys(network, nested=nested)
    payment = nested_address(keys, network) if nested else segwit.address
    extension = FAMILIES[kind](keys, (taproot.address, payment), manner, delay=delay)
    extension.network = network
    providers = World(crypto=CRYPTO).wallets("alice")
    providers.install(kind, extension)
    return Desk(kind, providers, extension, network)


def nested_address(keys: Keys, network: str) -> str:
    address = address_of(keys.scripts[1], network)
    assert address is not None
    return address


@pytest.mark.parametrize("kind", FAMILIES)
async def test_accounts_are_those_of_the_wallet_by_purpose(kind: str) -> None:
    at = desk(kind)
    wallet = await at.connect()
    taproot, payment = accounts_of(at.network)
    assert (wallet.kind, wallet.network, wallet.sign_seconds) == (kind, at.network, 180.0)
    assert [account.purpose for account in wallet.accounts] == [Purpose.ASSETS, Purpose.PAYMENT]
    one_address = isinstance(at.extension, scripted.UnisatExtension)
    for found, wanted in zip(wallet.accounts, (taproot, taproot if one_address else payment), strict=True):
        assert (found.address, found.script, found.public_key[1:]) == (
            wanted.address,
            wanted.script,
            wanted.public_key[1:],
        )
        assert len(found.public_key) == 33


@pytest.mark.parametrize("manner", GOOD_MANNERS, ids=lambda manner: manner.__name__)
@pytest.mark.parametrize("kind", ["unisat", "xverse", "leather", "standard:Some Wallet"])
async def test_signatures_are_taken_from_whatever_the_wallet_makes_of_a_psbt(kind: str, manner: Manner) -> None:
    wallet = await desk(kind, manner).connect()
    trade = Trade.of(wallet)
    signed = Psbt.parse(await wallet.sign_psbt(trade.psbt.serialize(), trade.inputs))
    assert set(signatures_of(signed, trade.psbt, trade.inputs)) == {0, 1}


@pytest.mark.parametrize("manner", BAD_MANNERS)
@pytest.mark.parametrize("kind", ["unisat", "leather"])
async def test_what_a_wallet_should_not_have_done_is_caught(kind: str, manner: str) -> None:
    wallet = await desk(kind, BAD_MANNERS[manner]).connect()
    trade = Trade.of(wallet)
    signed = Psbt.parse(await wallet.sign_psbt(trade.psbt.serialize(), trade.inputs))
    with pytest.raises(VerificationFailed) as caught:
        signatures_of(signed, trade.psbt, trade.inputs)
    assert caught.value.rule == manner[:3]


@pytest.mark.parametrize("kind", FAMILIES)
async def test_a_refusal_is_told_as_one(kind: str) -> None:
    wallet = await desk(kind, scripted.refuses).connect()
    trade = Trade.of(wallet)
    with pytest.raises(WalletRejected):
        await wallet.sign_psbt(trade.psbt.serialize(), trade.inputs)


async def test_an_answer_may_come_long_after_nobody_waits_for_it() -> None:
    wallet = await desk("leather", delay=1000.0).connect()
    trade = Trade.of(wallet)
    asked = asyncio.create_task(wallet.sign_psbt(trade.psbt.serialize(), trade.inputs))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(wallet.sign_seconds):
            await asyncio.shield(asked)
    assert set(signatures_of(Psbt.parse(await asked), trade.psbt, trade.inputs)) == {0, 1}


@pytest.mark.parametrize("kind", ["xverse", "standard:Some Wallet"])
async def test_a_payment_account_may_be_nested_segwit(kind: str) -> None:
    wallet = await desk(kind, nested=True).connect()
    assert kind_of(wallet.accounts[1].script) is ScriptKind.P2SH
    trade = Trade.of(wallet)
    signed = Psbt.parse(await wallet.sign_psbt(trade.psbt.serialize(), trade.inputs))
    assert set(signatures_of(signed, trade.psbt, trade.inputs)) == {0, 1}


@pytest.mark.parametrize("kind", FAMILIES)
async def test_only_the_inputs_asked_for_are_named(kind: str) -> None:
    at = desk(kind)
    wallet = await at.connect()
    trade = Trade.of(wallet)
    await wallet.sign_psbt(trade.psbt.serialize(), {1: wallet.accounts[1]})
    params = at.extension.calls[-1][1]
    address = wallet.accounts[1].address
    named: dict[type[ScriptedExtension], Any] = {
        scripted.UnisatExtension: lambda: params[1]["toSignInputs"] == [{"index": 1, "address": address}],
        scripted.XverseExtension: lambda: params["signInputs"] == {address: [1]},
        scripted.LeatherExtension: lambda: params["signAtIndex"] == [1],
        scripted.StandardExtension: lambda: params["inputsToSign"] == [{"account": address, "signingIndexes": [1]}],
    }
    assert named[type(at.extension)]()


async def test_inputs_of_other_accounts_are_not_asked_for() -> None:
    at = desk("xverse")
    wallet = await at.connect()
    trade = Trade.of(wallet)
    before = len(at.extension.calls)
    stranger = Account(Purpose.ASSETS, "stranger", b"\x51", bytes(33))
    with pytest.raises(WalletFailed):
        await wallet.sign_psbt(trade.psbt.serialize(), {2: stranger})
    assert len(at.extension.calls) == before


@pytest.mark.parametrize("kind", FAMILIES)
async def test_messages_are_signed_as_bip322_or_not_at_all(kind: str) -> None:
    at = desk(kind)
    wallet = await at.connect()
    for account in wallet.accounts:
        assert len(await wallet.sign_message(account, "an order")) in range(64, 120)
    for other in (b"", bytes(65), at.extension.message("another order", 0)):
        shape: dict[type[ScriptedExtension], tuple[str, Any]] = {
            scripted.UnisatExtension: ("signMessage", base64.b64encode(other).decode()),
            scripted.XverseExtension: ("signMessage", {"signature": base64.b64encode(other).decode()}),
            scripted.LeatherExtension: ("signMessage", {"signature": base64.b64encode(other).decode()}),
            scripted.StandardExtension: ("bitcoin:signMessage.signMessage", [{"signature": other}]),
        }
        method, answer = shape[type(at.extension)]
        at.extension.answers[method] = answer
        with pytest.raises(WalletFailed):
            await wallet.sign_message(wallet.accounts[0], "an order")


SIGN: dict[str, tuple[str, list[Any]]] = {
    "unisat": ("signPsbt", [None, 7, "", {}, "zz", "é", "7", "00" * 2_000_001]),
    "xverse": ("signPsbt", [None, [], "x", {}, {"psbt": 7}, {"psbt": "="}, {"psbt": "é"}]),
    "leather": ("signPsbt", [None, [], "x", {}, {"hex": 7}, {"hex": "zz"}]),
    "standard:Some Wallet": (
        "bitcoin:signTransaction.signTransaction",
        [None, {}, [], [7], [{}], [{"signedPsbt": "text"}], [{"signedPsbt": [1, 2]}]],
    ),
}


@pytest.mark.parametrize("kind", SIGN)
async def test_answers_of_other_shapes_are_failures(kind: str) -> None:
    at = desk(kind)
    wallet = await at.connect()
    trade = Trade.of(wallet)
    method, answers = SIGN[kind]
    for answer in answers:
        if answer == "":
            continue  # no bytes: the PSBT reader's to refuse
        at.extension.answers[method] = answer
        with pytest.raises(WalletFailed):
            await wallet.sign_psbt(trade.psbt.serialize(), trade.inputs)


ADDRESS = accounts_of()[0].address
KEY = Keys().public[0].hex()
MAINNET = accounts_of("mainnet")[0].address
CONNECTS: list[tuple[str, str, Any]] = [
    ("unisat", "getAccounts", []),
    ("unisat", "getAccounts", None),
    ("unisat", "getAccounts", [7]),
    ("unisat", "getAccounts", [MAINNET]),
    ("unisat", "getAccounts", ["tb1q"]),
    ("unisat", "getPublicKey", "zz"),
    ("unisat", "getPublicKey", None),
    ("unisat", "getPublicKey", ""),
    ("unisat", "getPublicKey", "00" * 33),
    ("unisat", "getPublicKey", "02" * 33),
    ("unisat", "getPublicKey", "04" + "11" * 64),
    ("unisat", "getPublicKey", Keys().public[1].hex()),
    ("xverse", "wallet_connect", None),
    ("xverse", "wallet_connect", {}),
    ("xverse", "wallet_connect", {"addresses": []}),
    ("xverse", "wallet_connect", {"addresses": [7]}),
    ("xverse", "wallet_connect", {"addresses": [{"purpose": "ordinals", "address": MAINNET, "publicKey": KEY}]}),
    ("xverse", "wallet_connect", {"addresses": [{"purpose": "ordinals", "publicKey": KEY}]}),
    ("leather", "getAddresses", []),
    ("leather", "getAddresses", {"addresses": [{"symbol": "STX", "address": "SP"}]}),
    ("leather", "getAddresses", {"addresses": [{"symbol": "BTC", "type": "p2tr", "address": ADDRESS}]}),
    ("standard:Some Wallet", "bitcoin:connect.connect", {"accounts": []}),
    (
        "standard:Some Wallet",
        "bitcoin:connect.connect",
        {"accounts": [{"address": ADDRESS, "publicKey": bytes(32), "chains": ["bitcoin:mainnet"]}]},
    ),
]


@pytest.mark.parametrize(("kind", "method", "answer"), CONNECTS, ids=range(len(CONNECTS)))
async def test_accounts_that_cannot_trade_are_refused(kind: str, method: str, answer: Any) -> None:
    at = desk(kind)
    at.extension.answers[method] = answer
    with pytest.raises(WalletFailed):
        await at.connect()


async def test_a_wallet_that_is_not_taproot_nor_segwit_is_refused_by_name() -> None:
    at = desk("unisat")
    at.extension.answers["getAccounts"] = ["mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"]
    with pytest.raises(WalletFailed, match="choose a taproot or native segwit address"):
        await at.connect()


@pytest.mark.parametrize("kind", ["unisat", "okx", "xverse"])
async def test_a_wallet_on_another_network_is_asked_to_switch(kind: str) -> None:
    at = desk(kind)
    at.extension.network = "mainnet"
    assert (await at.connect()).network == at.network
    assert at.extension.network == at.network


@pytest.mark.parametrize(("kind", "switch"), [("unisat", "switchChain"), ("xverse", "wallet_changeNetwork")])
async def test_a_wallet_that_does_not_switch_is_not_connected(kind: str, switch: str) -> None:
    at = desk(kind)
    at.extension.network = "mainnet"
    for answer, error in (
        (None, WalletFailed),
        (Unsupported(switch), WalletFailed),
        (WalletRejected(kind), WalletRejected),
    ):
        at.extension.answers[switch] = answer
        with pytest.raises(error):
            await at.connect()


async def test_clones_without_the_methods_of_today_are_asked_by_the_older_ones() -> None:
    at = desk("unisat")
    at.extension.answers |= {"getChain": Unsupported("getChain"), "getNetwork": "signet"}
    assert (await at.connect()).network == "signet"
    at = desk("xverse")
    at.extension.answers |= {
        "wallet_connect": Unsupported("wallet_connect"),
        "wallet_getNetwork": Unsupported("wallet_getNetwork"),
    }
    assert len((await at.connect()).accounts) == 2


async def test_unisat_has_no_regtest() -> None:
    at = desk("unisat")
    with pytest.raises(WalletFailed, match="use the seed wallet"):
        await connect("unisat", "regtest", at.providers)


@pytest.mark.parametrize("word", ["accounts", "network", "disconnect"])
async def test_after_a_change_in_the_wallet_nothing_is_asked_of_it(word: str) -> None:
    at = desk("unisat")
    wallet = await at.connect()
    told: list[str] = []
    unsubscribe = wallet.subscribe(told.append)
    at.providers.tell("okx", word)
    at.providers.tell("unisat", word)
    unsubscribe()
    at.providers.tell("unisat", word)
    assert told == [word]
    trade = Trade.of(wallet)
    before = len(at.extension.calls)
    with pytest.raises(WalletFailed, match="connect it again"):
        await wallet.sign_psbt(trade.psbt.serialize(), trade.inputs)
    with pytest.raises(WalletFailed):
        await wallet.sign_message(wallet.accounts[0], "text")
    assert len(at.extension.calls) == before
    assert (await at.connect()).accounts == wallet.accounts


async def test_a_disconnected_wallet_signs_nothing() -> None:
    at = desk("unisat")
    wallet = await at.connect()
    told: list[str] = []
    wallet.subscribe(told.append)
    await wallet.disconnect()
    at.providers.tell("unisat", "accounts")
    assert told == []
    with pytest.raises(WalletFailed):
        await wallet.sign_message(wallet.accounts[0], "text")


async def test_only_wallets_that_are_known_are_offered() -> None:
    providers = ScriptedProviders()
    for name in ("unisat", "xverse", "leather", "standard:X", "sats-connect:Y", "metamask"):
        providers.install(name, scripted.UnisatExtension(Keys(), ("", "")))
    assert await available(providers) == ["unisat", "xverse", "leather", "standard:X", "sats-connect:Y"]
    with pytest.raises(InvalidArgument):
        await connect("metamask", "regtest", providers)
    with pytest.raises(InvalidArgument):
        await connect("unisat", "moon", providers)
    with pytest.raises(Unsupported):
        await connect("okx", "signet", providers)


SELLERS = ("unisat", "okx", "leather")
"""Those that can be told which type of signature is meant."""


async def a_sale(wallet: Wallet) -> tuple[bytes, ...]:
    assert isinstance(wallet, SaleSigner)
    return await wallet.sign_sale(*what_is_sold(wallet))


def what_is_sold(wallet: Wallet) -> tuple[Coin, TxOutput, Account, bytes]:
    account, payment = wallet.accounts
    made = Transaction((TxInput(OutPoint("11" * 32, 0)),), (TxOutput(546, account.script),))
    return (
        Coin(OutPoint(made.txid, 0), 546, account.script, 100),
        TxOutput(9_000, payment.script),
        account,
        made.serialize(),
    )


@pytest.mark.parametrize("manner", [scripted.honest, scripted.finalises, scripted.reorders])
@pytest.mark.parametrize("kind", SELLERS)
async def test_a_coin_is_sold_by_wallets_that_can_be_told_how(kind: str, manner: Manner) -> None:
    wallet = await desk(kind, manner).connect()
    lot, payment, *_ = what_is_sold(wallet)
    check_witness(lot, payment, await a_sale(wallet))


@pytest.mark.parametrize("kind", [kind for kind in FAMILIES if kind not in SELLERS])
async def test_other_wallets_are_not_asked_to_sell(kind: str) -> None:
    at = desk(kind)
    wallet = await at.connect()
    asked = len(at.extension.calls)
    with pytest.raises(Unsupported, match="private sale"):
        await a_sale(wallet)
    assert len(at.extension.calls) == asked


@pytest.mark.parametrize("manner", [scripted.signs_nothing, scripted.changes_the_transaction])
@pytest.mark.parametrize("kind", SELLERS)
async def test_of_a_sale_nothing_but_its_signature_is_taken(kind: str, manner: Manner) -> None:
    wallet = await desk(kind, manner).connect()
    with pytest.raises(VerificationFailed):
        await a_sale(wallet)


@pytest.mark.parametrize("kind", SELLERS)
async def test_a_sale_that_is_declined_or_answered_with_nonsense_is_none(kind: str) -> None:
    wallet = await desk(kind, scripted.refuses).connect()
    with pytest.raises(WalletRejected):
        await a_sale(wallet)
    at = desk(kind)
    wallet = await at.connect()
    at.extension.answers["signPsbt"] = {"hex": "00"} if kind == "leather" else "00"
    with pytest.raises(WalletFailed):
        await a_sale(wallet)


async def test_a_coin_of_another_account_is_not_sold() -> None:
    wallet = await desk("leather").connect()
    lot, payment, _, previous = what_is_sold(wallet)
    assert isinstance(wallet, SaleSigner)
    with pytest.raises(WalletFailed, match="has no account"):
        await wallet.sign_sale(lot, payment, wallet.accounts[1], previous)
