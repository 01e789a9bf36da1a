"""Orders as they come from others: whose they are, for which network, and whether they say anything new."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from darkswap_browser.errors import InvalidOrder
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.market import order_codec, orders
from darkswap_browser.market.order_codec import SignedOrder
from darkswap_browser.market.orders import Order
from darkswap_browser.runtime.base.crypto import Crypto
from darkswap_browser.storage.orders import OrderRecord, OrderStatus


async def read_order(text: str, network: str, crypto: Crypto) -> SignedOrder:
    """Raises `InvalidOrder`: unreadable, of another network, or not signed by its maker."""
    signed = order_codec.decode_text(text)
    order = signed.order
    if order.network != network:
        raise InvalidOrder("network", f"is {order.network}; this node trades on {network}")
    key = PeerId.parse(order.maker).embedded_key()
    if key is None or not await key.verify(crypto, order_codec.signing_bytes(order), signed.signature):
        raise InvalidOrder("order", "is not signed by its maker", "Do not trade with whoever sent it.")
    return signed


def is_newer(known: OrderRecord, order: Order) -> bool:
    """Whether it is a later revision than the one that is kept."""
    before = order_codec.decode_text(known.text).order
    return orders.supersedes((order.seq, order_codec.order_hash(order)), (known.seq, order_codec.order_hash(before)))


def canceled(known: OrderRecord | None, ended: SignedOrder) -> OrderRecord:
    """`known`, ended by its maker's last revision. Raises `InvalidOrder` for an order that was not known."""
    if known is None:
        raise InvalidOrder("order", "was canceled by its maker")
    packed = order_codec.encode_order(ended)
    return replace(known, status=OrderStatus.CANCELED, cancellation=packed, seq=ended.order.seq)


def short_relays(addresses: Iterable[str]) -> tuple[str, ...]:
    """Those that an order has room for, in canonical text."""
    parsed = map(Multiaddr.parse, addresses)
    short = (str(each) for each in parsed if len(each.to_bytes()) <= orders.MAX_RELAY_ADDRESS)
    return tuple(short)[: orders.MAX_RELAYS]
