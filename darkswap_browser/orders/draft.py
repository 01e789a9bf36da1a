"""From what somebody wants to an order, before there are coins behind it."""

from __future__ import annotations

from dataclasses import dataclass

from darkswap_browser.market import orders
from darkswap_browser.market.assets import Asset
from darkswap_browser.market.orders import FeeRule, Order, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDraft:
    """Atoms; `min_fill` None: all or nothing. `expires_in` in seconds from now."""

    base: Asset
    quote: Asset
    side: Side
    base_atoms: int
    quote_atoms: int
    min_fill: int | None = None
    expires_in: int = orders.DEFAULT_LIFETIME
    fee_rule: FeeRule = FeeRule.OWN_WEIGHT
    """In a private sale the taker pays."""
    private_sale: bool = False


def create_order(draft: OrderDraft, maker: str, network: str, now: int, nonce: bytes, relays: tuple[str, ...]) -> Order:
    """Not judged."""
    return Order(
        maker=maker,
        network=network,
        base=draft.base,
        quote=draft.quote,
        side=draft.side,
        base_atoms=draft.base_atoms,
        quote_atoms=draft.quote_atoms,
        min_fill=draft.base_atoms if draft.min_fill is None else draft.min_fill,
        fee_rule=FeeRule.TAKER_PAYS if draft.private_sale else draft.fee_rule,
        created_at=now,
        expires_at=now + draft.expires_in,
        seq=0,
        nonce=nonce,
        relays=relays,
    )
