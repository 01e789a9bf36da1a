"""What two sides agree on, and what each brings: all that the settlement transaction is made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.market.assets import Asset

POSTAGE = 546
"""Sats on an output that carries an asset: market convention, above every script's dust floor."""
MAX_INPUTS = 20
"""Coins one side may bring: both sides fetch and check each of them before they sign."""


class Role(StrEnum):
    MAKER = "maker"
    TAKER = "taker"

    @property
    def other(self) -> Role:
        return Role.TAKER if self is Role.MAKER else Role.MAKER


class FeeRule(StrEnum):
    """Who pays the miners: each side for the weight it adds, or the taker for all of it."""

    OWN_WEIGHT = "own_weight"
    TAKER_PAYS = "taker_pays"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
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
    private_sale: bool = False
    """The maker signed its part beforehand, for whoever holds the order (`market.trade.sale`)."""

    def gives(self, role: Role) -> tuple[Asset, int]:
        return (self.base, self.base_atoms) if role is self.base_giver else (self.quote, self.quote_atoms)

    def gets(self, role: Role) -> tuple[Asset, int]:
        return self.gives(role.other)


@dataclass(frozen=True, slots=True, order=True)
class Coin:
    """An output to be spent. `atoms`: how much of the traded asset it holds (0 for a coin of plain bitcoin)."""

    outpoint: OutPoint
    sats: int
    script: bytes
    atoms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """What one side brings and where it wants what. Scripts are scriptPubKeys."""

    asset_coins: tuple[Coin, ...] = ()
    """Empty when this side gives bitcoin."""
    bitcoin_coins: tuple[Coin, ...] = ()
    receive_script: bytes
    """For what this side gets."""
    asset_change_script: bytes
    """For the rest of the asset it gives."""
    bitcoin_change_script: bytes

    @property
    def coins(self) -> tuple[Coin, ...]:
        return self.asset_coins + self.bitcoin_coins
