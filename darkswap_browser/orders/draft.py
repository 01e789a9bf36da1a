"""From what somebody wants to an order, before there are coins behind it."""

from __future__ import annotations

from dataclasses import dataclass

from darkswap_browser.market import orders
from darkswap_browser.market.assets import BTC, Asset
from darkswap_browser.market.orders import FeeRule, Order, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDraft:
    """Atoms; `min_fill` None: all or nothing. `expires_in` in seconds from now."""

    base: Asset
    quote: Asset
    side: Side
    base_atoms: int
    quote_atoms: int
    base_decimals: int
    quote_decimals: int
    min_fill: int | None = None
    expires_in: int = orders.DEFAULT_LIFETIME
    fee_rule: FeeRule = FeeRule.OWN_WEIGHT
    """In a private sale the taker pays."""
    max_fee_sats: int | None = None
    """Most that the maker pays the miners for one part; None: by today's rate and what the least part brings."""
    signing_seconds: int = orders.DEFAULT_SIGNING_SECONDS
    private_sale: bool = False

    @property
    def least_sats(self) -> int:
        """Sats of the least part; 0 where no side is bitcoin."""
        least = self.base_atoms if self.min_fill is None else self.min_fill
        if self.base == BTC:
            return least
        return self.quote_atoms * least // self.base_atoms if self.quote == BTC and self.base_atoms else 0


def create_order(
    draft: OrderDraft, maker: str, network: str, now: int, nonce: bytes, relays: tuple[str, ...], max_fee_sats: int
) -> Order:
    """Not judged. `max_fee_sats`: where the draft says none."""
    return Order(
        maker=maker,
        network=network,
        base=draft.base,
        quote=draft.quote,
        side=draft.side,
        base_atoms=draft.base_atoms,
        quote_atoms=draft.quote_atoms,
        open_atoms=draft.base_atoms,
        min_fill=draft.base_atoms if draft.min_fill is None else draft.min_fill,
        base_decimals=draft.base_decimals,
        quote_decimals=draft.quote_decimals,
        fee_rule=FeeRule.TAKER_PAYS if draft.private_sale else draft.fee_rule,
        max_fee_sats=max_fee_sats if draft.max_fee_sats is None else draft.max_fee_sats,
        signing_seconds=draft.signing_seconds,
        tx_version=2 if draft.private_sale else 3,
        created_at=now,
        expires_at=now + draft.expires_in,
        seq=now,
        nonce=nonce,
        relays=relays,
    )
