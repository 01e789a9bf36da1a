"""The client side of a relay: reservations that stay, circuits to others, and circuits from them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from darkswap_browser.concurrency.notify import Subscribers
from darkswap_browser.concurrency.tasks import Tasks
from darkswap_browser.errors import (
    InvalidArgument,
    MalformedMessage,
    NoAddress,
    ProtocolViolation,
    RelayRefused,
    TimedOut,
    UnknownRelay,
)
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import CircuitLimit, Connection, Direction
from darkswap_browser.net.events import ConnectionOpened, Event
from darkswap_browser.net.stream import BufferedStream, close_or_reset
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.protocols.relay.early_data import MAX_EARLY_DATA, EarlyData, relay_keeps_early_data
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
    status_name,
)
from darkswap_browser.protocols.relay.renewal import lifetime, normalize_limit
from darkswap_browser.protocols.relay.reservation_keeper import Reservation, ReservationEvent, ReservationKeeper
from darkswap_browser.protocols.relay.voucher import verify_voucher
from darkswap_browser.runtime.base.host import Runtime
from darkswap_browser.wire.framing import frame

RELAY_ADDRESSES = 4
"""Of one relay, announced twice each (WebRTC and plain): js dials at most 25 addresses of a peer, one by one."""
WAKING = frozenset(("online", "visible", "resumed"))


@dataclass(frozen=True, slots=True)
class Circuit:
    """A stream that a relay spliced to `peer`: raw bytes, not yet secured, and only by its word from that peer.

    `address` is the peer's, through the relay.
    """

    relay: PeerId
    peer: PeerId
    stream: BufferedStream
    limit: CircuitLimit | None
    address: Multiaddr


CircuitHandler = Callable[[Circuit], Awaitable[None]]


class RelayClient:
    """Relays are named by address once (`add_relay`) and by peer id afterwards."""

    def __init__(
        self,
        swarm: Swarm,
        runtime: Runtime,
        *,
        early_data: EarlyData = EarlyData.KNOWN,
        takes_offers: bool = True,
    ) -> None:
        self._swarm = swarm
        self._runtime = runtime
        self._limits = swarm.limits
        self._early_data = early_data
        self._takes_offers = takes_offers
        self._known: dict[PeerId, tuple[Multiaddr, ...]] = {}
        self._holdings: dict[PeerId, ReservationKeeper] = {}
        self._subscribers = Subscribers[ReservationEvent]()
        self._tasks = Tasks(swarm.faults.report)
        self._accept: CircuitHandler | None = None
        self._unsubscribe: Callable[[], object] | None = None

    def start(self) -> None:
        """Take circuits from the relays that hold a reservation of ours, and follow the host's life events."""
        self._swarm.handle(STOP_PROTOCOL, self._stop, max_inbound=64)
        ends = (self._runtime.lifecycle.subscribe(self._on_life), self._swarm.subscribe(self._on_event))
        self._unsubscribe = lambda: [end() for end in ends]

    async def close(self) -> None:
        """Give up every reservation. Circuits can still be made. Idempotent.

        Cancellation: Safe; everything was given up before the first await.
        """
        self.abort()
        await self._tasks.close()

    def abort(self) -> None:
        """As `close`, without waiting."""
        self._tasks.cancel()
        holdings, self._holdings = self._holdings, {}
        for holding in holdings.values():
            holding.abort()
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
            self._swarm.unhandle(STOP_PROTOCOL)

    def accept(self, handler: CircuitHandler) -> None:
        """Whom inbound circuits go to; without a handler they are refused."""
        self._accept = handler

    # --- relays and reservations

    @property
    def relays(self) -> tuple[PeerId, ...]:
        """Every relay named so far."""
        return tuple(self._known)

    @property
    def addresses(self) -> tuple[Multiaddr, ...]:
        """Every address under which a relay was named so far."""
        return tuple(address for each in self._known.values() for address in each)

    def add_relay(self, address: Multiaddr) -> PeerId:
        """Remember where a relay is. Raises `InvalidArgument` for an address without the relay's peer id."""
        relay = address.peer_id()
        if relay is None or address.has("p2p-circuit"):
            hint = "A relay's address ends in its peer id: /dns4/relay.example/tcp/443/wss/p2p/12D3KooW…"
            raise InvalidArgument("relay", f"{address} does not name a relay", hint)
        self._known[relay] = tuple(dict.fromkeys((address, *self._known.get(relay, ()))))
        return relay

    def keep_reservation(self, relay: PeerId) -> None:
        """Hold a reservation from now on, however long the relay is away. See `reservation` for the state."""
        self._hold(relay).is_kept = True

    def subscribe(self, callback: Callable[[ReservationEvent], None]) -> Callable[[], None]:
        """Call `callback` soon after every grant, failure and loss of a reservation; returns how to end that."""
        return self._subscribers.subscribe(callback)

    def _hold(self, relay: PeerId) -> ReservationKeeper:
        holding = self._holdings.get(relay)
        if holding is None or holding.is_over:
            holding = self._holdings[relay] = ReservationKeeper(
                relay,
                lambda: self._request(relay),
                lambda event: self._publish(relay, event),
                self._limits,
                self._chance,
                self._tasks,
            )
        return holding

    async def reserve(self, relay: PeerId) -> Reservation:
        """The reservation that stands, or one made now and kept from then on.

        When the first request fails nothing is kept, unless `keep_reservation` was asked for before. Raises
        `UnknownRelay`, `DialFailed`, `RelayRefused`, `VoucherInvalid`, `ProtocolUnsupported`, `TimedOut` …, and
        `Aborted` when it is released meanwhile.

        Cancellation: Safe. The reservation is given up, unless it was kept before or another caller waits for it.
        """
        kept = relay in self._holdings
        holding = self._hold(relay)
        try:
            return await holding.outcome()
        except BaseException:
            if not kept and not holding.callers and self._holdings.get(relay) is holding:
                await self.release(relay)
            raise

    async def release(self, relay: PeerId) -> None:
        """Hold no reservation any more and withdraw its addresses. The connection stays; the relay's slot runs out.

        Cancellation: Safe; it is released before the first await.
        """
        holding = self._holdings.pop(relay, None)
        if holding is not None:
            await holding.stop()

    def reservation(self, relay: PeerId) -> Reservation | None:
        """The one that stands at this moment."""
        holding = self._holdings.get(relay)
        return None if holding is None else holding.reservation

    def reservations(self) -> tuple[Reservation, ...]:
        found = (holding.reservation for holding in self._holdings.values())
        return tuple(reservation for reservation in found if reservation is not None)

    def last_error(self, relay: PeerId) -> Exception | None:
        """Why the last request to a relay that is kept failed; None while all is well."""
        holding = self._holdings.get(relay)
        return None if holding is None else holding.error

    async def _request(self, relay: PeerId) -> tuple[Reservation, Connection]:
        connection = await self._connection_to(relay)
        answer = await self._ask_to_reserve(relay, connection)
        info = answer.reservation
        if info is None:
            raise ProtocolViolation("relay", "granted a reservation without saying which")
        now = self._runtime.clock.now()
        if info.voucher:
            # A relay whose clock is behind ours by years tells both times by its own.
            told = min(now, info.expire)
            await verify_voucher(self._runtime.crypto, info.voucher, relay, self._swarm.local_peer, told)
        lasts = lifetime(info.expire, now)
        reservation = Reservation(
            relay=relay,
            id=f"{relay}/{info.expire}",
            expires_at=now + lasts,
            lifetime_seconds=lasts,
            addresses=self._reachable_at(relay, connection, info),
            limit=self._limit(relay, answer.limit),
            voucher=info.voucher,
        )
        return reservation, connection

    async def _ask_to_reserve(self, relay: PeerId, connection: Connection) -> HopMessage:
        seconds = self._limits.reservation_timeout
        try:
            async with asyncio.timeout(seconds):
                stream, answer = await self._converse(relay, connection, HopMessage(HopType.RESERVE))
                await close_or_reset(stream)
        except TimeoutError:
            # A connection on which a relay does not answer is taken for dead: the next attempt dials anew.
            connection.abort()
            raise TimedOut("relay reservation", seconds) from None
        return answer

    async def _converse(
        self, relay: PeerId, connection: Connection, request: HopMessage, early: bytes = b""
    ) -> tuple[BufferedStream, HopMessage]:
        """Send `request` on a stream of its own, in one write with the proposal of the protocol and with `early`.

        Returns:
            The stream and the relay's answer, whose status is OK.
        Raises:
            RelayRefused: The status is another one. The stream is reset on every failure.
        """
        first = frame(encode_hop(request)) + early
        opened = await self._swarm.new_stream(connection, [HOP_PROTOCOL], first=first)
        return opened.stream, await self._read_ok(relay, opened.stream)

    async def _read_ok(self, relay: PeerId, stream: BufferedStream) -> HopMessage:
        try:
            answer = decode_hop(await stream.read_message(MAX_MESSAGE))
            if answer.type != HopType.STATUS:
                raise ProtocolViolation("relay", f"answered with message type {answer.type}")
            if answer.status != Status.OK:
                status = answer.status or Status.UNUSED
                raise RelayRefused(str(relay), status, status_name(status), answer.reason, answer.retry_after)
        except BaseException:
            stream.reset()
            raise
        return answer

    async def connect_to_relay(self, relay: PeerId) -> Connection:
        """The connection to a relay that is known, made now if there was none. Raises `UnknownRelay`, `DialFailed`."""
        return await self._connection_to(relay)

    async def _connection_to(self, relay: PeerId, addresses: Iterable[Multiaddr] = ()) -> Connection:
        try:
            return await self._swarm.dial(relay, (*addresses, *self._known.get(relay, ())), allow_limited=False)
        except NoAddress:
            raise UnknownRelay(str(relay)) from None

    def _limit(self, relay: PeerId, limit: CircuitLimit | None) -> CircuitLimit | None:
        return normalize_limit(limit, self._swarm.address_book.agent(relay))

    def _reachable_at(self, relay: PeerId, connection: Connection, info: ReservationInfo) -> tuple[Multiaddr, ...]:
        """Through each address of the relay, the one we dialled first: WebRTC where it is answered, then plain data."""
        dialled = (connection.remote_addr,) if connection.direction is Direction.OUTBOUND else ()
        usable = (
            address.with_peer(relay)
            for address in (*dialled, *info.addresses)
            if not address.has("p2p-circuit") and address.peer_id() in (None, relay)
        )
        bases = tuple(dict.fromkeys(usable))[:RELAY_ADDRESSES]
        own = self._swarm.local_peer
        paths = ("/p2p-circuit/webrtc", "/p2p-circuit") if self._takes_offers else ("/p2p-circuit",)
        return tuple(base.encapsulate(f"{path}/p2p/{own}") for path in paths for base in bases)

    def _publish(self, relay: PeerId, event: ReservationEvent) -> None:
        holding = self._holdings.get(relay)
        reservation = None if holding is None else holding.reservation
        self._swarm.set_announced(f"relay/{relay}", reservation.addresses if reservation is not None else ())
        self._subscribers.publish(event)

    def _on_life(self, event: str) -> None:
        if event in WAKING:
            for holding in self._holdings.values():
                holding.wake()

    def _on_event(self, event: Event) -> None:
        if isinstance(event, ConnectionOpened) and event.connection.remote_peer in self._holdings:
            self._holdings[event.connection.remote_peer].connected()

    def _chance(self) -> float:
        return int.from_bytes(self._runtime.entropy.bytes(4), "big") / 2**32

    # --- circuits

    async def connect(
        self, relay: PeerId, target: PeerId, addresses: Iterable[Multiaddr] = (), *, first: bytes = b""
    ) -> Circuit:
        """Make a circuit to `target`, who must hold a reservation there.

        Args:
            addresses: Where the relay is, if new to us.
            first: The first bytes for `target`. They travel with the request when the relay is known to keep them
                and they fit `MAX_EARLY_DATA`, else behind its answer.
        Raises:
            RelayRefused, UnknownRelay, DialFailed, ProtocolUnsupported, TimedOut: There is no circuit.
        """
        connection = await self._connection_to(relay, addresses)
        seconds = self._limits.relay_connect_timeout
        try:
            async with asyncio.timeout(seconds):
                request = HopMessage(HopType.CONNECT, CircuitPeer(target))
                early = first if self._sends_early(relay, first) else b""
                stream, answer = await self._converse(relay, connection, request, early)
                await self._send_rest(stream, first[len(early) :])
        except TimeoutError:
            raise TimedOut("relay connect", seconds) from None
        address = _through(connection, target)
        # Bytes that came behind the status stay in the buffered stream: they belong to the circuit.
        return Circuit(relay, target, stream, self._limit(relay, answer.limit), address)

    def _sends_early(self, relay: PeerId, first: bytes) -> bool:
        agent = self._swarm.address_book.agent(relay)
        return len(first) <= MAX_EARLY_DATA and relay_keeps_early_data(agent, self._early_data)

    async def _send_rest(self, stream: BufferedStream, data: bytes) -> None:
        if not data:
            return
        try:
            await stream.write(data)
        except BaseException:
            stream.reset()
            raise

    async def _stop(self, connection: Connection, stream: BufferedStream, protocol: str) -> None:
        try:
            async with asyncio.timeout(self._limits.reservation_timeout):
                message = decode_stop(await stream.read_message(MAX_MESSAGE))
                status = self._judge(connection, message)
                await stream.write_message(encode_stop(StopMessage(StopType.STATUS, status=status)))
        except MalformedMessage:
            await stream.write_message(encode_stop(StopMessage(StopType.STATUS, status=Status.MALFORMED_MESSAGE)))
            await close_or_reset(stream)
            return
        if status != Status.OK or message.peer is None or self._accept is None:
            await close_or_reset(stream)
            return
        relay, peer = connection.remote_peer, message.peer.id
        limit = self._limit(relay, message.limit)
        await self._accept(Circuit(relay, peer, stream, limit, _through(connection, peer)))

    def _judge(self, connection: Connection, message: StopMessage) -> Status:
        if message.type != StopType.CONNECT:
            return Status.UNEXPECTED_MESSAGE
        if message.peer is None or message.peer.id == self._swarm.local_peer:
            return Status.MALFORMED_MESSAGE
        # Also while the request is under way: a relay may introduce somebody before we have read its answer.
        if connection.remote_peer not in self._holdings or self._accept is None:
            return Status.PERMISSION_DENIED
        return Status.OK


def _through(connection: Connection, peer: PeerId) -> Multiaddr:
    return connection.remote_addr.with_peer(connection.remote_peer).encapsulate(f"/p2p-circuit/p2p/{peer}")
