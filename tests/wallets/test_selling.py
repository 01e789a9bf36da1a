"""Coins that wallet extensions sell by a signature given beforehand, where they can be told how."""

from __future__ import annotations

import pytest

from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from darkswap_browser.errors import Unsupported, VerificationFailed, WalletFailed, WalletRejected
from darkswap_browser.settlement.private_sale import check_witness
from darkswap_browser.settlement.terms import TradeInput
from darkswap_browser.wallets.base import Account, PrivateSaleSigner, Wallet
from tests.support import scripted_wallet as scripted
from tests.support.extension_fixture import FAMILIES, desk
from tests.support.scripted_wallet import Manner

SELLERS = ("unisat", "okx", "leather")
"""Those that can be told which type of signature is meant."""


async def a_sale(wallet: Wallet) -> tuple[bytes, ...]:
    assert isinstance(wallet, PrivateSaleSigner)
    return await wallet.sign_sale(*what_is_sold(wallet))


def what_is_sold(wallet: Wallet) -> tuple[TradeInput, TxOutput, Account, bytes]:
    account, payment = wallet.accounts
    made = Transaction((TxInput(OutPoint("11" * 32, 0)),), (TxOutput(546, account.script),))
    return (
        TradeInput(OutPoint(made.txid, 0), 546, account.script, 100),
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
    assert isinstance(wallet, PrivateSaleSigner)
    with pytest.raises(WalletFailed, match="has no account"):
        await wallet.sign_sale(lot, payment, wallet.accounts[1], previous)
