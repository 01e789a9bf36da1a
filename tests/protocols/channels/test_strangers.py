"""What strangers do to a node's channels: HELLOs that cannot be, and more peers than there is room for."""

from __future__ import annotations

import asyncio

import pytest

from darkswap_browser.errors import DarkSwapError, NoAddress, TooManyRequests
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.address_book import AddressBook
from darkswap_browser.net.connection import Connection
from darkswap_browser.net.limits import Limits
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.protocols.channels.listener import ChannelState
from darkswap_browser.protocols.channels.messages import Hello
from tests.protocols.channels.paths import Node, connect, node, say_hello
from tests.support.native_identity import identity

FEW = Limits(channel_channels=6, channel_channels_of_strangers=3)
GOOD = Hello(bytes(16), b"", 0, 0, 65536)
IMPOSSIBLE = Hello(bytes(16), b"", 5, 0, 65536)
"""Claims to have received five bytes that were never sent."""


async def swarm(name: str) -> Swarm:
    return Swarm(await identity(name), FEW, AddressBook(FEW))


async def accept_from(name: str, victim: Node) -> Node:
    """A peer that opens a channel to `victim` and stays."""
    peer = await node(name, FEW)
    connect(peer, victim)
    await peer.channels.open(victim.peer)
    return peer


async def test_accept_impossible_hello_leaves_no_channel_and_tells_nothing() -> None:
    victim = await node("victim", FEW)
    for number in range(2 * FEW.channel_channels):
        await say_hello(await swarm(f"stranger {number}"), victim, IMPOSSIBLE)
    assert victim.channels.all() == ()
    assert victim.told == []
    friend = await node("friend", FEW)
    connect(victim, friend)
    assert (await victim.channels.open(friend.peer)).state is ChannelState.OPEN


async def test_accept_impossible_hello_of_a_new_session_keeps_the_channel_as_it_was() -> None:
    victim = await node("victim", FEW)
    friend = await accept_from("friend", victim)
    before = list(victim.told)
    await say_hello(friend.swarm, victim, Hello(b"n" * 16, b"", 5, 0, 65536))
    assert victim.told == before
    await (await victim.channels.open(friend.peer)).send(b"still there")
    assert await (await friend.channels.open(victim.peer)).receive() == b"still there"


async def test_accept_strangers_that_left_make_room_for_others() -> None:
    victim = await node("victim", FEW)
    for number in range(2 * FEW.channel_channels):
        await say_hello(await swarm(f"stranger {number}"), victim, GOOD)
    assert len(victim.channels.all()) == FEW.channel_channels_of_strangers
    await accept_from("newcomer", victim)
    assert ChannelState.OPEN in {channel.state for channel in victim.channels.all()}


async def test_accept_more_strangers_than_their_share_refuses_the_last() -> None:
    victim = await node("victim", FEW)
    for number in range(FEW.channel_channels_of_strangers):
        await accept_from(f"stranger {number}", victim)
    with pytest.raises(DarkSwapError):
        await accept_from("one too many", victim)
    for number in range(FEW.channel_channels - FEW.channel_channels_of_strangers):
        friend = await node(f"friend {number}", FEW)
        connect(victim, friend)
        await victim.channels.open(friend.peer)
    with pytest.raises(TooManyRequests):
        await victim.channels.open((await node("no room", FEW)).peer)


async def test_accept_strangers_never_evict_a_channel_that_the_application_sent_on() -> None:
    victim = await node("victim", FEW)
    friend = await node("friend", FEW)
    path = connect(friend, victim)
    await friend.channels.open(victim.peer)
    channel = victim.channels.get(friend.peer)
    await channel.send(b"answer")
    path.abort()
    await asyncio.sleep(0.1)
    await channel.send(b"accepted while resuming")
    for number in range(FEW.channel_channels_of_strangers):
        await accept_from(f"stranger {number}", victim)
    assert victim.channels.get(friend.peer) is channel and channel.state is ChannelState.RECONNECTING
    connect(friend, victim)
    theirs = await friend.channels.open(victim.peer)
    assert [await theirs.receive() for _ in range(2)] == [b"answer", b"accepted while resuming"]


async def test_accept_a_stranger_in_a_full_table_keeps_our_closed_channel_with_unread_messages() -> None:
    victim = await node("victim", FEW)
    friends = [await node(f"friend {number}", FEW) for number in range(FEW.channel_channels)]
    for friend in friends:
        connect(victim, friend)
        await victim.channels.open(friend.peer)
    theirs = await friends[0].channels.open(victim.peer)
    await theirs.send(b"last words")
    await theirs.close()
    with pytest.raises(DarkSwapError):
        await accept_from("stranger", victim)
    assert await victim.channels.get(friends[0].peer).receive() == b"last words"


async def test_open_after_an_earlier_open_was_given_up_searches_again() -> None:
    alice, bob = await node("alice", FEW), await node("bob", FEW)
    slow_dial = asyncio.Event()

    async def reach(peer: PeerId) -> Connection:
        await slow_dial.wait()
        raise NoAddress(str(peer))

    alice.reach_with(reach)
    first = asyncio.create_task(alice.channels.open(bob.peer))
    await asyncio.sleep(1)
    await alice.channels.get(bob.peer).close("disconnected")
    with pytest.raises(DarkSwapError):
        await first
    second = asyncio.create_task(alice.channels.open(bob.peer))
    await asyncio.sleep(1)
    slow_dial.set()
    connect(alice, bob)
    async with asyncio.timeout(60):
        with pytest.raises(NoAddress):
            await second


async def test_open_to_a_stranger_frees_its_place_among_strangers() -> None:
    victim = await node("victim", FEW)
    strangers = [await accept_from(f"stranger {number}", victim) for number in range(FEW.channel_channels_of_strangers)]
    await victim.channels.open(strangers[0].peer)
    await accept_from("newcomer", victim)
    assert len(victim.channels.all()) == FEW.channel_channels_of_strangers + 1


async def test_messages_that_nobody_receives_are_few_and_those_of_earlier_sessions_bounded_and_told() -> None:
    limits = Limits(channel_receive_queue=64 * 1024, channel_unwanted_queue=16 * 1024)
    victim = await node("victim", limits)
    for life in range(12):
        stranger = await node("stranger", limits)
        path = connect(stranger, victim)
        channel = await stranger.channels.open(victim.peer)
        flood = asyncio.create_task(channel.sending.send_batch([b"%d" % life + bytes(1000)] * 500))
        await asyncio.sleep(2)
        flood.cancel()
        await asyncio.sleep(0.01)
        path.abort()
        await asyncio.sleep(0.1)
    waiting = victim.channels.get(stranger.peer).delivery
    assert 0 < sum(len(message) for message in waiting.take()) <= 64 * 1024 + 64 * 1024
    assert victim.discards > 0


async def test_a_message_larger_than_what_comes_unasked_arrives_once_it_is_asked_for() -> None:
    victim, friend = await node("victim", FEW), await node("friend", FEW)
    connect(friend, victim)
    channel = await friend.channels.open(victim.peer)
    await channel.send(bytes(3_000_000))
    await asyncio.sleep(5)
    assert victim.channels.get(friend.peer).receive_queue <= FEW.channel_unwanted_queue
    async with asyncio.timeout(5):
        assert await victim.channels.get(friend.peer).receive() == bytes(3_000_000)
