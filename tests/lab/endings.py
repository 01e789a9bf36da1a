"""Tabs that are reloaded, crash, are left and come back, or hand the node to another tab, while messages flow to them.

The sender keeps the id of each message that was accepted and of each that it was told of; the receiving browser keeps
in a tab of its own what its application took. Each message must be taken once or told; both only where that was said
to be possible.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tests.lab.faults import PATHS, RATE, SIZE
from tests.lab.lab import ICE, ClientProcess, Lab

BEFORE_SECONDS = 3.0
CATCH_UP_SECONDS = 60.0
LAST_SECONDS = 20.0
SENDER, RECEIVER = 0, 1


@dataclass
class Scene:
    """Two nodes of lasting identities; messages flow from the tab `sends` of one to the other."""

    lab: Lab
    path: int
    sends: str = "main"

    def client(self, which: int) -> ClientProcess:
        return self.lab.clients[which]

    def join(self, which: int, tab: str = "main", *, opens: bool = False) -> str:
        """The tab's view of the node, reserved at the relay; the peer id. `opens`: the tab anew."""
        client = self.client(which)
        if opens:
            client.ask("open", tab=tab)
        network = {
            "relays": [self.lab.relay.address],
            "ice_servers": ICE["STUN"],
            "direct": PATHS[self.path] == "direct",
        }
        config = {"identity": {"name": PATHS[self.path]}, "network": network}
        peer = str(client.run(self.path, "return await station.begin(args[1])", config, timeout=60, tab=tab))
        reserve = "await station.node.make_webrtc_relay_reservation(args[1], { timeout_ms: 15000 })"
        client.run(self.path, reserve, self.lab.relay.address, timeout=30, tab=tab)
        return peer


def reload_five_times(scene: Scene) -> None:
    for _ in range(5):
        time.sleep(1)
        scene.client(RECEIVER).ask("reload")
        scene.join(RECEIVER)


def crash(scene: Scene) -> None:
    scene.client(RECEIVER).ask("crash")
    time.sleep(3)
    scene.join(RECEIVER, opens=True)


def leave_and_come_back(scene: Scene) -> None:
    scene.client(RECEIVER).ask("leave")
    time.sleep(5)
    scene.client(RECEIVER).ask("back")


def second_tab(which: int) -> Callable[[Scene], None]:
    def prepare(scene: Scene) -> None:
        scene.join(which, "second", opens=True)
        if which == SENDER:
            scene.sends = "second"

    return prepare


def holder_goes(which: int, how: str) -> Callable[[Scene], None]:
    def strike(scene: Scene) -> None:
        scene.client(which).ask(how)

    return strike


def idle_tab(scene: Scene) -> None:
    """Beside the one that sends, and goes on with the node where that one stands still."""
    scene.join(SENDER, "second", opens=True)


def stand_still(scene: Scene) -> None:
    busy = "setTimeout(() => { for (const end = performance.now() + 12000; performance.now() < end;); }, 50);"
    scene.client(SENDER).run(scene.path, busy)
    time.sleep(14)


def network_and_relay_off(scene: Scene) -> None:
    """For three minutes; the relay comes back in the middle of them."""
    scene.lab.networks.cable(cut=True)
    scene.lab.relay.kill()
    time.sleep(90)
    scene.lab.relay.start()
    time.sleep(90)
    scene.lab.networks.cable()


def nothing(_: Scene) -> None:
    """One tab is enough."""


@dataclass(frozen=True)
class Ending:
    name: str
    strike: Callable[[Scene], None]
    flows_again: float
    """Seconds from the end of `strike` until a message sent after it must have been taken."""
    prepare: Callable[[Scene], None] = nothing
    keeps_session: bool = False
    """Nothing may be told: whoever takes over goes on with the conversation."""


ENDINGS = [
    Ending("receiver reloaded five times", reload_five_times, 10),
    Ending("receiver's tab crashes, opened again", crash, 10),
    Ending("receiver left, and back from the cache", leave_and_come_back, 10),
    Ending(
        "receiver's first tab closes, the second goes on",
        holder_goes(RECEIVER, "close"),
        10,
        second_tab(RECEIVER),
        keeps_session=True,
    ),
    Ending(
        "receiver's first tab crashes, the second goes on", holder_goes(RECEIVER, "crash"), 15, second_tab(RECEIVER)
    ),
    Ending(
        "sender's first tab closes, the second sends on",
        holder_goes(SENDER, "close"),
        10,
        second_tab(SENDER),
        keeps_session=True,
    ),
    Ending(
        "two tabs of the sender, no network for 3 min, relay restarts",
        network_and_relay_off,
        10,
        second_tab(SENDER),
        keeps_session=True,
    ),
    Ending("sender's tab stands still, and sends on through the second", stand_still, 10, idle_tab),
    Ending("sender's first tab crashes, the second sends on", holder_goes(SENDER, "crash"), 15, second_tab(SENDER)),
]


