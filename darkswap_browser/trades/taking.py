"""The taker's beginning of a trade: whether an order can be taken, at which rate, in which time, with which coins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from darkswap_browser.chain.base import Chain
from darkswap_browser.chain.outputs import fetch_output
from darkswap_browser.errors import InvalidArgument, InvalidOrder
from darkswap_browser.market import orders
from darkswap_browser.market.orders import Order
from darkswap_browser.orders.views import OrderView
from darkswap_browser.settlement import private_sale
from darkswap_browser.settlement.checks import TradePolicy
from darkswap_browser.settlement.machine import PEER_SIGN_SECONDS
from darkswap_browser.settlement.messages import TakeRequest
from darkswap_browser.settlement.states import Trade
from darkswap_browser.settlement.terms import Contribution, Role, TradeInput, TradeTerms
from darkswap_browser.settlement.transaction import check_contribution, check_terms, least_fee
from darkswap_browser.storage.orders import OrderStatus
from darkswap_browser.trades.contribution import choose_contribution, prove_ownership
from darkswap_browser.wallets.accounts import find_account
from darkswap_browser.wallets.base import AccountPurpose, CoinStore, Wallet

CHECK_SECONDS = 60
"""For the maker's answer and both sides' checks, together."""
REVIEW_SECONDS = 120
"""For a person to read what the transaction does."""


def check_takeable(order: Order, view: OrderView | None, fill: int, now: int) -> None:
    """Raises `InvalidOrder`. What is left of it only its maker knows for certain."""
    if view is None or view.status not in (OrderStatus.OPEN, OrderStatus.PAUSED):
        raise InvalidOrder("order_id", f"is {view.status.value if view else 'gone'} already")
    orders.check_current(order, now)
    orders.check_fill(order, fill, order.open_atoms)
    if view.funded is False:
        raise InvalidOrder("order_id", "has no coins behind it any more", "Ask its maker for another one.")


def checked_rate(rate: int, policy: TradePolicy) -> int:
    """Sats per 1000 vB. Raises `InvalidArgument` for what neither side would accept."""
    if not policy.fee_floor <= rate <= policy.fee_cap:
        range_ = f"{policy.fee_floor / 1000:g} to {policy.fee_cap / 1000:g} sats per vbyte"
        raise InvalidArgument("fee_rate", f"is {rate / 1000:g} sats per vbyte", f"Accepted here: {range_}.")
    return rate


def seconds_for(order: Order, wallet: Wallet) -> int:
    """From the request to the deadline after which nobody signs."""
    signing = order.signing_seconds if order.sale is None else int(wallet.sign_seconds) + REVIEW_SECONDS
    return CHECK_SECONDS + signing + PEER_SIGN_SECONDS


def check_fee(sats: int, most: int) -> None:
    """Raises `InvalidArgument`."""
    if sats > most:
        hint = "Name a larger max_fee_sats, a lower fee_rate, or take more at once."
        raise InvalidArgument("max_fee_sats", f"is {most}, and the miners would get {sats} sats or more", hint)


async def prepare_request(
    trade: Trade, wallet: Wallet, coins: CoinStore, deadline: Callable[[], int]
) -> tuple[TradeTerms, Contribution, TakeRequest]:
    """Coins reserved under the trade's id and proved to be ours, and the request that names them. `deadline()` is that
    of a trade that begins now: it is asked when the wallet has answered.

    Raises:
        InvalidArgument: The miners would get more than `trade.max_fee` sats of us.
        TradeRefused, InsufficientFunds, WalletRejected, WalletFailed, ChainError: It cannot be asked for.
    """
    terms = trade.terms
    check_terms(terms)
    own = await choose_contribution(terms, Role.TAKER, wallet, coins)
    check_fee(least_fee(terms, own), trade.max_fee)
    proofs = await prove_ownership(terms, own, wallet)
    agreed = replace(terms, deadline=deadline())
    request = TakeRequest(
        order_id=agreed.order_id,
        order_hash=agreed.order_hash,
        fill=agreed.base_atoms,
        fee_rate=agreed.fee_rate,
        deadline=agreed.deadline,
        declaration=own,
        proofs=proofs,
    )
    return agreed, own, request


async def prepare_purchase(
    trade: Trade, order: Order, wallet: Wallet, coins: CoinStore, chain: Chain, deadline: Callable[[], int]
) -> Trade:
    """Of a private sale: `trade` with all that is known of both sides, coins reserved under its id. The maker is not
    asked. Raises `VerificationFailed` for a signature that sells nothing, and as `prepare_request`.
    """
    terms = trade.terms
    check_terms(terms)
    lot = private_sale.lot_input(order, await fetch_output(chain, order.funding[0]))
    theirs = private_sale.maker_contribution(order, lot)
    check_contribution(terms, Role.MAKER, theirs)
    private_sale.check_lot(order, lot)
    chosen = await coins.select_bitcoin(
        lambda some: private_sale.required_sats(terms, lot, [each.utxo.script for each in some]), terms.trade_id
    )
    assets, payment = (
        find_account(wallet, purpose).script for purpose in (AccountPurpose.ASSETS, AccountPurpose.PAYMENT)
    )
    own = Contribution(
        bitcoin_coins=tuple(TradeInput(each.utxo.outpoint, each.utxo.sats, each.utxo.script) for each in chosen),
        receive_script=assets,
        asset_change_script=assets,
        bitcoin_change_script=payment,
    )
    agreed = replace(terms, deadline=deadline())
    settlement = private_sale.build(agreed, theirs, own)
    check_fee(settlement.fees[Role.TAKER], trade.max_fee)
    txid = settlement.txid
    return replace(trade, terms=agreed, own=own, theirs=theirs, txid=txid, sale=private_sale.witnesses_of(order))
