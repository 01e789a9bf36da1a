"""Channels between two nodes in virtual time: paths appear, break, and are replaced; no message minds."""

from __future__ import annotations

import asyncio

import pytest

from darkswap_browser.errors import (
    EndOfStream,
    MessageTooLarge,
    NoAddress,
    StreamBusy,
    StreamClosed,
)
from darkswap_browser.net.limits import Limits
from darkswap_browser.protocols.channels.listener import ChannelState
from tests.protocols.channels.paths import Node, connect, node

LIMITS = Limits()
SMALL = Limits(channel_send_queue=64 * 1024, channel_receive_queue=64 * 1024)


async def pair(limits: Limits = LIMITS) -> tuple[Node, Node]:
    return await node("alice", limits), await node("bob", limits)


async def test_messages_keep_their_edges_and_their_order():
    alice, bob = await pair()
    connect(alice, bob)
    channel = await alice.channels.open(bob.peer)
    sent = [b"", b"one", bytes(1000), bytes(range(256)) * 1000, b"last"]
    for message in sent:
        await channel.send(message)
    theirs = await bob.channels.open(alice.peer)
    assert [await theirs.receive() for _ in sent] == sent
    await theirs.send(b"back")
    assert await channel.receive() == b"back"


async def test_messages_sent_before_the_channel_is_open_go_out_as_soon_as_the_peer_answers():
    alice, bob = await pair()
    connect(alice, bob)
    channel = alice.channels.begin(bob.peer)
    assert await channel.send(b"early") == 1
    assert await bob.channels.get(alice.peer).receive() == b"early"


