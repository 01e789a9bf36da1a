"""Which path two peers get, by their routers and by what their site configures: direct wherever theory allows."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from tests.lab.lab import ICE, STUN_SERVER, TURN_SERVER, Lab
from tests.lab.namespaces import NO_UDP, ONLY_443, TURN6

KINDS = ("none", "cone", "restricted", "symmetric")
UNREACHABLE = {("restricted", "symmetric"), ("symmetric", "restricted"), ("symmetric", "symmetric")}
"""Pairs of routers whose ports the other side cannot guess: nothing direct without TURN."""
FIRST_MESSAGE_SECONDS = 3.0
"""From the call that connects until the channel is open, whatever the path."""
STREAM_SECONDS = 2.0
SHORT = {("restricted", "restricted"), ("restricted", "symmetric"), ("symmetric", "symmetric")}

CONNECT = """const from = performance.now();
await station.node.connect_through_webrtc_relay(args[1], args[2], { timeout_ms: 40000 });
await station.node.create_webrtc_data_channel(args[2], { timeout_ms: 20000 });
return performance.now() - from"""
REACHED = """const stats = await station.node.get_connection_stats(args[1], { timeout_ms: 8000 });
if (stats.path === "relayed") return "relayed";
return [stats.local_candidate_type, stats.remote_candidate_type].includes("relay") ? "TURN" : "direct";"""


@dataclass
class Reached:
    """One pair of clients in one network."""

    network: str
    ice: str
    expected: str
    path: str
    open_ms: float
    sent: int
    arrived: int
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        line = (
            f"{self.network:44} {self.ice:14} {self.path:8} channel open after {self.open_ms:6.0f} ms  "
            f"messages {self.arrived} of {self.sent}"
        )
        return line + ("  FAILED: " + ", ".join(self.faults) if self.faults else "")


@dataclass(frozen=True)
class Setting:
    """`arrange` makes the network before the pages connect."""

    name: str
    ice_name: str
    ice: Sequence[object]
    expected: str
    arrange: Callable[[Lab], None]
    relay: Callable[[Lab], str] = lambda lab: lab.relay.address
    network: dict[str, object] = field(default_factory=dict)
    is_short: bool = False


def routers(one: str, other: str, forward_a: str = "", forward_b: str = "") -> Callable[[Lab], None]:
    def arrange(lab: Lab) -> None:
        lab.networks.nat("ra", one, forward_a)
        lab.networks.nat("rb", other, forward_b)

    return arrange


def matrix() -> list[Setting]:
    """Kinds of router × what the site configures. Without ICE servers the relay's own STUN is used."""
    found = []
    for one in KINDS:
        for other in KINDS:
            for ice, servers in ICE.items():
                direct = (one, other) not in UNREACHABLE
                expected = "direct" if direct else "TURN" if ice == "TURN" else "relayed"
                short = (one, other) in SHORT and ice != "STUN"
                found.append(Setting(f"{one} × {other}", ice, servers, expected, routers(one, other), is_short=short))
    return found


def filtered_lan(lab: Lab) -> None:
    lab.networks.one_lan()
    lab.networks.multicast(allowed=False)
    time.sleep(1.5)
    lab.fresh()  # Names of mDNS that were found before are remembered.


def one_lan(lab: Lab) -> None:
    lab.networks.one_lan()
    time.sleep(4)
    lab.fresh()


def only_ipv6(lab: Lab) -> None:
    firewall = 'iifname "wan" meta nfproto ipv6 meta l4proto { tcp, udp } ct state new drop'
    routers("none", "none", firewall, firewall)(lab)
    lab.networks.home(v4=False, v6=True)
    time.sleep(1.5)


