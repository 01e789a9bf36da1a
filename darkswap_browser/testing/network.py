"""The virtual network: named hosts, the paths between them with delay and faults, and who listens where.

Everything happens on the running event loop's time, so in virtual time a whole world is exact and repeatable.
A *cut* path loses nothing: what is under way waits, as TCP and SCTP retransmit, until the path heals or a link
gives up. A *severed* link breaks at once, at both ends.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

from darkswap_browser.concurrency.tasks import Tasks
from darkswap_browser.errors import ConnectionLost, ListenFailed
from darkswap_browser.runtime.base.links import LinkHandler, LinkListener
from darkswap_browser.testing.link import SimulatedLink

OPEN_SECONDS = 15.0
"""A connection attempt over a dead path ends after this, as on the native host."""


@dataclass(slots=True)
class Path:
    """What lies between two hosts: one-way delay in seconds, bytes per second (None: unlimited), and faults."""

    latency: float
    bandwidth: float | None = None
    up: bool = True
    udp: bool = True
    """False: a firewall or NAT lets no direct WebRTC through, while sockets work."""


@dataclass(slots=True)
class Host:
    name: str
    ip: str
    alive: bool = True
    refusing: bool = False
    """Connections to its listeners are refused."""
    moves: int = 0
    """How often its address changed: what was made before the last time leads nowhere."""


@dataclass(frozen=True, slots=True)
class Listening:
    kind: str
    """"tcp", "ws" or "wss"."""
    handler: LinkHandler


class DirectRoute:
    """Between two hosts over the path that joins them."""

    def __init__(self, network: SimulatedNetwork, source: str, target: str) -> None:
        self._network = network
        self._source = source
        self._target = target
        self._moves = network.moves(source, target)

    def is_up(self) -> bool:
        moved = self._network.moves(self._source, self._target) != self._moves
        return not moved and self._network.is_up(self._source, self._target)

    def delay(self) -> float:
        return self._network.path(self._source, self._target).latency

    def bandwidth(self) -> float | None:
        return self._network.path(self._source, self._target).bandwidth


class SimulatedNetwork:
    """Hosts and what joins them. `split`: cut written data at random borders."""

    def __init__(self, chance: random.Random, latency: float, *, split: bool = True) -> None:
        self.chance = chance
        self._latency = latency
        self._split = chance if split else None
        self.hosts: dict[str, Host] = {}
        self._paths: dict[tuple[str, str], Path] = {}
        self._listening: dict[tuple[str, int], Listening] = {}
        self._links: dict[int, SimulatedLink] = {}
        self._tasks = Tasks()
        self._watchers: dict[int, Callable[[], None]] = {}
        self._next_watcher = 0
        self._next_port = 40000

    def add_host(self, name: str) -> Host:
        number = len(self.hosts) + 1
        return self.hosts.setdefault(name, Host(name, f"10.0.{number // 256}.{number % 256}"))

    def path(self, a: str, b: str) -> Path:
        key = (min(a, b), max(a, b))
        if key not in self._paths:
            self._paths[key] = Path(0.0 if a == b else self._latency)
        return self._paths[key]

    def moves(self, a: str, b: str) -> tuple[int, int]:
        return self.hosts[a].moves, self.hosts[b].moves

    def is_up(self, a: str, b: str) -> bool:
        return self.hosts[a].alive and self.hosts[b].alive and self.path(a, b).up

    def find(self, address: str, asking: str) -> Host | None:
        """By name or IP address; loopback addresses mean the host that asks."""
        if address in ("127.0.0.1", "::1", "localhost"):
            return self.hosts[asking]
        return next((host for host in self.hosts.values() if address in (host.name, host.ip)), None)

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call `changed` after each change of a path or host; returns the end of it."""
        self._next_watcher += 1
        number = self._next_watcher
        self._watchers[number] = changed

        def unwatch() -> None:
            self._watchers.pop(number, None)

        return unwatch

    def changed(self) -> None:
        for link in list(self._links.values()):
            link.route_changed()
        for watcher in list(self._watchers.values()):
            watcher()

    def _forget(self, link: SimulatedLink) -> None:
        self._links.pop(id(link), None)

    def sever(self, a: str, b: str | None = None) -> None:
        """Break the links of `a` (only those to `b` when given), at both ends at once."""
        for link in list(self._links.values()):
            ends = {link.host, link.remote}
            if a in ends and (b is None or b in ends):
                link.lose("the network dropped it")

    def links(self, host: str) -> int:
        """How many ends of links `host` holds."""
        return sum(link.host == host for link in self._links.values())

    def kill(self, name: str, *, silent: bool) -> None:
        """Its listeners go; the others' ends break after the delay, or, when `silent`, only by time-out."""
        self._listening = {key: value for key, value in self._listening.items() if key[0] != name}
        for link in [link for link in self._links.values() if link.host == name]:
            if silent:
                link.lose("this host was killed")
            else:
                link.reset()

    async def listen(self, name: str, kind: str, bind: str, port: int, handler: LinkHandler) -> LinkListener:
        if port == 0:
            self._next_port += 1
            port = self._next_port
        if (name, port) in self._listening:
            raise ListenFailed(bind, port, "the port is taken")
        self._listening[name, port] = Listening(kind, handler)

        async def close() -> None:
            self._listening.pop((name, port), None)

        return LinkListener(bind, port, close)

    async def connect(self, source: str, kind: str, address: str, port: int) -> SimulatedLink:
        what = f"{kind} to {address} port {port}"
        target = self.find(address, source)
        if target is None:
            raise ConnectionLost(what, "no such host")
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                await self.until_up(source, target.name)
                # TCP takes one round trip, TLS and the HTTP upgrade one each.
                await asyncio.sleep({"tcp": 2, "ws": 4, "wss": 6}[kind] * self.path(source, target.name).latency)
                await self.until_up(source, target.name)
        except TimeoutError:
            raise ConnectionLost(what, "no answer") from None
        listening = self._listening.get((target.name, port))
        if listening is None or target.refusing or listening.kind != kind:
            raise ConnectionLost(what, "refused")
        ours, theirs = self._link(source, target.name), self._link(target.name, source)
        ours.peer, theirs.peer = theirs, ours
        self._tasks.spawn(listening.handler(theirs, self.hosts[source].ip), "link handler")
        return ours

    def _link(self, host: str, remote: str) -> SimulatedLink:
        link = SimulatedLink(host, remote, DirectRoute(self, host, remote), self._split, self._forget)
        self._links[id(link)] = link
        return link

    async def until_up(self, a: str, b: str) -> None:
        """Returns when something can pass between the two."""
        while not self.is_up(a, b):
            changed = asyncio.Event()
            unwatch = self.watch(changed.set)
            try:
                await changed.wait()
            finally:
                unwatch()
