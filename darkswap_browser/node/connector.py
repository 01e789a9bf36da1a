"""The way to a peer: all relays and addresses that may lead to it at once, and a direct link sought beside that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from darkswap_browser.concurrency.backoff import Backoff
from darkswap_browser.concurrency.tasks import Tasks, cancel_and_wait, result_of
from darkswap_browser.errors import DarkSwapError, DialFailed, InvalidArgument, NoAddress, TimedOut, UnknownRelay
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Connection, Direction, is_direct
from darkswap_browser.net.events import ConnectionOpened, Event
from darkswap_browser.net.reach import usable
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.node.config import NetworkConfig
from darkswap_browser.node.paths.direct import DirectAttempts, ReportOf
from darkswap_browser.node.paths.machine import PathSearch, RelayMemory
from darkswap_browser.node.paths.search import first_way
from darkswap_browser.node.relay_stun import RelayStun
from darkswap_browser.protocols.relay.client import RelayClient
from darkswap_browser.protocols.relay.reservation_keeper import Reservation

DIRECT_PATIENCE = 1.5
"""Seconds for which a call that asks for a connection waits for a direct one beside a relayed one that stands: where a
direct one can be it took 65 to 265 ms between real networks."""
DIRECT_RETRY_FIRST = 3.0
DIRECT_RETRY_MAX = 120.0
"""Seconds between attempts to replace a relayed path: each costs the relay two streams and both peers ICE."""
DIRECT_RETRY_STEP_BACK = 12.0
"""Longer wait of the side that was dialled: the dialler tries first."""


@dataclass(frozen=True, slots=True)
class _Way:
    """Through `relay`, or, without one, at the peer's own `addresses`."""

    relay: PeerId | None
    addresses: tuple[Multiaddr, ...] = ()
    """Of the peer, or of the relay where the peer names one."""

    def __str__(self) -> str:
        return "its own addresses" if self.relay is None else f"relay {self.relay}"


@dataclass(slots=True)
class _Found:
    connection: Connection
    attempt: asyncio.Task[Connection] | None = None
    """At a direct link, still under way."""


