"""Nodes over pipes: a transport whose addresses answer, wait or fail as a test says."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from darkswap_browser.errors import ConnectionLost, DarkSwapError, EndOfStream
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.address_book import AddressBook
from darkswap_browser.net.connection import CircuitLimit, Connection
from darkswap_browser.net.events import Event
from darkswap_browser.net.limits import DEFAULT_LIMITS, Limits
from darkswap_browser.net.stream import BufferedStream
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.net.transport import ConnectionHandler, StepHandler
from darkswap_browser.net.upgrade import Upgrader
from darkswap_browser.runtime.native.crypto import NativeCrypto
from tests.support.pipe import CountingEntropy, PipeEnd, identity, pipe


@dataclass
class Place:
    """What is at an address: who listens, after how long a dial gets there, and what it meets instead."""

    transport: PipeTransport | None = None
    delay: float = 0.0
    error: DarkSwapError | None = None
    kind: str = "memory"
    limit: CircuitLimit | None = None
    dialled: list[float] = field(default_factory=list)
    """Loop times at which someone began to dial it."""
    links: list[PipeEnd] = field(default_factory=list)
    """The dialler's end of every link made."""


Places = dict[str, Place]


class PipeTransport:
    """Every text is an address; `places` is the network that nodes share."""

    name = "memory"

    def __init__(self, upgrader: Upgrader, places: Places) -> None:
        self._upgrader = upgrader
        self._places = places
        self._handler: ConnectionHandler | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.closed = False

    def can_dial(self, address: Multiaddr) -> bool:
        return not address.has("dns4")

    can_listen = can_dial

    async def dial(self, address: Multiaddr, peer: PeerId | None, on_step: StepHandler) -> Connection:
        place = self._places.setdefault(_key(address), Place())
        place.dialled.append(asyncio.get_running_loop().time())
        await asyncio.sleep(place.delay)
        on_step("connect", _key(address))
        if place.error is not None:
            raise place.error
        if place.transport is None:
            raise ConnectionLost("link", "nobody listens")
        ours, theirs = pipe()
        place.links.append(ours)
        place.transport.accept(theirs, place)
        return await self._upgrader.upgrade_outbound(
            ours, peer=peer, address=address, transport=place.kind, limit=place.limit
        )

    def accept(self, link: PipeEnd, place: Place) -> None:
        async def upgrade() -> None:
            try:
                connection = await self._upgrader.upgrade_inbound(
                    link, peer=None, address=Multiaddr.parse("/memory/0"), transport=place.kind, limit=place.limit
                )
            except DarkSwapError:
                return
            assert self._handler is not None
            await self._handler(connection)

        task = asyncio.create_task(upgrade())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def listen(self, address: Multiaddr, handler: ConnectionHandler) -> tuple[Multiaddr, ...]:
        self._handler = handler
        self._places.setdefault(_key(address), Place()).transport = self
        return (address,)

    async def close(self) -> None:
        self.closed = True
        for task in self._tasks:
            task.cancel()


def _key(address: Multiaddr) -> str:
    return str(address.without_peer())


class Node:
    """A swarm, its transport and every event it emitted."""

    def __init__(self, swarm: Swarm, transport: PipeTransport, upgrader: Upgrader) -> None:
        self.swarm = swarm
        self.transport = transport
        self.upgrader = upgrader
        self.events: list[Event] = []
        swarm.subscribe(self.events.append)

    @property
    def peer(self) -> PeerId:
        return self.swarm.local_peer

    def seen(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


async def node(name: str, places: Places, *addresses: str, limits: Limits = DEFAULT_LIMITS) -> Node:
    """One that listens on `addresses`. The same name is the same identity."""
    who = await identity(name)
    upgrader = Upgrader(who, NativeCrypto(), CountingEntropy(name), limits)
    swarm = Swarm(who, limits, AddressBook(limits))
    made = Node(swarm, PipeTransport(upgrader, places), upgrader)
    swarm.add_transport(made.transport)
    for address in addresses:
        await swarm.listen(Multiaddr.parse(address))
    return made


ECHO = "/echo/1.0.0"
A, B, C = (Multiaddr.parse(f"/memory/{number}") for number in (1, 2, 3))


async def echo(connection: Connection, stream: BufferedStream, protocol: str) -> None:
    while True:
        try:
            await stream.write(await stream.read())
        except EndOfStream:
            await stream.close()
            return


async def two(places: Places | None = None) -> tuple[Node, Node, Places]:
    """Alice, and Bob who listens at address 1 and echoes."""
    places = {} if places is None else places
    alice, bob = await node("alice", places), await node("bob", places, "/memory/1")
    bob.swarm.handle(ECHO, echo)
    return alice, bob, places


async def end(*nodes: Node) -> None:
    for each in nodes:
        await each.swarm.close()
    await asyncio.sleep(5)
    assert asyncio.all_tasks() == {asyncio.current_task()}, "a closed node leaves no task behind"
