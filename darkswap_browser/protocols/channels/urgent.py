"""Short messages that overtake what a channel has queued: `/darkswap/urgent/1.0.0`, each on a stream of its own.

    opener     unsigned-varint length, 16 bytes of id, the message
    receiver   one byte 01 once the message waits for its application; a reset when it takes none now

A stream of its own waits neither for the messages before it nor for their credit: muxers and SCTP give streams turns.
The id lets a message that was sent again, because its connection died, arrive once.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from darkswap_browser.errors import MessageTooLarge, ProtocolViolation, TimedOut, TooManyRequests
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Connection
from darkswap_browser.net.stream import BufferedStream, close_or_reset
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.protocols.channels.channel import Channel
from darkswap_browser.protocols.channels.listener import ChannelState
from darkswap_browser.wire.framing import frame

URGENT_PROTOCOL = "/darkswap/urgent/1.0.0"
ID_BYTES = 16
TAKEN = b"\x01"
REMEMBERED = 1024
"""Ids of messages that came last: a message is sent again within seconds or never."""


class UrgentMessages:
    """`channel_of` gives the channel with a peer, which may be closed."""

    def __init__(
        self, swarm: Swarm, random: Callable[[int], bytes], channel_of: Callable[[PeerId], Channel | None]
    ) -> None:
        self._swarm = swarm
        self._random = random
        self._channel_of = channel_of
        self._seen: OrderedDict[tuple[PeerId, bytes], None] = OrderedDict()

    def start(self) -> None:
        most = self._swarm.limits.channel_urgent_streams
        self._swarm.handle(URGENT_PROTOCOL, self._accept, allow_limited=True, max_inbound=most)

    def stop(self) -> None:
        self._swarm.unhandle(URGENT_PROTOCOL)

    async def send(self, peer: PeerId, message: bytes) -> None:
        """Return once it waits for the peer's application, before all that the channel brings later.

        Raises:
            MessageTooLarge: Nothing was sent.
            ProtocolUnsupported: The peer has no such lane.
            TimedOut, ConnectionLost, StreamError: It may have arrived; nobody sends it again.
        Cancellation: It may have been sent.
        """
        limits = self._swarm.limits
        if len(message) > limits.channel_urgent:
            raise MessageTooLarge(len(message), limits.channel_urgent)
        first = frame(self._random(ID_BYTES) + message)
        try:
            async with asyncio.timeout(limits.channel_urgent_timeout):
                opened = await self._swarm.new_stream(peer, (URGENT_PROTOCOL,), allow_limited=True, first=first)
                stream = opened.stream
                try:
                    if await stream.read_exactly(1) != TAKEN:
                        raise ProtocolViolation(URGENT_PROTOCOL, "answers what is no answer")
                except BaseException:
                    stream.reset()
                    raise
        except TimeoutError:
            raise TimedOut("an urgent message", limits.channel_urgent_timeout) from None
        await close_or_reset(stream)

    async def _accept(self, connection: Connection, stream: BufferedStream, protocol: str) -> None:
        limits = self._swarm.limits
        data = await stream.read_message(ID_BYTES + limits.channel_urgent)
        if len(data) < ID_BYTES:
            raise ProtocolViolation(protocol, "has no id")
        key, message = (connection.remote_peer, data[:ID_BYTES]), data[ID_BYTES:]
        if key not in self._seen:
            channel = self._channel_of(connection.remote_peer)
            is_open = channel is not None and channel.state is not ChannelState.CLOSED
            if channel is None or not is_open or not channel.delivery.put_urgent(message):
                raise TooManyRequests("urgent messages", limits.channel_urgent_messages)
            self._seen[key] = None
            if len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)
        await stream.write(TAKEN)
        await close_or_reset(stream)
