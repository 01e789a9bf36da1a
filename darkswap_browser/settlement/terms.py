"""What two sides agree on, and what each brings: all that the settlement transaction is made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.market.assets import Asset
from darkswap_browser.market.order_codec import order_hash
from darkswap_browser.market.orders import (
    DEFAULT_SIGNING_SECONDS,
    POSTAGE,
    FeeRule,
    Order,
    Side,
    ownership_message,
    quote_for,
)


class Role(StrEnum):
    MAKER = "maker"
    TAKER = "taker"

    @property
    def other(self) -> Role:
        return Role.TAKER if self is Role.MAKER else Role.MAKER


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeTerms:
    """`base_giver` gives `base_atoms` of `base` and gets `quote_atoms` of `quote`. One side may be bitcoin, in sats."""

    trade_id: str
    """32 hex digits, chosen by the taker."""
    order_id: str
    order_hash: str
    """SHA-256 of the very revision of the order that is taken, hex."""
    network: str
    base: Asset
    base_atoms: int
    quote: Asset
    quote_atoms: int
    base_giver: Role
    fee_rule: FeeRule
    fee_rate: int
    """Sats per 1000 virtual bytes."""
    deadline: int
    """Unix seconds: nobody signs afterwards."""
    maker_max_fee: int
    """Sats that the maker pays the miners at most."""
    postage: int = POSTAGE
    """Sats on each output that carries an asset."""
    signing_seconds: int = DEFAULT_SIGNING_SECONDS
    """From the maker's answer to the taker's signatures."""
    tx_version: int = 3
    private_sale: bool = False
    """The maker signed its part beforehand, for whoever holds the order (`settlement.private_sale`)."""

    def gives(self, role: Role) -> tuple[Asset, int]:
        return (self.base, self.base_atoms) if role is self.base_giver else (self.quote, self.quote_atoms)

    def gets(self, role: Role) -> tuple[Asset, int]:
        return self.gives(role.other)


@dataclass(frozen=True, slots=True, order=True)
class TradeInput:
    """An output to be spent. `atoms`: how much of the traded asset it holds (0 for a coin of plain bitcoin)."""

    outpoint: OutPoint
    sats: int
    script: bytes
    atoms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """What one side brings and where it wants what. Scripts are scriptPubKeys."""

    asset_coins: tuple[TradeInput, ...] = ()
    """Empty when this side gives bitcoin."""
    bitcoin_coins: tuple[TradeInput, ...] = ()
    receive_script: bytes
    """For what this side gets."""
    asset_change_script: bytes
    """For the rest of the asset it gives."""
    bitcoin_change_script: bytes

    @property
    def coins(self) -> tuple[TradeInput, ...]:
        return self.asset_coins + self.bitcoin_coins


def derive_terms(order: Order, trade_id: str, *, fill: int, fee_rate: int, deadline: int) -> TradeTerms:
    """`fill`: base atoms, see `check_fill`. `fee_rate`: sats per 1000 vB. `deadline`: unix seconds; the order's end, if
    that is sooner.
    """
    return TradeTerms(
        trade_id=trade_id,
        order_id=order.order_id,
        order_hash=order_hash(order),
        network=order.network,
        base=order.base,
        base_atoms=fill,
        quote=order.quote,
        quote_atoms=quote_for(order, fill),
        base_giver=Role.MAKER if order.side is Side.SELL else Role.TAKER,
        fee_rule=order.fee_rule,
        fee_rate=fee_rate,
        deadline=min(deadline, order.expires_at),
        maker_max_fee=order.max_fee_sats,
        postage=order.postage,
        signing_seconds=order.signing_seconds,
        tx_version=order.tx_version,
        private_sale=order.sale is not None,
    )


def proof_message(terms: TradeTerms, own: Contribution) -> str:
    """Names the order too, which is one maker's: shown to another maker, the proof of a trade proves nothing."""
    return ownership_message(f"{terms.order_id} {terms.trade_id}", [coin.outpoint for coin in own.coins])
