"""Relays and their clients on one virtual local network, with every way for a relay to be gone."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from darkswap_browser.concurrency.named_locks import NamedLocks
from darkswap_browser.errors import ConnectionLost, Unsupported
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.address_book import AddressBook
from darkswap_browser.net.connection import Connection
from darkswap_browser.net.limits import DEFAULT_LIMITS, Limits
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.net.transport import ConnectionHandler, StepHandler
from darkswap_browser.net.upgrade import Upgrader
from darkswap_browser.protocols.identify.identify import Identify
from darkswap_browser.protocols.ping import Ping
from darkswap_browser.protocols.relay.client import RelayClient
from darkswap_browser.protocols.relay.server.limits import RelayLimits
from darkswap_browser.protocols.relay.server.relay_server import RelayObserver, RelayServer
from darkswap_browser.runtime.base.host import Runtime
from darkswap_browser.runtime.base.webrtc import PeerConnection, PeerConnectionListener, RtcConfiguration
from darkswap_browser.runtime.no_wallets import NoWalletProviders
from darkswap_browser.testing.host import (
    SeededEntropy,
    SimulatedClock,
    SimulatedLifecycle,
    SimulatedSockets,
    SimulatedStore,
)
from darkswap_browser.testing.http import HttpWorld, SimulatedFetch
from darkswap_browser.testing.network import SimulatedNetwork
from darkswap_browser.transports.circuit import CircuitTransport
from tests.support.native_identity import CRYPTO, identity
from tests.support.pipe import PipeEnd, pipe

EPOCH = 1_700_000_000.0
RELAY_LIMITS = RelayLimits(circuit_duration=0, circuit_data=0)


class Lan:
    """Who listens where, and the links that were made, by address."""

    def __init__(self) -> None:
        self.listening: dict[Multiaddr, tuple[ConnectionHandler, Upgrader]] = {}
        self.links: dict[Multiaddr, list[PipeEnd]] = {}
        self.dials = 0

    def gone(self, address: Multiaddr) -> None:
        """Whoever listened there stops, and its links break."""
        self.listening.pop(address, None)
        self.cut(address)

    def cut(self, address: Multiaddr) -> None:
        for link in self.links.pop(address, []):
            link.reset()


class LanTransport:
    """`/ip4/…/tcp/…` over pipes in memory."""

    def __init__(self, lan: Lan, ip: str, upgrader: Upgrader) -> None:
        self._lan = lan
        self._ip = ip
        self._upgrader = upgrader
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def name(self) -> str:
        return "memory"

    def can_dial(self, address: Multiaddr) -> bool:
        return address.is_tcp

    async def dial(self, address: Multiaddr, peer: PeerId | None, on_step: StepHandler) -> Connection:
        self._lan.dials += 1
        bare = address.without_peer()
        if bare not in self._lan.listening:
            raise ConnectionLost("connection", "refused")
        handler, upgrader = self._lan.listening[bare]
        near, far = pipe()
        self._lan.links.setdefault(bare, []).append(near)
        task = asyncio.create_task(self._serve(far, upgrader, handler))
        self._tasks.add(task)
        return await self._upgrader.upgrade_outbound(near, peer=peer, address=address, transport="memory")

    async def _serve(self, link: PipeEnd, upgrader: Upgrader, handler: ConnectionHandler) -> None:
        address = Multiaddr.parse(f"/ip4/{self._ip}/tcp/50000")
        try:
            connection = await upgrader.upgrade_inbound(link, peer=None, address=address, transport="memory")
        except Exception:  # noqa: BLE001  # the dialler sees it; whatever broke here broke there
            return
        await handler(connection)

    def can_listen(self, address: Multiaddr) -> bool:
        return address.is_tcp

    async def listen(self, address: Multiaddr, handler: ConnectionHandler) -> tuple[Multiaddr, ...]:
        self._lan.listening[address] = handler, self._upgrader
        return (address,)

    async def close(self) -> None:
        """Pipes have nothing to close."""


class NoWebRtc:
    available = False

    def create_peer_connection(
        self, configuration: RtcConfiguration, listener: PeerConnectionListener
    ) -> PeerConnection:
        raise Unsupported("WebRTC")


def runtime(name: str, store: SimulatedStore | None = None) -> Runtime:
    network = SimulatedNetwork(random.Random(name), 0.01)
    return Runtime(
        name=name,
        clock=SimulatedClock(EPOCH),
        entropy=SeededEntropy(random.Random(name)),
        crypto=CRYPTO,
        sockets=SimulatedSockets(network, name),
        webrtc=NoWebRtc(),
        store=store or SimulatedStore(),
        lifecycle=SimulatedLifecycle(),
        fetch=SimulatedFetch(HttpWorld(network), name),
        locks=NamedLocks(),
        wallet_providers=NoWalletProviders(),
    )


@dataclass
class Node:
    """One peer: swarm, identify, ping, relay client, circuit transport."""

    name: str
    runtime: Runtime
    swarm: Swarm
    upgrader: Upgrader
    identify: Identify
    ping: Ping
    client: RelayClient
    lan: Lan
    address: Multiaddr
    """Where it listens if it does, without its id."""
    server: RelayServer | None = None
    extra: list[RelayServer] = field(default_factory=list)

    @property
    def peer(self) -> PeerId:
        return self.swarm.local_peer

    @property
    def full_address(self) -> Multiaddr:
        return self.address.with_peer(self.peer)

    @property
    def lifecycle(self) -> SimulatedLifecycle:
        assert isinstance(self.runtime.lifecycle, SimulatedLifecycle)
        return self.runtime.lifecycle

    async def close(self) -> None:
        if self.server is not None:
            self.lan.gone(self.address)
            await self.server.close()
        await self.client.close()
        await self.identify.close()
        await self.swarm.close()


async def node(
    lan: Lan, name: str, ip: str, limits: Limits = DEFAULT_LIMITS, store: SimulatedStore | None = None
) -> Node:
    host = runtime(name, store)
    who = await identity(name)
    swarm = Swarm(who, limits, AddressBook(limits))
    upgrader = Upgrader(who, host.crypto, host.entropy, limits)
    client = RelayClient(swarm, host)
    swarm.add_transport(LanTransport(lan, ip, upgrader))
    swarm.add_transport(CircuitTransport(client, upgrader))
    identify = Identify(swarm, "darkswap-browser/test", host)
    ping = Ping(swarm, host.entropy)
    identify.start()
    ping.start()
    client.start()
    await swarm.listen(Multiaddr.parse("/p2p-circuit"))
    address = Multiaddr.parse(f"/ip4/{ip}/tcp/4001")
    return Node(name, host, swarm, upgrader, identify, ping, client, lan, address)


async def relay(
    lan: Lan,
    name: str = "relay",
    ip: str = "10.0.0.1",
    limits: RelayLimits = RELAY_LIMITS,
    *,
    observer: RelayObserver | None = None,
    announce: Sequence[Multiaddr] = (),
    connections: int = DEFAULT_LIMITS.connections,
) -> Node:
    made = await node(lan, name, ip, dataclasses.replace(DEFAULT_LIMITS, connections=connections))
    await made.swarm.listen(made.address)
    made.server = RelayServer(made.swarm, limits, made.runtime.clock, observer=observer, announce=announce)
    made.server.start()
    return made


def circuits(who: Node) -> list[Multiaddr]:
    """The addresses at which it is reached through relays."""
    return [address for address in who.swarm.listen_addresses() if address.has("p2p-circuit")]
