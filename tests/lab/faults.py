"""Faults while numbered messages flow both ways: a hundred of 200 bytes a second, and 5 MB at once just before.

Two pairs of peers in the same two pages at once: one with a direct link, one through the relay.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.lab.lab import ICE, Lab

DIRECT, RELAYED = 0, 1
PATHS = ("direct", "relayed")
RATE, SIZE, BURST = 100, 200, 5_000_000
BEFORE_SECONDS = 3.0
"""Of messages before the fault."""
CATCH_UP_SECONDS = 90.0
LAST_SECONDS = 20.0
"""For what is under way when nothing more is sent."""


@dataclass(frozen=True)
class Fault:
    name: str
    strike: Callable[[Lab], None]
    seconds: float
    """From the fault until `heal`."""
    heal: Callable[[Lab], None]
    flows_again: float
    """Seconds from healing until a message sent after it must have arrived; longer is a failure."""
    paths: tuple[int, ...] = (DIRECT, RELAYED)
    burst: int = BURST


def nothing(_: Lab) -> None:
    """What heals by itself."""


def cut(lab: Lab) -> None:
    lab.networks.cable(cut=True)


def mend(lab: Lab) -> None:
    lab.networks.cable()


def kill_relay(lab: Lab) -> None:
    lab.relay.kill()


def cut_without_relay(lab: Lab) -> None:
    lab.relay.kill()
    cut(lab)


def mend_with_relay(lab: Lab) -> None:
    lab.relay.start()
    mend(lab)


def freeze(lab: Lab) -> None:
    lab.clients[0].ask("state", state="frozen")


def thaw(lab: Lab) -> None:
    lab.clients[0].ask("state", state="active")


def move_without_relay(lab: Lab) -> None:
    lab.relay.kill()
    lab.networks.mobile()


FAULTS = [
    Fault("cut for 5 s", cut, 5, mend, 2.0),
    Fault("cut for 30 s", cut, 30, mend, 5.0),
    Fault("cut for 120 s", cut, 120, mend, 5.0),
    Fault("another address", lambda lab: lab.networks.mobile(), 0.1, nothing, 5.0),
    Fault("the router's address changes", lambda lab: lab.networks.renumber(111), 0.1, nothing, 10.0),
    Fault("interface down for 10 s", lambda lab: lab.networks.unplug(), 10, lambda lab: lab.networks.home(), 5.0),
    Fault("relay restarts after 5 s", kill_relay, 5, lambda lab: lab.relay.start(), 5.0),
    Fault("relay gone for 60 s", kill_relay, 60, nothing, 2.0, (DIRECT,)),
    Fault("relay gone, cut for 30 s, both back", cut_without_relay, 30, mend_with_relay, 5.0),
    Fault("relay gone for good, cut for 10 s", cut_without_relay, 10, mend, 5.0, (DIRECT,)),
    Fault(
        "relay gone, another address, relay back after 60 s",
        move_without_relay,
        60,
        lambda lab: lab.relay.start(),
        10.0,
    ),
    Fault("page frozen for 60 s", freeze, 60, thaw, 5.0),
    Fault("loss of 5 %", lambda lab: lab.networks.cable(loss=0.05), 20, mend, 10.0),
    Fault("delay of 300 ms each way", lambda lab: lab.networks.cable(delay=0.3), 20, mend, 30.0),
    Fault("1 Mbit/s", lambda lab: lab.networks.cable(rate=125_000), 20, mend, 30.0, (RELAYED,), 1_000_000),
    Fault("cut for 10 min", cut, 600, mend, 5.0),
]
BY_DEFAULT = ("cut for 5 s", "cut for 30 s", "another address", "relay restarts after 5 s")


@dataclass
class Way:
    """One direction of one pair under one fault."""

    fault: str
    path: str
    way: str
    accepted: int
    arrived: int
    told: int
    doubled: int
    reordered: int
    altered: int
    fresh_ms: float | None
    worst_ms: float
    faults: list[str] = field(default_factory=list)

    def judge(self, flows_again: float) -> None:
        missing = self.accepted - (self.arrived - self.doubled) - self.told
        for count, words in (
            (missing, "lost untold"),
            (self.doubled, "doubled"),
            (self.reordered, "out of order"),
            (self.altered, "altered"),
        ):
            if count:
                self.faults.append(f"{count} {words}")
        if self.fresh_ms is None or self.fresh_ms > flows_again * 1000:
            self.faults.append(f"not flowing within {flows_again:g} s")

    def __str__(self) -> str:
        fresh = "-" if self.fresh_ms is None else f"{self.fresh_ms / 1000:.1f} s"
        line = (
            f"{self.fault:52} {self.path:8} {self.way:6} accepted {self.accepted:6} arrived {self.arrived:6} "
            f"told {self.told:5} doubled {self.doubled} reordered {self.reordered}  flows again after {fresh:>7}"
        )
        return line + ("  FAILED: " + ", ".join(self.faults) if self.faults else "")


def suffer(lab: Lab, fault: Fault) -> list[Way]:
    """Lets messages flow, strikes, heals, and judges what came of it."""
    lab.reset()
    peers = {path: begin(lab, path) for path in fault.paths}
    time.sleep(BEFORE_SECONDS)
    for path in fault.paths:
        lab.clients[0].run(path, "station.burst = args[1]", fault.burst)
    time.sleep(0.15)
    fault.strike(lab)
    time.sleep(fault.seconds)
    fault.heal(lab)
    healed = time.time() * 1000
    wait_until_fresh(lab, fault, healed)
    for path in fault.paths:
        for client in lab.clients:
            client.run(path, "station.isSending = false")
    wait_until_empty(lab, fault)
    ways = [way for path in peers for way in judged(lab, fault, path, healed)]
    for path in fault.paths:
        for client in lab.clients:
            client.run(path, "await station.end()", timeout=30)
    for way in ways:
        way.judge(fault.flows_again)
    return ways


def begin(lab: Lab, path: int) -> tuple[str, str]:
    """Two nodes that talk by this path, with messages both ways."""
    network = {"direct": False} if path == RELAYED else {}
    one, other = lab.nodes(path, ICE["STUN"], **network)
    connect = """const info = await station.node.connect_through_webrtc_relay(args[1], args[2], { timeout_ms: 40000 });
        await station.node.create_webrtc_data_channel(args[2]);
        return info.path"""
    found = lab.clients[0].run(path, connect, lab.relay.address, other, timeout=60)
    assert found == PATHS[path], f"{found} in place of {PATHS[path]}"
    for client, peer in zip(lab.clients, (other, one), strict=True):
        client.run(path, "station.stream(args[1], args[2], args[3])?.catch(() => {}); return null", peer, RATE, SIZE)
    return one, other


def counts(lab: Lab, path: int) -> list[dict[str, int]]:
    return [client.run(path, "return station.counts()", timeout=30) for client in lab.clients]


def wait_until_fresh(lab: Lab, fault: Fault, healed: float) -> None:
    """Until both directions of all pairs carry what was sent after the healing, and little is under way."""
    end = time.monotonic() + CATCH_UP_SECONDS
    missing = set(fault.paths)
    while missing and time.monotonic() < end:
        for path in tuple(missing):
            one, other = counts(lab, path)
            if (
                min(one["newest"], other["newest"]) > healed
                and max(one["sent"] - other["got"], other["sent"] - one["got"]) < 3 * RATE
            ):
                missing.discard(path)
        time.sleep(0.3)


def wait_until_empty(lab: Lab, fault: Fault) -> None:
    end = time.monotonic() + LAST_SECONDS
    while time.monotonic() < end:
        pairs = [counts(lab, path) for path in fault.paths]
        if all(
            one["accepted"] <= other["got"] + one["told"] and other["accepted"] <= one["got"] + other["told"]
            for one, other in pairs
        ):
            break
        time.sleep(0.3)
    # What would come twice has time to.
    time.sleep(1.0)


def judged(lab: Lab, fault: Fault, path: int, healed: float) -> list[Way]:
    sent = counts(lab, path)
    came = [client.run(path, "return station.judge(args[1])", healed) for client in lab.clients]
    ways = []
    for sender, receiver, way in ((0, 1, "a to b"), (1, 0, "b to a")):
        found = came[receiver]
        ways.append(
            Way(
                fault.name,
                PATHS[path],
                way,
                sent[sender]["accepted"],
                found["got"],
                sent[sender]["told"],
                found["doubled"],
                found["reordered"],
                found["bad"],
                found["fresh"],
                found["worst"],
            )
        )
    return ways


def rows(names: list[str], *, full: bool) -> list[Callable[[Lab], list[Way]]]:
    """Of the faults that are named, or of all or the short set."""
    chosen = [
        fault
        for fault in FAULTS
        if (any(name in fault.name for name in names) if names else full or fault.name in BY_DEFAULT)
    ]
    return [lambda lab, fault=fault: suffer(lab, fault) for fault in chosen]
