"""What a peer cannot make a node keep or do by sending much of what costs nothing."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc

import pytest

from darkswap_browser.errors import ConnectionLost, ProtocolViolation, StreamError
from darkswap_browser.net.address_book import AddressBook
from darkswap_browser.net.connection import Direction
from darkswap_browser.net.limits import Limits
from darkswap_browser.net.stream import BufferedStream
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.protocols.channels.inbox import MAX_SLOW_FRAMES, Inbox
from darkswap_browser.protocols.channels.messages import (
    PROTOCOL,
    Ack,
    Close,
    Hello,
    Ping,
    data_header,
    encode_control,
)
from tests.protocols.channels.paths import Node, PathEnd, node
from tests.support.native_identity import identity

LIMITS = Limits(channel_receive_queue=64 * 1024)
A_MESSAGE = data_header(2) + b"\x01x"


class Stranger:
    """A peer that says on its streams what a test wants."""

    def __init__(self, swarm: Swarm, victim: Node) -> None:
        self._swarm = swarm
        self._path = PathEnd(victim.peer, Direction.OUTBOUND, "webrtc", None)
        there = PathEnd(swarm.local_peer, Direction.INBOUND, "webrtc", None)
        self._path.other, there.other = there, self._path
        victim.swarm.add_connection(there)
        swarm.add_connection(self._path)

    async def stream(self, session: int) -> BufferedStream:
        """A stream on which both said HELLO."""
        hello = encode_control(Hello(session.to_bytes(16, "big"), b"", 0, 0, 65536))
        opened = await self._swarm.new_stream(self._path, (PROTOCOL,), first=hello)
        await opened.stream.read_message(LIMITS.channel_control)
        return opened.stream


async def stranger_of(victim: Node) -> Stranger:
    return Stranger(Swarm(await identity("stranger"), LIMITS, AddressBook(LIMITS)), victim)


async def read_all(stream: BufferedStream) -> bytes:
    """What comes until nothing does for a while."""
    data = b""
    while True:
        try:
            async with asyncio.timeout(2):
                data += await stream.read()
        except (TimeoutError, StreamError, ConnectionLost):
            return data


async def test_arrived_pings_of_a_peer_that_reads_nothing_leave_one_answer() -> None:
    victim = await node("victim", LIMITS)
    stream = await (await stranger_of(victim)).stream(1)
    for _ in range(200):
        await stream.write(encode_control(Ping()) * 1_000)
        await asyncio.sleep(0.01)
    # Some went out before the pipe was full.
    assert len(await read_all(stream)) < 700_000


async def test_arrived_closes_in_one_piece_are_answered_by_one_task() -> None:
    victim = await node("victim", LIMITS)
    stream = await (await stranger_of(victim)).stream(1)
    await stream.write(A_MESSAGE + encode_control(Close()) * 100)
    await asyncio.sleep(0.01)
    # It waits until the application took the message.
    assert len([task for task in asyncio.all_tasks() if task.get_name() == "channel close"]) == 1


async def test_replace_session_for_a_peer_that_pings_and_never_answers_ends_the_stream() -> None:
    victim = await node("victim", LIMITS)
    stranger = await stranger_of(victim)
    await stranger.stream(1)
    stream = await stranger.stream(2)
    await stream.write(encode_control(Ping()) * 100)
    async with asyncio.timeout(LIMITS.channel_hello_timeout / 2):
        with pytest.raises((StreamError, ConnectionLost)):
            await stream.read()


async def test_replace_session_again_and_again_with_one_message_in_each_is_bounded_and_told() -> None:
    victim = await node("victim", LIMITS)
    stranger = await stranger_of(victim)
    await (await stranger.stream(0)).write(A_MESSAGE)
    for session in range(1, 31):
        stream = await stranger.stream(session)
        await stream.write(encode_control(Ack(0, 65536)) + A_MESSAGE)
        await asyncio.sleep(0.01)
    (channel,) = victim.channels.all()
    assert victim.discards + len(channel.delivery) == 31
    assert len(channel.delivery) < 12


async def test_empty_messages_of_a_peer_whom_nobody_receives_from_take_little_memory() -> None:
    victim = await node("victim", Limits())
    stream = await (await stranger_of(victim)).stream(1)
    data = data_header(250_000) + bytes(250_000)
    gc.collect()
    tracemalloc.start()
    await stream.write(data)
    await asyncio.sleep(1)
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert kept < 3 * len(data)
    (channel,) = victim.channels.all()
    async with asyncio.timeout(10):
        for _ in range(250_000):
            assert await channel.receive() == b""


def test_inbox_takes_many_small_messages_and_refuses_floods_of_parts_and_control_frames() -> None:
    inbox = Inbox(Limits())
    inbox.grant()
    message = b"\x04\x00\x02ab"
    inbox.receive(message * 10_000)
    assert inbox.take_all() == [b"ab"] * 10_000 and inbox.received == 30_000
    inbox.receive(b"\x03\x01\x00\x00" * MAX_SLOW_FRAMES)
    with pytest.raises(ProtocolViolation):
        inbox.receive(b"\x03\x01\x00\x00" * (MAX_SLOW_FRAMES + 1))
    parts = Inbox(Limits())
    with pytest.raises(ProtocolViolation):
        parts.receive(b"\x02\x00\x7f" * (MAX_SLOW_FRAMES + 1))
