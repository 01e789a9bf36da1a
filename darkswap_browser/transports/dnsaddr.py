"""`/dnsaddr/NAME`: addresses that stand in the TXT records of `_dnsaddr.NAME`.

https://github.com/multiformats/multiaddr/blob/master/protocols/DNSADDR.md. Records that name others in turn are
followed a few times.
"""

from __future__ import annotations

from collections.abc import Sequence

from darkswap_browser.errors import DarkSwapError, DialFailed, InvalidArgument, NoAddress, Unsupported
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Connection
from darkswap_browser.net.dialer import dial_one
from darkswap_browser.net.limits import Limits
from darkswap_browser.net.reach import private_network
from darkswap_browser.net.transport import ConnectionHandler, StepHandler, Transport
from darkswap_browser.runtime.base.dns import LookupTxt

MAX_ADDRESSES = 16
MAX_LOOKUPS = 4
"""Of one dial: a record may lead to others, and in circles."""
_PREFIX = "dnsaddr="


class DnsaddrTransport:
    """Looks up and dials what it finds by the transports below, one address after the other."""

    def __init__(self, lookup: LookupTxt, below: Sequence[Transport], limits: Limits) -> None:
        self._lookup = lookup
        self._below = below
        self._limits = limits

    @property
    def name(self) -> str:
        return "dnsaddr"

    def can_dial(self, address: Multiaddr) -> bool:
        return bool(address) and address.components[0].name == "dnsaddr" and not address.has("p2p-circuit")

    async def dial(self, address: Multiaddr, peer: PeerId | None, on_step: StepHandler) -> Connection:
        on_step("dnsaddr:lookup", str(address))
        expected = address.peer_id() or peer
        attempts: list[tuple[str, Exception]] = []
        for found in await self._resolve(address, expected):
            try:
                return await dial_one(self._below, found, expected, on_step, self._limits)
            except DarkSwapError as error:
                attempts.append((str(found), error))
        if not attempts:
            raise NoAddress(str(expected or address))
        raise DialFailed(str(expected or address), tuple(attempts))

    async def _resolve(self, address: Multiaddr, peer: PeerId | None) -> list[Multiaddr]:
        """Of a public name, whoever owns it may not send us into a private network."""
        waiting, found = [address], []
        for _ in range(MAX_LOOKUPS):
            if not waiting:
                break
            asked = waiting.pop(0)
            tail = Multiaddr(asked.components[1:])
            for text in await self._lookup(f"_dnsaddr.{asked.host()}"):
                try:
                    record = Multiaddr.parse(text.removeprefix(_PREFIX)) if text.startswith(_PREFIX) else Multiaddr(())
                except InvalidArgument:
                    continue  # of a protocol that we do not know
                if not record or not _ends_in(record, tail) or (peer and record.peer_id() not in (None, peer)):
                    continue
                if self.can_dial(record):
                    waiting.append(record)
                elif any(each.can_dial(record) for each in self._below) and private_network(record.host()) is None:
                    found.append(record)
        return list(dict.fromkeys(found))[:MAX_ADDRESSES]

    def can_listen(self, address: Multiaddr) -> bool:
        return False

    async def listen(self, address: Multiaddr, handler: ConnectionHandler) -> tuple[Multiaddr, ...]:
        raise Unsupported("listening on a dnsaddr")

    async def close(self) -> None:
        """Nothing is open between dials."""


def _ends_in(record: Multiaddr, tail: Multiaddr) -> bool:
    """What stands behind the name in the address that was asked must stand at the end of a record."""
    count = len(tail.components)
    return not count or record.components[-count:] == tail.components