async def test_the_largest_message_arrives_whole_and_tells_its_progress():
    alice, bob = await pair()
    connect(alice, bob)
    channel = await alice.channels.open(bob.peer)
    message = bytes(range(256)) * (LIMITS.channel_message // 256)
    seen: list[int] = []
    await channel.send(message, lambda done, total: seen.append(done))
    assert await bob.channels.get(alice.peer).receive() == message
    await asyncio.sleep(1)
    assert seen == sorted(seen)
    assert seen[-1] == len(message)
    assert bob.progress
    with pytest.raises(MessageTooLarge):
        await channel.send(message + b"x")


async def test_a_slow_reader_stops_the_sender():
    alice, bob = await pair(SMALL)
    connect(alice, bob)
    channel = await alice.channels.open(bob.peer)
    sent = 0

    async def flood() -> None:
        nonlocal sent
        for _ in range(1000):
            await channel.send(bytes(1000))
            sent += 1

    flooding = asyncio.create_task(flood())
    await asyncio.sleep(60)
    assert not flooding.done()
    assert sent < 600
    theirs = bob.channels.get(alice.peer)
    for _ in range(1000):
        await theirs.receive()
    await flooding


async def test_senders_that_wait_are_served_in_their_order():
    alice, bob = await pair(SMALL)
    connect(alice, bob)
    channel = await alice.channels.open(bob.peer)
    tasks = [asyncio.create_task(channel.send(bytes((n,)) * 5000)) for n in range(100)]
    await asyncio.sleep(1)
    tasks[99].cancel()
    theirs = bob.channels.get(alice.peer)
    assert [(await theirs.receive())[0] for _ in range(99)] == list(range(99))
    assert all(task.done() for task in tasks)


async def test_a_sink_gets_every_message_in_batches_and_may_ask_for_time():
    alice, bob = await pair()
    connect(alice, bob)
    channel = await alice.channels.open(bob.peer)
    await asyncio.sleep(1)
    theirs = bob.channels.get(alice.peer)
    batches: list[list[bytes]] = []

    async def digest() -> None:
        await asyncio.sleep(1)

    def sink(messages: list[bytes]) -> object:
        batches.append(messages)
        return digest()

    theirs.deliver_to(sink)
    with pytest.raises(StreamBusy):
        await theirs.receive()
    await channel.sending.send_batch([b"%d" % n for n in range(500)])
    await asyncio.sleep(10)
    assert sum(batches, []) == [b"%d" % n for n in range(500)]
    assert len(batches) < 5


async def test_both_open_at_once_and_share_one_channel():
    alice, bob = await pair()
    connect(alice, bob)
    for_bob, for_alice = await asyncio.gather(alice.channels.open(bob.peer), bob.channels.open(alice.peer))
    await for_bob.send(b"from alice")
    await for_alice.send(b"from bob")
    assert await for_alice.receive() == b"from alice"
    assert await for_bob.receive() == b"from bob"
    assert len([told for told in alice.told if told[0] == "open"]) == 1


@pytest.mark.parametrize("second", ["webrtc", "circuit"])
async def test_nothing_is_lost_when_the_path_dies_under_load(second):
    alice, bob = await pair(SMALL)
    first = connect(alice, bob)
    channel = await alice.channels.open(bob.peer)
    theirs = await bob.channels.open(alice.peer)

    async def flood(who, mark):
        for n in range(800):
            await who.send(mark + n.to_bytes(2, "big") + bytes(n % 700))

    async def drain(who, mark):
        for n in range(800):
            message = await who.receive()
            assert message[:3] == mark + n.to_bytes(2, "big")
            if n % 100 == 0:
                await asyncio.sleep(0.1)

    async def break_it():
        for _ in range(3):
            await asyncio.sleep(0.15)
            old = alice.swarm.connections(bob.peer)[0]
            connect(alice, bob, second)
            old.abort()

    await asyncio.gather(
        flood(channel, b"a"), flood(theirs, b"b"), drain(theirs, b"a"), drain(channel, b"b"), break_it()
    )
    assert first.is_closed
    assert channel.state is ChannelState.OPEN


async def test_a_channel_climbs_from_a_relayed_to_a_direct_path():
    alice, bob = await pair()
    connect(alice, bob, "circuit")
    channel = await alice.channels.open(bob.peer)
    assert channel.path == "relayed"
    assert channel.limit is not None
    for n in range(100):
        await channel.send(b"%d" % n)
    connect(alice, bob, "webrtc")
    for n in range(100, 200):
        await channel.send(b"%d" % n)
    await asyncio.sleep(3)
    assert channel.path == "direct"
    assert bob.channels.get(alice.peer).path == "direct"
    theirs = bob.channels.get(alice.peer)
    assert [await theirs.receive() for _ in range(200)] == [b"%d" % n for n in range(200)]


async def test_a_peer_that_reloads_starts_afresh_and_the_node_talks_to_the_new_one():
    alice, bob = await pair()
    old = connect(alice, bob)
    channel = await alice.channels.open(bob.peer)
    theirs = await bob.channels.open(alice.peer)
    await theirs.send(b"before")
    await asyncio.sleep(1)
    again = await node("bob", LIMITS)
    old.abort()
    connect(again, alice)
    fresh = await again.channels.open(alice.peer)
    await fresh.send(b"after")
    assert await channel.receive() == b"before"
    assert await channel.receive() == b"after"
    await channel.send(b"welcome back")
    assert await fresh.receive() == b"welcome back"
    assert ("reconnecting", "none", "peer restarted") in alice.told


async def test_a_node_that_forgot_the_session_says_so_and_both_begin_anew():
    alice, bob = await pair()
    old = connect(alice, bob)
    channel = await alice.channels.open(bob.peer)
    await bob.channels.open(alice.peer)
    again = await node("bob", LIMITS)
    old.abort()
    connect(alice, again)
    await asyncio.sleep(5)
    assert channel.state is ChannelState.OPEN
    await channel.send(b"hello again")
    assert await (await again.channels.open(alice.peer)).receive() == b"hello again"


async def test_closing_delivers_what_was_accepted():
    alice, bob = await pair()
    connect(alice, bob)
    channel = await alice.channels.open(bob.peer)
    for n in range(50):
        await channel.send(b"%d" % n)
    await channel.close("done")
    theirs = bob.channels.get(alice.peer)
    assert [await theirs.receive() for _ in range(50)] == [b"%d" % n for n in range(50)]
    with pytest.raises(EndOfStream):
        await theirs.receive()
    with pytest.raises(StreamClosed):
        await channel.send(b"late")
    with pytest.raises(EndOfStream):
        await theirs.send(b"late")
    assert ("closed", "none", "done") in bob.told


async def test_a_closed_channel_can_be_opened_again():
    alice, bob = await pair()
    connect(alice, bob)
    channel = await alice.channels.open(bob.peer)
    await channel.send(b"unread")
    await channel.close()
    channel = await alice.channels.open(bob.peer)
    await channel.send(b"second life")
    await asyncio.sleep(1)
    theirs = bob.channels.get(alice.peer)
    assert [await theirs.receive(), await theirs.receive()] == [b"unread", b"second life"]


async def test_a_peer_that_never_comes_back_ends_a_channel_in_which_nothing_waits():
    alice, bob = await pair()
    path = connect(alice, bob)
    channel = await alice.channels.open(bob.peer)
    receiving = asyncio.create_task(channel.receive())
    path.abort()
    await asyncio.sleep(LIMITS.channel_idle_timeout + LIMITS.channel_resume_max + 1)
    assert channel.state is ChannelState.CLOSED
    with pytest.raises(NoAddress):
        await receiving


async def test_opening_without_any_path_fails_with_the_reason():
    alice, bob = await pair()
    with pytest.raises(NoAddress):
        await alice.channels.open(bob.peer)


async def test_a_peer_that_breaks_the_rules_ends_its_channel_only():
    alice, bob = await pair()
    connect(alice, bob)
    channel = await alice.channels.open(bob.peer)
    await asyncio.sleep(1)
    await channel.link.stream.write(b"\xff\xff\x7f")
    await asyncio.sleep(1)
    assert any(state == "closed" and "malformed" in reason for state, _, reason in bob.told)
    assert bob.swarm.connections(alice.peer)


async def test_stopping_closes_every_channel_politely():
    alice, bob = await pair()
    connect(alice, bob)
    channel = await alice.channels.open(bob.peer)
    await channel.send(b"last words")
    await alice.channels.close()
    theirs = bob.channels.get(alice.peer)
    assert await theirs.receive() == b"last words"
    with pytest.raises(EndOfStream):
        await theirs.receive()
