"""The switchboard: dials, listens, keeps the connections, and brings each stream to its handler."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from darkswap_browser.concurrency.faults import FaultReporter
from darkswap_browser.concurrency.notify import Subscribers
from darkswap_browser.concurrency.tasks import Tasks, wait_ended
from darkswap_browser.errors import (
    ConnectionLost,
    InvalidArgument,
    NoAddress,
    NotConnected,
    ObjectClosed,
    PeerIdMismatch,
    StreamReset,
    TimedOut,
    TooManyRequests,
    Unsupported,
)
from darkswap_browser.identity.keys import Identity
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net import events
from darkswap_browser.net.address_book import AddressBook
from darkswap_browser.net.connection import Connection
from darkswap_browser.net.connection_table import ConnectionTable
from darkswap_browser.net.dialer import Dial, dial_one
from darkswap_browser.net.events import AddressesChanged, ConnectionClosed, ConnectionOpened, DialStep, Event
from darkswap_browser.net.limits import Limits
from darkswap_browser.net.memory import MemoryBudget
from darkswap_browser.net.negotiate import select_one
from darkswap_browser.net.our_peers import OurPeers
from darkswap_browser.net.routing import ConnectionStreams, ProtocolHandler, Routes
from darkswap_browser.net.stream import BufferedStream, Stream
from darkswap_browser.net.transport import StepHandler, Transport, ignore_step

logger = logging.getLogger(__name__)

Subscriber = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class NegotiatedStream:
    """An outbound stream that both sides agreed to speak `protocol` on."""

    protocol: str
    stream: BufferedStream
    connection: Connection


class Swarm:
    """Events reach subscribers from the event loop, in order, after the call that caused them.

    Args:
        faults: Told of what fails in the background here and in everything built on this swarm.
    """

    def __init__(
        self, identity: Identity, limits: Limits, address_book: AddressBook, faults: FaultReporter | None = None
    ) -> None:
        self.faults = faults or FaultReporter()
        self.identity = identity
        self.limits = limits
        self.address_book = address_book
        self._transports: list[Transport] = []
        self._routes = Routes(limits)
        self._subscribers = Subscribers[Event](self._subscriber_failed)
        self.ours = OurPeers(limits.our_peers)
        """Whom the application asked for. Whoever is dialled is among them."""
        self.accepts_strangers = True
        """Whether peers that are not ours may connect."""
        self.table = ConnectionTable(limits, self.ours)
        self.memory = MemoryBudget(limits)
        """Of everything received in any connection."""
        self._dials: dict[tuple[PeerId, bool], Dial] = {}
        self._bound: tuple[Multiaddr, ...] = ()
        self._announced: dict[str, tuple[Multiaddr, ...]] = {}
        self._watchers: dict[ConnectionStreams, asyncio.Task[None]] = {}
        self._tasks = Tasks(self.faults.report)
        self._closing = Tasks(self.faults.report)
        """Transports that are being closed: not cancelled with the rest, a listening socket must not stay."""
        self._closed = False

    @property
    def local_peer(self) -> PeerId:
        return self.identity.peer_id

    @property
    def protocols(self) -> tuple[str, ...]:
        """What we answer to, in the order it was registered."""
        return self._routes.protocols

    # --- transports and addresses

    def add_transport(self, transport: Transport) -> None:
        """Addresses go to the first transport that can dial them."""
        self._transports.append(transport)

    async def listen(self, address: Multiaddr) -> tuple[Multiaddr, ...]:
        """Return the addresses bound; raises `ListenFailed` (a port is taken), `Unsupported` (no transport for it)."""
        for transport in self._transports:
            if transport.can_listen(address):
                bound = await transport.listen(address, self._accept)
                self._bound += bound
                self.emit(AddressesChanged(self.listen_addresses()))
                return bound
        raise Unsupported(f"listening on {address}")

    def listen_addresses(self) -> tuple[Multiaddr, ...]:
        """Bound addresses, then announced ones."""
        announced = (address for addresses in self._announced.values() for address in addresses)
        return tuple(dict.fromkeys((*self._bound, *announced)))

    def set_announced(self, key: str, addresses: Iterable[Multiaddr]) -> None:
        """Addresses that `key` (a relay, say) makes us reachable at; replaces what it said before."""
        before = self.listen_addresses()
        self._announced[key] = tuple(addresses)
        if not self._announced[key]:
            del self._announced[key]
        if self.listen_addresses() != before:
            self.emit(AddressesChanged(self.listen_addresses()))

    # --- protocols

    def handle(
        self, protocol: str, handler: ProtocolHandler, *, allow_limited: bool = False, max_inbound: int = 32
    ) -> None:
        """Answer to `protocol` with `handler(connection, stream, protocol)`, awaited in a task that owns the stream.

        `allow_limited`: also on connections that a relay limits; without it streams there are reset, as `new_stream`
        opens none. `max_inbound` counts running handlers per connection; streams beyond it are reset. A handler that
        fails resets its stream (`EndOfStream` closes it); `DarkSwapError` ends only that, anything else is also
        reported to `faults`.
        """
        self._routes.add(protocol, handler, allow_limited=allow_limited, max_inbound=max_inbound)
        self.emit(events.ProtocolsChanged())

    def unhandle(self, protocol: str) -> None:
        """Streams already handed over go on."""
        if self._routes.remove(protocol):
            self.emit(events.ProtocolsChanged())

    # --- connections

    def connections(self, peer: PeerId | None = None) -> tuple[Connection, ...]:
        """Open ones, oldest first; of `peer`, or all."""
        return self.table.all() if peer is None else self.table.of(peer)

    def best_connection(self, peer: PeerId, allow_limited: bool = True) -> Connection | None:
        """Direct before relayed, unlimited before limited, then the newest: after a reload the old one is dead."""
        return self.table.best(peer, allow_limited=allow_limited)

    def add_connection(self, connection: Connection) -> None:
        """Take over an authenticated connection and begin to serve its streams.

        Raises `TooManyRequests` (and closes the connection) when the node is full. A stranger in an idle connection,
        or an idle connection of the same peer where that has too many, goes instead.
        """
        if self._closed:
            connection.abort()
            raise ObjectClosed("swarm")
        try:
            victims = self.table.make_room(connection, asyncio.get_running_loop().time())
        except TooManyRequests:
            logger.warning("connection refused peer=%s: %d are open", connection.remote_peer.short, len(self.table))
            self._tasks.spawn(connection.close(), "refuse connection")
            raise
        for victim in victims:
            logger.debug("connection given up peer=%s: others need its place", victim.remote_peer.short)
            self._tasks.spawn(victim.close(), "close surplus connection")
        held = self.table.add(connection)
        logger.info("connection opened peer=%s over=%s", connection.remote_peer.short, connection.transport)
        self.emit(ConnectionOpened(connection))
        connection.start(lambda stream: self._stream_opened(held, stream))
        watcher = self._watchers[held] = self._tasks.spawn(self._watch(held), "watch connection")
        watcher.add_done_callback(lambda _: self._watchers.pop(held))

    async def _accept(self, connection: Connection) -> None:
        peer = connection.remote_peer
        if peer == self.local_peer or not (self.accepts_strangers or peer in self.ours):
            connection.abort()
            return
        try:
            self.add_connection(connection)
        except (TooManyRequests, ObjectClosed):
            return  # closed already; the peer learns by GoAway or the like

    async def _watch(self, held: ConnectionStreams) -> None:
        connection = held.connection
        try:
            await connection.wait_closed()
        finally:
            self.table.remove(held)
            logger.info("connection closed peer=%s %s", connection.remote_peer.short, connection.close_reason)
            self.emit(ConnectionClosed(connection, connection.close_reason))

    # --- dialling

    async def dial(
        self,
        peer: PeerId,
        addresses: Iterable[Multiaddr] = (),
        *,
        on_step: StepHandler = ignore_step,
        allow_limited: bool = True,
        known: bool = True,
    ) -> Connection:
        """The best open connection to `peer`, or a new one over `addresses` and, if `known`, those of the address book.

        Callers for the same peer share one dial. Raises `NoAddress`, `DialFailed` (with every attempt),
        `TooManyRequests`, `InvalidArgument`. A transport that needs a second connection to the same peer
        uses `dial_address`, which shares nothing.

        Cancellation: Safe; the dial goes on while another caller waits for it.
        """
        self._check_dialable(peer)
        self.ours.add(peer)
        if (best := self.best_connection(peer, allow_limited)) is not None:
            return best
        now = asyncio.get_running_loop().time()
        wanted = [*addresses, *(self.address_book.addresses(peer, now) if known else ())]
        usable = [each for each in wanted if each.peer_id() in (None, peer) and self.can_dial(each)]
        key = (peer, allow_limited)
        dial = self._dials.get(key)
        if dial is None or dial.is_over:
            if not usable:
                raise NoAddress(str(peer))
            if len(self._dials) >= self.limits.pending_dials:
                raise TooManyRequests("dials", self.limits.pending_dials)
            dial = Dial(peer, self._transports, self.limits, self._register(peer), allow_limited=allow_limited)
            self._dials[key] = dial
        dial.add(usable, self._steps(peer, on_step))
        try:
            return await dial.join()
        finally:
            if self._dials.get(key) is dial and dial.is_over:
                del self._dials[key]

    async def dial_address(self, address: Multiaddr, on_step: StepHandler = ignore_step) -> Connection:
        """A new connection over exactly this address, even if the peer is already connected.

        Raises what the transport raises, `Unsupported`, `TimedOut`, and `Aborted` when the swarm is closed meanwhile.

        Cancellation: Safe; a connection half made is dropped.
        """
        peer = address.peer_id()
        self._check_dialable(peer)
        if peer is not None:
            self.ours.add(peer)
        dialling = dial_one(self._transports, address, peer, self._steps(peer, on_step), self.limits)
        connection = await self._tasks.run(dialling, f"dial {address}")
        self._register(peer)(connection)
        return connection

    def _check_dialable(self, peer: PeerId | None) -> None:
        if self._closed:
            raise ObjectClosed("swarm")
        if peer == self.local_peer:
            raise InvalidArgument("peer", "that is this node itself")

    def can_dial(self, address: Multiaddr) -> bool:
        """Whether a transport of this node speaks such an address."""
        return any(transport.can_dial(address) for transport in self._transports)

    def _register(self, peer: PeerId | None) -> Callable[[Connection], None]:
        def register(connection: Connection) -> None:
            if peer is not None and connection.remote_peer != peer:
                connection.abort()
                raise PeerIdMismatch(str(peer), str(connection.remote_peer))
            self.ours.add(connection.remote_peer)
            # A transport that takes part in the swarm (private WebRTC) may have added it itself.
            if connection not in self.table or connection.is_closed:
                self.add_connection(connection)

        return register

    def _steps(self, peer: PeerId | None, on_step: StepHandler) -> StepHandler:
        def step(name: str, detail: str) -> None:
            self.emit(DialStep(peer, name, detail))
            on_step(name, detail)

        return step

    # --- streams

    async def new_stream(
        self,
        target: PeerId | Connection | str,
        protocols: Sequence[str],
        *,
        allow_limited: bool = False,
        first: bytes = b"",
    ) -> NegotiatedStream:
        """Open a stream for the first of `protocols` the peer speaks, on its best connection or the one given.

        `first` is sent with the proposal, which must be a single one; a peer that refuses has read it for nothing.
        A best connection that turns out dead (a page was reloaded) is followed by the next best.
        Raises `NotConnected`, `Unsupported` (only a limited connection and not `allow_limited`),
        `ProtocolUnsupported`, `TimedOut`, `ConnectionLost`, `TooManyRequests`.
        """
        target = PeerId.parse(target) if isinstance(target, str) else target
        connection = self._choose(target, allow_limited)
        try:
            return await self._negotiated(connection, protocols, first)
        except StreamReset:
            # A peer that refuses takes `first` for another proposal, and may break off before its answer is read.
            if not first or connection.is_closed:
                raise
            opened = await self._negotiated(connection, protocols, b"")
            await opened.stream.write(first)
            return opened
        except ConnectionLost:
            others = self.connections(target) if isinstance(target, PeerId) else ()
            if not connection.is_closed or not others:
                raise
        return await self.new_stream(target, protocols, allow_limited=allow_limited, first=first)

    async def _negotiated(self, connection: Connection, protocols: Sequence[str], first: bytes) -> NegotiatedStream:
        stream = BufferedStream(await connection.open_stream())
        try:
            async with asyncio.timeout(self.limits.negotiate_timeout):
                protocol = await select_one(stream, protocols, self.limits, first)
        except BaseException as error:
            stream.reset()
            if isinstance(error, TimeoutError):
                raise TimedOut("protocol negotiation", self.limits.negotiate_timeout) from None
            raise
        return NegotiatedStream(protocol, stream, connection)

    def _choose(self, target: PeerId | Connection, allow_limited: bool) -> Connection:
        if isinstance(target, PeerId):
            best = self.best_connection(target, allow_limited) or self.best_connection(target)
            if best is None:
                raise NotConnected(str(target))
        else:
            best = target
        if best.limit is not None and not allow_limited:
            hint = "A relay limits it in time or data: wait for a direct one, or say allow_limited=True at both ends."
            raise Unsupported("this stream on a limited connection", hint=hint)
        return best

    def _stream_opened(self, served: ConnectionStreams, raw: Stream) -> None:
        if self._closed or not self._routes.admit(served):
            raw.reset()
            return
        self._tasks.spawn(self._routes.serve(served, raw), "stream")

    # --- events and life

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Call `callback` with every event; returns how to stop it."""
        return self._subscribers.subscribe(callback)

    def emit(self, event: Event) -> None:
        """Tell every subscriber. One that raises is reported and disturbs neither us nor the others."""
        self._subscribers.publish(event)

    def _subscriber_failed(self, error: BaseException, event: Event) -> None:
        self.faults.report(f"a subscriber of {type(event).__name__}", error)

    async def close(self) -> None:
        """End dials, listeners, connections and every task of ours. Idempotent.

        Cancellation: Safe; connections are then dropped instead of closed.
        """
        self._closed = True
        closing = self._close_transports()
        try:
            for dial in list(self._dials.values()):
                await dial.cancel()
            await wait_ended(closing)
            # Circuits first: what was written to them leaves through the connections to their relays.
            await asyncio.gather(*(each.close() for each in self.connections() if each.transport == "circuit"))
            await asyncio.gather(*(connection.close() for connection in self.connections()))
            if watchers := list(self._watchers.values()):
                await asyncio.wait(watchers, timeout=self.limits.close_timeout)
        finally:
            self.abort()
        await self._tasks.close()

    def abort(self) -> None:
        """Drop every connection and end every task of ours, without waiting and without a word to the peers."""
        self._closed = True
        self._close_transports()
        for dial in list(self._dials.values()):
            dial.abort()
        for connection in self.connections():
            connection.abort()
        self._tasks.cancel()

    def _close_transports(self) -> list[asyncio.Task[None]]:
        transports, self._transports = self._transports, []
        return [self._closing.spawn(each.close(), f"close {each.name} transport") for each in transports]
