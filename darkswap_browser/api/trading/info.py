"""Views of the engine, in atoms and ids, as sheets for faces, in names and display units."""

from __future__ import annotations

from collections.abc import Mapping

from darkswap_browser.api.trading.assets import AssetRegistry, described
from darkswap_browser.api.trading.records import (
    AssetAmount,
    OrderInfo,
    TradeEffect,
    TradeInfo,
    TradeReason,
    TradeStep,
)
from darkswap_browser.chain.base import Chain
from darkswap_browser.market.amounts import format_amount, price_of
from darkswap_browser.market.assets import Asset
from darkswap_browser.market.orders import Side
from darkswap_browser.orders.views import OrderView
from darkswap_browser.settlement.balance_change import BalanceChange
from darkswap_browser.settlement.terms import Role
from darkswap_browser.trades.views import TradeView


async def order_info(view: OrderView, book: AssetRegistry) -> OrderInfo:
    """`view` in names and display units. Cancellation: Safe; it only reads."""
    base = await book.shown(view.base, view.base_decimals)
    quote = await book.shown(view.quote, view.quote_decimals)

    def text(atoms: int) -> str:
        return format_amount(atoms, base.decimals)

    return OrderInfo(
        id=view.id,
        hash=view.hash,
        seq=view.seq,
        maker=view.maker,
        network=view.network,
        base=described(base),
        quote=described(quote),
        base_asset=str(view.base),
        quote_asset=str(view.quote),
        side=view.side.value,
        price=price_of(view.base_atoms, base.decimals, view.quote_atoms, quote.decimals),
        amount=text(view.base_atoms),
        base_atoms=view.base_atoms,
        total=format_amount(view.quote_atoms, quote.decimals),
        quote_atoms=view.quote_atoms,
        min_amount=text(view.min_fill),
        min_fill_atoms=view.min_fill,
        remaining_amount=text(view.remaining_atoms),
        remaining_atoms=view.remaining_atoms,
        filled_amount=text(view.filled_atoms),
        filled_atoms=view.filled_atoms,
        fee_rule=view.fee_rule.value,
        max_fee_sats=view.max_fee_sats,
        signing_seconds=view.signing_seconds,
        status=view.status.value,
        is_local=view.is_local,
        is_active=view.is_active,
        funded=view.funded,
        created_at=view.created_at,
        updated_at=view.updated_at,
        expires_at=view.expires_at,
        text=view.text,
        private_sale=view.private_sale,
        cancel_txid=view.cancel_txid,
    )


async def trade_info(view: TradeView, effect: BalanceChange | None, book: AssetRegistry, chain: Chain) -> TradeInfo:
    """`view` in names and display units; `effect` None: not known. Cancellation: Safe; it only reads."""
    gets_quote = (view.role is Role.MAKER) is (view.side is Side.SELL)
    vouching = chain.quorum_for((view.quote if gets_quote else view.base).kind)
    base, quote = await book.shown(view.base), await book.shown(view.quote)
    return TradeInfo(
        id=view.id,
        order_id=view.order_id,
        role=view.role.value,
        peer_id=view.peer,
        maker_id=view.maker,
        taker_id=view.taker,
        base_asset=str(view.base),
        quote_asset=str(view.quote),
        side=view.side.value,
        price=price_of(view.base_atoms, base.decimals, view.quote_atoms, quote.decimals),
        amount=format_amount(view.base_atoms, base.decimals),
        base_atoms=view.base_atoms,
        total=format_amount(view.quote_atoms, quote.decimals),
        quote_atoms=view.quote_atoms,
        state=view.state.value,
        status=view.status.value,
        phase=view.phase,
        steps=tuple(TradeStep(name, mark) for name, mark in view.steps),
        effect=None if effect is None else await _effect(effect, book),
        txid=view.txid,
        raw=None if view.raw is None else view.raw.hex(),
        confirmations=view.confirmations,
        created_at=view.created_at,
        updated_at=view.updated_at,
        expires_at=view.expires_at,
        completed_at=view.completed_at,
        reason=None if view.reason is None else TradeReason(view.reason.code, view.reason.detail),
        advice=view.advice,
        can_confirm=view.can_confirm,
        can_cancel=view.can_cancel,
        can_revoke=view.can_revoke,
        can_bump_fee=view.can_bump_fee,
        revoke_txid=view.revoke_txid,
        vouched_by=vouching.needed,
        vouchers=vouching.servers,
    )


async def _effect(effect: BalanceChange, book: AssetRegistry) -> TradeEffect:
    return TradeEffect(await _amounts(effect.gives, book), await _amounts(effect.gets, book), effect.fee_sats)


async def _amounts(atoms: Mapping[Asset, int], book: AssetRegistry) -> tuple[AssetAmount, ...]:
    return tuple([await book.amount(asset, count) for asset, count in atoms.items()])
