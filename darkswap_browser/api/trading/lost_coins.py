"""Coins reserved by trades and orders whose records are lost or cannot be read: who holds them, and how they come free.

The reservations are a record of their own, which names a trade's coins by its id.
"""

from __future__ import annotations

from collections.abc import Sequence

from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.errors import InvalidArgument
from darkswap_browser.runtime.base.storage import KeyValueStore
from darkswap_browser.wallets.coins import IndexedCoinStore
from darkswap_browser.wallets.reservations import FROZEN

ORDER_OWNERS = ("order ", "cancel ")
"""Before an order's id, in the name of the owner of a private sale's coins."""
IN_USE = {
    "pending-takes": "It is being taken just now.",
    "trades": "cancel_trade or revoke_trade ends it.",
    "pending-sales": "It is being made just now.",
    "orders": "cancel_order ends it.",
}
"""Kinds of records, stored as kind/network/peer/id, that say that a reservation has an owner; and what to do then.

Asked in this order. A take is pending until its trade is kept, and only then no longer pending (a sale and its order
likewise): asked the other way round, both looks could miss one that goes on between them.
"""


async def release(coins: IndexedCoinStore, store: KeyValueStore, network: str, outpoint: OutPoint) -> bool:
    """Free a coin that no trade or order of any identity on this device has a readable record of.

    Returns:
        Whether it was reserved.
    Raises:
        InvalidArgument: It is frozen, or a trade or an order holds it.

    Cancellation: It is free, or nothing has changed.
    """
    owner = await coins.owner(outpoint)
    if owner == FROZEN:
        raise InvalidArgument("outpoint", "is frozen", "freeze_coin(outpoint, false) lets it be spent.")
    if not owner:
        return False
    name = owner.rpartition(" ")[2]
    for kind, hint in IN_USE.items():
        if any(key.rpartition("/")[2] == name for key in await store.keys(f"{kind}/{network}/")):
            raise InvalidArgument("outpoint", f"is reserved by {owner}", hint)
    await coins.release_coin(outpoint, owner)
    return True


async def of_record(coins: IndexedCoinStore, key: str) -> Sequence[OutPoint]:
    """Coins that are reserved for the trade or order whose record lies, or lay, under `key`.

    Cancellation: Safe; it only reads.
    """
    name = key.rpartition("/")[2]
    owners = (name, *(f"{kind}{name}" for kind in ORDER_OWNERS))
    return [each for owner in owners for each in await coins.reserved(owner)]
