"""N peers in one simulated world: each a swarm with sockets as transports, identify, ping, and a way through relays."""

from __future__ import annotations

from dataclasses import dataclass

from darkswap_browser.identity.keys import Identity
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.address_book import AddressBook
from darkswap_browser.net.connection import Connection
from darkswap_browser.net.limits import DEFAULT_LIMITS, Limits
from darkswap_browser.net.stream import BufferedStream
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.net.upgrade import Upgrader
from darkswap_browser.protocols.identify.identify import Identify
from darkswap_browser.protocols.ping import Ping
from darkswap_browser.protocols.relay.client import RelayClient
from darkswap_browser.protocols.relay.server.limits import RelayLimits
from darkswap_browser.protocols.relay.server.relay_server import RelayObserver, RelayServer
from darkswap_browser.runtime.base.host import Runtime
from darkswap_browser.testing.world import SimulatedWorld
from darkswap_browser.transports.circuit import CircuitTransport
from darkswap_browser.transports.tcp import TcpTransport
from darkswap_browser.transports.websocket import WebSocketTransport
from tests.support.native_identity import CRYPTO

ECHO = "/test/echo/1.0.0"
PORT = 4001
RELAY_LIMITS = RelayLimits(circuit_duration=0, circuit_data=0)


async def echo(connection: Connection, stream: BufferedStream, protocol: str) -> None:
    while data := await stream.read():
        await stream.write(data)


@dataclass
class SimPeer:
    name: str
    runtime: Runtime
    swarm: Swarm
    upgrader: Upgrader
    identify: Identify
    ping: Ping
    client: RelayClient
    server: RelayServer | None = None

    @property
    def id(self) -> PeerId:
        return self.swarm.local_peer

    @property
    def address(self) -> Multiaddr:
        """The first one that it listens on, with its id."""
        return self.swarm.listen_addresses()[0].with_peer(self.id)

    def through(self, relay: SimPeer) -> Multiaddr:
        return relay.address.encapsulate("/p2p-circuit").with_peer(self.id)

    async def echoes(self, target: PeerId | Connection, data: bytes = b"hello") -> bytes:
        """`data` sent over a stream of the echo protocol, and what came back."""
        stream = (await self.swarm.new_stream(target, [ECHO])).stream
        await stream.write(data)
        answer = await stream.read_exactly(len(data))
        await stream.close()
        return answer

    async def close(self) -> None:
        if self.server is not None:
            await self.server.close()
        await self.client.close()
        await self.identify.close()
        await self.swarm.close()


class SimWorld:
    """`peer` adds one, `relay` adds one that listens and relays. `world` holds the clock, the paths and the faults."""

    def __init__(self, seed: int = 0, *, latency: float = 0.01, limits: Limits = DEFAULT_LIMITS) -> None:
        self.world = SimulatedWorld(seed, crypto=CRYPTO, latency=latency)
        self.limits = limits
        self.peers: list[SimPeer] = []

    async def peer(self, name: str, *listen: str) -> SimPeer:
        """`listen`: "tcp", "ws", "wss"; on ports 4001, 4002 … of the host's own IP."""
        return await self._make(name, self.world.runtime(name), listen)

    async def relay(
        self,
        name: str = "relay",
        *listen: str,
        limits: RelayLimits = RELAY_LIMITS,
        observer: RelayObserver | None = None,
    ) -> SimPeer:
        made = await self.peer(name, *(listen or ("ws",)))
        made.server = RelayServer(made.swarm, limits, made.runtime.clock, observer=observer)
        made.server.start()
        return made

    async def reload(self, old: SimPeer, *listen: str) -> SimPeer:
        """As a page reload: the same identity and store, everything else new."""
        runtime = self.world.reload(old.name)
        await old.close()
        self.peers.remove(old)
        return await self._make(old.name, runtime, listen)

    async def close(self) -> None:
        for peer in self.peers:
            await peer.close()

    async def _make(self, name: str, runtime: Runtime, listen: tuple[str, ...]) -> SimPeer:
        key = await runtime.store.load_signing_key("identity")
        if key is None:
            key = await runtime.crypto.generate_signing_key()
            await runtime.store.save_signing_key("identity", key)
        who = Identity(key)
        swarm = Swarm(who, self.limits, AddressBook(self.limits))
        upgrader = Upgrader(who, runtime.crypto, runtime.entropy, self.limits)
        client = RelayClient(swarm, runtime)
        swarm.add_transport(WebSocketTransport(runtime.sockets, upgrader, tls=("simulated", "simulated")))
        swarm.add_transport(TcpTransport(runtime.sockets, upgrader))
        swarm.add_transport(CircuitTransport(client, upgrader))
        identify = Identify(swarm, "darkswap-browser/test", runtime)
        ping = Ping(swarm, runtime.entropy)
        swarm.handle(ECHO, echo)
        identify.start()
        ping.start()
        client.start()
        await swarm.listen(Multiaddr.parse("/p2p-circuit"))
        for port, kind in enumerate(listen, PORT):
            tail = "" if kind == "tcp" else f"/{kind}"
            await swarm.listen(Multiaddr.parse(f"/ip4/{self.world.ip(name)}/tcp/{port}{tail}"))
        made = SimPeer(name, runtime, swarm, upgrader, identify, ping, client)
        self.peers.append(made)
        return made
