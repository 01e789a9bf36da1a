"""Reservations of coins made anew, when their record cannot be read, from the records of trades and orders.

A coin whose owner is not known stays reserved or frozen: whoever has a signature for it might still use it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from darkswap_browser.api.trading.lost_coins import ORDER_OWNERS
from darkswap_browser.bitcoin.transaction import OutPoint, Transaction
from darkswap_browser.errors import InvalidArgument, InvalidOrder, MalformedMessage
from darkswap_browser.market import order_codec
from darkswap_browser.runtime.base.storage import QUARANTINE_PREFIX, KeyValueStore
from darkswap_browser.storage.orders import OrderRecord, order_records
from darkswap_browser.storage.records import QuarantineListener
from darkswap_browser.storage.trades import TradeRecord, trade_records
from darkswap_browser.wallets.reservations import FROZEN, MAX_ENTRIES, MAX_OWNER, ReservationTable

RecoveryListener = Callable[[str, str, Sequence[OutPoint]], None]
"""(key, reason, coins of which only the unreadable record speaks): reservations were made anew."""

_HELD = re.compile(rb'"([0-9a-f]{64}:[0-9]{1,10})" *: *"([ -!#-\[\]-~]{1,%d})"' % MAX_OWNER)
_NAMED = re.compile(rb"[0-9a-f]{64}:[0-9]{1,10}")


class CoinRecovery:
    """A `Recover` for the coins of every identity on this device."""

    def __init__(
        self, store: KeyValueStore, network: str, unread: QuarantineListener, recovered: RecoveryListener
    ) -> None:
        self._store = store
        self._network = network
        self._unread = unread
        self._recovered = recovered

    async def recover(self, key: str, data: bytes, reason: str) -> ReservationTable:
        """What the records of trades and orders hold, and whatever else `data` still names.

        Raises:
            StorageError: A record cannot be read now, or `data` not be kept: nothing is known to be free then.

        Cancellation: Safe; nothing but the copy in quarantine is written here.
        """
        known = {**await self._of_trades(), **await self._of_orders()}
        await self._store.put(QUARANTINE_PREFIX + key, data)
        table = _named_in(data)
        unexplained = sorted((table.held.keys() | table.frozen) - known.keys())
        table.held |= known
        table.frozen -= known.keys()
        self._recovered(key, reason, unexplained)
        return table

    async def _peers(self, kind: str) -> set[str]:
        keys = await self._store.keys(f"{kind}/{self._network}/")
        return {key.split("/")[2] for key in keys}

    async def _of_trades(self) -> dict[OutPoint, str]:
        held: dict[OutPoint, str] = {}
        for peer in await self._peers("trades"):
            records = trade_records(self._store, self._network, peer, self._unread, moves=False)
            for name, record in (await records.all()).items():
                held |= dict.fromkeys(_coins_of_trade(record), name)
        return held

    async def _of_orders(self) -> dict[OutPoint, str]:
        held: dict[OutPoint, str] = {}
        for peer in await self._peers("orders"):
            records = order_records(self._store, self._network, peer, self._unread, moves=False)
            for name, record in (await records.all()).items():
                for owner, coins in zip(ORDER_OWNERS, _coins_of_sale(record, peer), strict=True):
                    held |= dict.fromkeys(coins, owner + name)
        return held


def _coins_of_trade(record: TradeRecord) -> list[OutPoint]:
    """Of ours, the spend that takes its signature back included."""
    if record.released:
        return []
    trade = record.state.trade
    own = [coin.outpoint for coin in trade.own.coins] if trade.own is not None else []
    return own + (_inputs(trade.spend_raw) if trade.spend_raw else [])


def _coins_of_sale(record: OrderRecord, peer: str) -> tuple[list[OutPoint], list[OutPoint]]:
    """The lot of a private sale of ours, and what pays for taking it back."""
    try:
        order = order_codec.decode_text(record.text).order
    except InvalidOrder:
        return [], []  # then its coins are those that only the reservations name
    if order.sale is None or order.maker != peer or record.released:
        return [], []
    fees = [each for each in _inputs(record.reclaim) if each not in order.funding] if record.reclaim else []
    return list(order.funding), fees


def _inputs(raw: bytes) -> list[OutPoint]:
    try:
        return [each.outpoint for each in Transaction.parse(raw).inputs]
    except MalformedMessage:
        return []  # as above


def _named_in(data: bytes) -> ReservationTable:
    """As far as it can be made out; a coin without an owner counts as frozen."""
    owners = {coin.decode(): owner.decode() for coin, owner in _HELD.findall(data)}
    table = ReservationTable()
    for text in dict.fromkeys(found.decode() for found in _NAMED.findall(data)):
        try:
            outpoint = OutPoint.parse(text)
        except InvalidArgument:
            continue  # no coin has such a number
        owner = owners.get(text, FROZEN)
        if owner == FROZEN:
            table.frozen.add(outpoint)
        else:
            table.held[outpoint] = owner
        if max(len(table.held), len(table.frozen)) >= MAX_ENTRIES:
            break
    return table
