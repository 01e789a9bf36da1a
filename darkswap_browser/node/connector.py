"""The way to a peer: meet it at a relay, try for a direct link, take the relayed one if need be, and climb again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from darkswap_browser.concurrency.backoff import Backoff
from darkswap_browser.concurrency.tasks import Tasks
from darkswap_browser.errors import (
    DarkSwapError,
    DialFailed,
    InvalidArgument,
    NoAddress,
    TimedOut,
    TooManyRequests,
    UnknownRelay,
)
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Connection, Direction, is_direct
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.node.config import NetworkConfig
from darkswap_browser.protocols.relay.client import RelayClient
from darkswap_browser.protocols.relay.reservation_keeper import Reservation

DIRECT_RETRY_FIRST = 3.0
DIRECT_RETRY_MAX = 120.0
"""Seconds between attempts to replace a relayed path: each costs the relay two streams and both peers ICE."""
MAX_KNOWN_RELAYS = 1024
"""Peers whose meeting place is remembered."""
DIRECT_RETRY_STEP_BACK = 12.0
"""Longer wait of the side that was dialled: the dialler tries first."""


class PeerConnector:
    """`can_be_direct`: this host has WebRTC, and the configuration wants it used automatically."""

    def __init__(self, swarm: Swarm, client: RelayClient, config: NetworkConfig, *, can_be_direct: bool) -> None:
        self._swarm = swarm
        self._client = client
        self._config = config
        self._can_be_direct = can_be_direct
        self._met: dict[PeerId, PeerId] = {}
        self._climbs: dict[PeerId, asyncio.Task[None]] = {}
        self.successful = 0
        self.failed = 0

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

        Raises `UnknownRelay`, `RelayRefused`, `DialFailed`, `TimedOut` …

        Cancellation: Safe. What is half made is dropped; a relayed connection that stands by then stays.
        """
        meeting, peer = self.relay(relay), PeerId.parse(target)
        self._swarm.ours.add(peer)
        known = self._swarm.best_connection(peer)
        if known is not None and (is_direct(known) or not self._can_be_direct):
            return known
        try:
            connection = await self._meet(meeting, peer)
        except DarkSwapError:
            self.failed += 1
            raise
        self.successful += 1
        return connection

    async def reach_relayed(self, peer: PeerId) -> Connection:
        """As `reach`, and the relayed connection will do. Cancellation: As `reach`."""
        return await self.reach(peer, direct=False)

    async def reach(self, peer: PeerId, *, direct: bool = True) -> Connection:
        """Any way to `peer`: the relay where we met it, addresses it told, then every other relay we know.

        Raises `NoAddress`, or `DialFailed` with what each way said.

        Cancellation: Safe. What is half made is dropped, unless another caller waits for it; a relayed connection that
        stands by then stays.
        """
        self._swarm.ours.add(peer)
        attempts: list[tuple[str, Exception]] = []
        known = self._client.relays
        relays = sorted(
            known, key=lambda relay: (relay != self._met.get(peer), self._client.reservation(relay) is None)
        )
        for relay in relays:
            if relay != peer:
                try:
                    return await self._meet(relay, peer, direct=direct)
                except DarkSwapError as error:
                    attempts.append((f"relay {relay}", error))
        try:
            return await self._swarm.dial(peer)
        except NoAddress:
            if not attempts:
                raise
        except DialFailed as error:
            attempts += error.attempts
        raise DialFailed.of(str(peer), tuple(attempts))

    async def reach_via(self, peer: PeerId, relays: Sequence[str]) -> Connection:
        """As `reach`, where `relays` (full multiaddrs) may know `peer`; malformed ones are passed over.

        Cancellation: As `reach`; the relays stay known.
        """
        self._swarm.ours.add(peer)
        known = self._swarm.best_connection(peer)
        if known is not None:
            return known
        for relay in relays:
            try:
                self.add_relay(relay)
            except InvalidArgument:
                continue  # another relay of the list, or one we know, may reach the peer
        return await self.reach(peer)

    async def _meet(self, relay: PeerId, peer: PeerId, *, direct: bool = True) -> Connection:
        seconds = self._config.connect_timeout
        try:
            async with asyncio.timeout(seconds):
                connection = await self._direct_or_relayed(relay, peer, direct=direct)
        except TimeoutError:
            raise TimedOut(f"reaching {peer}", seconds) from None
        self._met[peer] = relay
        if len(self._met) > MAX_KNOWN_RELAYS:
            del self._met[next(iter(self._met))]
        return connection

    async def _direct_or_relayed(self, relay: PeerId, peer: PeerId, *, direct: bool) -> Connection:
        if direct and self._can_be_direct:
            try:
                return await self._dial_direct(relay, peer)
            except TooManyRequests:
                if not self._config.relayed_fallback:
                    raise
            except DarkSwapError:
                # The relayed connection that the attempt went over, if it came so far.
                relayed = self._swarm.best_connection(peer)
                if relayed is None or not self._config.relayed_fallback:
                    raise
                return relayed
        return self._swarm.best_connection(peer) or await self._swarm.dial_address(_by(relay, "/p2p-circuit", peer))

    async def _dial_direct(self, relay: PeerId, peer: PeerId) -> Connection:
        seconds = self._config.direct_timeout
        try:
            async with asyncio.timeout(seconds):
                return await self._swarm.dial_address(_by(relay, "/p2p-circuit/webrtc", peer))
        except TimeoutError:
            raise TimedOut("making a direct connection", seconds) from None

    # --- climbing

    def upgrade_to_direct(self, peer: PeerId, tasks: Tasks) -> None:
        """A relayed path to `peer` is in use: look for a direct one from time to time, as long as that is so.

        Not for strangers: whoever came to us looks for it itself.
        """
        running = self._climbs.get(peer)
        if self._can_be_direct and peer in self._swarm.ours and (running is None or running.done()):
            task = self._climbs[peer] = tasks.spawn(self._upgrade_to_direct(peer), "climb to a direct path")
            task.add_done_callback(lambda over: self._climbs.pop(peer) if self._climbs.get(peer) is over else None)

    async def _upgrade_to_direct(self, peer: PeerId) -> None:
        backoff = Backoff(DIRECT_RETRY_FIRST, DIRECT_RETRY_MAX)
        while True:
            best = self._swarm.best_connection(peer)
            if best is None or is_direct(best):
                return
            extra = DIRECT_RETRY_STEP_BACK if best.direction is Direction.INBOUND else 0.0
            await asyncio.sleep(backoff.wait() + extra)
            best = self._swarm.best_connection(peer)
            relay = best.remote_addr.relay_peer_id() if best is not None else None
            if best is None or is_direct(best) or relay is None:
                return
            try:
                await self._dial_direct(relay, peer)
            except DarkSwapError:
                continue


def _by(relay: PeerId, way: str, peer: PeerId) -> Multiaddr:
    return Multiaddr.parse(f"/p2p/{relay}{way}").with_peer(peer)
