"""Which coins are spoken for, by trades or by the user's freeze: durable, and the same in all tabs of the site.

One record per network, `coins/<network>`: JSON {"version": 1, "held": {"txid:vout": owner}, "frozen": ["txid:vout"]}.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.errors import InvalidArgument, MalformedMessage, TooManyRequests
from darkswap_browser.runtime.base.host import Locks
from darkswap_browser.runtime.base.storage import KeyValueStore
from darkswap_browser.wire.parsing import parse_json

VERSION = 1
FROZEN = "frozen"
MAX_ENTRIES = 10_000
"""Coins spoken for at once: far above what one wallet trades with; a record stays below 2 MB."""
MAX_OWNER = 128
"""Characters of an owner: trade and order ids have 64."""
_RECORD_DEPTH = 4
MAX_RECORD = MAX_ENTRIES * 2 * (MAX_OWNER * 6 + 100)
"""Bytes: every entry as long as it may be, each character escaped."""


@dataclass(slots=True)
class ReservationTable:
    """Who holds what. A frozen coin that a trade holds stays the trade's until it is released."""

    held: dict[OutPoint, str] = field(default_factory=dict)
    frozen: set[OutPoint] = field(default_factory=set)

    def owner(self, outpoint: OutPoint) -> str:
        """ "" when it is free."""
        return self.held.get(outpoint, FROZEN if outpoint in self.frozen else "")

    def encode(self) -> bytes:
        if len(self.held) > MAX_ENTRIES or len(self.frozen) > MAX_ENTRIES:
            raise TooManyRequests("coins reserved or frozen", MAX_ENTRIES)
        held = {str(outpoint): owner for outpoint, owner in sorted(self.held.items())}
        frozen = [str(outpoint) for outpoint in sorted(self.frozen)]
        return json.dumps({"version": VERSION, "held": held, "frozen": frozen}).encode()

    @classmethod
    def decode(cls, data: bytes) -> ReservationTable:
        """Raises `MalformedMessage`: with reservations unreadable, no coin is known to be free."""
        record = _record(data)
        held, frozen = record.get("held"), record.get("frozen")
        if not isinstance(held, dict) or not isinstance(frozen, list) or max(len(held), len(frozen)) > MAX_ENTRIES:
            raise MalformedMessage("reservations", "are not the two lists they should be")
        if not all(isinstance(owner, str) and 0 < len(owner) <= MAX_OWNER for owner in held.values()):
            raise MalformedMessage("reservations", "name an owner that is none")
        return cls({_outpoint(text): owner for text, owner in held.items()}, {_outpoint(text) for text in frozen})


Recover = Callable[[str, bytes, str], Awaitable[ReservationTable]]
"""(key, what lies there, why it cannot be read): keeps that elsewhere, and tells what has to stay reserved."""


class CoinReservations:
    """The record of one network, and who may change it."""

    def __init__(self, store: KeyValueStore, locks: Locks, network: str, recover: Recover) -> None:
        self._store = store
        self._locks = locks
        self._key = f"coins/{network}"
        self._lock = f"darkswap/{self._key}"
        self._recover = recover

    async def read(self) -> ReservationTable:
        """A record that cannot be read is replaced by what `recover` finds.

        Raises:
            StorageError: The store fails, or has no room for the record that cannot be read.
        """
        data = await self._store.get(self._key)
        try:
            return ReservationTable() if data is None else ReservationTable.decode(data)
        except MalformedMessage:
            async with self._locks.hold(self._lock):
                return await self._read_locked()

    async def _read_locked(self) -> ReservationTable:
        data = await self._store.get(self._key)
        if data is None:
            return ReservationTable()
        try:
            return ReservationTable.decode(data)
        except MalformedMessage as error:
            recovered = await self._recover(self._key, data, str(error))
            await self._store.put(self._key, recovered.encode())
            return recovered

    @asynccontextmanager
    async def change(self) -> AsyncIterator[ReservationTable]:
        """What is changed inside the block is durable after it; nobody else reads to change meanwhile.

        After an error inside, nothing is changed.
        """
        async with self._locks.hold(self._lock):
            claims = await self._read_locked()
            before = claims.encode()
            yield claims
            after = claims.encode()
            if after != before:
                await self._store.put(self._key, after)


def check_owner(owner: str) -> str:
    if not 0 < len(owner) <= MAX_OWNER or owner == FROZEN:
        raise InvalidArgument("owner", f"{owner[:80]!r} cannot hold coins")
    return owner


def _record(data: bytes) -> dict[str, Any]:
    if len(data) > MAX_RECORD:
        raise MalformedMessage("reservations", f"have {len(data)} bytes; at most {MAX_RECORD} are possible")
    record = parse_json("reservations", data, max_depth=_RECORD_DEPTH)
    if not isinstance(record, dict) or record.get("version") != VERSION:
        raise MalformedMessage("reservations", "are of another version")
    return record


def _outpoint(text: Any) -> OutPoint:
    try:
        return OutPoint.parse(text if isinstance(text, str) else "")
    except InvalidArgument as error:
        raise MalformedMessage("reservations", str(error)) from error
