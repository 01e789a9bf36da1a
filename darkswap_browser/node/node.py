"""One node's parts, put together: identity, swarm, transports, protocols. The only place that knows them all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from darkswap_browser.concurrency.faults import FaultReporter
from darkswap_browser.concurrency.tasks import finish_now
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.net.address_book import AddressBook
from darkswap_browser.net.idle_connections import IdleConnections
from darkswap_browser.net.limits import Limits
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.net.transport import Transport
from darkswap_browser.net.upgrade import Upgrader
from darkswap_browser.node.config import NetworkConfig
from darkswap_browser.node.connector import PeerConnector
from darkswap_browser.node.dns_over_https import dns_over_https
from darkswap_browser.node.identity import hold_identity, load_identity
from darkswap_browser.node.page_signaling import PageSignaling, Received
from darkswap_browser.node.relay_stun import RelayStun
from darkswap_browser.protocols.channels.channel import ChannelListener
from darkswap_browser.protocols.channels.service import Channels
from darkswap_browser.protocols.channels.urgent import UrgentMessages
from darkswap_browser.protocols.identify.identify import Identify
from darkswap_browser.protocols.liveness import Liveness
from darkswap_browser.protocols.ping import Ping
from darkswap_browser.protocols.relay.client import RelayClient
from darkswap_browser.runtime.base.host import Runtime
from darkswap_browser.transports.circuit import CircuitTransport
from darkswap_browser.transports.dnsaddr import DnsaddrTransport
from darkswap_browser.transports.tcp import TcpTransport
from darkswap_browser.transports.webrtc.direct import WebRtcDirectTransport
from darkswap_browser.transports.webrtc.private import WebRtcTransport
from darkswap_browser.transports.websocket import WebSocketTransport
from darkswap_browser.version import AGENT


@dataclass(frozen=True, slots=True)
class Node:
    swarm: Swarm
    client: RelayClient
    circuits: PeerConnector
    channels: Channels
    urgent: UrgentMessages
    identify: Identify
    ping: Ping
    liveness: Liveness
    idle: IdleConnections
    webrtc: WebRtcTransport
    signals: PageSignaling
    stun: RelayStun
    upgrader: Upgrader
    held: AsyncExitStack
    """The right to run this identity."""

    def relay_addresses(self) -> Sequence[str]:
        """Full multiaddrs of the relays that hold a reservation for us, one each."""
        found: dict[str, str] = {}
        for reservation in self.client.reservations():
            for address in map(str, reservation.addresses):
                relay, circuit, _ = address.partition("/p2p-circuit")
                if circuit:
                    found.setdefault(relay.rpartition("/p2p/")[2], relay)
        return list(found.values())

    async def close(self) -> None:
        """Say goodbye from the top down. Idempotent.

        Reservations go first: a connection that breaks meanwhile must not be made again.

        Cancellation: Safe; what is left is then dropped.
        """
        try:
            self.urgent.stop()
            await self.client.close()
            await self.circuits.close()
            await self.channels.close()
            await self.signals.close()
            await self.liveness.close()
            await self.idle.close()
            self.ping.stop()
            await self.identify.close()
            await self.swarm.close()
        finally:
            self.abort()
            await self.held.aclose()

    def abort(self) -> None:
        """Drop everything without waiting: peers are told only what can be sent at once. Idempotent.

        Tasks end in the next turns of the event loop.
        """
        self.client.abort()
        self.circuits.abort()
        self.urgent.stop()
        self.channels.abort("stopped")
        self.signals.abort()
        self.liveness.abort()
        self.idle.abort()
        self.ping.stop()
        self.identify.abort()
        self.swarm.abort()
        self.upgrader.abort()

    def forget(self) -> None:
        """Let go of the identity, when the loop has ended that the rest ran on."""
        finish_now(self.held.aclose())


async def create_node(
    config: NetworkConfig,
    runtime: Runtime,
    limits: Limits,
    listener: ChannelListener,
    received: Received,
    faults: FaultReporter,
    prepare: Callable[[Node], Awaitable[None]],
) -> Node:
    """A started node.

    Args:
        faults: Told of what fails in the background.
        prepare: Awaited when all is put together and nothing is started.
    Raises:
        IdentityInUse: Another process runs the identity of this folder.
        NodeMoved: Another tab has taken the identity over.
        StorageError: The store, and the identity in it, cannot be read.

    Cancellation: Safe; what was started is dropped.
    """
    await runtime.fence.check()
    identity = await load_identity(config, runtime)
    held = await hold_identity(config, runtime, identity)
    try:
        swarm = Swarm(identity, limits, AddressBook(limits), faults)
        swarm.accepts_strangers = config.accept != "ours"
        can_be_direct = config.direct and config.signaling == "automatic" and runtime.webrtc.available
        node = _assemble(swarm, config, runtime, limits, listener, received, held, can_be_direct=can_be_direct)
    except BaseException:
        await held.aclose()
        raise
    try:
        await prepare(node)
        await _start(node, config, can_be_direct=can_be_direct, is_manual=config.signaling != "automatic")
    except BaseException:
        node.abort()
        await node.close()
        raise
    return node


def _assemble(
    swarm: Swarm,
    config: NetworkConfig,
    runtime: Runtime,
    limits: Limits,
    listener: ChannelListener,
    received: Received,
    held: AsyncExitStack,
    *,
    can_be_direct: bool,
) -> Node:
    upgrader = Upgrader(
        swarm.identity,
        runtime.crypto,
        runtime.entropy,
        limits,
        swarm.faults.report,
        memory=swarm.memory,
        is_ours=swarm.ours.__contains__,
    )
    takes_offers = can_be_direct or config.signaling != "automatic"
    client = RelayClient(swarm, runtime, early_data=config.relay_early_data, takes_offers=takes_offers)
    stun = RelayStun(swarm, client, config)
    circuits = PeerConnector(
        swarm, client, config, stun, lambda peer: webrtc.ice_report(peer), can_be_direct=can_be_direct
    )
    signals = PageSignaling(swarm, circuits.reach_relayed, received)
    answers_strangers = config.accept == "direct"
    webrtc = WebRtcTransport(swarm, runtime.webrtc, stun.configuration, signals, answers_strangers=answers_strangers)
    for transport in _socket_transports(config, runtime, limits, upgrader):
        swarm.add_transport(transport)
    swarm.add_transport(CircuitTransport(client, upgrader))
    swarm.add_transport(webrtc)
    agent_of = swarm.address_book.agent
    swarm.add_transport(WebRtcDirectTransport(runtime.webrtc, upgrader.handshaker, runtime.entropy, limits, agent_of))
    ping = Ping(swarm, runtime.entropy, runtime.clock.monotonic)
    channels = Channels(swarm, runtime.entropy.bytes, limits, circuits.reach, listener)
    channels.direct_only = can_be_direct and not config.relayed_fallback
    return Node(
        swarm,
        client,
        circuits,
        channels,
        UrgentMessages(swarm, runtime.entropy.bytes, channels.get),
        Identify(swarm, AGENT, runtime),
        ping,
        Liveness(swarm, ping),
        IdleConnections(swarm),
        webrtc,
        signals,
        stun,
        upgrader,
        held,
    )


def _socket_transports(
    config: NetworkConfig, runtime: Runtime, limits: Limits, upgrader: Upgrader
) -> Sequence[Transport]:
    found: list[Transport] = [WebSocketTransport(runtime.sockets, upgrader)]
    if runtime.features.get("tcp"):
        found.append(TcpTransport(runtime.sockets, upgrader))
    server = config.dns_over_https
    lookup = dns_over_https(runtime.fetch, server) if server else runtime.lookup_txt
    return found if lookup is None else [*found, DnsaddrTransport(lookup, tuple(found), limits)]


async def _start(node: Node, config: NetworkConfig, *, can_be_direct: bool, is_manual: bool) -> None:
    node.ping.start()
    node.liveness.start()
    node.idle.start()
    node.identify.start()
    node.client.start()
    node.channels.start()
    node.urgent.start()
    await node.swarm.listen(Multiaddr.parse("/p2p-circuit"))
    if can_be_direct:
        await node.swarm.listen(Multiaddr.parse("/webrtc"))
    if is_manual:
        node.signals.answer_manually()
    for address in config.listen:
        await node.swarm.listen(address)
    for address in config.relays:
        relay = node.client.add_relay(address)
        if config.reserve:
            node.client.keep_reservation(relay)
