"""Streams come to their handlers, and no further than they may."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from darkswap_browser.errors import (
    EndOfStream,
    InvalidArgument,
    ProtocolUnsupported,
    StreamReset,
    TimedOut,
    Unsupported,
)
from darkswap_browser.net.connection import CircuitLimit, Connection
from darkswap_browser.net.events import (
    ProtocolsChanged,
)
from darkswap_browser.net.limits import DEFAULT_LIMITS
from darkswap_browser.net.stream import BufferedStream
from tests.support.nodes import ECHO, A, B, Place, Places, echo, end, node, two


async def test_an_unknown_protocol_is_named_in_the_error():
    alice, bob, _ = await two()
    await alice.swarm.dial(bob.peer, [A])
    with pytest.raises(ProtocolUnsupported):
        await alice.swarm.new_stream(bob.peer, ["/x", "/y"])
    await end(alice, bob)


async def test_a_peer_that_does_not_negotiate_is_given_up():
    alice, bob, places = await two()
    mute = await node("mute", places, "/memory/2")
    mute.swarm.add_connection = lambda connection: connection.start(lambda stream: None)
    await alice.swarm.dial(mute.peer, [B])
    with pytest.raises(TimedOut):
        await alice.swarm.new_stream(mute.peer, [ECHO])
    assert alice.swarm.connections(mute.peer)[0].streams == 0
    alice.swarm.connections(mute.peer)[0].abort()
    await end(alice, bob, mute)


async def test_limited_connections_need_both_sides_to_agree():
    limited = Place(kind="circuit", limit=CircuitLimit(120, 1000))
    alice, bob, _ = await two({"/memory/1": limited})
    bob.swarm.handle("/limited/1", echo, allow_limited=True)
    connection = await alice.swarm.dial(bob.peer, [A])
    for target in (bob.peer, connection):
        with pytest.raises(Unsupported):
            await alice.swarm.new_stream(target, [ECHO])
    opened = await alice.swarm.new_stream(bob.peer, ["/limited/1"], allow_limited=True)
    opened.stream.reset()
    with pytest.raises(StreamReset):
        await alice.swarm.new_stream(bob.peer, [ECHO], allow_limited=True)
    await end(alice, bob)


async def test_streams_beyond_a_handlers_share_are_reset():
    alice, bob, _ = await two()
    bob.swarm.handle("/two", echo, max_inbound=2)
    await alice.swarm.dial(bob.peer, [A])
    first = await alice.swarm.new_stream(bob.peer, ["/two"])
    await alice.swarm.new_stream(bob.peer, ["/two"])
    with pytest.raises(StreamReset):
        await alice.swarm.new_stream(bob.peer, ["/two"])
    await first.stream.close()
    await asyncio.sleep(0.1)
    await alice.swarm.new_stream(bob.peer, ["/two"])
    await end(alice, bob)


async def test_streams_being_negotiated_are_capped():
    limits = dataclasses.replace(DEFAULT_LIMITS, stream_accept_backlog=2)
    places: Places = {}
    alice, bob = await node("alice", places), await node("bob", places, "/memory/1", limits=limits)
    connection = await alice.swarm.dial(bob.peer, [A])
    silent = [await connection.open_stream() for _ in range(3)]
    with pytest.raises(StreamReset):
        await silent[2].read()
    started = asyncio.get_running_loop().time()
    with pytest.raises(StreamReset):
        await silent[0].read()
    assert asyncio.get_running_loop().time() - started == pytest.approx(DEFAULT_LIMITS.negotiate_timeout)
    await end(alice, bob)


async def test_a_handler_that_fails_on_its_peer_ends_only_its_stream():
    alice, bob, _ = await two()

    async def strict(connection: Connection, stream: BufferedStream, protocol: str) -> None:
        await stream.read_message(4)

    bob.swarm.handle("/strict", strict)
    await alice.swarm.dial(bob.peer, [A])
    opened = await alice.swarm.new_stream(bob.peer, ["/strict"])
    await opened.stream.write(b"\x05")
    with pytest.raises(StreamReset):
        await opened.stream.read()
    assert not opened.connection.is_closed
    await end(alice, bob)


async def test_a_bug_in_a_handler_resets_its_stream_and_is_reported(faults: list[BaseException]):
    alice, bob, _ = await two()

    async def broken(connection: Connection, stream: BufferedStream, protocol: str) -> None:
        raise ZeroDivisionError

    told: list[tuple[str, BaseException]] = []
    bob.swarm.faults.listener = lambda what, error: told.append((what, error))
    bob.swarm.handle("/broken", broken)
    await alice.swarm.dial(bob.peer, [A])
    with pytest.raises(StreamReset):
        await alice.swarm.new_stream(bob.peer, ["/broken"])
    assert faults == [told[0][1]] and isinstance(faults[0], ZeroDivisionError)
    await end(alice, bob)


async def test_handlers_come_and_go():
    alice, bob, _ = await two()
    with pytest.raises(InvalidArgument):
        bob.swarm.handle(ECHO, echo)
    bob.swarm.unhandle(ECHO)
    bob.swarm.unhandle(ECHO)
    assert bob.swarm.protocols == ()
    await asyncio.sleep(0)
    assert bob.seen(ProtocolsChanged) == [ProtocolsChanged()] * 2
    await end(alice, bob)


async def test_a_handler_that_reads_to_the_end_closes_its_stream():
    alice, bob, _ = await two()

    async def endless(connection: Connection, stream: BufferedStream, protocol: str) -> None:
        while True:
            await stream.write(await stream.read())

    bob.swarm.handle("/endless", endless)
    await alice.swarm.dial(bob.peer, [A])
    opened = await alice.swarm.new_stream(bob.peer, ["/endless"])
    await opened.stream.write(b"last words")
    await opened.stream.close_write()
    assert await opened.stream.read_exactly(10) == b"last words"
    with pytest.raises(EndOfStream):
        await opened.stream.read()
    await end(alice, bob)
