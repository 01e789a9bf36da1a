"""Two nodes and the paths between them: in-memory connections that a test opens and breaks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from darkswap_browser.errors import ConnectionLost, NoAddress, StreamError
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.address_book import AddressBook
from darkswap_browser.net.connection import CircuitLimit, Connection, Direction, StreamHandler
from darkswap_browser.net.limits import Limits
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.protocols.channels.channel import Channel
from darkswap_browser.protocols.channels.messages import PROTOCOL, Hello, encode_control
from darkswap_browser.protocols.channels.outbox import Undelivered
from darkswap_browser.protocols.channels.service import Channels, Reach
from tests.support.native_identity import identity
from tests.support.pipe import CountingEntropy, PipeEnd, pipe

ADDRESS = Multiaddr.parse("/ip4/10.0.0.1/tcp/1")


class PathEnd:
    """A `Connection` whose streams are pipes; `silent` makes them swallow what is written, without a word."""

    def __init__(self, remote: PeerId, direction: Direction, transport: str, limit: CircuitLimit | None) -> None:
        self.remote_peer = remote
        self.remote_addr = ADDRESS
        self.direction = direction
        self.opened_at = asyncio.get_running_loop().time()
        self.transport = transport
        self.limit = limit
        self.other: PathEnd
        self.ends: list[PipeEnd] = []
        self.close_reason = ""
        self.kind: type[PipeEnd] = PipeEnd
        self._closed = asyncio.Event()
        self._on_stream: StreamHandler | None = None

    @property
    def streams(self) -> int:
        return len([end for end in self.ends if not end.closed])

    @property
    def is_closed(self) -> bool:
        return self._closed.is_set()

    def start(self, on_stream: StreamHandler) -> None:
        self._on_stream = on_stream

    async def open_stream(self) -> PipeEnd:
        if self.is_closed or self.other._on_stream is None:
            raise ConnectionLost()
        here, there = pipe(self.kind)
        self.ends.append(here)
        self.other.ends.append(there)
        self.other._on_stream(there)
        return here

    async def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        for side in (self, self.other):
            for end in side.ends:
                end.reset()
            side._closed.set()

    async def wait_closed(self) -> None:
        await self._closed.wait()

    def stats(self) -> Mapping[str, Any]:
        return {"bytes_sent": 0, "bytes_received": 0}


class Node:
    """A swarm with channels, and everything that its channels told."""

    def __init__(self, swarm: Swarm, limits: Limits, reach: Node | None = None) -> None:
        self.swarm = swarm
        self.told: list[tuple[str, str, str]] = []
        self.progress: list[tuple[int, int]] = []
        self.discards = 0
        self.lost: list[Undelivered] = []
        self.channels = Channels(swarm, CountingEntropy(str(id(self))).bytes, limits, self._reach, self)
        self.channels.start()
        self.reachable: list[Connection] = []
        self._reach_by: Reach | None = None

    @property
    def peer(self) -> PeerId:
        return self.swarm.local_peer

    def changed(self, channel: Channel, reason: str) -> None:
        self.told.append((channel.state, channel.path, reason))

    def progressed(self, channel: Channel, received: int, total: int) -> None:
        self.progress.append((received, total))

    def undelivered(self, channel: Channel, messages: Undelivered) -> None:
        self.lost.append(messages)

    def discarded(self, channel: Channel, count: int) -> None:
        self.discards += count

    def reach_with(self, reach: Reach) -> None:
        """What looks for a connection from now on; without it there is none."""
        self._reach_by = reach

    async def _reach(self, peer: PeerId) -> Connection:
        if self._reach_by is None:
            raise NoAddress(str(peer))
        return await self._reach_by(peer)


async def node(name: str, limits: Limits) -> Node:
    return Node(Swarm(await identity(name), limits, AddressBook(limits)), limits)


async def say_hello(stranger: Swarm, node: Node, hello: Hello) -> None:
    """Connect to `node`, open a channel stream with this HELLO, wait for the answer or the end, and leave for good."""
    here = PathEnd(node.peer, Direction.OUTBOUND, "webrtc", None)
    there = PathEnd(stranger.local_peer, Direction.INBOUND, "webrtc", None)
    here.other, there.other = there, here
    node.swarm.add_connection(there)
    stranger.add_connection(here)
    opened = await stranger.new_stream(here, (PROTOCOL,), first=encode_control(hello))
    try:
        await opened.stream.read_message(1024)
    except (StreamError, ConnectionLost):
        pass
    here.abort()
    await asyncio.sleep(0.01)


class MutePathEnd(PathEnd):
    """On whose streams nothing comes back."""

    async def open_stream(self) -> PipeEnd:
        end = await super().open_stream()
        end.other.cut()
        return end


def connect(
    a: Node, b: Node, transport: str = "webrtc", kind: type[PipeEnd] = PipeEnd, end: type[PathEnd] = PathEnd
) -> PathEnd:
    """A path from `a` to `b`, whose streams are of `kind`; returns the end at `a`."""
    limit = CircuitLimit(120, 1 << 17) if transport == "circuit" else None
    here = end(b.peer, Direction.OUTBOUND, transport, limit)
    there = PathEnd(a.peer, Direction.INBOUND, transport, limit)
    here.other, there.other = there, here
    here.kind = there.kind = kind
    b.swarm.add_connection(there)
    a.swarm.add_connection(here)
    return here
