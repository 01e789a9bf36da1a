"""A direct connection that lost its path and finds another, agreed on through the relay."""

from __future__ import annotations

import asyncio

import pytest

from darkswap_browser.errors import DarkSwapError
from darkswap_browser.net.stream import BufferedStream
from darkswap_browser.protocols.signaling.messages import encode_event
from darkswap_browser.runtime.base.webrtc import SessionDescription
from darkswap_browser.testing.world import SimulatedWorld
from darkswap_browser.transports.webrtc.connection import DataChannelConnection
from darkswap_browser.transports.webrtc.restart import RESTART_PROTOCOL
from darkswap_browser.transports.webrtc.sdp import attribute
from tests.support.channels import make_world
from tests.support.direct import ECHO, Peer, close_all, peer, relay_between
from tests.support.pipe import PipeEnd


async def connected() -> tuple[SimulatedWorld, Peer, Peer, PipeEnd, DataChannelConnection]:
    world = make_world()
    alice = await peer("alice", world.runtime("alice"))
    bob = await peer("bob", world.runtime("bob"))
    wire, _ = await relay_between(alice, bob)
    connection = await alice.dial(bob)
    assert isinstance(connection, DataChannelConnection)
    return world, alice, bob, wire, connection


def ufrag(connection: DataChannelConnection) -> str | None:
    return attribute(connection.remote_sdp, "ice-ufrag")


async def test_the_path_is_looked_for_anew_and_nothing_is_lost() -> None:
    world, alice, bob, _, connection = await connected()
    [theirs] = bob.direct
    assert isinstance(theirs, DataChannelConnection)
    before = ufrag(connection), ufrag(theirs)
    stream = (await alice.swarm.new_stream(connection, [ECHO])).stream
    world.cut("alice", "bob")
    await stream.write(b"said while the path was gone")
    await asyncio.sleep(11)
    assert not connection.is_closed
    world.heal("alice", "bob")
    assert await stream.read_exactly(28) == b"said while the path was gone"
    after = ufrag(connection), ufrag(theirs)
    assert before[0] != after[0]
    assert before[1] != after[1]
    await asyncio.sleep(60)
    assert alice.direct == [connection]
    assert bob.direct == [theirs]
    assert await bob.echoes(alice)
    await close_all(alice, bob)


async def test_without_the_relay_either_the_connection_ends_after_its_grace() -> None:
    world, alice, bob, wire, connection = await connected()
    world.cut("alice", "bob")
    wire.reset()
    await asyncio.wait_for(connection.wait_closed(), 25)
    assert "path" in connection.close_reason
    await asyncio.sleep(30)
    assert bob.direct == []
    await close_all(alice, bob)


async def asked(sdp: str) -> None:
    """Bob is asked to restart by an offer of `sdp`; he has to refuse and stay as he is."""
    _, alice, bob, _, connection = await connected()
    [theirs] = bob.direct
    assert isinstance(theirs, DataChannelConnection)
    known = theirs.remote_sdp
    relayed = next(each for each in alice.swarm.connections() if each.transport == "circuit")
    stream: BufferedStream = (await alice.swarm.new_stream(relayed, [RESTART_PROTOCOL], allow_limited=True)).stream
    await stream.write_message(encode_event(SessionDescription("offer", sdp)))
    with pytest.raises(DarkSwapError):
        await stream.read()
    assert theirs.remote_sdp == known
    assert await alice.echoes(bob)
    assert not connection.is_closed
    await close_all(alice, bob)


async def test_an_offer_with_another_certificate_is_refused() -> None:
    digest = ":".join(["AB"] * 32)
    await asked(f"v=0\r\na=fingerprint:sha-256 {digest}\r\n")


async def test_an_offer_without_certificate_is_refused() -> None:
    await asked("v=0\r\n")
