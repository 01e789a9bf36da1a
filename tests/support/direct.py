"""Two nodes that already have a relayed connection, on hosts with WebRTC: what `/webrtc` needs, and nothing else."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field

from darkswap_browser.identity.keys import Identity
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.address_book import AddressBook
from darkswap_browser.net.connection import CircuitLimit, Connection
from darkswap_browser.net.limits import DEFAULT_LIMITS, Limits
from darkswap_browser.net.stream import BufferedStream
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.net.upgrade import Upgrader
from darkswap_browser.protocols.ping import Ping
from darkswap_browser.protocols.signaling.exchange import SignalingObserver
from darkswap_browser.runtime.base.host import Runtime
from darkswap_browser.runtime.base.webrtc import RtcConfiguration
from darkswap_browser.transports.webrtc.private import WebRtcTransport
from tests.support.pipe import PipeEnd, pipe

ECHO = "/test/echo/1.0.0"
RELAY = "/ip4/192.0.2.1/tcp/443/wss/p2p/12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf"


async def echo(connection: Connection, stream: BufferedStream, protocol: str) -> None:
    while data := await stream.read():
        await stream.write(data)


@dataclass
class Peer:
    swarm: Swarm
    transport: WebRtcTransport
    upgrader: Upgrader
    ping: Ping
    steps: list[str] = field(default_factory=list)

    @property
    def id(self) -> PeerId:
        return self.swarm.local_peer

    @property
    def address(self) -> Multiaddr:
        return Multiaddr.parse(f"{RELAY}/p2p-circuit/webrtc/p2p/{self.id}")

    @property
    def direct(self) -> list[Connection]:
        return [connection for connection in self.swarm.connections() if connection.transport == "webrtc"]

    async def dial(self, other: Peer) -> Connection:
        return await self.swarm.dial_address(other.address, lambda step, _: self.steps.append(step))

    async def echoes(self, other: Peer, data: bytes = b"hello") -> bool:
        """Over the best connection; relayed ones are limited here, so over a direct one."""
        stream = (await self.swarm.new_stream(other.id, [ECHO])).stream
        await stream.write(data)
        answer = await stream.read_exactly(len(data))
        await stream.close()
        return answer == data


async def peer(
    name: str,
    runtime: Runtime,
    *,
    limits: Limits = DEFAULT_LIMITS,
    configuration: RtcConfiguration | None = None,
    observer: SignalingObserver | None = None,
    answers_strangers: bool = True,
) -> Peer:
    me = await Identity.from_seed(runtime.crypto, hashlib.sha256(name.encode()).digest())
    swarm = Swarm(me, limits, AddressBook(limits))
    rtc = configuration or RtcConfiguration()
    transport = WebRtcTransport(swarm, runtime.webrtc, lambda: rtc, observer, answers_strangers=answers_strangers)
    swarm.add_transport(transport)
    await swarm.listen(Multiaddr.parse("/webrtc"))
    ping = Ping(swarm, runtime.entropy)
    ping.start()
    swarm.handle(ECHO, echo)
    return Peer(swarm, transport, Upgrader(me, runtime.crypto, runtime.entropy, limits), ping)


async def relay_between(one: Peer, two: Peer) -> tuple[PipeEnd, PipeEnd]:
    """Both get a connection that looks relayed and limited; returns the wire's two ends."""
    near, far = pipe()
    limit = CircuitLimit(120, 128 * 1024)
    outbound, inbound = await asyncio.gather(
        one.upgrader.upgrade_outbound(
            near,
            peer=two.id,
            address=Multiaddr.parse(f"{RELAY}/p2p-circuit/p2p/{two.id}"),
            transport="circuit",
            limit=limit,
        ),
        two.upgrader.upgrade_inbound(
            far,
            peer=None,
            address=Multiaddr.parse(f"{RELAY}/p2p-circuit/p2p/{one.id}"),
            transport="circuit",
            limit=limit,
        ),
    )
    one.swarm.add_connection(outbound)
    two.swarm.add_connection(inbound)
    return near, far


async def close_all(*peers: Peer) -> None:
    for each in peers:
        await each.swarm.close()
