"""The relay put together: sockets, swarm, relay server, metrics; started, and drained at the end."""

from __future__ import annotations

import dataclasses
import logging
import socket
from collections.abc import Sequence

from darkswap_browser.concurrency.tasks import Tasks
from darkswap_browser.errors import InvalidArgument, ListenFailed
from darkswap_browser.identity.keys import Identity, load_or_make_key
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.net.address_book import AddressBook
from darkswap_browser.net.limits import DEFAULT_LIMITS, KIB, MIB, Limits
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.protocols.identify.identify import Identify
from darkswap_browser.protocols.liveness import Liveness
from darkswap_browser.protocols.ping import Ping
from darkswap_browser.protocols.relay.server.relay_server import UNSPECIFIED, RelayServer
from darkswap_browser.protocols.stun import stun_fact
from darkswap_browser.relayd.admin import Admin, LoopLag, landing_page
from darkswap_browser.relayd.connection_limits import (
    InstrumentedUpgrader,
    ListeningSockets,
    address_limit,
    raise_descriptor_limit,
    socket_limit,
)
from darkswap_browser.relayd.link_gate import Gate
from darkswap_browser.relayd.log import RelayLog
from darkswap_browser.relayd.metrics import RelayMetrics, StreamBytes
from darkswap_browser.relayd.options import RelayOptions
from darkswap_browser.relayd.stun.server import StunServer
from darkswap_browser.runtime.base.host import Runtime
from darkswap_browser.runtime.base.links import LinkListener
from darkswap_browser.runtime.native.host import native_runtime
from darkswap_browser.transports.tcp import TcpTransport
from darkswap_browser.transports.websocket import WebSocketTransport
from darkswap_browser.version import AGENT

logger = logging.getLogger(__name__)

KEY_NAME = "relay"
UNREAD = 96 * MIB
"""Bytes that rest in circuits and elsewhere, over all connections: a relay runs on machines with 1 GB."""


