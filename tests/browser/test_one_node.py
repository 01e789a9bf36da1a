"""Tabs of one profile share one node: who runs it, what the others see, and what happens when that tab is gone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.browser.face import OpenPage, Relay
from tests.interop.processes import our_relay
from tests.support.chrome import Chrome, Page
from web.build.server import WebServer

pytestmark = pytest.mark.takes(60)

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


@pytest.fixture(scope="module")
def tabs(chrome: Chrome, site: WebServer) -> Iterator[Tabs]:
    with our_relay() as address:
        other = OpenPage(chrome.new_page(site.url).open("/blank.html"))
        other.run(HELPERS)
        other.peer_id = other.run(OPEN, {"network": {"relays": [address]}}, timeout=60)["id"]
        here = Tabs(chrome, site, Relay(address), other)
        here.peer_id = here.add()[0].peer_id
        here.add()
        yield here
        for tab in [other, *here.open]:
            tab.page.close()


def test_second_tab_is_the_same_peer_without_python_and_soon(tabs: Tabs) -> None:
    third, told = tabs.add()
    assert told["id"] == tabs.peer_id
    assert told["python"] is False
    assert told["ms"] < 500
    tabs.drop(third)


def test_two_tabs_of_a_first_visit_agree_on_one_identity(chrome: Chrome, site: WebServer) -> None:
    one = chrome.new_page(site.url).open("/blank.html")
    two = chrome.new_page(site.url, share_with=one).open("/blank.html")
    opening = [page.start(HELPERS + OPEN, {}) for page in (one, two)]
    first, second = [each.wait(60)["id"] for each in opening]
    assert first == second
    kept = two.run_js("return (await indexedDB.databases()).map(({ name }) => name)")
    assert kept == ["darkswap"]
    _relieved_as_it_begins(one, two)
    one.close()
    assert two.run_js("return await node.local_peer_id()") == first
    two.close()


def _relieved_as_it_begins(one: Page, two: Page) -> None:
    """`one` hangs as it gets the lock of an identity, and does not count its epoch after `two`, which relieves it."""
    use = """globalThis.hung = new lib.DarkSwapWasm({ identity: { name: "hung" } });
    globalThis.hungId = hung.local_peer_id();"""
    hanging = one.start(
        f"""const request = navigator.locks.request.bind(navigator.locks);
        navigator.locks.request = (name, options, granted) => request(name, options, (lock) => {{
          const isFirst = lock && options.ifAvailable && name === "darkswap/node/hung";
          for (const end = Date.now() + (isFirst ? 7000 : 0); Date.now() < end;);
          if (isFirst) globalThis.hasHung = true;
          return granted(lock);
        }});
        {use}"""
    )
    two.run_js(f"{use} await hungId;", timeout=40)
    hanging.wait()
    assert one.run_js("await until(() => globalThis.hasHung); return await hungId;") == two.run_js(
        "return await hungId"
    )
    epoch = """const opening = indexedDB.open("darkswap");
    await new Promise((resolve) => { opening.onsuccess = resolve; });
    const record = opening.result.transaction("records").objectStore("records").get("epoch/hung");
    await new Promise((resolve) => { record.onsuccess = resolve; });
    opening.result.close();
    return record.result;"""
    assert two.run_js(epoch) == 1


def test_messages_and_events_reach_all_tabs_and_each_may_send(tabs: Tabs) -> None:
    first, second = tabs.open
    tabs.reach()
    tabs.hear(1, [first, second])
    tabs.say(second, 2)
    tabs.say(first, 3)
    for tab in (first, second):
        tab.run('await until(() => events.some(({ type }) => type === "channel:open"))')


def test_each_tab_receives_for_itself(tabs: Tabs) -> None:
    first, second = tabs.open
    mute = """globalThis.mute = new lib.DarkSwapWasm();
    globalThis.heard = [];
    globalThis.asking = (async () => {
      while (heard.length < 2) heard.push((await mute.receive_webrtc_message(args[0]))[0]);
    })();
    await mute.local_peer_id(); // by then the other tab knows that it asks"""
    second.run(mute, tabs.other.peer_id)
    tabs.hear(4, [first, second])
    tabs.hear(5, [first, second])
    assert second.run("await asking; mute.free(); return heard;") == [4, 5]


