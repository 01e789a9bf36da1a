"""The relay put together: sockets, swarm, relay server, metrics; started, and drained at the end."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
from collections.abc import Coroutine
from dataclasses import dataclass

from darkswap_browser.app.relay.admin import Admin, LoopLag, greet
from darkswap_browser.app.relay.gate import GatedSockets, MeasuredUpgrader, raise_descriptor_limit, socket_limit
from darkswap_browser.app.relay.log import JsonLog
from darkswap_browser.app.relay.metrics import RelayMetrics, StreamBytes
from darkswap_browser.app.relay.options import RelayOptions
from darkswap_browser.app.version import AGENT
from darkswap_browser.errors import InvalidArgument
from darkswap_browser.identity.keys import Identity
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.net.address_book import AddressBook
from darkswap_browser.net.limits import DEFAULT_LIMITS, KIB, Limits
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.protocols.identify.identify import Identify
from darkswap_browser.protocols.ping import Ping
from darkswap_browser.protocols.relay.server import UNSPECIFIED, RelayServer
from darkswap_browser.runtime.base import LinkListener, Runtime
from darkswap_browser.runtime.native.host import native_runtime
from darkswap_browser.transports.tcp import TcpTransport
from darkswap_browser.transports.websocket import WebSocketTransport

KEY_NAME = "relay"


@dataclass(frozen=True, slots=True)
class Ready:
    """What the relay says of itself once it listens. `admin` is a URL."""

    peer_id: str
    addresses: tuple[str, ...]
    admin: str | None


class RelayNode:
    def __init__(self, options: RelayOptions, log: JsonLog) -> None:
        self._options = options
        self._log = log
        self._metrics = RelayMetrics(log)
        self._lag = LoopLag(self._metrics.loop_lag.observe)
        self._tasks: set[asyncio.Task[None]] = set()
        self._admin: LinkListener | None = None
        self._sockets: GatedSockets | None = None
        self._swarm: Swarm | None = None
        self._identify: Identify | None = None
        self._server: RelayServer | None = None

    async def start(self) -> Ready:
        """Raises `ConnectionLost` (a port is taken), `InvalidArgument` (TLS files) and `Unsupported` (key file)."""
        options = self._options
        runtime = _host(options)
        identity = await _identity(runtime)
        most = options.connections or socket_limit(raise_descriptor_limit())
        self._sockets = sockets = GatedSockets(runtime.sockets, most, self._metrics.refused_sockets.inc)
        limits = _limits(most)
        self._swarm = swarm = Swarm(identity, limits, AddressBook(limits))
        metrics = self._metrics
        upgrader = MeasuredUpgrader(
            identity,
            runtime,
            limits,
            metrics.handshakes.observe,
            lambda reason: metrics.handshake_failures.labels(reason).inc(),
        )
        swarm.add_transport(TcpTransport(sockets, upgrader))
        swarm.add_transport(WebSocketTransport(sockets, upgrader, tls=options.tls))
        self._identify = Identify(swarm, AGENT, runtime)
        self._identify.start()
        Ping(swarm, runtime.entropy).start()
        for address in options.listen:
            bound = await swarm.listen(address)
            swarm.set_announced(f"interfaces of {address}", _reachable(bound))
        self._server = server = RelayServer(
            swarm, options.limits, runtime.clock, announce=options.announce, observer=self._metrics
        )
        server.start()
        self._watch(server, swarm, sockets)
        admin = await self._open_admin(server, sockets)
        self._metrics.status.set(1)
        return Ready(str(identity.peer_id), tuple(map(str, server.addresses())), admin)

    async def stop(self) -> bool:
        """Drain, then close. True when every circuit ended by itself."""
        assert self._server is not None and self._swarm is not None
        assert self._sockets is not None and self._identify is not None
        self._metrics.status.set(0)
        await self._sockets.stop_listening()
        finished = await self._server.drain(self._options.drain_seconds)
        await self._server.close()
        await self._identify.close()
        await self._swarm.close()
        if self._admin is not None:
            await self._admin.close()
        for task in self._tasks:
            task.cancel()
        return finished

    def _watch(self, server: RelayServer, swarm: Swarm, sockets: GatedSockets) -> None:
        metrics = self._metrics
        metrics.registry.register(StreamBytes(swarm))
        metrics.gauge("open_sockets", "Sockets that peers hold", lambda: sockets.open)
        metrics.gauge("connections", "Authenticated connections", lambda: len(swarm.connections()))
        metrics.gauge("reservations_held", "Reservations in force", lambda: server.reservations)
        metrics.gauge("circuits_running", "Circuits at this moment", lambda: server.circuits)
        self._spawn(self._lag.measure())

    async def _open_admin(self, server: RelayServer, sockets: GatedSockets) -> str | None:
        if self._options.admin is None:
            return None
        host, port = self._options.admin
        admin = Admin(self._metrics, self._lag, lambda: sockets.is_listening, lambda: not server.draining)
        self._admin = await admin.listen(host, port)
        return f"http://{f'[{host}]' if ':' in host else host}:{self._admin.port}"

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _host(options: RelayOptions) -> Runtime:
    if options.identity is None:
        return native_runtime(plain_http=greet)
    try:
        options.identity.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise InvalidArgument("--identity", f"{options.identity}: {error}") from error
    return native_runtime(str(options.identity), plain_http=greet)


async def _identity(runtime: Runtime) -> Identity:
    """The key of the identity file, made at the first start."""
    key = await runtime.store.load_signing_key(KEY_NAME)
    if key is None:
        key = await runtime.crypto.generate_signing_key(extractable=True)
        await runtime.store.save_signing_key(KEY_NAME, key)
    return Identity(key)


def _limits(connections: int) -> Limits:
    """A relay holds many connections with little on each."""
    return dataclasses.replace(
        DEFAULT_LIMITS,
        connections=connections,
        address_book_peers=connections,
        yamux_window_max=256 * KIB,
        yamux_stream_queue=64 * KIB,
    )


def _reachable(bound: tuple[Multiaddr, ...]) -> list[Multiaddr]:
    """For sockets that listen on every interface: the addresses of this machine that we can find out."""
    found = []
    for address in bound:
        if address.host() in UNSPECIFIED:
            name, rest = address.components[0].name, Multiaddr(address.components[1:])
            found += [Multiaddr.parse(f"/{name}/{ip}").encapsulate(rest) for ip in _own_ips(name)]
    return found


def _own_ips(name: str) -> list[str]:
    """That of the route to the outside (no packet is sent to find it), then loopback."""
    family, outside, loopback = {
        "ip4": (socket.AF_INET, "192.0.2.1", "127.0.0.1"),
        "ip6": (socket.AF_INET6, "2001:db8::1", "::1"),
    }[name]
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((outside, 9))
        except OSError:
            return [loopback]
        return [probe.getsockname()[0], loopback]
