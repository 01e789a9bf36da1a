"""A whole world to run peers in: hosts by name, one virtual network, one seed. `SimulatedWorld` is the way in."""

from __future__ import annotations

import random

from darkswap_browser.concurrency.named_locks import NamedLocks
from darkswap_browser.runtime.base.crypto import Crypto
from darkswap_browser.runtime.base.host import Runtime
from darkswap_browser.testing.host import (
    SeededCrypto,
    SeededEntropy,
    SimulatedClock,
    SimulatedLifecycle,
    SimulatedSockets,
    SimulatedStore,
)
from darkswap_browser.testing.http import HttpHandler, HttpWorld, SimulatedFetch
from darkswap_browser.testing.locks import SimulatedLocks
from darkswap_browser.testing.network import SimulatedNetwork
from darkswap_browser.testing.wallets import ScriptedProviders
from darkswap_browser.testing.webrtc.connection import RtcWorld, SimulatedWebRtc

EPOCH = 1_700_000_000.0
"""Wall-clock time at loop time 0, in unix seconds."""


class SimulatedWorld:
    """`crypto`: real primitives to use (they need no randomness of their own here). `latency`: one way, in seconds."""

    def __init__(
        self, seed: int = 0, *, crypto: Crypto, latency: float = 0.01, epoch: float = EPOCH, split: bool = True
    ) -> None:
        self._seed = seed
        self._crypto = crypto
        self._epoch = epoch
        chance = random.Random(f"{seed}/network")
        self.network = SimulatedNetwork(chance, latency, split=split)
        self.rtc = RtcWorld(self.network, random.Random(f"{seed}/rtc"))
        self.http = HttpWorld(self.network)
        self._runtimes: dict[str, Runtime] = {}
        self._stores: dict[str, SimulatedStore] = {}
        self._sites: dict[str, str] = {}
        self._site_locks: dict[str, NamedLocks] = {}
        self._locks: dict[str, SimulatedLocks] = {}
        self._wallets: dict[str, ScriptedProviders] = {}
        self._lifecycles: dict[str, SimulatedLifecycle] = {}
        self._loads: dict[str, int] = {}

    def runtime(self, name: str) -> Runtime:
        """The host of that name, made at first call."""
        if name not in self._runtimes:
            self._runtimes[name] = self._load(name)
        return self._runtimes[name]

    def tab(self, name: str, site: str) -> Runtime:
        """Another tab of the host `site`: with a network place of its own, but one store and one set of locks."""
        self._sites[name] = site
        return self.runtime(name)

    def reload(self, name: str) -> Runtime:
        """As a page reload: everything of the host ends, its store stays."""
        self.kill(name)
        self._runtimes[name] = self._load(name)
        return self._runtimes[name]

    def ip(self, name: str) -> str:
        self.runtime(name)
        return self.network.hosts[name].ip

    def store(self, name: str) -> SimulatedStore:
        return self._stores.setdefault(self._sites.get(name, name), SimulatedStore())

    def wallets(self, name: str) -> ScriptedProviders:
        """The wallet extensions of that host, which survive its reloads."""
        return self._wallets.setdefault(name, ScriptedProviders())

    def serve_http(self, name: str, base_url: str, handler: HttpHandler) -> None:
        """The host answers HTTP below `base_url` until it is killed; `cut`, `shape` and `refuse` work as on sockets."""
        self.runtime(name)
        self.http.serve(name, base_url, handler)

    def cut(self, a: str, b: str) -> None:
        """Nothing passes between the two, and nobody is told."""
        self._set_path(a, b, up=False)

    def heal(self, a: str, b: str) -> None:
        self._set_path(a, b, up=True)

    def isolate(self, name: str) -> None:
        """Cut off from everybody, silently."""
        self.network.hosts[name].alive = False
        self.network.changed()

    def rejoin(self, name: str) -> None:
        self.network.hosts[name].alive = True
        self.network.changed()

    def sever(self, a: str, b: str | None = None) -> None:
        """Break sockets of `a` (to `b`, or all) at once; WebRTC is not touched."""
        self.network.sever(a, b)

    def shape(self, a: str, b: str, *, latency: float | None = None, bandwidth: float | None = None) -> None:
        """One-way delay in seconds (None: as it was), bytes per second in each direction (None: unlimited)."""
        path = self.network.path(a, b)
        path.latency = path.latency if latency is None else latency
        path.bandwidth = bandwidth

    def block_udp(self, a: str, b: str, blocked: bool = True) -> None:
        """Let no direct WebRTC through between two hosts; TURN and sockets still work."""
        self.network.path(a, b).udp = not blocked
        self.network.changed()

    def refuse(self, name: str, refusing: bool = True) -> None:
        """Let the host refuse new socket connections."""
        self.network.hosts[name].refusing = refusing

    def kill(self, name: str, *, silent: bool = False) -> None:
        """End the host's process: others see resets, or, when `silent` (power lost), nothing at all."""
        if silent:
            self.isolate(name)  # first: what its connections say as they end must not get out
        self.network.kill(name, silent=silent)
        self.http.kill(name)
        self.rtc.kill(name)
        self._locks[name].drop()
        self._runtimes.pop(name, None)

    def tell(self, name: str, event: str) -> None:
        """A life event as in `runtime.base.Lifecycle`."""
        self._lifecycles[name].tell(event)

    def change_address(self, name: str) -> None:
        """Another network at once, as told by "offline" and "online": present links and ICE candidates lead nowhere, in
        silence, and new ones work."""
        self.network.hosts[name].moves += 1
        self.network.changed()
        self.tell(name, "offline")
        self.tell(name, "online")

    def go_offline(self, name: str) -> None:
        self.isolate(name)
        self.tell(name, "offline")

    def go_online(self, name: str) -> None:
        self.rejoin(name)
        self.tell(name, "online")

    def _set_path(self, a: str, b: str, *, up: bool) -> None:
        self.network.path(a, b).up = up
        self.network.changed()

    def _load(self, name: str) -> Runtime:
        host = self.network.add_host(name)
        host.alive = True
        load = self._loads[name] = self._loads.get(name, 0) + 1
        entropy = SeededEntropy(random.Random(f"{self._seed}/{name}/{load}"))
        self._lifecycles[name] = lifecycle = SimulatedLifecycle()
        shared = self._site_locks.setdefault(self._sites.get(name, name), NamedLocks())
        self._locks[name] = locks = SimulatedLocks(shared)
        return Runtime(
            name=f"simulated {name}",
            clock=SimulatedClock(self._epoch),
            entropy=entropy,
            crypto=SeededCrypto(self._crypto, entropy),
            sockets=SimulatedSockets(self.network, name),
            webrtc=SimulatedWebRtc(self.rtc, name),
            store=self.store(name),
            lifecycle=lifecycle,
            fetch=SimulatedFetch(self.http, name),
            locks=locks,
            wallet_providers=self.wallets(name),
            features={"tcp": True, "listen": True, "webrtc": True},
        )