def test_stop_ends_the_share_of_one_tab(tabs: Tabs) -> None:
    first, second = tabs.open
    second.run("await node.stop()")
    assert second.run("return events.at(-1).state") == "stopped"
    tabs.hear(6, [first])
    second.run("await node.start()")
    tabs.hear(7, [first, second])
    assert second.run("return got.some(([, data]) => data[0] === 6)") is False


def test_aborts_progress_and_callbacks_work_across_tabs(tabs: Tabs) -> None:
    _, second = tabs.open
    code = "return await node.ping(args[0], { signal: AbortSignal.timeout(0) }).catch(({ code }) => code)"
    assert second.run(code, tabs.other.peer_id) == "ABORTED"
    unknown = "return await node.get_connection_stats(args[0]).catch(({ code, retryable }) => [code, retryable])"
    assert second.run(unknown, "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq") == ["NOT_CONNECTED", True]
    done = second.run(
        """const steps = [];
        const on_progress = (sent, total) => void steps.push(sent / total);
        await node.send_webrtc_message(args[0], new Uint8Array(3_000_000), { on_progress });
        await until(() => steps.at(-1) === 1);
        return steps;""",
        tabs.other.peer_id,
    )
    assert done == sorted(done) and len(done) > 1
    # A callback in one tab that takes its time holds back neither the peer nor the other tab.
    second.run(
        """globalThis.slow = []; globalThis.free = null;
        globalThis.end = node.on_webrtc_message((peer, data) => {
          slow.push(data[0]);
          return new Promise((resolve) => { free = resolve; });
        });"""
    )
    tabs.hear(8, [tabs.open[0]])
    tabs.hear(9, [tabs.open[0]])
    assert second.run("return slow") == [8]
    assert second.run("free(); await until(() => slow.length === 2); free(); end(); return slow;") == [8, 9]


def test_tab_that_takes_no_messages_is_waited_for_five_seconds(tabs: Tabs) -> None:
    first, second = tabs.open
    second.run(
        """globalThis.stuck = new lib.DarkSwapWasm();
        globalThis.told = [];
        stuck.on_event((event) => told.push(event));
        stuck.on_webrtc_message(() => new Promise(() => {}));
        await stuck.start();"""
    )
    tabs.other.run(
        """for (let index = 0; index < 8; index += 1) {
          await node.send_webrtc_message(args[0], new Uint8Array(1_000_000).fill(21));
        }""",
        tabs.peer_id,
    )
    many = "const big = () => got.filter(([, data]) => data[0] === 21).length; await until(() => big() === 8);"
    for tab in (first, second):
        tab.run(many)
    told = "await until(() => told.some(({ type, code }) => type === 'error' && code === 'RESOURCE_LIMIT'))"
    second.run(f"{told}; stuck.free();")


def test_another_configuration_or_name_is_no_share(tabs: Tabs) -> None:
    _, second = tabs.open
    told = second.run(
        """const other = new lib.DarkSwapWasm({ network: { direct: false } });
        const error = await other.local_peer_id().catch((error) => error.toJSON());
        other.free();
        return error;"""
    )
    assert (told["code"], told["details"]) == ("IDENTITY_IN_USE", {"name": "default", "reason": "configuration"})


def test_tab_of_another_build_is_refused(tabs: Tabs) -> None:
    _, second = tabs.open
    told = second.run(
        """const channel = new BroadcastChannel("darkswap/line/older");
        const answer = new Promise((resolve) => { channel.onmessage = ({ data }) => resolve(data); });
        const common = new BroadcastChannel("darkswap/node/default");
        common.postMessage({ what: "hello", id: "older", build: "of yesterday", config: "{}" });
        const [what, error] = await answer;
        channel.close(); common.close();
        return [what, error.code, error.details.reason, error.hint];"""
    )
    assert told == ["refuse", "IDENTITY_IN_USE", "build", "Reload all tabs of this site."]


def test_node_of_a_closed_tab_goes_on_in_another(tabs: Tabs) -> None:
    first, second = tabs.open
    third, _ = tabs.add()
    tabs.drop(first)
    _moved(tabs, second, third)


