"""Identify: each side tells the other who it is as soon as they are connected, and again when something changes.

js opens no other stream to a peer that has not answered, so this runs on every connection, limited ones included.
What a peer says of itself ends in the address book and in `PeerIdentified`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable

from darkswap_browser.concurrency.tasks import Tasks
from darkswap_browser.errors import (
    DarkSwapError,
    EndOfStream,
    MalformedMessage,
    ProtocolViolation,
    TooManyRequests,
    Unsupported,
)
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId, PublicKey
from darkswap_browser.identity.peer_record import open_peer_record, seal_peer_record
from darkswap_browser.net.connection import Connection
from darkswap_browser.net.events import AddressesChanged, ConnectionOpened, Event, PeerIdentified, ProtocolsChanged
from darkswap_browser.net.rate_limit import Rate, TokenBuckets
from darkswap_browser.net.reach import usable
from darkswap_browser.net.stream import BufferedStream, close_or_reset
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.protocols.identify.messages import (
    IDENTIFY_PROTOCOL,
    PROTOCOL_VERSION,
    PUSH_PROTOCOL,
    IdentifyMessage,
    decode_identify,
    encode_within,
    merge,
)
from darkswap_browser.runtime.base.host import Runtime

PUSH_DELAY = 0.25
"""Seconds in which changes are gathered into one push: a reservation changes addresses several times in a row."""
PUSH_STREAMS = 32
"""Pushes at once. js uses the same number."""
REQUESTS = Rate(20, 1.0)
"""Questions of one peer, and its pushes: each takes us a signature check or an answer of 4 KiB. Honest peers ask once
for each connection, and tell changes of their addresses, gathered."""
ADDRESS_BYTES = 1400
"""Of own addresses in one message. They stand in it twice, once in the record, and all must fit 4 KiB."""
PURPOSEFUL = ("circuit", "webrtc")
"""Transports whose connections somebody waits for: for signaling, or for a channel."""
SEQUENCE_KEY = "identify/record-sequence"


class Identify:
    """`agent`: what we call ourselves, "darkswap-browser/<version>"."""

    def __init__(self, swarm: Swarm, agent: str, runtime: Runtime) -> None:
        self._swarm = swarm
        self._agent = agent
        self.facts: tuple[str, ...] = ()
        """Protocol ids told beside those of the swarm, which tell a fact and have no handler."""
        self._runtime = runtime
        self._limits = swarm.limits
        self._record: tuple[tuple[Multiaddr, ...], bytes] | None = None
        self._sealing = asyncio.Lock()
        self._sequence = 0
        self._sequence_loaded = False
        self._seen: OrderedDict[PeerId, int] = OrderedDict()
        """Highest record sequence of each peer."""
        self._asked = TokenBuckets(REQUESTS, self._limits.connections)
        self._told = TokenBuckets(REQUESTS, self._limits.connections)
        self._unsubscribe: Callable[[], None] | None = None
        self._tasks = Tasks(swarm.faults.report)
        self._push_due: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Answer, ask on each new connection, and push changes."""
        self._swarm.handle(IDENTIFY_PROTOCOL, self._answer, allow_limited=True, max_inbound=2)
        self._swarm.handle(PUSH_PROTOCOL, self._receive_push, allow_limited=True, max_inbound=2)
        self._unsubscribe = self._swarm.subscribe(self._on_event)
        for connection in self._swarm.connections():
            self._tasks.spawn(self._ask(connection, 0.0), "identify")

    async def close(self) -> None:
        """Idempotent.

        Cancellation: Safe; everything was told to end before the first await.
        """
        self.abort()
        await self._tasks.close()

    def abort(self) -> None:
        """As `close`, without waiting."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
            self._swarm.unhandle(IDENTIFY_PROTOCOL)
            self._swarm.unhandle(PUSH_PROTOCOL)
        if self._push_due is not None:
            self._push_due.cancel()
        self._tasks.cancel()

    async def identify(self, connection: Connection) -> IdentifyMessage:
        """Ask now and take note. Raises `RemoteError`, `StreamError`, `TimeoutError` …"""
        async with asyncio.timeout(self._limits.identify_timeout):
            negotiated = await self._swarm.new_stream(connection, [IDENTIFY_PROTOCOL], allow_limited=True)
            message = await self._read(negotiated.stream)
            await self._learn(connection, message)
        return message

    # --- events

    def _on_event(self, event: Event) -> None:
        if isinstance(event, ConnectionOpened):
            hurry = event.connection.transport not in PURPOSEFUL
            self._tasks.spawn(self._ask(event.connection, 0.0 if hurry else self._limits.identify_delay), "identify")
        elif isinstance(event, AddressesChanged | ProtocolsChanged) and self._push_due is None:
            self._push_due = asyncio.get_running_loop().call_later(PUSH_DELAY, self._push)

    async def _ask(self, connection: Connection, delay: float) -> None:
        await asyncio.sleep(delay)
        if connection.is_closed:
            return
        try:
            await self.identify(connection)
        except (DarkSwapError, TimeoutError):
            return  # a peer that does not say who it is stays usable for whoever knows what it speaks

    # --- telling

    async def _answer(self, connection: Connection, stream: BufferedStream, protocol: str) -> None:
        if not self._asked.take(connection.remote_peer, asyncio.get_running_loop().time()):
            raise TooManyRequests("identify requests", REQUESTS.burst)
        async with asyncio.timeout(self._limits.identify_timeout):
            await stream.write(await self._message_for(connection))
        await close_or_reset(stream)

    def _push(self) -> None:
        self._push_due = None
        slots = asyncio.Semaphore(PUSH_STREAMS)
        for connection in self._swarm.connections():
            if PUSH_PROTOCOL in self._swarm.address_book.protocols(connection.remote_peer):
                self._tasks.spawn(self._push_to(connection, slots), "identify push")

    async def _push_to(self, connection: Connection, slots: asyncio.Semaphore) -> None:
        async with slots:
            try:
                async with asyncio.timeout(self._limits.identify_timeout):
                    negotiated = await self._swarm.new_stream(connection, [PUSH_PROTOCOL], allow_limited=True)
                    await negotiated.stream.write(await self._message_for(connection))
                    await close_or_reset(negotiated.stream)
            except (DarkSwapError, TimeoutError):
                return  # it asks again when it reconnects

    async def _message_for(self, connection: Connection) -> bytes:
        addresses = self._own_addresses()
        message = IdentifyMessage(
            public_key=self._swarm.identity.public_key.to_protobuf(),
            addresses=addresses,
            protocols=(*self._swarm.protocols, *self.facts),
            observed=_observed(connection),
            protocol_version=PROTOCOL_VERSION,
            agent=self._agent,
            signed_record=await self._sealed(addresses),
        )
        return encode_within(message, self._limits.identify_sent)

    def _own_addresses(self) -> tuple[Multiaddr, ...]:
        """As many as have room, without our own id at the end, as js writes them."""
        room = ADDRESS_BYTES
        kept = []
        for address in self._swarm.listen_addresses():
            bare = address.without_peer() if address.peer_id() == self._swarm.local_peer else address
            room -= len(bare.to_bytes()) + 4
            if room < 0:
                break
            kept.append(bare)
        return tuple(kept)

    async def _sealed(self, addresses: tuple[Multiaddr, ...]) -> bytes:
        """The signed record of these addresses, made once; its sequence number grows with each new one."""
        async with self._sealing:
            if self._record is None or self._record[0] != addresses:
                sequence = await self._next_sequence()
                self._record = addresses, await seal_peer_record(self._swarm.identity, sequence, addresses)
            return self._record[1]

    async def _next_sequence(self) -> int:
        """Nanoseconds of the wall, but never below what we once used: peers keep the highest they saw."""
        store = self._runtime.store
        try:
            if not self._sequence_loaded:
                stored = await store.get(SEQUENCE_KEY)
                self._sequence = int.from_bytes(stored or b"", "big")
                self._sequence_loaded = True
            self._sequence = max(self._runtime.clock.now_ns(), self._sequence + 1)
            await store.put(SEQUENCE_KEY, self._sequence.to_bytes(8, "big"))
        except Unsupported:
            # Without storage only a clock set back between two loads could make us regress.
            self._sequence = max(self._runtime.clock.now_ns(), self._sequence + 1)
        return self._sequence

    # --- hearing

    async def _receive_push(self, connection: Connection, stream: BufferedStream, protocol: str) -> None:
        if not self._told.take(connection.remote_peer, asyncio.get_running_loop().time()):
            raise TooManyRequests("identify pushes", REQUESTS.burst)
        async with asyncio.timeout(self._limits.identify_timeout):
            await self._learn(connection, await self._read(stream))

    async def _read(self, stream: BufferedStream) -> IdentifyMessage:
        """Everything up to the end of the stream, merged. Raises `ProtocolViolation` for too many messages."""
        limits = self._limits
        parts: list[IdentifyMessage] = []
        try:
            while True:
                try:
                    data = await stream.read_message(limits.identify_message)
                except EndOfStream:
                    break
                if len(parts) == limits.identify_messages:
                    raise ProtocolViolation("identify", f"more than {limits.identify_messages} messages")
                await asyncio.sleep(0)  # ten messages at once would hold everybody else up
                addresses, protocols = limits.identify_addresses, limits.identify_protocols
                parts.append(decode_identify(data, limits.identify_message, addresses, protocols))
        except BaseException:
            stream.reset()
            raise
        await close_or_reset(stream)
        if not parts:
            raise ProtocolViolation("identify", "the stream ended without a message")
        return merge(parts, limits.identify_addresses, limits.identify_protocols)

    async def _learn(self, connection: Connection, message: IdentifyMessage) -> None:
        """Missing fields leave what is known as it is: a push may carry the changes only."""
        peer = connection.remote_peer
        if message.public_key is not None and PublicKey.from_protobuf(message.public_key).peer_id() != peer:
            raise ProtocolViolation("identify", "the public key is not the authenticated peer's")
        book = self._swarm.address_book
        told = await self._addresses_of(peer, message)
        # Private ones only of a peer, or at a relay, that is in that network together with us.
        addresses = usable(told, (connection.remote_addr.host(),))
        protocols = message.protocols
        if peer not in self._swarm.ours:
            addresses = addresses[: self._limits.identify_addresses_of_strangers]
            protocols = protocols[: self._limits.identify_protocols_of_strangers]
        if addresses:
            now = asyncio.get_running_loop().time()
            book.add(peer, addresses, now, self._limits.address_ttl)
        if protocols:
            book.set_protocols(peer, protocols)
        if message.agent:
            book.set_agent(peer, message.agent)
        self._swarm.emit(PeerIdentified(peer, book.agent(peer), book.protocols(peer), addresses, connection))

    async def _addresses_of(self, peer: PeerId, message: IdentifyMessage) -> tuple[Multiaddr, ...]:
        """Those of the signed record when it holds and is not older than the last; else the plain ones."""
        if message.signed_record is not None:
            try:
                record = await open_peer_record(self._runtime.crypto, message.signed_record)
            except MalformedMessage:
                return _belonging(peer, message.addresses)
            if record.peer_id == peer and record.seq >= self._seen.get(peer, 0):
                self._seen[peer] = record.seq
                self._seen.move_to_end(peer)
                while len(self._seen) > self._limits.address_book_peers:
                    self._seen.popitem(last=False)
                return _belonging(peer, record.addresses)[: self._limits.identify_addresses]
        return _belonging(peer, message.addresses)


def _belonging(peer: PeerId, addresses: Iterable[Multiaddr]) -> tuple[Multiaddr, ...]:
    """Without those that lead to somebody else."""
    return tuple(address for address in addresses if address.peer_id() in (None, peer))


def _observed(connection: Connection) -> Multiaddr | None:
    """Where we see the peer; a relayed or WebRTC address would tell it nothing."""
    address = connection.remote_addr
    if address.has("p2p-circuit") or not (address.has("ip4") or address.has("ip6")):
        return None
    return address.without_peer()
