"""Receiving from Python: before a peer is there, from whoever comes, and from all at once."""

from __future__ import annotations

import asyncio

import pytest

from darkswap_browser.errors import ObjectClosed, StreamBusy
from tests.api.world import place


async def test_receive_waits_for_a_peer_that_is_not_there_yet() -> None:
    here = await place()
    bob = await here.node("bob")
    alice = await here.node("alice")
    first = asyncio.create_task(bob.receive_webrtc_message(await alice.local_peer_id()))
    await asyncio.sleep(5)
    assert not first.done()
    await alice.send_webrtc_message(await bob.local_peer_id(), b"first")
    assert await first == b"first"
    await asyncio.gather(alice.stop(), bob.stop())


async def test_accept_returns_each_channel_that_a_peer_opened_once() -> None:
    here = await place()
    bob = await here.node("bob")
    peers = [await here.node(name) for name in ("alice", "carol")]
    accepting = asyncio.create_task(bob.accept())
    given_up = asyncio.create_task(bob.accept())
    await asyncio.sleep(1)
    given_up.cancel()
    for peer in peers:
        await peer.send_webrtc_message(await bob.local_peer_id(), b"from " + (await peer.local_peer_id()).encode())
    for channel in (await accepting, await bob.accept()):
        assert await channel.receive() == b"from " + channel.peer.encode()
        await channel.send(b"welcome")
    waiting = asyncio.create_task(bob.accept())
    await asyncio.sleep(1)
    await bob.stop()
    with pytest.raises(ObjectClosed):
        await waiting
    await asyncio.gather(*(peer.stop() for peer in peers))


async def test_iterating_gives_the_messages_of_all_peers_and_loses_none_when_the_loop_is_left() -> None:
    here = await place()
    bob = await here.node("bob")
    peers = [await here.node(name) for name in ("alice", "carol")]
    names = {await peer.local_peer_id() for peer in peers}
    for peer in peers:
        for number in range(3):
            await peer.send_webrtc_message(await bob.local_peer_id(), b"%d" % number)
    got: dict[str, list[bytes]] = {name: [] for name in names}
    for count in (1, 3, 2):
        async for sender, message in bob:
            got[sender].append(message)
            count -= 1
            if not count:
                break
    assert got == {name: [b"0", b"1", b"2"] for name in names}
    rest = asyncio.create_task(_all(bob))
    await asyncio.sleep(1)
    await peers[0].send_webrtc_message(await bob.local_peer_id(), b"last")
    await asyncio.sleep(1)
    await bob.stop()
    assert await rest == [b"last"]
    await asyncio.gather(*(peer.stop() for peer in peers))


async def _all(network: object) -> list[bytes]:
    return [message async for _, message in network]


async def test_iterating_is_busy_while_a_sink_takes_the_messages() -> None:
    here = await place()
    bob = await here.node("bob")
    bob.set_message_sink(lambda peer, messages: None)
    with pytest.raises(StreamBusy):
        async for _ in bob:
            pass
    await bob.stop()
