"""Protocols of an application's own, as the README tells, through a relay that limits its circuits."""

from __future__ import annotations

import pytest

from darkswap_browser import BufferedStream, Connection, PeerId
from darkswap_browser.errors import InvalidArgument, StreamReset, Unsupported
from tests.api.world import place

ECHO = "/my/echo/1.0.0"


async def echo(connection: Connection, stream: BufferedStream, protocol: str) -> None:
    await stream.write(await stream.read())
    await stream.close()


async def test_a_protocol_runs_over_a_limited_connection_where_both_ends_allow_it():
    here = await place()
    alice, bob = await here.node("alice", direct=False), await here.node("bob", direct=False)
    peer = await bob.local_peer_id()
    assert (await alice.connect(peer)).limit is not None
    swarm, theirs = await alice.swarm(), await bob.swarm()
    theirs.handle(ECHO, echo, allow_limited=True)
    for target in (peer, PeerId.parse(peer)):
        opened = await swarm.new_stream(target, [ECHO], allow_limited=True)
        await opened.stream.write(b"hello")
        assert await opened.stream.read() == b"hello"
    with pytest.raises(Unsupported) as caught:
        await swarm.new_stream(peer, [ECHO])
    assert "allow_limited=True" in caught.value.hint
    theirs.unhandle(ECHO)
    theirs.handle(ECHO, echo)
    with pytest.raises(StreamReset):
        await (await swarm.new_stream(peer, [ECHO], allow_limited=True)).stream.read()
    with pytest.raises(InvalidArgument):
        await swarm.new_stream("nobody", [ECHO])
    await alice.stop()
    await bob.stop()
