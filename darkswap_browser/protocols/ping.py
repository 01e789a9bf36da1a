"""Ping: is the peer there, and how far away. https://github.com/libp2p/specs/blob/master/ping/ping.md

js opens one stream per ping and aborts the connection when none is answered in time, so the answering side runs on
every connection, limited ones included, and waits for nothing but the stream.
"""

from __future__ import annotations

import asyncio

from darkswap_browser.errors import EndOfStream, ProtocolViolation, StreamError, TimedOut
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Connection
from darkswap_browser.net.stream import BufferedStream, close_quietly
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.runtime.base import Entropy

PING_PROTOCOL = "/ipfs/ping/1.0.0"
PING_SIZE = 32


class Ping:
    def __init__(self, swarm: Swarm, entropy: Entropy) -> None:
        self._swarm = swarm
        self._entropy = entropy

    def start(self) -> None:
        self._swarm.handle(PING_PROTOCOL, self._answer, on_limited=True, max_inbound=self._swarm.limits.ping_streams)

    def stop(self) -> None:
        self._swarm.unhandle(PING_PROTOCOL)

    async def ping(self, target: PeerId | Connection) -> float:
        """Round-trip time in seconds, negotiation not counted. Raises `NotConnected`, `TimedOut`, `StreamError` …"""
        limits = self._swarm.limits
        payload = self._entropy.bytes(PING_SIZE)
        negotiated = await self._swarm.new_stream(target, [PING_PROTOCOL], allow_limited=True)
        stream = negotiated.stream
        try:
            async with asyncio.timeout(limits.ping_timeout):
                loop = asyncio.get_running_loop()
                started = loop.time()
                await stream.write(payload)
                echo = await stream.read_exactly(PING_SIZE)
                elapsed = loop.time() - started
        except TimeoutError:
            stream.reset()
            raise TimedOut("ping", limits.ping_timeout) from None
        except BaseException:
            stream.reset()
            raise
        if echo != payload:
            stream.reset()
            raise ProtocolViolation("ping", "the echo differs from what was sent")
        await close_quietly(stream)
        return elapsed

    async def _answer(self, connection: Connection, stream: BufferedStream, protocol: str) -> None:
        """Echo for as long as the opener goes on: go keeps one stream for all its pings."""
        while True:
            try:
                payload = await stream.read_exactly(PING_SIZE)
            except EndOfStream:
                await close_quietly(stream)
                return
            except StreamError:
                return
            await stream.write(payload)
