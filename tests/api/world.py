"""A relay and nodes in a simulated world, made through the Python face."""

from __future__ import annotations

from dataclasses import dataclass, field

from darkswap_browser.api.network import Network
from darkswap_browser.api.records import DarkSwapEvent
from darkswap_browser.identity.keys import Identity
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.net.address_book import AddressBook
from darkswap_browser.net.limits import DEFAULT_LIMITS
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.net.upgrade import Upgrader
from darkswap_browser.node.config import NetworkConfig
from darkswap_browser.protocols.identify.identify import Identify
from darkswap_browser.protocols.ping import Ping
from darkswap_browser.protocols.relay.server.limits import RelayLimits
from darkswap_browser.protocols.relay.server.relay_server import RelayServer
from darkswap_browser.protocols.stun import stun_fact
from darkswap_browser.testing.world import SimulatedWorld
from darkswap_browser.transports.websocket import WebSocketTransport
from tests.support.native_identity import CRYPTO


@dataclass
class Place:
    """One world with a relay named "relay"."""

    world: SimulatedWorld
    address: str = ""
    server: RelayServer | None = None
    """Of the relay made last."""
    nodes: dict[str, Network] = field(default_factory=dict)
    events: dict[str, list[DarkSwapEvent]] = field(default_factory=dict)

    @property
    def relay_id(self) -> str:
        return self.address.rpartition("/")[2]

    async def node(self, name: str, **settings: object) -> Network:
        """A started node that holds a reservation."""
        config = NetworkConfig(relays=(Multiaddr.parse(self.address),), **settings)
        network = self.nodes[name] = Network(config, self.world.runtime(name))
        told = self.events.setdefault(name, [])
        network.subscribe(told.append)
        await network.start()
        await network.make_relay_reservation(self.relay_id)
        return network

    async def relay(self, name: str, limits: RelayLimits | None = None, *, stun: int | None = None) -> str:
        """Another relay; its address."""
        runtime = self.world.runtime(name)
        identity = await Identity.generate(runtime.crypto)
        swarm = Swarm(identity, DEFAULT_LIMITS, AddressBook(DEFAULT_LIMITS))
        upgrader = Upgrader(identity, runtime.crypto, runtime.entropy, DEFAULT_LIMITS)
        swarm.add_transport(WebSocketTransport(runtime.sockets, upgrader))
        identify = Identify(swarm, "darkswap-relay/test", runtime)
        identify.facts = () if stun is None else (stun_fact(stun),)
        identify.start()
        Ping(swarm, runtime.entropy).start()
        bound = await swarm.listen(Multiaddr.parse(f"/ip4/{self.world.ip(name)}/tcp/4001/ws"))
        self.server = RelayServer(swarm, limits or RelayLimits(), runtime.clock)
        self.server.start()
        return str(bound[0].with_peer(identity.peer_id))

    def seen(self, name: str, kind: str) -> list[DarkSwapEvent]:
        return [event for event in self.events[name] if event.type == kind]


async def place(limits: RelayLimits | None = None, *, stun: int | None = None, **world: object) -> Place:
    """`stun`: the UDP port at which the relay says that it answers."""
    made = Place(SimulatedWorld(crypto=CRYPTO, **world))
    made.address = await made.relay("relay", limits, stun=stun)
    return made


async def talking(here: Place) -> tuple[Network, Network, str]:
    """Two nodes with a direct channel, and the second one's peer id."""
    alice, bob = await here.node("alice"), await here.node("bob")
    peer = await bob.local_peer_id()
    await alice.connect_through_relay(here.relay_id, peer)
    await alice.send_webrtc_message(peer, b"hello")
    assert await bob.receive_webrtc_message(await alice.local_peer_id()) == b"hello"
    return alice, bob, peer
