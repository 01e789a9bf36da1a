from __future__ import annotations

import asyncio
from collections.abc import Sequence

from darkswap_browser.errors import NoAddress, ProtocolViolation
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Connection
from darkswap_browser.net.limits import DEFAULT_LIMITS
from darkswap_browser.protocols.trade_streams import TRADE_PROTOCOL, TradeStreams
from darkswap_browser.wire.framing import frame
from tests.support.world import SimPeer, SimWorld


class Ear:
    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.news = 0

    async def received(self, peer: PeerId, message: bytes) -> None:
        if message == b"bad":
            raise ProtocolViolation("trade", "bad")
        self.heard.append(message)

    def connected(self, peer: PeerId) -> None:
        self.news += 1


class Side:
    def __init__(self, peer: SimPeer, other: SimPeer | None = None) -> None:
        self.peer = peer
        self.ear = Ear()
        self.other = other
        self.links = TradeStreams(peer.swarm, self._reach, self.ear)
        self.links.start()

    async def _reach(self, peer: PeerId, relays: Sequence[str]) -> Connection:
        if self.other is None:
            raise NoAddress(str(peer))
        return await self.peer.swarm.dial(peer, [self.other.address])


async def _two() -> tuple[SimWorld, Side, Side]:
    world = SimWorld()
    bob = await world.peer("bob", "ws")
    alice = await world.peer("alice")
    return world, Side(alice, bob), Side(bob)


async def _end(world: SimWorld, *sides: Side) -> None:
    for side in sides:
        await side.links.close()
    await world.close()


async def test_messages_go_both_ways_over_whatever_stream_there_is() -> None:
    world, alice, bob = await _two()
    assert not await alice.links.send(bob.peer.id, b"too early")
    alice.links.require(bob.peer.id, ())
    await asyncio.sleep(1)
    assert await alice.links.send(bob.peer.id, b"one")
    await asyncio.sleep(1)
    assert await bob.links.send(alice.peer.id, b"two")
    await asyncio.sleep(1)
    assert (bob.ear.heard, alice.ear.heard) == ([b"one"], [b"two"])
    assert (bob.ear.news, alice.ear.news) == (1, 1)
    await _end(world, alice, bob)


async def test_a_broken_link_is_found_again_while_it_is_wanted() -> None:
    world, alice, bob = await _two()
    alice.links.require(bob.peer.id, ())
    await asyncio.sleep(1)
    world.world.sever("alice")
    await asyncio.sleep(5)
    assert alice.ear.news == 2
    assert await alice.links.send(bob.peer.id, b"again")
    alice.links.release(bob.peer.id)
    world.world.sever("alice")
    await asyncio.sleep(30)
    assert alice.ear.news == 2
    await _end(world, alice, bob)


async def test_a_message_that_breaks_the_rules_breaks_its_stream() -> None:
    world, alice, bob = await _two()
    connection = await alice.peer.swarm.dial(bob.peer.id, [bob.peer.address])
    for data in (frame(b"bad"), frame(bytes(DEFAULT_LIMITS.trade_message + 1))):
        stream = (await alice.peer.swarm.new_stream(connection, (TRADE_PROTOCOL,))).stream
        await stream.write(data)
        await asyncio.sleep(1)
        assert not await bob.links.send(alice.peer.id, b"nobody")
        stream.reset()
    assert not connection.is_closed
    await _end(world, alice, bob)


async def test_a_flood_of_messages_breaks_its_stream_and_an_honest_pace_does_not() -> None:
    world, alice, bob = await _two()
    connection = await alice.peer.swarm.dial(bob.peer.id, [bob.peer.address])
    stream = (await alice.peer.swarm.new_stream(connection, (TRADE_PROTOCOL,))).stream
    for _ in range(60):
        await stream.write(frame(b"slow"))
        await asyncio.sleep(DEFAULT_LIMITS.trade_interval)
    assert len(bob.ear.heard) >= 59
    bob.ear.heard.clear()
    await stream.write(frame(b"fast") * 100)
    await asyncio.sleep(1)
    assert len(bob.ear.heard) <= DEFAULT_LIMITS.trade_burst + 1
    assert not await bob.links.send(alice.peer.id, b"nobody")
    await _end(world, alice, bob)
