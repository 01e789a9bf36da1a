"""What callers see of an order, in atoms and ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from darkswap_browser.bitcoin.transaction import Transaction
from darkswap_browser.market import order_codec
from darkswap_browser.market.assets import Asset
from darkswap_browser.market.orders import FeeRule, Order, Side
from darkswap_browser.storage.orders import Fill, OrderRecord, OrderStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderView:
    """`base_atoms` and `quote_atoms` are those of the whole order; `text` is the signed order, to be passed on."""

    id: str
    hash: str
    """Of this revision."""
    seq: int
    maker: str
    network: str
    base: Asset
    quote: Asset
    side: Side
    base_atoms: int
    quote_atoms: int
    min_fill: int
    max_fee_sats: int
    """Most that its maker pays the miners for one trade."""
    signing_seconds: int
    base_decimals: int
    quote_decimals: int
    remaining_atoms: int
    filled_atoms: int
    fee_rule: FeeRule
    status: OrderStatus
    is_local: bool
    is_active: bool
    """It can be taken now, as far as is known."""
    funded: bool | None
    """Whether the coins behind it exist and are proved to be the maker's; None while unknown."""
    created_at: int
    updated_at: int
    expires_at: int
    text: str
    private_sale: bool
    """Its text holds the maker's signature: whoever has it can complete the sale."""
    cancel_txid: str | None
    """Of our transaction that takes back the coin of a private sale: until it is in a block, others can complete it.
    None where there is none, or the coin is back for good.
    """


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """`kind`: "created", "updated", "canceled", "expired" or "filled"."""

    kind: str
    order: OrderView


def remaining_atoms(order: Order, fills: Sequence[Fill]) -> int:
    """Base atoms that no trade has taken or is about to take."""
    return max(order.base_atoms - sum(fill.atoms for fill in fills), 0)


def build_order_view(order_id: str, record: OrderRecord, local: str, now: int) -> OrderView:
    order = order_codec.decode_text(record.text).order
    is_local = order.maker == local
    # How much of another's order is taken only its maker knows, and says in each revision.
    left = remaining_atoms(order, record.fills) if is_local else order.open_atoms
    filled = sum(fill.atoms for fill in record.fills if fill.done) if is_local else order.base_atoms - order.open_atoms
    expired = record.status is OrderStatus.OPEN and now >= order.expires_at
    status = OrderStatus.EXPIRED if expired else record.status
    return OrderView(
        id=order_id,
        hash=order_codec.order_hash(order),
        seq=order.seq,
        maker=order.maker,
        network=order.network,
        base=order.base,
        quote=order.quote,
        side=order.side,
        base_atoms=order.base_atoms,
        quote_atoms=order.quote_atoms,
        min_fill=order.min_fill,
        max_fee_sats=order.max_fee_sats,
        signing_seconds=order.signing_seconds,
        base_decimals=order.base_decimals,
        quote_decimals=order.quote_decimals,
        remaining_atoms=left,
        filled_atoms=filled,
        fee_rule=order.fee_rule,
        status=status,
        is_local=is_local,
        is_active=status is OrderStatus.OPEN and left > 0 and record.funded is not False,
        funded=record.funded,
        created_at=order.created_at,
        updated_at=record.updated_at,
        expires_at=order.expires_at,
        text=record.text,
        private_sale=order.sale is not None,
        cancel_txid=Transaction.parse(record.reclaim).txid if record.reclaim and not record.released else None,
    )
