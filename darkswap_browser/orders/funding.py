"""The coins behind an order: chosen and proved for our own, looked up and judged for those of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from darkswap_browser.bitcoin import bip322
from darkswap_browser.bitcoin.script import kind_of
from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxOutput
from darkswap_browser.chain.base import Chain, OutputAssets
from darkswap_browser.errors import InvalidOrder, MalformedMessage, NotOnChain, VerificationFailed
from darkswap_browser.market.assets import BTC
from darkswap_browser.market.orders import MAX_INPUTS, MAX_PROOFS, FundingProof, Order, ownership_message, quote_for
from darkswap_browser.settlement.private_sale import check_lot, lot_input
from darkswap_browser.settlement.transaction import INPUT_KINDS
from darkswap_browser.wallets.base import Account, CoinStore, Wallet, WalletCoin

TERMS = (
    "base", "quote", "side", "base_atoms", "quote_atoms", "min_fill", "max_fill", "base_decimals", "quote_decimals",
    "fee_rule", "max_fee_sats", "postage", "signing_seconds", "tx_version", "paused",
)  # fmt: skip
"""Fields of an order that a taker has agreed to."""


async def attach_funding(order: Order, atoms: int, wallet: Wallet, coins: CoinStore) -> Order:
    """`order` with coins of ours that hold what it gives, and proof of each script. They are not reserved: one coin may
    stand behind several orders, and the first trade that needs it gets it.

    Raises `InsufficientFunds`, `WalletRejected`, `WalletFailed`, `ChainError`.
    """
    owner = f"order {order.order_id}"
    try:
        chosen = await _choose(order, atoms, coins, owner)
    finally:
        await coins.release(owner)
    chosen = chosen[:MAX_INPUTS]
    funding = tuple(sorted(coin.utxo.outpoint for coin in chosen))
    message = ownership_message(order.order_id, funding)
    accounts = {coin.account.script: coin.account for coin in chosen}
    if len(accounts) > MAX_PROOFS:
        raise InvalidOrder("funding", f"is spread over more than {MAX_PROOFS} addresses", "Join some coins first.")
    proofs = [await _prove(wallet, account, message) for account in accounts.values()]
    return replace(order, funding=funding, proofs=tuple(proofs))


async def _choose(order: Order, atoms: int, coins: CoinStore, owner: str) -> Sequence[WalletCoin]:
    asset = order.gives[0]
    if asset == BTC:
        return await coins.select_bitcoin(lambda _: atoms, owner)
    return await coins.select_asset(asset, atoms, owner)


async def _prove(wallet: Wallet, account: Account, message: str) -> FundingProof:
    return FundingProof(account.script, await wallet.sign_message(account, message))


async def fetch_funding_status(order: Order, chain: Chain) -> bool | None:
    """Whether the coins named exist, are unspent, and confirmed, hold what the least part of the order takes (some
    of it may be sold already), and are proved to be one owner's. None: coins of an order that is sold in parts are
    spent, maybe by such a sale; what its maker has behind it now, it shows to whoever takes of it.

    Raises `ChainError` when the chain does not tell.
    """
    message = ownership_message(order.order_id, order.funding)
    proofs = {proof.script: proof.witness for proof in order.proofs}
    outputs: list[TxOutput] = []
    is_spent = False
    for outpoint in order.funding:
        try:
            source = Transaction.parse(await chain.transaction(outpoint.txid))
        except (NotOnChain, MalformedMessage):
            return False
        if outpoint.vout >= len(source.outputs):
            return False
        is_spent = is_spent or await chain.spend(outpoint, verify=True) is not None
        outputs.append(source.outputs[outpoint.vout])
    if is_spent and order.min_fill >= order.open_atoms:
        return False
    for script in {output.script for output in outputs}:
        if script not in proofs or not bip322.verify_simple(script, message, proofs[script]):
            return False
    if is_spent:
        return None
    asset, _ = order.gives
    holdings = await chain.holdings(order.funding, verify=True) if order.funding else {}
    if order.sale is not None:
        return _is_sold(order, outputs[0], holdings[order.funding[0]])
    if asset == BTC:
        held = sum(each.sats for each, at in zip(outputs, order.funding, strict=True) if holdings[at].is_clean)
    else:
        held = sum(each.assets.get(asset, 0) for each in holdings.values())
    least = min(order.min_fill, order.open_atoms)
    return held >= (least if asset == order.base else quote_for(order, least))


async def is_spent(chain: Chain, outpoints: Sequence[OutPoint]) -> bool:
    """Whether any of them is. Raises `ChainError`."""
    for outpoint in outpoints:
        if await chain.spend(outpoint, verify=True) is not None:
            return True
    return False


def _is_sold(order: Order, output: TxOutput, holdings: OutputAssets) -> bool:
    """Whether the signature of a private sale is good for a coin that holds the lot and nothing else."""
    if kind_of(output.script) not in INPUT_KINDS:
        return False
    try:
        check_lot(order, lot_input(order, output))
    except VerificationFailed:
        return False
    alone = holdings.complete and not holdings.inscriptions
    return alone and dict(holdings.assets) == {order.base: order.base_atoms}


def same_terms(one: Order, other: Order) -> bool:
    """Whether a taker who holds one revision is as well off with the other."""
    return all(getattr(one, name) == getattr(other, name) for name in TERMS)