class PeerConnector:
    """`can_be_direct`: this host has WebRTC, and the configuration wants it used automatically."""

    def __init__(
        self,
        swarm: Swarm,
        client: RelayClient,
        config: NetworkConfig,
        stun: RelayStun,
        report_of: ReportOf,
        *,
        can_be_direct: bool,
    ) -> None:
        self._swarm = swarm
        self._client = client
        self._config = config
        self._can_be_direct = can_be_direct
        self._lacks_webrtc = config.direct and config.signaling == "automatic" and not can_be_direct
        self._memory = RelayMemory()
        self._tasks = Tasks(swarm.faults.report)
        self._direct = DirectAttempts(swarm, client, stun, report_of, self._tasks, config.direct_timeout)
        self._climbs: dict[PeerId, asyncio.Task[None]] = {}
        self._detours: set[PeerId] = set()
        self.successful = self.failed = 0

    async def close(self) -> None:
        """End what goes on beside the calls. Idempotent.

        Cancellation: Safe; everything was told to end before the first await.
        """
        await self._tasks.close()

    def abort(self) -> None:
        """As `close`, without waiting."""
        self._tasks.cancel()

    # --- relays

    def add_relay(self, address: str) -> PeerId:
        """Name a relay by its full multiaddr. Raises `InvalidArgument`, also for one that this host cannot dial."""
        relay = Multiaddr.parse(address)
        if not self._swarm.can_dial(relay):
            hint = "Give a full address, such as /dns4/relay.example/tcp/443/wss/p2p/12D3KooW…; a page needs ws or wss."
            raise InvalidArgument("relay", f"{address} cannot be dialled from here", hint)
        return self._client.add_relay(relay)

    def relay(self, name: str) -> PeerId:
        """A relay by peer id or multiaddr. Raises `InvalidArgument`, `UnknownRelay`."""
        if isinstance(name, str) and name.startswith("/") and not name.startswith("/p2p/"):
            return self.add_relay(name)
        relay = PeerId.parse(name.removeprefix("/p2p/") if isinstance(name, str) else name)
        if relay not in self._client.relays and not self._swarm.connections(relay):
            raise UnknownRelay(name)
        return relay

    async def make_reservation(self, relay: str) -> Reservation:
        """Reserve a slot, kept until `release`. Raises as `RelayClient.reserve` does.

        Cancellation: Safe. It is given up, unless it was kept before or another caller waits for it.
        """
        return await self._client.reserve(self.relay(relay))

    def is_reservation_valid(self, relay: str, now: float) -> bool:
        held = self._client.reservation(self.relay(relay))
        return held is not None and held.expires_at > now

    def reservations(self) -> tuple[Reservation, ...]:
        return tuple(self._client.reservations())

    # --- peers

    async def connect_through_relay(self, relay: str, target: str) -> Connection:
        """Resolves with the direct connection, or with the relayed one where that is allowed and all there is.

        A direct one that takes longer than `DIRECT_PATIENCE` is sought beside the relayed one.
        Raises `UnknownRelay`, `RelayRefused`, `DialFailed`, `TimedOut`, `NoDirectPath` …

        Cancellation: Safe. What is half made is dropped; a relayed connection that stands by then stays.
        """
        meeting, peer = self.relay(relay), PeerId.parse(target)
        self._swarm.ours.add(peer)
        known = self._swarm.best_connection(peer)
        if known is not None and (is_direct(known) or not self._can_be_direct):
            return known
        try:
            async with self._patience(peer):
                connection = await self._through(meeting, peer)
        except DarkSwapError:
            self.failed += 1
            raise
        self._memory.met(peer, meeting)
        self.successful += 1
        return connection

    async def connect(self, peer: PeerId) -> Connection:
        """As `reach`, and waits `DIRECT_PATIENCE` for a direct connection.

        Cancellation: Safe. What is half made is dropped, unless another caller waits for it; a relayed connection that
        stands by then stays.
        """
        found = await self._find(peer, direct=self._can_be_direct)
        return found.connection if found.attempt is None else await self._direct_if_any(peer, found.attempt)

    async def reach(self, peer: PeerId) -> Connection:
        """The first connection to `peer` that any relay or address leads to: all that we know, and those it told.

        Where that is a relayed one, a direct one is sought beside it, and found in the swarm when it has come about;
        only where relayed connections are not allowed it is waited for.

        Raises `NoAddress`, or `DialFailed` with what each way said.

        Cancellation: Safe. What is half made is dropped, unless another caller waits for it; a relayed connection that
        stands by then stays.
        """
        found = await self._find(peer, direct=self._can_be_direct)
        if found.attempt is not None and not self._config.relayed_fallback:
            return await self._direct_if_any(peer, found.attempt)
        return found.connection

    async def reach_relayed(self, peer: PeerId) -> Connection:
        """As `reach`, and no direct one is sought. Cancellation: As `reach`."""
        return (await self._find(peer, direct=False)).connection

    async def reach_via(self, peer: PeerId, relays: Sequence[str]) -> Connection:
        """As `reach`, where `relays` (full multiaddrs) may know `peer`; malformed ones are passed over, and those in a
        private network in which we are not.

        Cancellation: As `reach`; the relays stay known.
        """
        self._swarm.ours.add(peer)
        known = self._swarm.best_connection(peer)
        if known is not None:
            return known
        connected = (one.remote_addr for one in self._swarm.connections())
        ours = (*connected, *self._swarm.listen_addresses(), *self._client.addresses)
        hosts = [each.host() for each in ours]
        for relay in relays:
            try:
                # They come from a peer, in an order: none may send us into the visitor's own network.
                if usable((Multiaddr.parse(relay),), hosts):
                    self.add_relay(relay)
            except InvalidArgument:
                continue  # another relay of the list, or one we know, may reach the peer
        return await self.reach(peer)

    @asynccontextmanager
    async def _patience(self, peer: PeerId) -> AsyncIterator[None]:
        """The time that reaching a peer may take. Raises `TimedOut`."""
        seconds = self._config.connect_timeout
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            raise TimedOut(f"reaching {peer}", seconds) from None

    async def _through(self, relay: PeerId, peer: PeerId) -> Connection:
        # An attempt that runs already may have made its circuit, and lost it.
        if not self._can_be_direct or self._direct.is_running(peer):
            relayed = self._swarm.best_connection(peer) or await self._swarm.dial_address(_circuit(relay, peer))
            if not self._can_be_direct:
                return relayed
        attempt = self._direct.begin(relay, peer)
        try:
            await self._first_connection(peer, attempt)
        except BaseException:
            await _drop(attempt)
            raise
        return await self._direct_if_any(peer, attempt)

    async def _direct_if_any(self, peer: PeerId, attempt: asyncio.Task[Connection]) -> Connection:
        """What comes of `attempt`, or the relayed connection that stands.

        Cancellation: Waits for the attempt no more.
        """
        may_be_relayed = self._config.relayed_fallback
        try:
            await asyncio.wait((attempt,), timeout=DIRECT_PATIENCE if may_be_relayed else None)
        except asyncio.CancelledError:
            attempt.cancel()
            raise
        best = self._swarm.best_connection(peer)
        if best is not None and (is_direct(best) or may_be_relayed):
            return best
        return await result_of(attempt)

    def give_up(self, peer: PeerId) -> None:
        """Look for no direct link to `peer` any more: the application disconnects it."""
        if (climb := self._climbs.pop(peer, None)) is not None:
            climb.cancel()
        self._direct.cancel(peer)

    def find_detour(self, peer: PeerId) -> None:
        """Nothing is heard over the present path to `peer`: make another one beside it, through a relay.

        A peer that changed networks is found so before the path it lost is given up. Not for strangers.
        """
        if peer in self._swarm.ours and peer not in self._detours:
            task = self._tasks.spawn(self._find_detour(peer), "find a detour", expected=DarkSwapError)
            self._detours.add(peer)
            task.add_done_callback(lambda _: self._detours.discard(peer))

    async def _find_detour(self, peer: PeerId) -> None:
        search = PathSearch.over([way for way in self._ways(peer) if way.relay], self._swarm.limits.dial_stagger)
        async with self._patience(peer):
            await first_way(search, lambda way: self._circuit_by(way, peer), self._tasks)

    # --- searching

    async def _find(self, peer: PeerId, *, direct: bool) -> _Found:
        self._swarm.ours.add(peer)
        known = self._swarm.best_connection(peer)
        if known is not None:
            return self._with_attempt(known) if direct else _Found(known)
        search = PathSearch.over(self._ways(peer), self._swarm.limits.dial_stagger)
        if search.is_over:
            raise NoAddress(str(peer))
        # The offer of a direct link is made while the relay is still asked; by the way of most promise only.
        first = search.waiting[0].relay
        ready = direct and first is not None and self._direct.is_ready(first) and not self._direct.is_running(peer)
        attempt = self._direct.begin(first, peer) if ready and first is not None else None
        try:
            async with self._patience(peer):
                won = await first_way(search, lambda way: self._follow(way, first, attempt, peer), self._tasks)
        except BaseException:
            await _drop(attempt)
            raise
        loop = asyncio.get_running_loop()
        if won is None:
            await _drop(attempt)
            for way, _ in search.attempts:
                if way.relay is not None:
                    self._memory.failed(way.relay, loop.time())
            raise DialFailed.of(str(peer), tuple((str(way), error) for way, error in search.attempts))
        way, connection = won
        for slow in (*search.won(way), *(failed for failed, _ in search.attempts)):
            if slow.relay is not None:
                self._memory.failed(slow.relay, loop.time())
        if way.relay is not None:
            self._memory.met(peer, way.relay)
        if attempt is not None and way.relay == first:
            return _Found(connection, attempt)
        await _drop(attempt)
        return self._with_attempt(connection) if direct else _Found(connection)

    def _with_attempt(self, connection: Connection) -> _Found:
        relay = connection.remote_addr.relay_peer_id()
        if is_direct(connection) or relay is None:
            return _Found(connection)
        return _Found(connection, self._direct.begin(relay, connection.remote_peer))

    def _ways(self, peer: PeerId) -> list[_Way]:
        """The peer's own addresses, then relays: each once, however many addresses lead through it."""
        now = asyncio.get_running_loop().time()
        told = self._swarm.address_book.addresses(peer, now)
        own = tuple(each for each in told if not each.has("p2p-circuit") and self._swarm.can_dial(each))
        relays: dict[PeerId, tuple[Multiaddr, ...]] = dict.fromkeys(self._client.relays, ())
        for address in told:
            relay, parts = address.relay_peer_id(), address.split_circuit()
            if relay is not None and parts is not None and relay not in self._client.relays:
                relays[relay] = (*relays.get(relay, ()), parts[0])
        relays.pop(peer, None)
        relays.pop(self._swarm.local_peer, None)
        order = self._memory.order(peer, relays, now, lambda relay: bool(self._swarm.connections(relay)))
        ways = [_Way(relay, relays[relay]) for relay in order]
        return [_Way(None, own), *ways] if own else ways

    async def _follow(
        self, way: _Way, first: PeerId | None, attempt: asyncio.Task[Connection] | None, peer: PeerId
    ) -> Connection:
        if way.relay is None:
            return await self._swarm.dial(peer, way.addresses, known=False)
        if attempt is not None and way.relay == first:
            return await self._first_connection(peer, attempt)
        return self._swarm.best_connection(peer) or await self._circuit_by(way, peer)

    async def _circuit_by(self, way: _Way, peer: PeerId) -> Connection:
        assert way.relay is not None
        if way.addresses:
            # Where the peer says that its relay is; the relay has to prove itself there.
            now, limits = asyncio.get_running_loop().time(), self._swarm.limits
            self._swarm.address_book.add(way.relay, way.addresses, now, limits.dial_timeout)
            return await self._swarm.dial_address(way.addresses[0].encapsulate("/p2p-circuit").with_peer(peer))
        return await self._swarm.dial_address(_circuit(way.relay, peer))

    async def _first_connection(self, peer: PeerId, attempt: asyncio.Task[Connection]) -> Connection:
        """The relayed connection that `attempt` makes on its way, or what it ends with."""
        opened = asyncio.get_running_loop().create_future()

        def look(event: Event) -> None:
            if isinstance(event, ConnectionOpened) and event.connection.remote_peer == peer and not opened.done():
                opened.set_result(None)

        unsubscribe = self._swarm.subscribe(look)
        try:
            await asyncio.wait((attempt, opened), return_when=asyncio.FIRST_COMPLETED)
        finally:
            unsubscribe()
        best = self._swarm.best_connection(peer)
        return await result_of(attempt) if best is None else best

    # --- climbing

    def upgrade_to_direct(self, peer: PeerId) -> None:
        """A relayed path to `peer` is in use: look for a direct one from time to time, as long as that is so.

        Not for strangers: whoever came to us looks for it itself. A host without WebRTC tells that instead.
        """
        if self._lacks_webrtc and peer in self._swarm.ours:
            self._direct.tell_unavailable(peer)
        running = self._climbs.get(peer)
        if self._can_be_direct and peer in self._swarm.ours and (running is None or running.done()):
            task = self._climbs[peer] = self._tasks.spawn(self._upgrade_to_direct(peer), "climb to a direct path")
            task.add_done_callback(lambda over: self._climbs.pop(peer) if self._climbs.get(peer) is over else None)

    async def _upgrade_to_direct(self, peer: PeerId) -> None:
        backoff = Backoff(DIRECT_RETRY_FIRST, DIRECT_RETRY_MAX)
        while True:
            best = self._swarm.best_connection(peer)
            if best is not None and is_direct(best):
                # It may be dead and not known to be: then something else than it is in use.
                await asyncio.sleep(self._swarm.limits.probe_timeout + DIRECT_RETRY_FIRST)
                best = self._swarm.best_connection(peer)
            relay = None if best is None or is_direct(best) else best.remote_addr.relay_peer_id()
            if best is None or relay is None:
                return
            if not self._direct.is_running(peer):
                extra = DIRECT_RETRY_STEP_BACK if best.direction is Direction.INBOUND else 0.0
                await asyncio.sleep(backoff.wait() + extra)
                best = self._swarm.best_connection(peer)
                relay = best.remote_addr.relay_peer_id() if best is not None else None
                if best is None or is_direct(best) or relay is None:
                    return
            try:
                await self._direct.run(relay, peer)
            except DarkSwapError:
                continue


async def _drop(attempt: asyncio.Task[Connection] | None) -> None:
    if attempt is not None:
        await cancel_and_wait((attempt,))


def _circuit(relay: PeerId, peer: PeerId) -> Multiaddr:
    return Multiaddr.parse(f"/p2p/{relay}/p2p-circuit").with_peer(peer)
