"""A peer on CPython with real sockets, for tests and figures against other processes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
from darkswap_browser.runtime.base.host import Runtime
from darkswap_browser.runtime.native.host import native_runtime
from darkswap_browser.transports.circuit import CircuitTransport
from darkswap_browser.transports.tcp import TcpTransport
from darkswap_browser.transports.websocket import WebSocketTransport

ECHO = "/echo/1.0.0"


async def echo(connection: Connection, stream: BufferedStream, protocol: str) -> None:
    """Runs until the stream ends one way or the other."""
    while True:
        await stream.write(await stream.read())


@dataclass
class NativeNode:
    swarm: Swarm
    runtime: Runtime
    ping: Ping
    client: RelayClient

    @property
    def peer(self) -> PeerId:
        return self.swarm.local_peer

    async def echoes(self, target: PeerId | Connection, data: bytes) -> bool:
        stream = (await self.swarm.new_stream(target, [ECHO], allow_limited=True)).stream
        await stream.write(data)
        back = await stream.read_exactly(len(data))
        await stream.close()
        return back == data


@asynccontextmanager
async def native_node(limits: Limits = DEFAULT_LIMITS, *, trusted: str | None = None) -> AsyncIterator[NativeNode]:
    """A new identity, an echo handler on every connection, ready to take circuits."""
    runtime = native_runtime(trusted=trusted)
    identity = await Identity.generate(runtime.crypto)
    swarm = Swarm(identity, limits, AddressBook(limits))
    upgrader = Upgrader(identity, runtime.crypto, runtime.entropy, limits)
    client = RelayClient(swarm, runtime)
    swarm.add_transport(TcpTransport(runtime.sockets, upgrader))
    swarm.add_transport(WebSocketTransport(runtime.sockets, upgrader))
    swarm.add_transport(CircuitTransport(client, upgrader))
    identify, ping = Identify(swarm, "darkswap-browser/test", runtime), Ping(swarm, runtime.entropy)
    identify.start()
    ping.start()
    client.start()
    await swarm.listen(Multiaddr.parse("/p2p-circuit"))
    swarm.handle(ECHO, echo, allow_limited=True)
    try:
        yield NativeNode(swarm, runtime, ping, client)
    finally:
        await client.close()
        await identify.close()
        await swarm.close()
