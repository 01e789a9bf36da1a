"""Three ways for two pages to talk, driven alike: a bare data channel, js-libp2p, and this project."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tests.support.chrome import JsError, Page

RAW = Path(__file__).with_name("raw_channel.js")
NOW = "performance.timeOrigin + performance.now()"


class Side(Protocol):
    name: str

    def flood(self, size: int, total: int) -> float:
        """Bytes per second for `total` bytes in messages of `size`, from the first page to the second."""
        ...

    def round_trips(self, rounds: int) -> list[float]:
        """Milliseconds of each round trip of 32 bytes, sorted."""
        ...


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def _timed_flood(sender: Page, receiver: Page, flood: str, wait: str, total: int, args: list[Any]) -> float:
    """`flood` sends; `wait` resolves in the receiver when args[0] more bytes came. Both pages share one clock."""
    waiting = receiver.start(f"{wait}\nreturn {NOW};", total)
    started = sender.run_js(f"const started = {NOW};\n{flood}\nreturn started;", *args, timeout=300)
    return total / ((waiting.wait(300) - started) / 1000)


# Looks every millisecond or so: the floods last seconds.
_WAIT = """
const [total] = args;
const start = %s;
await new Promise((resolve) => {
  const look = () => { if (%s - start >= total) { resolve(); } else setTimeout(look, 1); };
  look();
});
"""


@dataclass
class RawSide:
    sender: Page
    receiver: Page
    name: str = "raw channel"

    def __post_init__(self) -> None:
        for page in (self.sender, self.receiver):
            page.open("/blank.html").run_js(RAW.read_text("utf-8"))
        offer = self.sender.run_js("return rawPeer.offer()")
        answer = self.receiver.run_js("return rawPeer.answer(args[0])", offer)
        self.sender.run_js("return rawPeer.accept(args[0])", answer)

    def flood(self, size: int, total: int) -> float:
        wait = _WAIT % ("rawPeer.received()", "rawPeer.received()")
        return _timed_flood(
            self.sender, self.receiver, "await rawPeer.flood(args[0], args[1]);", wait, total, [size, total]
        )

    def round_trips(self, rounds: int) -> list[float]:
        return sorted(self.sender.run_js("return rawPeer.roundTrips(args[0])", rounds, timeout=120))


@dataclass
class JsSide:
    """js-libp2p in both pages. `direct`: over `/webrtc`; otherwise over the relayed connection."""

    sender: Page
    receiver: Page
    relay: str
    direct: bool = True
    name: str = "js-libp2p"

    def __post_init__(self) -> None:
        for page in (self.sender, self.receiver):
            page.open("/blank.html").run_js("await import('/peers/js_browser.mjs')")
            page.run_js("return jsPeer.start(args[0])", self.relay)
        address: str = self.receiver.run_js("return (await jsPeer.webrtcAddresses())[0]")
        self.address = address if self.direct else address.replace("/p2p-circuit/webrtc/", "/p2p-circuit/")
        self.sender.run_js("return jsPeer.dial(args[0])", self.address)

    def dial(self, times: int) -> float:
        """Median milliseconds of a dial to a peer that holds a reservation."""
        found: list[float] = []
        failed = 0
        while len(found) < times:
            self.sender.run_js("await jsPeer.hangUp(args[0])", self.address)
            self.receiver.run_js("await new Promise((resolve) => setTimeout(resolve, 300))")
            try:
                found.append(self.sender.run_js("return (await jsPeer.dial(args[0])).milliseconds", self.address))
            except JsError:
                # A dial soon after a hang-up fails now and then; only those that succeed are compared.
                failed += 1
                if failed > times:
                    raise
        return statistics.median(found)

    def flood(self, size: int, total: int) -> float:
        wait = _WAIT % ("jsPeer.sunk().bytes", "jsPeer.sunk().bytes")
        send = "await jsPeer.flood(args[0], args[1], args[2]);"
        return _timed_flood(self.sender, self.receiver, send, wait, total, [self.address, size, total])

    def round_trips(self, rounds: int) -> list[float]:
        return sorted(
            self.sender.run_js("return jsPeer.roundTrips(args[0], args[1])", self.address, rounds, timeout=120)
        )


_OURS_START = """
const [relay, direct] = args;
const { default: init, DarkSwapWasm } = await import('/darkswap.mjs');
await init();
globalThis.node = new DarkSwapWasm({
  bitcoin: { network: 'regtest' }, network: { relays: [relay], direct }, identity: { persist: false },
});
globalThis.received = 0;
globalThis.answered = () => {};
node.on_webrtc_message((peer, data) => {
  received += data.byteLength;
  if (data.byteLength !== 32) return;
  if (globalThis.echoes) node.send_webrtc_message(peer, data); else answered();
});
await node.make_webrtc_relay_reservation(relay);
return node.local_peer_id();
"""
_OURS_FLOOD = """
const [peer, size, total] = args;
const message = new Uint8Array(size).fill(7);
const pending = [];
for (let sent = 0; sent < total; sent += size) {
  pending.push(node.send_webrtc_message(peer, message));
  if (pending.length >= 256) await pending.shift();
}
await Promise.all(pending);
"""
_OURS_ROUND_TRIPS = """
const [peer, rounds] = args;
const message = new Uint8Array(32);
const times = [];
for (let round = 0; round < rounds; round++) {
  const started = performance.now();
  const answer = new Promise((resolve) => { globalThis.answered = resolve; });
  node.send_webrtc_message(peer, message);
  await answer;
  times.push(performance.now() - started);
}
return times;
"""
_OURS_DIAL = """
const [relay, peer] = args;
const started = performance.now();
const found = await node.connect_through_webrtc_relay(relay, peer);
await node.create_webrtc_data_channel(peer);
return { milliseconds: performance.now() - started, path: found.path };
"""


@dataclass
class OurSide:
    sender: Page
    receiver: Page
    relay: str
    direct: bool = True
    name: str = "ours"

    def __post_init__(self) -> None:
        found = [
            page.open("/blank.html").run_js(_OURS_START, self.relay, self.direct, timeout=60)
            for page in (self.sender, self.receiver)
        ]
        self.peer: str = found[1]
        self.sender_peer: str = found[0]
        self.receiver.run_js("globalThis.echoes = true")
        self.path: str = self.sender.run_js(_OURS_DIAL, self.relay, self.peer)["path"]

    def dial(self, times: int) -> float:
        """Median milliseconds until the channel to a peer that holds a reservation is open and direct."""
        found = []
        for _ in range(times):
            self.sender.run_js("await node.disconnect_from_webrtc_relay(args[0])", self.peer)
            self.receiver.run_js("await new Promise((resolve) => setTimeout(resolve, 300))")
            dialled = self.sender.run_js(_OURS_DIAL, self.relay, self.peer)
            if dialled["path"] != "direct":
                raise RuntimeError(f"the dial ended {dialled['path']}, not direct")
            found.append(dialled["milliseconds"])
        return statistics.median(found)

    def flood(self, size: int, total: int) -> float:
        wait = _WAIT % ("received", "received")
        return _timed_flood(self.sender, self.receiver, _OURS_FLOOD, wait, total, [self.peer, size, total])

    def round_trips(self, rounds: int) -> list[float]:
        return sorted(self.sender.run_js(_OURS_ROUND_TRIPS, self.peer, rounds, timeout=120))
