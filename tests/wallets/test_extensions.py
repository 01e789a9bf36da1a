"""What each family of wallet extensions signs, by recorded shapes; what a wallet does wrong is caught, or handled."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from darkswap_browser.bitcoin.psbt import Psbt, signatures_of
from darkswap_browser.errors import VerificationFailed, WalletFailed, WalletRejected
from darkswap_browser.settlement.signature_checks import wallet_signatures
from darkswap_browser.wallets.base import Account, AccountPurpose
from tests.support import scripted_wallet as scripted
from tests.support.extension_fixture import FAMILIES, desk
from tests.support.scripted_wallet import Manner, ScriptedExtension, Trade

BAD_MANNERS: dict[str, Manner] = {
    "V15 not signed": scripted.signs_nothing,
    "V15 single": scripted.signs_single,
    "V16": scripted.changes_the_transaction,
    "V15 of another transaction": scripted.signs_another_transaction,
}
GOOD_MANNERS = (scripted.honest, scripted.finalises, scripted.reorders, scripted.signs_more)


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
        wallet_signatures(signed, trade.psbt, trade.inputs)
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
async def test_nested_payment_account_is_refused_when_it_connects_and_not_at_every_trade(kind: str) -> None:
    with pytest.raises(WalletFailed, match="cannot be part of a trade: choose native segwit"):
        await desk(kind, nested=True).connect()


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
    stranger = Account(AccountPurpose.ASSETS, "stranger", b"\x51", bytes(33))
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