class RelayDaemon:
    """A relay made ready by `open`, listening after `start`, gone after `stop`."""

    def __init__(self, options: RelayOptions, runtime: Runtime, identity: Identity, log: RelayLog, gate: Gate) -> None:
        self._options = options
        self._gate = gate
        self._metrics = metrics = RelayMetrics(log)
        self._lag = LoopLag(metrics.loop_lag.observe)
        gate.on_refused = metrics.refused_sockets.inc
        limits = _limits(gate.most)
        self._sockets = sockets = ListeningSockets(runtime.sockets)
        self._swarm = swarm = Swarm(identity, limits, AddressBook(limits))
        upgrader = InstrumentedUpgrader(
            identity,
            runtime,
            limits,
            metrics.handshakes.observe,
            lambda reason: metrics.handshake_failures.labels(reason).inc(),
            swarm,
        )
        swarm.add_transport(TcpTransport(sockets, upgrader))
        swarm.add_transport(WebSocketTransport(sockets, upgrader, tls=options.tls))
        self._identify = Identify(swarm, AGENT, runtime)
        self._ping = Ping(swarm, runtime.entropy)
        # A reservation must not rest on a connection whose other end is gone.
        self._liveness = Liveness(swarm, self._ping)
        self._server = RelayServer(swarm, options.limits, runtime.clock, announce=options.announce, observer=metrics)
        self._tasks = Tasks(swarm.faults.report)
        self._admin: LinkListener | None = None
        self._stun = StunServer()
        self.stun_port: int | None = None
        """UDP port at which STUN is answered; None where it is not."""
        self._add_figures()

    @classmethod
    async def open(cls, options: RelayOptions, log: RelayLog) -> RelayDaemon:
        """Raises `InvalidArgument` or `Unsupported` when the identity file cannot be used."""
        most = options.connections or socket_limit(raise_descriptor_limit())
        gate = Gate(most, options.connections_per_ip or address_limit(most), options.trusted_proxies)
        runtime = _host(options, gate)
        return cls(options, runtime, await _identity(runtime), log, gate)

    @property
    def peer_id(self) -> str:
        return str(self._swarm.local_peer)

    @property
    def addresses(self) -> tuple[str, ...]:
        return tuple(map(str, self._server.addresses()))

    @property
    def admin(self) -> str | None:
        """URL of the admin port; None when there is none."""
        if self._admin is None:
            return None
        host = self._admin.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self._admin.port}"

    async def start(self) -> None:
        """Raises `ListenFailed` (a port is taken), `InvalidArgument` (TLS files), `Unsupported` (an address)."""
        for part in (self._identify, self._ping, self._liveness, self._server):
            part.start()
        listening: list[Multiaddr] = []
        for address in self._options.listen:
            bound = await self._swarm.listen(address)
            listening += bound
            self._swarm.set_announced(f"interfaces of {address}", _reachable(bound))
        if self._options.stun is not None:
            await self._start_stun(self._options.stun, listening)
        self._tasks.spawn(self._lag.measure(), "loop lag")
        if self._options.admin is not None:
            admin = Admin(
                self._metrics, self._lag, lambda: self._sockets.is_listening, lambda: not self._server.draining
            )
            self._admin = await admin.listen(*self._options.admin)
        self._metrics.status.set(1)

    async def _start_stun(self, port: int, listening: Sequence[Multiaddr]) -> None:
        """Raises `ListenFailed` for a port that was asked for; the default one may be another's."""
        ips = [address.value("ip4") or address.value("ip6") for address in listening]
        hosts = _every_interface() if self._options.announce else list(dict.fromkeys(ip for ip in ips if ip))
        number = port or next((each for address in listening if (each := address.port())), None)
        if not hosts or number is None:
            return
        try:
            await self._stun.open(hosts, number)
        except ListenFailed as error:
            if port:
                raise
            logger.warning("stun not answered: %s", error)
            return
        self.stun_port = number
        self._identify.facts = (stun_fact(number),)

    async def stop(self) -> bool:
        """Drain, then close. True when every circuit ended by itself."""
        self._metrics.status.set(0)
        await self._sockets.stop_listening()
        self._stun.close()
        finished = await self._server.drain(self._options.drain_seconds)
        await self._server.close()
        await self._identify.close()
        await self._liveness.close()
        await self._swarm.close()
        if self._admin is not None:
            await self._admin.close()
        await self._tasks.close()
        return finished

    def _add_figures(self) -> None:
        metrics, swarm, server = self._metrics, self._swarm, self._server
        metrics.registry.register(StreamBytes(swarm))
        metrics.gauge("open_sockets", "Sockets that peers hold", lambda: self._gate.open)
        metrics.gauge("connections", "Authenticated connections", lambda: len(swarm.connections()))
        metrics.gauge("reservations_held", "Reservations in force", lambda: server.reservations)
        metrics.gauge("circuits_running", "Circuits at this moment", lambda: server.circuits)
        stun = self._stun.responder
        metrics.gauge("stun_answered", "STUN requests answered", lambda: stun.answered)
        metrics.gauge("stun_refused", "STUN requests above the rate", lambda: stun.refused)
        metrics.gauge("stun_ignored", "Datagrams that are no STUN request", lambda: stun.ignored)


def _host(options: RelayOptions, gate: Gate) -> Runtime:
    if options.identity is None:
        return native_runtime(plain_http=landing_page, gate=gate)
    try:
        options.identity.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise InvalidArgument("--identity", f"{options.identity}: {error}") from error
    return native_runtime(str(options.identity), plain_http=landing_page, gate=gate)


async def _identity(runtime: Runtime) -> Identity:
    """The key of the identity file, made at the first start."""
    return Identity(await load_or_make_key(runtime, KEY_NAME, extractable=True))


def _limits(connections: int) -> Limits:
    """A relay holds many connections with little on each. It asks for nobody, so all are strangers."""
    return dataclasses.replace(
        DEFAULT_LIMITS,
        connections=connections,
        connections_of_strangers=connections,
        unread_bytes_of_strangers=UNREAD,
        # Half and not a fifth: one connection carries the talk of a page with many peers.
        work_strangers_part=2,
        yamux_unread=1 * MIB,
        # It dials nobody.
        identify_addresses_of_strangers=0,
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


def _every_interface() -> list[str]:
    return ["0.0.0.0", "::"] if socket.has_dualstack_ipv6() else ["0.0.0.0"]


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
