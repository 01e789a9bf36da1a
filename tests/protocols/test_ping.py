"""Ping: measured, echoed for as long as the opener likes, bounded."""

from __future__ import annotations

import asyncio

import pytest

from darkswap_browser.errors import DarkSwapError, EndOfStream, NotConnected, ProtocolViolation, StreamError, TimedOut
from darkswap_browser.net.connection import Connection
from darkswap_browser.net.stream import BufferedStream
from darkswap_browser.protocols.ping import PING_PROTOCOL, Ping
from tests.support.native_identity import identity
from tests.support.pipe import CountingEntropy
from tests.support.relays import Lan, Node, node


async def pair() -> tuple[Node, Node, Connection]:
    lan = Lan()
    alice, bob = await node(lan, "alice", "10.0.0.2"), await node(lan, "bob", "10.0.0.3")
    await bob.swarm.listen(bob.address)
    return alice, bob, await alice.swarm.dial_address(bob.full_address)


async def end(*nodes: Node) -> None:
    for each in nodes:
        await each.identify.close()
        await each.swarm.close()


async def test_the_round_trip_is_measured() -> None:
    alice, bob, connection = await pair()
    bob.ping.stop()

    async def slow(connection: Connection, stream: BufferedStream, protocol: str) -> None:
        data = await stream.read_exactly(32)
        await asyncio.sleep(0.25)
        await stream.write(data)

    bob.swarm.handle(PING_PROTOCOL, slow)
    assert await alice.ping.ping(connection) == pytest.approx(0.25, abs=0.01)
    await end(alice, bob)


async def test_one_stream_serves_many_pings_as_go_does() -> None:
    alice, bob, connection = await pair()
    stream = (await alice.swarm.new_stream(connection, [PING_PROTOCOL])).stream
    for number in range(20):
        payload = bytes((number,)) * 32
        await stream.write(payload[:10])
        await stream.write(payload[10:])
        assert await stream.read_exactly(32) == payload
    await stream.close_write()
    with pytest.raises(EndOfStream):
        await stream.read()
    await end(alice, bob)


async def test_a_third_inbound_stream_is_reset() -> None:
    alice, bob, connection = await pair()
    streams = [(await alice.swarm.new_stream(connection, [PING_PROTOCOL])).stream for _ in range(2)]
    for stream in streams:
        await stream.write(bytes(32))
        await stream.read_exactly(32)
    with pytest.raises(StreamError):
        await alice.ping.ping(connection)
    await streams[0].close()
    await asyncio.sleep(1)
    await alice.ping.ping(connection)
    await end(alice, bob)


async def test_silence_and_a_wrong_echo_are_typed_errors() -> None:
    alice, bob, connection = await pair()
    bob.ping.stop()

    async def wrong(connection: Connection, stream: BufferedStream, protocol: str) -> None:
        await stream.read_exactly(32)
        await stream.write(bytes(32))

    async def silent(connection: Connection, stream: BufferedStream, protocol: str) -> None:
        await asyncio.sleep(100)

    cases: list[tuple[object, type[DarkSwapError]]] = [(wrong, ProtocolViolation), (silent, TimedOut)]
    for handler, error in cases:
        bob.swarm.handle(PING_PROTOCOL, handler)  # type: ignore[arg-type]
        with pytest.raises(error):
            await alice.ping.ping(connection)
        bob.swarm.unhandle(PING_PROTOCOL)
    assert not connection.is_closed
    await end(alice, bob)


async def test_a_peer_that_is_not_connected_cannot_be_pinged() -> None:
    alice, bob, _ = await pair()
    with pytest.raises(NotConnected):
        await alice.ping.ping((await identity("carol")).peer_id)
    await end(alice, bob)


async def test_ping_with_a_clock_of_its_own_measures_by_it() -> None:
    alice, bob, _ = await pair()
    readings = iter((5.0, 5.00025))
    ping = Ping(alice.swarm, CountingEntropy(), lambda: next(readings))
    assert await ping.ping(bob.peer) == pytest.approx(0.00025)
    await end(alice, bob)


async def test_pings_of_one_peer_at_once_are_all_answered() -> None:
    alice, bob, _ = await pair()
    assert len(await asyncio.gather(*(alice.ping.ping(bob.peer) for _ in range(10)))) == 10
    await end(alice, bob)
