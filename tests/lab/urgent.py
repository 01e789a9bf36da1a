"""A short message after 5 MB on a slow path: how long an urgent one takes, and how long it would have waited."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.lab.faults import BURST, PATHS, RELAYED
from tests.lab.lab import ICE, Lab

NAME = "urgent message past 5 MB"
DELAY = 0.3
MOST_SECONDS = 3.0
"""Five round trips: a data channel of its own is opened for it."""
URGENT, ORDINARY = 1_000_001, 1_000_002
CONNECT = """const info = await station.node.connect_through_webrtc_relay(args[1], args[2], { timeout_ms: 40000 });
await station.node.create_webrtc_data_channel(args[2]);
return info.path"""
BULK = """for (let left = args[2]; left > 0; left -= 65536) {
  station.node.send_webrtc_message(args[1], new Uint8Array(65536)).catch(() => {});
}
return null"""
SEND = """const data = new Uint8Array(200), view = new DataView(data.buffer);
const say = (number) => {
  view.setUint32(0, number);
  view.setUint32(4, 200);
  view.setFloat64(8, Date.now());
  return data.slice();
};
station.node.send_webrtc_message(args[1], say(args[3])).catch(() => {});
await station.node.send_urgent_webrtc_message(args[1], say(args[2]), { timeout_ms: 20000 });
return null"""
TOOK = """const came = station.got.find(([number]) => number === args[1]);
return came ? came[2] - came[1] : null"""


@dataclass
class Overtaking:
    path: str
    urgent: float | None
    """Seconds; None: it never came."""
    ordinary: float | None
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        shown = ["never" if each is None else f"{each:.1f} s" for each in (self.urgent, self.ordinary)]
        line = f"{NAME:52} {self.path:8} urgent after {shown[0]:>7}, an ordinary one after {shown[1]:>7}"
        return line + ("  FAILED: " + ", ".join(self.faults) if self.faults else "")


def overtake(lab: Lab, path: int) -> Overtaking:
    lab.reset()
    network = {"direct": False} if path == RELAYED else {}
    _, other = lab.nodes(path, ICE["STUN"], **network)
    sender, receiver = lab.clients
    found = sender.run(path, CONNECT, lab.relay.address, other, timeout=60)
    assert found == PATHS[path], f"{found} in place of {PATHS[path]}"
    lab.networks.cable(delay=DELAY)
    time.sleep(1)
    sender.run(path, BULK, other, BURST)
    time.sleep(2)
    sender.run(path, SEND, other, URGENT, ORDINARY, timeout=30)
    urgent = ordinary = None
    end = time.monotonic() + 150
    while ordinary is None and time.monotonic() < end:
        time.sleep(0.5)
        urgent = receiver.run(path, TOOK, URGENT)
        ordinary = receiver.run(path, TOOK, ORDINARY)
    row = Overtaking(PATHS[path], *(each / 1000 if each is not None else None for each in (urgent, ordinary)))
    if row.urgent is None or row.urgent > MOST_SECONDS:
        row.faults.append(f"not there within {MOST_SECONDS:g} s")
    if row.ordinary is None:
        row.faults.append("the bulk never ended")
    for client in lab.clients:
        client.run(path, "await station.end()", timeout=30)
    lab.networks.cable()
    return row


def rows(names: list[str], *, full: bool) -> list[Callable[[Lab], list[Overtaking]]]:
    """When named, or with all others."""
    if not (any(name in NAME for name in names) if names else full):
        return []
    return [lambda lab: [overtake(lab, path) for path in range(len(PATHS))]]