def test_node_of_a_crashed_tab_goes_on_in_another(tabs: Tabs) -> None:
    second, third = tabs.open
    fourth, _ = tabs.add()
    sent = third.run("return await node.send_webrtc_message(args[0], new Uint8Array(12_000_000))", tabs.other.peer_id)
    tabs.open.remove(second)
    second.page.crash()
    _moved(tabs, third, fourth)
    # It was accepted by the tab that is gone.
    lost = third.run("return events.find(({ type }) => type === 'message:undelivered')")
    assert (lost["peer_id"], lost["ids"], lost["maybe_delivered"]) == (tabs.other.peer_id, [sent], True)
    assert fourth.run("return events.some(({ type }) => type === 'message:undelivered')") is False


def test_node_of_a_tab_that_hangs_is_taken_over_and_cannot_go_on(tabs: Tabs) -> None:
    third, fourth = tabs.open
    fifth, _ = tabs.add()
    fifth.run("globalThis.extra = new lib.DarkSwapWasm(); await extra.local_peer_id(); events.length = 0;")
    # What it does as it wakes, before it can hear that it was relieved, goes to the tab that runs the node now.
    late = "globalThis.late = node.send_webrtc_message(args[0], new Uint8Array([34]));"
    hang = f"for (const end = Date.now() + 9000; Date.now() < end;); globalThis.woke = true; {late}"
    third.run("events.length = 0")
    waiting = tabs.keep_waiting(third)
    of_fourth = fourth.run("return await node.send_webrtc_message(args[0], new Uint8Array([99]))", tabs.other.peer_id)
    third.run(f"setTimeout(() => {{ {hang} }}, 300)", tabs.other.peer_id)
    # Whoever is freed while it hangs does not wait for it.
    began_to_hang = "await new Promise((resolve) => setTimeout(resolve, 500)); "
    freeing = fifth.page.start(f"{began_to_hang} await extra[Symbol.asyncDispose]();")
    began = time.monotonic()
    fourth.run("events.length = 0; await until(() => events.some(({ type }) => type === 'node:moved'))")
    assert time.monotonic() - began > 4
    assert fourth.run("return await node.local_peer_id()") == tabs.peer_id
    moved = "events.find(({ type }) => type === 'node:moved')"
    assert third.run(f"await until(() => globalThis.woke && {moved}); return {moved}.here") is False
    # What it had accepted of its own is told: the tab that runs the node now knows nothing of it.
    third.run(f"{UNDELIVERED} await until(() => told(args[0]).length === 1)", waiting)
    fourth.run(f"{UNDELIVERED} await until(() => told(args[0]).length === 1)", of_fourth)
    freeing.wait()
    tabs.take()
    third.run("await late")
    tabs.other.run("await until(() => got.some(([, data]) => data[0] === 34))")
    # It is a follower now.
    assert third.run("return await node.local_peer_id()") == tabs.peer_id
    tabs.say(third, 30)
    tabs.hear(31, [third, fourth, fifth])
    for tab in (third, fourth, fifth):
        assert tab.run("return events.filter(({ type }) => type === 'node:moved').length") == 1
    tabs.drop(fifth if fourth.run(f"return {moved}.here") else fourth)


def test_tab_that_is_kept_for_the_way_back_hands_over_and_shares_again(tabs: Tabs) -> None:
    third, fourth = tabs.open
    for tab in (third, fourth):
        tab.run("events.length = 0")
    fourth.run("globalThis.kept = null; addEventListener('pageshow', ({ persisted }) => { kept = persisted; })")
    waiting = tabs.keep_waiting(fourth)
    fourth.page.driver.execute_script("location.href = '/blank.html?away'")
    third.run("await until(() => events.some(({ type, here }) => type === 'node:moved' && here))")
    fourth.page.focus()
    fourth.page.driver.back()
    assert fourth.run("await until(() => kept !== null); return kept") is True
    assert fourth.run("return await node.local_peer_id()") == tabs.peer_id
    fourth.run(f"{UNDELIVERED} await until(() => told(args[0]).length === 1)", waiting)
    tabs.take()
    tabs.say(fourth, 32)
    tabs.hear(33, [third, fourth])


def _moved(tabs: Tabs, heir: OpenPage, other: OpenPage) -> None:
    """`heir` runs the node now; both tabs use it."""
    for tab, here in ((heir, True), (other, False)):
        tab.run('await until(() => events.some((one) => one.type === "node:moved" && one.here === args[0]))', here)
    assert heir.run("return await node.local_peer_id()") == tabs.peer_id
    number = tabs.next_number()
    tabs.say(other, number)
    # The session that the closed tab had is over: what was sent into it since is told, and not this test's matter.
    tabs.hear(number + 1, [heir, other])
