"""What every `net.transport.Transport` that listens must do. No pytest here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from darkswap_browser.errors import ConnectionLost, DarkSwapError, PeerIdMismatch
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Connection, Direction
from darkswap_browser.net.stream import Stream
from darkswap_browser.net.transport import Transport


@dataclass
class Node:
    """One side: who it is, its transport, and where it may listen (with port or number 0)."""

    peer: PeerId
    transport: Transport
    listen_at: Multiaddr
    accepted: list[Connection] = field(default_factory=list)
    first: asyncio.Event = field(default_factory=asyncio.Event)
    steps: list[str] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def accept(self, connection: Connection) -> None:
        self.accepted.append(connection)
        self.first.set()
        connection.start(lambda stream: self.tasks.append(asyncio.ensure_future(_echo(stream))))
        await connection.wait_closed()

    async def listen(self) -> Multiaddr:
        bound = await self.transport.listen(self.listen_at, self.accept)
        assert len(bound) == 1
        return bound[0]

    async def dial(self, address: Multiaddr, peer: PeerId | None = None) -> Connection:
        connection = await self.transport.dial(address, peer, lambda step, detail: self.steps.append(step))
        connection.start(lambda stream: stream.reset())
        return connection


Nodes = Callable[[], AbstractAsyncContextManager[tuple[Node, Node]]]


async def _echo(stream: Stream) -> None:
    try:
        while data := await stream.read():
            await stream.write(data)
    except DarkSwapError:
        await stream.close()


async def echoed(connection: Connection, data: bytes) -> bool:
    stream = await connection.open_stream()
    await stream.write(data)
    answer = bytearray()
    while len(answer) < len(data):
        answer += await stream.read()
    await stream.close()
    return bytes(answer) == data


async def failure(work: Awaitable[object]) -> type[DarkSwapError] | None:
    try:
        await work
    except DarkSwapError as error:
        return type(error)
    return None


async def both_sides_know_each_other(nodes: Nodes) -> None:
    async with nodes() as (one, two):
        address = await two.listen()
        assert one.transport.can_dial(address)
        assert one.transport.can_dial(address.with_peer(two.peer))
        connection = await one.dial(address, two.peer)
        await two.first.wait()
        other = two.accepted[0]
        assert connection.remote_peer == two.peer
        assert other.remote_peer == one.peer
        assert (connection.direction, other.direction) == (Direction.OUTBOUND, Direction.INBOUND)
        assert connection.transport == other.transport == one.transport.name
        assert connection.remote_addr.without_peer() == address
        assert one.steps
        assert await echoed(connection, bytes(range(256)) * 2000)
        await connection.close()
        await other.wait_closed()


async def a_port_that_is_left_open_is_chosen(nodes: Nodes) -> None:
    async with nodes() as (one, two):
        address = await two.listen()
        assert address != two.listen_at
        assert address.peer_id() is None
        again = await two.listen()
        assert again != address
        assert (await one.dial(again)).remote_peer == two.peer


async def an_address_with_an_id_is_held_to_it(nodes: Nodes) -> None:
    async with nodes() as (one, two):
        address = await two.listen()
        assert (await one.dial(address.with_peer(two.peer))).remote_peer == two.peer
        assert await failure(one.dial(address.with_peer(one.peer))) is PeerIdMismatch
        assert await failure(one.dial(address, one.peer)) is PeerIdMismatch
        # Whoever asked for somebody else has not harmed the listener.
        assert (await one.dial(address)).remote_peer == two.peer


async def nobody_there_is_a_lost_connection(nodes: Nodes) -> None:
    async with nodes() as (one, two):
        address = await two.listen()
        await two.transport.close()
        assert await failure(one.dial(address)) is ConnectionLost


async def connections_outlive_their_listener(nodes: Nodes) -> None:
    async with nodes() as (one, two):
        connection = await one.dial(await two.listen())
        await two.transport.close()
        await two.transport.close()
        assert await echoed(connection, b"still here")


async def many_dial_at_once(nodes: Nodes) -> None:
    async with nodes() as (one, two):
        address = await two.listen()
        made = await asyncio.gather(*(one.dial(address) for _ in range(12)))
        assert all(await asyncio.gather(*(echoed(each, bytes([i]) * 5000) for i, each in enumerate(made))))


CHECKS: tuple[Callable[[Nodes], Awaitable[None]], ...] = (
    both_sides_know_each_other,
    a_port_that_is_left_open_is_chosen,
    an_address_with_an_id_is_held_to_it,
    nobody_there_is_a_lost_connection,
    connections_outlive_their_listener,
    many_dial_at_once,
)
