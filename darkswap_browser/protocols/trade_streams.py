"""Links of `/darkswap/trade/1.0.0`: the streams to each peer that a trade goes on with, found again when they break.

A stream carries messages behind their length, of all trades with that peer, in both directions. Either side may open
one at any time; the newest is written to, all are read. Delivery is "maybe": whoever waits for an answer says its last
message again when a link is new.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from darkswap_browser.concurrency.backoff import Backoff
from darkswap_browser.concurrency.tasks import Tasks
from darkswap_browser.errors import (
    ConnectionLost,
    DarkSwapError,
    EndOfStream,
    ResourceLimit,
    StreamClosed,
    StreamError,
)
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Connection
from darkswap_browser.net.rate_limit import Rate, TokenBuckets
from darkswap_browser.net.stream import BufferedStream, close_or_reset
from darkswap_browser.net.swarm import Swarm

TRADE_PROTOCOL = "/darkswap/trade/1.0.0"

ConnectToPeer = Callable[[PeerId, Sequence[str]], Awaitable[Connection]]
"""A connection to a peer, which may be met at these relays (full multiaddrs). Raises `DarkSwapError`."""


class TradeStreamListener(Protocol):
    async def received(self, peer: PeerId, message: bytes) -> None:
        """One message; the next of its stream waits. A `RemoteError` breaks that stream off."""
        ...

    def connected(self, peer: PeerId) -> None:
        """There is a new stream: what was said and not answered may have been lost."""
        ...


class _Link:
    __slots__ = ("found_at", "relays", "search", "streams", "wanted", "writing")

    def __init__(self) -> None:
        self.streams: list[BufferedStream] = []
        self.relays: tuple[str, ...] = ()
        self.wanted = False
        self.found_at = float("-inf")
        self.search: asyncio.Task[None] | None = None
        self.writing = asyncio.Lock()


class TradeStreams:
    def __init__(self, swarm: Swarm, reach: ConnectToPeer, listener: TradeStreamListener) -> None:
        self._swarm = swarm
        self._limits = swarm.limits
        self._reach = reach
        self._listener = listener
        self._links: dict[PeerId, _Link] = {}
        self._tasks = Tasks(swarm.faults.report)
        self._closed = False
        rate = Rate(self._limits.trade_burst, self._limits.trade_interval)
        self._buckets = TokenBuckets(rate, self._limits.connections)

    def start(self) -> None:
        self._swarm.handle(TRADE_PROTOCOL, self._accept, allow_limited=True, max_inbound=self._limits.trade_streams)

    def close_nowait(self) -> None:
        """Drop every stream and let no other begin, without waiting; what was not sent yet is lost. Idempotent."""
        for stream in self._end():
            stream.reset()

    async def close(self) -> None:
        """End every stream behind what was written to it, let no other begin, and wait for our tasks. Idempotent.

        Cancellation: Safe; streams that were not ended by then are dropped.
        """
        streams = self._end()
        try:
            while streams:
                await close_or_reset(streams[-1])
                streams.pop()
        finally:
            for stream in streams:
                stream.reset()
        await self._tasks.close()

    def _end(self) -> list[BufferedStream]:
        """The streams that are left to be closed or reset."""
        if not self._closed:
            self._closed = True
            self._swarm.unhandle(TRADE_PROTOCOL)
        self._tasks.cancel()
        links = list(self._links.values())
        self._links.clear()
        return [stream for link in links for stream in link.streams]

    # --- peers

    def require(self, peer: PeerId, relays: Sequence[str]) -> None:
        """Look for a way to `peer` whenever there is none, until `release`."""
        link = self._link(peer)
        if not link.wanted:
            self._swarm.ours.begin(peer)
        link.wanted, link.relays = True, tuple(relays) or link.relays
        self._look(peer, link)

    def release(self, peer: PeerId) -> None:
        """No trade with it goes on."""
        link = self._links.get(peer)
        if link is not None:
            if link.wanted:
                self._swarm.ours.end(peer)
            link.wanted = False
            self._forget(peer, link)

    async def send(self, peer: PeerId, message: bytes) -> bool:
        """Whether a stream took it; if not, `connected` tells when there is one again."""
        link = self._link(peer)
        async with link.writing:
            while link.streams:
                stream = link.streams[-1]
                try:
                    async with asyncio.timeout(self._limits.trade_write_timeout):
                        await stream.write_message(message)
                    return True
                except (StreamError, ConnectionLost, TimeoutError):
                    stream.reset()
                    self._drop(peer, link, stream)
        self._look(peer, link)
        self._forget(peer, link)
        return False

    def _link(self, peer: PeerId) -> _Link:
        return self._links.setdefault(peer, _Link())

    def _drop(self, peer: PeerId, link: _Link, stream: BufferedStream) -> None:
        if stream in link.streams:
            link.streams.remove(stream)
        self._look(peer, link)
        self._forget(peer, link)

    def _forget(self, peer: PeerId, link: _Link) -> None:
        if not (link.wanted or link.streams or link.search) and self._links.get(peer) is link:
            del self._links[peer]

    # --- ways

    def _look(self, peer: PeerId, link: _Link) -> None:
        if link.wanted and not link.streams and link.search is None and not self._closed:
            link.search = self._tasks.spawn(self._find(peer, link), "trade link")

    async def _find(self, peer: PeerId, link: _Link) -> None:
        backoff = Backoff(self._limits.trade_retry_first, self._limits.trade_retry_max)
        loop = asyncio.get_running_loop()
        known = self._swarm.best_connection(peer)
        try:
            # Back off after success too: a peer may reset every new stream.
            await asyncio.sleep(max(link.found_at + self._limits.trade_retry_first - loop.time(), 0))
            while link.wanted and not link.streams:
                try:
                    async with asyncio.timeout(self._limits.trade_reach_timeout):
                        stream = await self._open(known or await self._reach(peer, link.relays))
                except (DarkSwapError, TimeoutError):
                    # A connection of a page that was reloaded looks alive for a while: by another way, then.
                    known = None
                    await asyncio.sleep(backoff.wait())
                else:
                    link.found_at = loop.time()
                    self._tasks.spawn(self._serve(peer, stream), "trade stream")
                    return
        finally:
            link.search = None
            self._forget(peer, link)

    async def _open(self, connection: Connection) -> BufferedStream:
        return (await self._swarm.new_stream(connection, (TRADE_PROTOCOL,), allow_limited=True)).stream

    # --- streams

    async def _accept(self, connection: Connection, stream: BufferedStream, protocol: str) -> None:
        await self._read(connection.remote_peer, stream)

    async def _serve(self, peer: PeerId, stream: BufferedStream) -> None:
        """A stream that we opened: whatever ends it ends only this."""
        try:
            await self._read(peer, stream)
        except EndOfStream:
            await close_or_reset(stream)
        except DarkSwapError:
            stream.reset()

    async def _read(self, peer: PeerId, stream: BufferedStream) -> None:
        link = self._link(peer)
        link.streams.append(stream)
        self._listener.connected(peer)
        try:
            while True:
                message = await stream.read_message(self._limits.trade_message)
                if not self._buckets.take(peer, asyncio.get_running_loop().time()):
                    raise ResourceLimit("trade messages", self._limits.trade_burst)
                await self._listener.received(peer, message)
        except StreamClosed:
            # By `close`: whoever called this must not reset it, what was written is still on its way.
            if not self._closed:
                raise
        finally:
            self._drop(peer, link, stream)
