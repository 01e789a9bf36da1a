"""Ping: is the peer there, and how far away. https://github.com/libp2p/specs/blob/master/ping/ping.md

js opens one stream per ping and aborts the connection when none is answered in time, so the answering side runs on
every connection, limited ones included, and waits for nothing but the stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from darkswap_browser.concurrency.named_locks import NamedLocks
from darkswap_browser.errors import EndOfStream, ProtocolViolation, StreamError, TimedOut
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Connection
from darkswap_browser.net.stream import BufferedStream, close_or_reset
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.net.work import TokenBucket
from darkswap_browser.runtime.base.crypto import Entropy

PING_PROTOCOL = "/ipfs/ping/1.0.0"
PING_SIZE = 32
BURST, RATE = 32, 10.0
"""Answers on one stream at once, and a second: 16 KiB hold 512 pings, and each answer is a write."""


class Ping:
    """Pings a peer by one stream for each round trip, and answers those of others."""

    def __init__(self, swarm: Swarm, entropy: Entropy, seconds: Callable[[], float] | None = None) -> None:
        """`seconds`: a monotonic clock, fine enough for a round trip; None: the loop's (milliseconds in uvloop)."""
        self._swarm = swarm
        self._entropy = entropy
        self._seconds = seconds or asyncio.get_running_loop().time
        self._turns = NamedLocks()

    def start(self) -> None:
        self._swarm.handle(PING_PROTOCOL, self._answer, allow_limited=True, max_inbound=self._swarm.limits.ping_streams)

    def stop(self) -> None:
        self._swarm.unhandle(PING_PROTOCOL)

    async def ping(self, target: PeerId | Connection) -> float:
        """Measure the round-trip time in seconds, negotiation not counted.

        Pings of one peer wait their turn, since peers reset a third stream at once. Those of one connection do not:
        they ask whether it is alive, and must not wait behind others.

        Raises:
            NotConnected, TimedOut, StreamError, ConnectionLost: No answer came.
            ProtocolViolation: The answer is not what was sent.
        Cancellation: Safe; the stream is reset.
        """
        if not isinstance(target, PeerId):
            return await self._measure(target)
        async with self._turns.hold(str(target)):
            return await self._measure(target)

    async def _measure(self, target: PeerId | Connection) -> float:
        limits = self._swarm.limits
        payload = self._entropy.bytes(PING_SIZE)
        negotiated = await self._swarm.new_stream(target, [PING_PROTOCOL], allow_limited=True)
        stream = negotiated.stream
        try:
            async with asyncio.timeout(limits.ping_timeout):
                started = self._seconds()
                await stream.write(payload)
                echo = await stream.read_exactly(PING_SIZE)
                elapsed = self._seconds() - started
        except TimeoutError:
            stream.reset()
            raise TimedOut("ping", limits.ping_timeout) from None
        except BaseException:
            stream.reset()
            raise
        if echo != payload:
            stream.reset()
            raise ProtocolViolation("ping", "the echo differs from what was sent")
        await close_or_reset(stream)
        return elapsed

    async def _answer(self, connection: Connection, stream: BufferedStream, protocol: str) -> None:
        """Echo for as long as the opener goes on: go keeps one stream for all its pings."""
        answers = TokenBucket(BURST, RATE)
        while True:
            try:
                payload = await stream.read_exactly(PING_SIZE)
            except EndOfStream:
                await close_or_reset(stream)
                return
            except StreamError:
                return
            await stream.write(payload)
            if not answers.spend(1, asyncio.get_running_loop().time()):
                await asyncio.sleep(answers.debt)
