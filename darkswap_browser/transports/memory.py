"""Peers within one process, at `/memory/<number>`: no socket, the same handshake. For embedding and for tests."""

from __future__ import annotations

import asyncio

from darkswap_browser.concurrency.tasks import Tasks
from darkswap_browser.errors import ConnectionLost, DarkSwapError, EndOfStream, InvalidArgument
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Connection
from darkswap_browser.net.stream import ReceiveBuffer
from darkswap_browser.net.transport import ConnectionHandler, StepHandler
from darkswap_browser.net.upgrade import Upgrader

UNREAD = 256 * 1024
"""Bytes that wait at the other end before a writer waits."""


class MemoryLink:
    """One end of a pair made by `memory_pair`. A `ByteLink`."""

    def __init__(self) -> None:
        self.other = self
        self._inbox = ReceiveBuffer(self._taken)
        self._room = asyncio.Event()
        self._room.set()
        self._closed = False

    async def read(self, max_bytes: int = 65536) -> bytes:
        return await self._inbox.read(max_bytes)

    async def write(self, data: bytes) -> None:
        if self._closed:
            raise ConnectionLost("memory link", "closed")
        inbox = self.other._inbox
        inbox.feed(bytes(data))
        if len(inbox) > UNREAD:
            self._room.clear()
            await self._room.wait()
            if self._closed:
                raise ConnectionLost("memory link", "closed")

    async def close(self) -> None:
        if not self._closed:
            self._end(ConnectionLost("memory link", "closed on this side"), EndOfStream(), drop=False)

    def reset(self) -> None:
        if not self._closed:
            self._end(
                ConnectionLost("memory link", "closed on this side"), ConnectionLost("memory link", "reset"), drop=True
            )

    def _end(self, here: DarkSwapError, there: DarkSwapError, *, drop: bool) -> None:
        self._inbox.end(here, drop=True)
        self.other._inbox.end(there, drop=drop)
        for end in (self, self.other):
            end._closed = True
            end._room.set()

    def _taken(self, _: int) -> None:
        if len(self._inbox) <= UNREAD:
            self.other._room.set()


def memory_pair() -> tuple[MemoryLink, MemoryLink]:
    one, two = MemoryLink(), MemoryLink()
    one.other, two.other = two, one
    return one, two


class MemoryHub:
    """Who listens at which number; shared by the transports that are to reach one another."""

    def __init__(self) -> None:
        self.listening: dict[int, MemoryTransport] = {}

    def free_number(self) -> int:
        return max(self.listening, default=0) + 1


class MemoryTransport:
    def __init__(self, hub: MemoryHub, upgrader: Upgrader) -> None:
        self._hub = hub
        self._upgrader = upgrader
        self._handlers: dict[int, ConnectionHandler] = {}
        self._tasks = Tasks()

    @property
    def name(self) -> str:
        return "memory"

    def can_dial(self, address: Multiaddr) -> bool:
        return [component.name for component in address.without_peer().components] == ["memory"]

    def can_listen(self, address: Multiaddr) -> bool:
        return self.can_dial(address)

    async def dial(self, address: Multiaddr, peer: PeerId | None, on_step: StepHandler) -> Connection:
        number = _number(address)
        target = self._hub.listening.get(number)
        handler = None if target is None else target._handlers.get(number)
        if target is None or handler is None:
            raise ConnectionLost(f"/memory/{number}", "nobody listens there")
        on_step("memory:upgrade", str(address))
        ours, theirs = memory_pair()
        target._tasks.spawn(target._accept(theirs, number, handler), "memory connection")
        return await self._upgrader.upgrade_outbound(
            ours, peer=address.peer_id() or peer, address=address, transport=self.name
        )

    async def listen(self, address: Multiaddr, handler: ConnectionHandler) -> tuple[Multiaddr, ...]:
        """Number 0 takes a free one."""
        number = _number(address) or self._hub.free_number()
        if number in self._hub.listening:
            raise ConnectionLost(f"/memory/{number}", "the number is taken")
        self._hub.listening[number] = self
        self._handlers[number] = handler
        return (Multiaddr.parse(f"/memory/{number}"),)

    async def close(self) -> None:
        for number in self._handlers:
            del self._hub.listening[number]
        self._handlers.clear()

    async def _accept(self, link: MemoryLink, number: int, handler: ConnectionHandler) -> None:
        address = Multiaddr.parse(f"/memory/{number}")
        try:
            connection = await self._upgrader.upgrade_inbound(link, peer=None, address=address, transport=self.name)
        except DarkSwapError:
            return  # the upgrader has reset the link: the dialler is told by that
        await handler(connection)


def _number(address: Multiaddr) -> int:
    value = address.value("memory")
    if value is None:
        raise InvalidArgument("multiaddr", f"{address} is no /memory address")
    return int(value)