def others() -> list[Setting]:
    plain = routers("restricted", "restricted")
    stun6 = {"urls": f"stun:[{TURN6}]:3478"}
    return [
        Setting("UDP blocked at a", "none", [], "relayed", routers("restricted", "restricted", NO_UDP), is_short=True),
        Setting("UDP blocked at a", "TURN", ICE["TURN"], "TURN", routers("restricted", "restricted", NO_UDP)),
        Setting(
            "UDP blocked at both", "TURN", ICE["TURN"], "TURN", routers("restricted", "restricted", NO_UDP, NO_UDP)
        ),
        Setting(
            "only TCP 443 out of both",
            "TURN",
            ICE["TURN"],
            "TURN",
            routers("restricted", "restricted", ONLY_443, ONLY_443),
            relay=lambda lab: lab.relay.on_443,
        ),
        Setting("one local network", "none", [], "direct", one_lan),
        Setting("one local network without multicast", "TURN", ICE["TURN"], "TURN", filtered_lan),
        Setting("IPv6 only", "STUN", [stun6], "direct", only_ipv6, relay=lambda lab: lab.relay.on_ipv6),
        Setting(
            "TURN with a wrong password",
            "wrong",
            [STUN_SERVER, {**TURN_SERVER, "credential": "wrong"}],
            "relayed",
            routers("symmetric", "symmetric"),
        ),
        Setting("relay_only", "TURN", ICE["TURN"], "TURN", plain, network={"relay_only": True}),
    ]


def measure(lab: Lab, setting: Setting) -> list[Reached]:
    """Connects from a to b, lets messages flow both ways, and judges path, time and messages."""
    with ExitStack() as after:
        lab.reset()
        setting.arrange(lab)
        after.callback(lab.reset)
        relay = setting.relay(lab)
        one, other = lab.nodes(0, setting.ice, relay=relay, **setting.network)
        open_ms = lab.clients[0].run(0, CONNECT, relay, other, timeout=70)
        for client, peer in zip(lab.clients, (other, one), strict=True):
            client.run(0, "station.stream(args[1], 100, 200)?.catch(() => {}); return null", peer)
        time.sleep(STREAM_SECONDS)
        for client in lab.clients:
            client.run(0, "station.isSending = false")
        path = settle(lab, other, setting.expected)
        counts = [client.run(0, "return station.counts()") for client in lab.clients]
        judged = [client.run(0, "return station.judge(0)") for client in lab.clients]
        for client in lab.clients:
            client.run(0, "await station.end()", timeout=30)
    sent, arrived = sum(each["accepted"] for each in counts), sum(each["got"] for each in judged)
    found = Reached(setting.name, setting.ice_name, setting.expected, path, open_ms, sent, arrived)
    if path != setting.expected:
        found.faults.append(f"expected {setting.expected}")
    if sent != arrived or any(each["doubled"] + each["reordered"] + each["bad"] for each in judged):
        found.faults.append("messages lost, doubled, out of order or altered")
    if open_ms > FIRST_MESSAGE_SECONDS * 1000:
        found.faults.append(f"slower than {FIRST_MESSAGE_SECONDS:g} s")
    return [found]


def settle(lab: Lab, peer: str, expected: str) -> str:
    """The path once messages have arrived; a direct link may come a little after the relayed one."""
    end = time.monotonic() + 5.0
    while True:
        counts = [client.run(0, "return station.counts()") for client in lab.clients]
        path = str(lab.clients[0].run(0, REACHED, peer))
        all_there = counts[0]["accepted"] == counts[1]["got"] and counts[1]["accepted"] == counts[0]["got"]
        if (all_there and path == expected) or time.monotonic() > end:
            return path
        time.sleep(0.2)


def rows(names: Sequence[str], *, full: bool) -> list[Callable[[Lab], list[Reached]]]:
    chosen = [
        setting
        for setting in (*matrix(), *others())
        if (any(name in f"{setting.name} {setting.ice_name}" for name in names) if names else full or setting.is_short)
    ]
    return [lambda lab, setting=setting: measure(lab, setting) for setting in chosen]
