"""Tabs of one profile that share one node, and a peer of theirs."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.browser.face import OpenPage, Relay
from tests.support.chrome import Chrome
from web.build.server import WebServer

HELPERS = """
globalThis.until = async (condition, limit = 20000) => {
  for (const end = Date.now() + limit; !condition();) {
    if (Date.now() > end) throw new Error(`never: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};
globalThis.lib = await import("/darkswap.mjs");
"""
OPEN = """const began = performance.now();
const { pyodide } = await lib.default({ defaults: args[0] });
globalThis.node = new lib.DarkSwapWasm();
globalThis.events = [];
globalThis.got = [];
node.on_event((event) => events.push(event));
node.on_webrtc_message((peer, data) => void got.push([peer, [...data]]));
const id = await node.local_peer_id();
return { id, ms: performance.now() - began, python: pyodide !== null };"""


@dataclass
class Tabs:
    """Tabs of one profile, the first of which runs the node, and a peer in a profile of its own."""

    chrome: Chrome
    site: WebServer
    relay: Relay
    other: OpenPage
    open: list[OpenPage] = field(default_factory=list)
    peer_id: str = ""
    _numbers: int = 40

    def add(self, **defaults: object) -> tuple[OpenPage, dict[str, object]]:
        """One more tab with a node, and what `OPEN` says of it."""
        share = self.open[0].page if self.open else None
        tab = OpenPage(self.chrome.new_page(self.site.url, share_with=share).open("/blank.html"))
        tab.run(HELPERS)
        told = tab.run(OPEN, defaults or {"network": {"relays": [self.relay.address]}}, timeout=60)
        tab.peer_id = told["id"]
        self.open.append(tab)
        return tab, told

    def drop(self, tab: OpenPage) -> None:
        self.open.remove(tab)
        tab.page.close()

    def next_number(self) -> int:
        """The first of two that no message had yet."""
        self._numbers += 2
        return self._numbers

    def reach(self) -> None:
        """The other peer opens a channel to these tabs' node."""
        self.other.run("await node.create_webrtc_data_channel(args[0])", self.peer_id, timeout=40)

    def hear(self, number: int, tabs: list[OpenPage]) -> None:
        """A message of the other peer arrives in each of `tabs`."""
        self.other.run("await node.send_webrtc_message(args[0], new Uint8Array([args[1]]))", self.peer_id, number)
        for tab in tabs:
            tab.run("await until(() => got.some(([, data]) => data[0] === args[0]))", number)

    def say(self, tab: OpenPage, number: int) -> None:
        """A message of one tab arrives at the other peer."""
        tab.run("await node.send_webrtc_message(args[0], new Uint8Array([args[1]]))", self.other.peer_id, number)
        self.other.run("await until(() => got.some(([, data]) => data[0] === args[0]))", number)

    def keep_waiting(self, tab: OpenPage) -> int:
        """Id of a message of `tab` that is accepted, and that the other peer does not acknowledge until `take`."""
        self.other.run("globalThis.take = node.on_webrtc_message(() => new Promise(() => {}))")
        send = "return await node.send_webrtc_message(args[0], new Uint8Array([99]))"
        tab.run(send, self.other.peer_id)
        # Its callback takes its time for the first one, and what comes behind it waits.
        self.other.run("await until(() => got.some(([, data]) => data[0] === 99)); got.length = 0;")
        return int(tab.run(send, self.other.peer_id))

    def take(self) -> None:
        self.other.run("take()")


UNDELIVERED = (
    """const told = (id) => events.filter(({ type, ids }) => type === "message:undelivered" && ids.includes(id));"""
)
