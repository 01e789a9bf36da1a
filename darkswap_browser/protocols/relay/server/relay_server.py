"""A circuit relay: grants reservations, and connects those who hold one with those who ask for them.

The target of a circuit is found in the table of reservations only; the relay never dials anybody. Rules and counts
are in `reservations.py`; here they meet the swarm.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from darkswap_browser.concurrency.tasks import Tasks
from darkswap_browser.errors import DarkSwapError, MalformedMessage
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Connection
from darkswap_browser.net.events import ConnectionClosed, Event
from darkswap_browser.net.source import ip_key
from darkswap_browser.net.stream import BufferedStream, close_or_reset
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.protocols.relay.early_data import MAX_EARLY_DATA, target_keeps_early_data
from darkswap_browser.protocols.relay.messages import (
    HOP_PROTOCOL,
    MAX_MESSAGE,
    STOP_PROTOCOL,
    CircuitPeer,
    HopMessage,
    HopType,
    ReservationInfo,
    Status,
    StopMessage,
    StopType,
    decode_hop,
    decode_stop,
    encode_hop,
    encode_stop,
)
from darkswap_browser.protocols.relay.server.limits import RelayLimits
from darkswap_browser.protocols.relay.server.reservation_store import (
    Granted,
    Refusal,
    RefusalReason,
    ReservationStore,
)
from darkswap_browser.protocols.relay.server.splice import CircuitEnd, splice
from darkswap_browser.protocols.relay.voucher import issue_voucher
from darkswap_browser.runtime.base.host import Clock
from darkswap_browser.wire.framing import frame

SWEEP_INTERVAL = 60.0
CROWDED = 0.8
"""Share of the connections allowed beyond which idle ones are closed, so that new peers find room."""
ANNOUNCED_ADDRESSES = 16
"""In one reservation: they have to fit 4,096 bytes together with the voucher."""
UNSPECIFIED = frozenset(("0.0.0.0", "::"))

RELAYED = Refusal(Status.PERMISSION_DENIED, RefusalReason.RELAYED)
MALFORMED = Refusal(Status.MALFORMED_MESSAGE, RefusalReason.MALFORMED)
UNEXPECTED = Refusal(Status.UNEXPECTED_MESSAGE, RefusalReason.UNEXPECTED)
UNREACHABLE = Refusal(Status.CONNECTION_FAILED, RefusalReason.UNREACHABLE)


class RelayObserver(Protocol):
    """Hears what the relay does, for metrics and logs. Methods return at once and do not raise."""

    def reservation_granted(self, peer: PeerId, renewed: bool) -> None: ...

    def reservation_refused(self, peer: PeerId, refusal: Refusal) -> None: ...

    def reservations_ended(self, count: int) -> None: ...

    def circuit_opened(self, origin: PeerId, target: PeerId) -> None: ...

    def circuit_refused(self, origin: PeerId, refusal: Refusal) -> None: ...

    def circuit_closed(self, origin: PeerId, target: PeerId, end: CircuitEnd, seconds: float, carried: int) -> None: ...

    def transferred(self, count: int) -> None:
        """`count` bytes passed through a circuit, in either direction."""
        ...


class NoObserver:
    """Nobody watches."""

    def reservation_granted(self, peer: PeerId, renewed: bool) -> None:
        """Not recorded."""

    def reservation_refused(self, peer: PeerId, refusal: Refusal) -> None:
        """Not recorded."""

    def reservations_ended(self, count: int) -> None:
        """Not recorded."""

    def circuit_opened(self, origin: PeerId, target: PeerId) -> None:
        """Not recorded."""

    def circuit_refused(self, origin: PeerId, refusal: Refusal) -> None:
        """Not recorded."""

    def circuit_closed(self, origin: PeerId, target: PeerId, end: CircuitEnd, seconds: float, carried: int) -> None:
        """Not recorded."""

    def transferred(self, count: int) -> None:
        """Not recorded."""


class RelayServer:
    """`announce`: the addresses put into reservations, instead of those the swarm listens on."""

    def __init__(
        self,
        swarm: Swarm,
        limits: RelayLimits,
        clock: Clock,
        *,
        announce: Sequence[Multiaddr] = (),
        observer: RelayObserver | None = None,
    ) -> None:
        self._swarm = swarm
        self._limits = limits
        self._clock = clock
        self._announce = tuple(announce)
        self._observer: RelayObserver = observer or NoObserver()
        self._table = ReservationStore(limits)
        self._in_circuits: dict[Connection, int] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._tasks = Tasks(swarm.faults.report)
        self._unsubscribe: Callable[[], None] | None = None

    @property
    def reservations(self) -> int:
        return len(self._table)

    @property
    def circuits(self) -> int:
        return self._table.circuits

    @property
    def draining(self) -> bool:
        return self._table.draining

    def start(self) -> None:
        # Answered on limited connections too: a refusal says more than a reset.
        self._swarm.handle(HOP_PROTOCOL, self._hop, allow_limited=True, max_inbound=self._limits.hop_streams)
        self._unsubscribe = self._swarm.subscribe(self._on_event)
        self._tasks.spawn(self._sweep(), "relay sweeper")

    async def close(self) -> None:
        """Answer no more. Running circuits end with their connections. Idempotent.

        Cancellation: Safe; everything was told to end before the first await.
        """
        self._swarm.unhandle(HOP_PROTOCOL)
        if self._unsubscribe is not None:
            self._unsubscribe()
        await self._tasks.close()

    async def drain(self, seconds: float) -> bool:
        """Grant nothing new, let go of everybody without a circuit, and wait for the circuits to end.

        There is no message that ends a reservation; closing the connection does. True when all circuits ended.
        """
        self._table.draining = True
        unused = [connection for connection in self._swarm.connections() if connection not in self._in_circuits]
        await asyncio.gather(*(connection.close() for connection in unused))
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    def addresses(self) -> tuple[Multiaddr, ...]:
        """Where clients are told to reach us, each ending in our peer id."""
        own = self._announce or tuple(
            address
            for address in self._swarm.listen_addresses()
            if not address.has("p2p-circuit") and address.host() not in UNSPECIFIED
        )
        return tuple(address.with_peer(self._swarm.local_peer) for address in own[:ANNOUNCED_ADDRESSES])

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_INTERVAL)
            if ended := self._table.sweep(_now()):
                self._observer.reservations_ended(ended)
            await asyncio.gather(*(connection.close() for connection in self._surplus()))

    def _surplus(self) -> list[Connection]:
        """Connections to let go, the oldest first: when room gets scarce, those that nobody is served on."""
        connections = self._swarm.connections()
        count = len(connections) - int(self._swarm.limits.connections * CROWDED)
        if count <= 0:
            return []
        before = _now() - SWEEP_INTERVAL
        idle = [each for each in connections if each.opened_at < before and not self._serves(each)]
        return sorted(idle, key=lambda each: each.opened_at)[:count]

    def _serves(self, connection: Connection) -> bool:
        """Whether a reservation or a circuit rests on it."""
        bound = self._table.connection_of(connection.remote_peer, _now())
        return bound is connection or connection in self._in_circuits

    def _on_event(self, event: Event) -> None:
        if isinstance(event, ConnectionClosed):
            self._forget(event.connection)

    def _forget(self, connection: Connection) -> None:
        if self._table.connection_closed(connection.remote_peer, connection):
            self._observer.reservations_ended(1)

    # --- hop

    async def _hop(self, connection: Connection, stream: BufferedStream, protocol: str) -> None:
        try:
            async with asyncio.timeout(self._limits.stream_timeout):
                message = decode_hop(await stream.read_message(MAX_MESSAGE))
        except MalformedMessage:
            await self._answer(stream, HopMessage(HopType.STATUS, status=MALFORMED.status))
            return
        if message.type == HopType.RESERVE:
            await self._reserve(connection, stream)
        elif message.type == HopType.CONNECT:
            await self._connect(connection, stream, message)
        else:
            await self._answer(stream, HopMessage(HopType.STATUS, status=UNEXPECTED.status))

    async def _answer(self, stream: BufferedStream, message: HopMessage) -> None:
        """The last word on a hop stream."""
        async with asyncio.timeout(self._limits.stream_timeout):
            await stream.write_message(encode_hop(message))
            await close_or_reset(stream)

    async def _reserve(self, connection: Connection, stream: BufferedStream) -> None:
        peer = connection.remote_peer
        outcome: Granted | Refusal = RELAYED
        if not is_relayed(connection):
            outcome = self._table.reserve(peer, connection, source_of(connection), _now())
        if isinstance(outcome, Refusal):
            self._observer.reservation_refused(peer, outcome)
            await self._answer(stream, outcome.message())
            return
        self._observer.reservation_granted(peer, outcome.renewed)
        expire = int(self._clock.now() + self._limits.reservation_ttl)
        voucher = await issue_voucher(self._swarm.identity, peer, expire)
        if connection.is_closed:
            # The event of its closing may have come before the reservation was bound to it.
            self._forget(connection)
        await self._answer(
            stream,
            HopMessage(
                HopType.STATUS,
                reservation=ReservationInfo(expire, self.addresses(), voucher),
                limit=self._limits.circuit_limit,
                status=Status.OK,
            ),
        )

    async def _connect(self, connection: Connection, stream: BufferedStream, message: HopMessage) -> None:
        origin = connection.remote_peer
        refusal: Refusal | None
        if message.peer is None:
            refusal = MALFORMED
        elif is_relayed(connection):
            refusal = RELAYED
        else:
            target = message.peer.id
            source = source_of(connection)
            refusal = self._table.open_circuit(origin, target, source, _now())
            if refusal is None:
                try:
                    refusal = await self._circuit(connection, stream, target)
                finally:
                    self._table.close_circuit(origin, target, source)
        if refusal is not None:
            self._observer.circuit_refused(origin, refusal)
            await self._answer(stream, refusal.message())

    async def _circuit(self, connection: Connection, stream: BufferedStream, target: PeerId) -> Refusal | None:
        """Open, carry and end one circuit. A refusal when it could not be opened."""
        early = b""
        if target_keeps_early_data(self._swarm.address_book.agent(target)):
            early = stream.take_ahead(min(MAX_EARLY_DATA, self._limits.circuit_data or MAX_EARLY_DATA))
        stop = await self._open_stop(connection.remote_peer, target, early)
        if stop is None:
            return UNREACHABLE
        other, stop_stream = stop
        limit = self._limits.circuit_limit
        try:
            async with asyncio.timeout(self._limits.stream_timeout):
                await stream.write_message(encode_hop(HopMessage(HopType.STATUS, limit=limit, status=Status.OK)))
        except BaseException:
            stop_stream.reset()
            raise
        self._enter(connection, other)
        try:
            await self._carry(connection.remote_peer, target, stream, stop_stream, len(early))
        finally:
            self._leave(connection, other)
        return None

    async def _carry(
        self, origin: PeerId, target: PeerId, stream: BufferedStream, stop: BufferedStream, early: int
    ) -> None:
        """`early`: bytes that went to the target with the request already."""
        observer = self._observer
        observer.circuit_opened(origin, target)
        started, carried, end = _now(), 0, CircuitEnd.BROKEN

        def count(passed: int) -> None:
            nonlocal carried
            carried += passed
            observer.transferred(passed)

        limits = self._limits
        if early:
            count(early)
        try:
            end = await splice(stream, stop, limits.circuit_limit, limits.buffered, count, already=early)
        finally:
            observer.circuit_closed(origin, target, end, _now() - started, carried)

    # --- stop

    async def _open_stop(
        self, origin: PeerId, target: PeerId, early: bytes
    ) -> tuple[Connection, BufferedStream] | None:
        """A stop stream on which the target has accepted the circuit; None when it did not in time.

        `early` is what the dialer sent behind its request, and travels behind ours.
        """
        try:
            async with asyncio.timeout(self._limits.stream_timeout):
                for connection in self._ways_to(target):
                    stream = await self._ask_target(connection, origin, early)
                    if stream is not None:
                        return connection, stream
        except TimeoutError:
            return None
        return None

    def _ways_to(self, target: PeerId) -> list[Connection]:
        """The connection that holds the reservation, then other direct ones, the newest first."""
        bound = self._table.connection_of(target, _now())
        others = [each for each in reversed(self._swarm.connections(target)) if not is_relayed(each)]
        return sorted(others, key=lambda each: each is not bound)

    async def _ask_target(self, connection: Connection, origin: PeerId, early: bytes) -> BufferedStream | None:
        # In one write with the proposal of the protocol: a round trip less.
        request = frame(encode_stop(StopMessage(StopType.CONNECT, CircuitPeer(origin), self._limits.circuit_limit)))
        try:
            stream = (await self._swarm.new_stream(connection, [STOP_PROTOCOL], first=request + early)).stream
        except DarkSwapError:
            return None
        accepted = False
        try:
            answer = decode_stop(await stream.read_message(MAX_MESSAGE))
            accepted = answer.type == StopType.STATUS and answer.status == Status.OK
        except DarkSwapError:
            return None
        finally:
            if not accepted:
                stream.reset()
        return stream if accepted else None

    # --- who may not be let go while draining

    def _enter(self, *connections: Connection) -> None:
        for connection in connections:
            self._in_circuits[connection] = self._in_circuits.get(connection, 0) + 1
        self._idle.clear()

    def _leave(self, *connections: Connection) -> None:
        for connection in connections:
            self._in_circuits[connection] -= 1
            if not self._in_circuits[connection]:
                del self._in_circuits[connection]
        if not self._in_circuits:
            self._idle.set()


def is_relayed(connection: Connection) -> bool:
    return connection.transport == "circuit" or connection.remote_addr.has("p2p-circuit")


def source_of(connection: Connection) -> str | None:
    """Under which address a connection's peer is counted."""
    address = connection.remote_addr
    return ip_key(address.value("ip4") or address.value("ip6"))


def _now() -> float:
    return asyncio.get_running_loop().time()
