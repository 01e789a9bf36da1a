"""Wallet extensions being connected: their accounts, their networks, and what changes in them afterwards."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from darkswap_browser.errors import (
    DarkSwapError,
    InvalidArgument,
    Unsupported,
    WalletFailed,
    WalletNotConnected,
    WalletRejected,
)
from darkswap_browser.runtime.base.wallet_extensions import TAB_GONE
from darkswap_browser.testing.wallets import ScriptedProviders
from darkswap_browser.wallets.base import AccountPurpose
from darkswap_browser.wallets.connect import available, connect, subscribe_available
from tests.support import scripted_wallet as scripted
from tests.support.extension_fixture import FAMILIES, desk
from tests.support.scripted_wallet import Keys, Trade, accounts_of


@pytest.mark.parametrize("kind", FAMILIES)
async def test_accounts_are_those_of_the_wallet_by_purpose(kind: str) -> None:
    at = desk(kind)
    wallet = await at.connect()
    taproot, payment = accounts_of(at.network)
    assert (wallet.kind, wallet.network, wallet.sign_seconds) == (kind, at.network, 180.0)
    assert [account.purpose for account in wallet.accounts] == [AccountPurpose.ASSETS, AccountPurpose.PAYMENT]
    one_address = isinstance(at.extension, scripted.UnisatExtension)
    for found, wanted in zip(wallet.accounts, (taproot, taproot if one_address else payment), strict=True):
        assert (found.address, found.script, found.public_key[1:]) == (
            wanted.address,
            wanted.script,
            wanted.public_key[1:],
        )
        assert len(found.public_key) == 33


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


@pytest.mark.parametrize(
    ("word", "error", "says"),
    [
        ("accounts", WalletFailed, "connect it again"),
        ("network", WalletFailed, "connect it again"),
        ("disconnect", WalletNotConnected, "none is connected"),
        (TAB_GONE, WalletNotConnected, "none is connected"),
    ],
)
async def test_after_a_change_in_the_wallet_nothing_is_asked_of_it(
    word: str, error: type[DarkSwapError], says: str
) -> None:
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
    with pytest.raises(error, match=says):
        await wallet.sign_psbt(trade.psbt.serialize(), trade.inputs)
    with pytest.raises(error):
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
    with pytest.raises(WalletNotConnected):
        await wallet.sign_message(wallet.accounts[0], "text")


async def test_later_wallet_that_is_known_is_published_until_the_end() -> None:
    providers = ScriptedProviders()
    told: list[str] = []
    end = subscribe_available(providers, told.append)
    assert await available(providers) == []
    extension = scripted.UnisatExtension(Keys(), ("", ""))
    for name in ("metamask", "unisat", "unisat", "standard:X"):
        providers.install(name, extension)
    await asyncio.sleep(0)
    assert told == ["unisat", "standard:X"] == await available(providers)
    end()
    end()
    providers.install("leather", extension)
    await asyncio.sleep(0)
    assert told == ["unisat", "standard:X"]


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
