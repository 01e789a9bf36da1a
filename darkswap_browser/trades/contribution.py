"""What we bring into a trade: coins chosen and reserved for it, our scripts, and proof that the coins are ours."""

from __future__ import annotations

from collections.abc import Sequence

from darkswap_browser.bitcoin.transaction import parse_witness
from darkswap_browser.errors import WalletFailed
from darkswap_browser.market.assets import BTC
from darkswap_browser.settlement.messages import OwnershipProof
from darkswap_browser.settlement.terms import Contribution, Role, TradeInput, TradeTerms, proof_message
from darkswap_browser.settlement.transaction import required_sats
from darkswap_browser.wallets.accounts import find_account
from darkswap_browser.wallets.base import AccountPurpose, CoinStore, Wallet, WalletCoin


async def choose_contribution(terms: TradeTerms, role: Role, wallet: Wallet, coins: CoinStore) -> Contribution:
    """Coins are reserved under the trade's id; what was reserved for it before is chosen anew.

    Raises `InsufficientFunds`, `ChainError`; nothing stays reserved then.
    """
    owner = terms.trade_id
    asset, atoms = terms.gives(role)
    await coins.release(owner)
    try:
        chosen = () if asset == BTC else await coins.select_asset(asset, atoms, owner)
        assets = tuple(_coin(each, each.holdings.assets[asset]) for each in chosen)
        bitcoin: Sequence[WalletCoin] = ()
        if required_sats(terms, role, assets, ()) > 0:
            bitcoin = await coins.select_bitcoin(
                lambda some: required_sats(terms, role, assets, [each.utxo.script for each in some]), owner
            )
    except BaseException:
        await coins.release(owner)
        raise
    assets_script = find_account(wallet, AccountPurpose.ASSETS).script
    payment_script = find_account(wallet, AccountPurpose.PAYMENT).script
    return Contribution(
        asset_coins=assets,
        bitcoin_coins=tuple(_coin(each) for each in bitcoin),
        receive_script=payment_script if terms.gets(role)[0] == BTC else assets_script,
        asset_change_script=assets_script,
        bitcoin_change_script=payment_script,
    )


async def prove_ownership(terms: TradeTerms, own: Contribution, wallet: Wallet) -> tuple[OwnershipProof, ...]:
    """One per script. Raises `WalletRejected`, `WalletFailed`."""
    message = proof_message(terms, own)
    scripts = {coin.script for coin in own.coins}
    accounts = {each.script: each for each in wallet.accounts if each.script in scripts}
    if missing := scripts - set(accounts):
        raise WalletFailed(wallet.kind, f"holds {len(missing)} coins of an account that it does not name")
    return tuple(
        [
            OwnershipProof(script, parse_witness(await wallet.sign_message(account, message)))
            for script, account in sorted(accounts.items())
        ]
    )


def _coin(owned: WalletCoin, atoms: int = 0) -> TradeInput:
    return TradeInput(owned.utxo.outpoint, owned.utxo.sats, owned.utxo.script, atoms)
