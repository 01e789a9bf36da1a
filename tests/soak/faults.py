"""What becomes of messages when something happens to an end, the relay or the paths, in virtual time: one row for each
fault, end and path. `build.py lab --full` does the same with browsers on real networks."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from darkswap_browser.api.network import Network
from darkswap_browser.api.records import DarkSwapEvent
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.node.config import NetworkConfig
from darkswap_browser.testing import loop
from tests.api.world import Place, place

PERIOD = 0.05
"""Seconds between two messages."""


@dataclass
class Scene:
    """`alice` sends to `bob`, who is identified by his store."""

    here: Place
    direct: bool
    relays: list[str]
    nodes: dict[str, Network] = field(default_factory=dict)
    peers: dict[str, str] = field(default_factory=dict)
    accepted: dict[tuple[int, int], int] = field(default_factory=dict)
    """(life of the sender's ids, id) → number."""
    life: int = 0
    taken: list[tuple[float, int]] = field(default_factory=list)
    told: dict[tuple[int, int], bool] = field(default_factory=dict)
    sent: list[tuple[float, int]] = field(default_factory=list)
    first: int = 2**31
    """The first message after the fault."""
    flows: asyncio.Event = field(default_factory=asyncio.Event)

    def make(self, name: str) -> Network:
        relays = tuple(Multiaddr.parse(each) for each in self.relays)
        network = Network(NetworkConfig(relays=relays, direct=self.direct), self.here.world.runtime(name))
        if name == "bob":
            network.set_message_sink(lambda _, messages: self._take([int(each) for each in messages]))
        else:
            network.subscribe(self._event)
        self.nodes[name] = network
        return network

    def _take(self, numbers: list[int]) -> None:
        now = asyncio.get_running_loop().time()
        self.taken += [(now, number) for number in numbers]
        if max(numbers) >= self.first:
            self.flows.set()

    def _event(self, event: DarkSwapEvent) -> None:
        if event.type == "message:undelivered":
            for number in event.fields["ids"]:
                self.told[self.life, number] = event.fields["maybe_delivered"]

    async def begin(self) -> None:
        for name in ("alice", "bob"):
            network = self.make(name)
            await network.start()
            self.peers[name] = await network.local_peer_id()
        for name in ("alice", "bob"):
            await self.nodes[name].make_relay_reservation(self.relays[0].rpartition("/")[2])
        await self.nodes["alice"].open_channel(self.peers["bob"])

    async def talk(self) -> None:
        while True:
            number = len(self.sent)
            self.sent.append((asyncio.get_running_loop().time(), number))
            found = await self.nodes["alice"].send_webrtc_message(self.peers["bob"], b"%d" % number)
            self.accepted[self.life, found] = number
            await asyncio.sleep(PERIOD)

    async def kill(self, name: str, *, silent: bool = False) -> None:
        """The process ends; what is left of it here must not go on."""
        self.here.world.kill(name, silent=silent)
        self.nodes[name].set_message_sink(None)
        self.nodes[name].abandon()
        await self.nodes[name].stop()

    async def again(self, name: str) -> None:
        """Another process or page with the same identity."""
        await self.kill(name)
        await self.make(name).start()


Fault = Callable[[Scene], Awaitable[None]]


async def reloads(scene: Scene) -> None:
    for _ in range(5):
        await asyncio.sleep(2)
        scene.nodes["bob"].send_goodbye()
        await scene.again("bob")


async def crash(scene: Scene) -> None:
    await scene.again("bob")


async def power_lost(scene: Scene) -> None:
    await scene.kill("bob", silent=True)
    await asyncio.sleep(10)
    scene.here.world.rejoin("bob")
    await scene.make("bob").start()


async def relay_gone(scene: Scene) -> None:
    """The first of two relays ends."""
    scene.here.world.kill("relay")
    await asyncio.sleep(30)


async def relay_restarted(scene: Scene) -> None:
    scene.here.world.sever("alice", "relay")
    scene.here.world.sever("bob", "relay")
    await asyncio.sleep(2)


async def path_changed(scene: Scene) -> None:
    """The sender comes to another network."""
    scene.here.world.change_address("alice")


def without_path(seconds: float, *names: str) -> Fault:
    async def strike(scene: Scene) -> None:
        for name in names:
            scene.here.world.isolate(name)
        await asyncio.sleep(seconds)
        for name in names:
            scene.here.world.rejoin(name)

    return strike


def handed_over(name: str) -> Fault:
    async def strike(scene: Scene) -> None:
        before = scene.nodes[name]
        handed = before.hand_over()
        await before.stop()
        after = scene.make(name)
        after.take_up(handed)
        await after.start()

    return strike


FAULTS: dict[str, Fault] = {
    "receiver reloaded five times": reloads,
    "receiver's tab or process killed": crash,
    "receiver's power lost for 10 s": power_lost,
    "links to the relay break": relay_restarted,
    "one of two relays gone": relay_gone,
    "sender in another network": path_changed,
    "sender 2 minutes without a path": without_path(120, "alice"),
    "receiver 10 minutes without a path": without_path(600, "bob"),
    "both ends cut for 2 minutes": without_path(120, "alice", "bob"),
    "sender handed over": handed_over("alice"),
    "receiver handed over": handed_over("bob"),
}


async def row(name: str, *, direct: bool) -> str:
    here = await place()
    scene = Scene(here, direct, [here.address, await here.relay("relay 2")])
    await scene.begin()
    talk = asyncio.create_task(_persistent(scene))
    await asyncio.sleep(5)
    await FAULTS[name](scene)
    now = asyncio.get_running_loop().time
    healed, scene.first = now(), len(scene.sent)
    with suppress(TimeoutError):
        async with asyncio.timeout(300):
            await scene.flows.wait()
    flows = now() - healed
    await asyncio.sleep(5)
    talk.cancel()
    await asyncio.sleep(30)
    return _judged(scene, name, flows)


async def _persistent(scene: Scene) -> None:
    """Sends again what failed because another holder took over: it was not accepted."""
    while True:
        try:
            await scene.talk()
        except Exception as error:
            if getattr(error, "code", "") not in ("NODE_MOVED", "ABORTED", "STREAM_CLOSED", "OBJECT_CLOSED"):
                raise
            await asyncio.sleep(0.2)


def _judged(scene: Scene, name: str, flows: float) -> str:
    taken = Counter(number for _, number in scene.taken)
    numbers = set(scene.accepted.values())
    told = {scene.accepted[key]: maybe for key, maybe in scene.told.items() if key in scene.accepted}
    missing = numbers - set(taken) - set(told)
    both = [number for number in told if number in taken]
    wrong = [number for number in both if not told[number]]
    doubled = sum(count - 1 for count in taken.values())
    order = [number for _, number in scene.taken]
    faults = [
        words
        for count, words in (
            (len(missing), "neither"),
            (doubled, "doubled"),
            (len(wrong), "wrongly told"),
            (order != sorted(order), "out of order"),
        )
        if count
    ]
    path = "direct" if scene.direct else "relayed"
    return (
        f"{name:36} {path:8} accepted {len(numbers):6} delivered {len(set(taken) & numbers):6} told {len(told):4} "
        f"both {len(both):3} neither {len(missing):3} doubled {doubled:3}  flows again after {flows:5.1f} s"
        + ("  FAILED: " + ", ".join(faults) if faults else "")
    )


def all_rows() -> bool:
    """Prints them; whether all hold."""
    held = True
    for name in FAULTS:
        for direct in (True, False):
            found = loop.run(row(name, direct=direct), [])
            print(found, flush=True)
            held &= "FAILED" not in found
    return held
