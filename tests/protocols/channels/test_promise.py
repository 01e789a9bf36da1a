"""What `send` promises: delivered once and in order, or told, whatever becomes of the peer and of every path to it."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from darkswap_browser.errors import ConnectionLost, MessageUndelivered
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.address_book import AddressBook
from darkswap_browser.net.connection import Connection, Direction
from darkswap_browser.net.limits import Limits
from darkswap_browser.net.stream import BufferedStream
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.protocols.channels.channel import Channel
from darkswap_browser.protocols.channels.listener import ChannelState
from darkswap_browser.protocols.channels.messages import PROTOCOL, Hello, Restart, decode_control, encode_control
from tests.protocols.channels.paths import MutePathEnd, Node, PathEnd, connect, node
from tests.support.native_identity import identity
from tests.support.pipe import PipeEnd, PromptPipeEnd

LIMITS = Limits()


async def pair() -> tuple[Node, Node]:
    return await node("alice", LIMITS), await node("bob", LIMITS)


async def test_sends_to_a_peer_that_was_never_reached_wait_and_are_refused_with_the_channel():
    alice, bob = await pair()

    async def reach(peer: PeerId) -> Connection:
        await asyncio.sleep(5)
        raise ConnectionLost("relay", "does not answer")

    alice.reach_with(reach)
    channel = alice.channels.begin(bob.peer)
    assert channel.try_send(b"not accepted") == 0
    sending = [asyncio.create_task(channel.send(b"%d" % number)) for number in range(4)]
    await asyncio.sleep(LIMITS.channel_connect_timeout - 1)
    assert not any(send.done() for send in sending)
    await asyncio.sleep(15)
    assert all(isinstance(send.exception(), ConnectionLost) for send in sending)
    assert alice.lost == []


async def restarted(alice: Node, *, unread: int, unsent: int) -> tuple[Channel, Node]:
    """bob, who leaves `unread` messages of alice, dies; she sends `unsent` more; then he comes back anew."""
    bob = await node("bob", LIMITS)
    path = connect(alice, bob)
    channel = await alice.channels.open(bob.peer)
    await channel.send(b"read")
    assert await bob.channels.get(alice.peer).receive() == b"read"
    await asyncio.sleep(1)
    for number in range(unread):
        await channel.send(b"unread %d" % number)
    await asyncio.sleep(1)
    path.abort()
    await asyncio.sleep(1)
    for number in range(unsent):
        await channel.send(b"unsent %d" % number)
    again = await node("bob", LIMITS)
    connect(again, alice)
    return channel, again


async def test_a_peer_that_restarts_gets_what_was_never_written_and_the_rest_is_told():
    alice = await node("alice", LIMITS)
    channel, again = await restarted(alice, unread=3, unsent=3)
    await channel.send(b"last")
    theirs = await again.channels.open(alice.peer)
    assert [await theirs.receive() for _ in range(4)] == [b"unsent 0", b"unsent 1", b"unsent 2", b"last"]
    assert [(list(lost.ids), lost.maybe_delivered) for lost in alice.lost] == [([2, 3, 4], True)]


async def test_waiting_for_delivery_ends_when_the_application_took_the_message_or_with_its_loss():
    alice, bob = await pair()
    path = connect(alice, bob)
    channel = await alice.channels.open(bob.peer)
    taken = asyncio.create_task(channel.send(b"taken", delivered=True))
    await asyncio.sleep(5)
    assert not taken.done()
    assert await bob.channels.get(alice.peer).receive() == b"taken"
    assert await taken == 1
    lost = asyncio.create_task(channel.send(b"lost", delivered=True))
    await asyncio.sleep(1)
    path.abort()
    connect(await node("bob", LIMITS), alice)
    with pytest.raises(MessageUndelivered) as caught:
        await lost
    assert (caught.value.number, caught.value.maybe_delivered) == (2, True)


@pytest.mark.parametrize("minutes", [2, 10])
async def test_messages_accepted_without_a_path_are_kept_for_as_long_as_it_takes(minutes):
    alice, bob = await pair()
    path = connect(alice, bob)
    channel = await alice.channels.open(bob.peer)
    theirs = await bob.channels.open(alice.peer)
    path.abort()
    for number in range(10):
        await channel.send(b"%d" % number)
        await theirs.send(b"%d" % number)
    await asyncio.sleep(60 * minutes)
    assert channel.state is ChannelState.RECONNECTING
    connect(alice, bob)
    async with asyncio.timeout(10):
        assert [await theirs.receive() for _ in range(10)] == [b"%d" % number for number in range(10)]
        assert [await channel.receive() for _ in range(10)] == [b"%d" % number for number in range(10)]
    assert alice.lost == bob.lost == []


async def test_a_channel_that_ends_tells_what_was_accepted_and_not_acknowledged():
    alice, bob = await pair()
    path = connect(alice, bob)
    channel = await alice.channels.open(bob.peer)
    await channel.send(b"written")
    await asyncio.sleep(1)
    path.abort()
    await asyncio.sleep(1)
    await channel.send(b"unwritten")
    await channel.close()
    assert [(list(lost.ids), lost.maybe_delivered) for lost in alice.lost] == [([1], True), ([2], False)]


async def test_a_page_that_left_and_comes_back_goes_on_with_its_session():
    alice, bob = await pair()
    path = connect(alice, bob, kind=PromptPipeEnd)
    channel = await alice.channels.open(bob.peer)
    await channel.send(b"before")
    await asyncio.sleep(1)
    theirs = bob.channels.get(alice.peer)
    alice.channels.leave("leaving")
    path.abort()
    await asyncio.sleep(1)
    assert (theirs.state, bob.told[-1]) == (ChannelState.CLOSED, ("closed", "none", "leaving"))
    await channel.send(b"after")
    connect(alice, bob)
    await asyncio.sleep(10)
    theirs = bob.channels.get(alice.peer)
    assert theirs.state is ChannelState.OPEN
    assert [await theirs.receive(), await theirs.receive()] == [b"before", b"after"]
    assert alice.lost == []


async def test_what_waits_for_a_page_that_left_goes_to_the_page_that_comes_back():
    alice, bob = await pair()
    path = connect(alice, bob, kind=PromptPipeEnd)
    channel = await alice.channels.open(bob.peer)
    await channel.send(b"unread")
    await asyncio.sleep(1)
    bob.channels.leave("leaving")
    await asyncio.sleep(0.01)
    path.abort()
    assert channel.state is ChannelState.RECONNECTING
    await channel.send(b"unsent")
    connect(again := await node("bob", LIMITS), alice)
    await asyncio.sleep(5)
    assert await (await again.channels.open(alice.peer)).receive() == b"unsent"
    assert [list(lost.ids) for lost in alice.lost] == [[1]]


@pytest.mark.parametrize("first", ["alice", "bob"])
async def test_what_was_told_as_undelivered_is_not_sent_when_a_page_that_left_comes_back(first: str):
    alice, bob = await pair()
    path = connect(alice, bob, kind=PromptPipeEnd)
    channel = await alice.channels.open(bob.peer)
    await channel.send(b"unread")
    await asyncio.sleep(1)
    bob.channels.leave("leaving")
    await asyncio.sleep(0.01)
    path.abort()
    await channel.send(b"unwritten")
    await channel.close()
    assert [(list(lost.ids), lost.maybe_delivered) for lost in alice.lost] == [([1], True), ([2], False)]
    opener, other = (alice, bob) if first == "alice" else (bob, alice)
    connect(opener, other)
    await opener.channels.open(other.peer)
    await (await alice.channels.open(bob.peer)).send(b"new")
    await asyncio.sleep(10)
    assert bob.channels.get(alice.peer).delivery.take() == [b"unread", b"new"]


async def test_what_a_peer_took_that_ended_before_its_answer_arrived_is_not_sent_to_the_one_after_it():
    alice, bob = await pair()
    path = connect(alice, bob, end=MutePathEnd)
    sending = asyncio.create_task(alice.channels.begin(bob.peer).send(b"first"))
    await asyncio.sleep(1)
    theirs = bob.channels.get(alice.peer)
    taken = theirs.delivery.take()
    path.abort()
    again = await node("bob", LIMITS)
    connect(again, alice)
    await sending
    await asyncio.sleep(5)
    taken += (await again.channels.open(alice.peer)).delivery.take()
    assert (taken, alice.lost) == ([b"first"], [])


@pytest.mark.parametrize("first", ["alice", "bob"])
async def test_peer_says_to_a_sender_that_began_anew_what_it_took_of_the_session_before(first: str):
    alice, bob = await pair()
    path = connect(alice, bob)
    channel = await alice.channels.open(bob.peer)
    session = channel.machine.session
    for number in range(3):
        await channel.send(b"%d" % number)
    theirs = bob.channels.get(alice.peer)
    assert [await theirs.receive(), await theirs.receive()] == [b"0", b"1"]
    path.abort()
    again = await node("alice", LIMITS)
    connect(*((again, bob) if first == "alice" else (bob, again)))
    channel = await again.channels.open(bob.peer)
    await asyncio.sleep(5)
    assert channel.machine.told == (session, 2)
    # It waited for its application, before what comes of the new session.
    await channel.send(b"3")
    assert [await theirs.receive(), await theirs.receive()] == [b"2", b"3"]


async def test_a_peer_that_answers_the_first_hello_with_restart_makes_nothing_told_that_was_not_accepted():
    alice = await node("alice", LIMITS)
    peer = Swarm(await identity("peer"), LIMITS, AddressBook(LIMITS))
    count = itertools.count()
    got = asyncio.get_running_loop().create_future()

    async def serve(connection: Connection, stream: BufferedStream, protocol: str) -> None:
        hello = decode_control(await stream.read_message(1024))
        assert isinstance(hello, Hello)
        is_first = next(count) == 0
        await stream.write(encode_control(Restart() if is_first else Hello(b"e" * 16, hello.session, 0, 0, 65536)))
        if not is_first:
            data = b""
            while b"message" not in data:
                data += await stream.read()
            got.set_result(data)
            await asyncio.sleep(100)

    peer.handle(PROTOCOL, serve)
    there = PathEnd(alice.peer, Direction.INBOUND, "webrtc", None)
    here = PathEnd(peer.local_peer, Direction.OUTBOUND, "webrtc", None)
    here.other, there.other = there, here
    peer.add_connection(there)
    alice.swarm.add_connection(here)
    async with asyncio.timeout(20):
        number = await alice.channels.begin(peer.local_peer).send(b"message")
        await got
    assert (number, alice.lost) == (1, [])


class SlowPipeEnd(PipeEnd):
    delay = 1.0
    quick_writes = 0

    async def write(self, data: bytes) -> None:
        self.quick_writes -= 1
        if self.quick_writes < 0:
            await asyncio.sleep(self.delay)
        await super().write(data)


class SlowAnswersPathEnd(PathEnd):
    async def open_stream(self) -> PipeEnd:
        self.kind = SlowPipeEnd
        end = await super().open_stream()
        assert isinstance(end, SlowPipeEnd) and isinstance(end.other, SlowPipeEnd)
        end.delay, end.other.delay = 0.0, 4.0
        end.other.quick_writes = 1  # of the protocol's negotiation
        return end


async def test_a_page_that_came_back_takes_a_quicker_path_before_its_peer_is_sure_of_it():
    peers = {(await node(name, LIMITS)).peer: name for name in ("alice", "bob")}
    # The one with the smaller id does not wait before it takes the better path.
    first, second = (peers[peer] for peer in sorted(peers))
    before, other = await node(first, LIMITS), await node(second, LIMITS)
    path = connect(before, other)
    await (await before.channels.open(other.peer)).send(b"before")
    await asyncio.sleep(1)
    path.abort()
    again = await node(first, LIMITS)
    connect(again, other, "circuit", kind=SlowPipeEnd)
    channel = await again.channels.open(other.peer)
    for number in range(3):
        await channel.send(b"%d" % number)
    # On it HELLO overtakes the ACK that makes the other side sure.
    connect(again, other, end=SlowAnswersPathEnd)
    await asyncio.sleep(30)
    await channel.send(b"last")
    await asyncio.sleep(5)
    assert other.channels.get(again.peer).delivery.take() == [b"before", b"0", b"1", b"2", b"last"]
    assert again.lost == []