@dataclass
class Outcome:
    name: str
    path: str
    accepted: int
    taken: int
    told: int
    both: int
    """Told as maybe delivered, and delivered."""
    fresh_ms: float | None
    errors: list[object]
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        fresh = "-" if self.fresh_ms is None else f"{self.fresh_ms / 1000:.1f} s"
        line = (
            f"{self.name:52} {self.path:8} accepted {self.accepted:6} taken {self.taken:6} told {self.told:5} "
            f"both {self.both:3}  flows again after {fresh:>7}"
        )
        return line + ("  FAILED: " + ", ".join(self.faults) if self.faults else "")


def suffer(lab: Lab, ending: Ending, path: int) -> list[Outcome]:
    lab.reset()
    lab.fresh()
    scene = Scene(lab, path)
    scene.join(SENDER)
    receiver = scene.join(RECEIVER)
    ending.prepare(scene)
    lab.clients[SENDER].run(
        path, "await station.node.create_webrtc_data_channel(args[1])", receiver, timeout=60, tab=scene.sends
    )
    stream = "station.stream(args[1], args[2], args[3])?.catch(() => {}); return null"
    lab.clients[SENDER].run(path, stream, receiver, RATE, SIZE, tab=scene.sends)
    time.sleep(BEFORE_SECONDS)
    ending.strike(scene)
    healed = time.time() * 1000
    wait(CATCH_UP_SECONDS, lambda: any(sent > healed for _, _, _, sent, _ in records(scene)))
    time.sleep(1.0)
    lab.clients[SENDER].run(path, "station.isSending = false", tab=scene.sends)
    wait(LAST_SECONDS, lambda: not judge(scene, ending, healed).faults)
    time.sleep(1.0)
    return [judge(scene, ending, healed)]


def wait(seconds: float, is_done: Callable[[], bool]) -> None:
    end = time.monotonic() + seconds
    while not is_done() and time.monotonic() < end:
        time.sleep(0.5)


def records(scene: Scene) -> list[tuple[int, str, int, float, float]]:
    """(station, tab, number, sent at, taken at) of what the receiver's application took."""
    told = scene.client(RECEIVER).ask("js", tab="record", script="return record", args=[], timeout=30)
    return [tuple(each) for each in told if each[0] == scene.path]


def judge(scene: Scene, ending: Ending, healed: float) -> Outcome:
    known = "return [station.ids, station.toldIds, station.errors.slice(0, 3)]"
    ids, told_batches, errors = scene.client(SENDER).run(scene.path, known, tab=scene.sends)
    told = {one: maybe for batch, _, maybe in told_batches for one in batch}
    unnamed = sum(count - len(batch) for batch, count, _ in told_batches)
    came = records(scene)
    # A tab beside another takes the same messages once more.
    shared = ending.prepare is not nothing and scene.sends == "main"
    doubled = repeated((tab, number) if shared else number for _, tab, number, _, _ in came)
    taken = {number for _, _, number, _, _ in came}
    missing = [number for number, one in ids if number not in taken and one not in told]
    wrong = [number for number, one in ids if number in taken and told.get(one) is False]
    both = [number for number, one in ids if number in taken and told.get(one)]
    fresh = min((at - healed for _, _, _, sent, at in came if sent >= healed), default=None)
    found = Outcome(ending.name, PATHS[scene.path], len(ids), len(taken), len(told) + unnamed, len(both), fresh, errors)
    for count, words in (
        (max(len(missing) - unnamed, 0), "lost untold"),
        (doubled, "doubled"),
        (len(wrong), "told as not delivered, and delivered"),
        (found.told if ending.keeps_session else 0, "told where the conversation goes on"),
    ):
        if count:
            found.faults.append(f"{count} {words}")
    if fresh is None or fresh > ending.flows_again * 1000:
        found.faults.append(f"not flowing within {ending.flows_again:g} s")
    return found


def repeated(keys: Iterable[object]) -> int:
    return sum(count - 1 for count in Counter(keys).values())


def rows(names: list[str], *, full: bool) -> list[Callable[[Lab], list[Outcome]]]:
    chosen = [each for each in ENDINGS if (any(name in each.name for name in names) if names else full)]
    return [lambda lab, each=each, path=path: suffer(lab, each, path) for each in chosen for path in range(len(PATHS))]
