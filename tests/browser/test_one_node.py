"""Tabs of one profile share one node: who runs it, what the others see, and what happens when that tab is gone."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.browser.face import OpenPage, Relay
from tests.browser.tabs import HELPERS, OPEN, UNDELIVERED, Tabs
from tests.interop.processes import our_relay
from tests.support.chrome import Chrome
from web.build.server import WebServer

pytestmark = pytest.mark.takes(60)


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


def test_node_of_a_closed_tab_goes_on_in_another_in_the_middle_of_a_conversation(tabs: Tabs) -> None:
    first, second = tabs.open
    third, _ = tabs.add()
    waiting = tabs.keep_waiting(second)
    second.run("await node.send_webrtc_message(args[0], new Uint8Array(12_000_000))", tabs.other.peer_id)
    tabs.other.run("events.length = 0")
    tabs.drop(first)
    tabs.take()
    tabs.other.run("await until(() => got.some(([, data]) => data.length === 12_000_000))")
    _moved(tabs, second, third)
    assert second.run(UNDELIVERED + "return told(args[0]).length", waiting) == 0
    assert tabs.other.run("return got.filter(([, data]) => data[0] === 99).length") == 1
    assert tabs.other.run('return events.filter(({ type }) => type === "channel:close").length') == 0


def test_node_of_a_crashed_tab_goes_on_in_another(tabs: Tabs) -> None:
    second, third = tabs.open
    fourth, _ = tabs.add()
    sent = third.run("return await node.send_webrtc_message(args[0], new Uint8Array(12_000_000))", tabs.other.peer_id)
    tabs.open.remove(second)
    second.page.crash()
    _moved(tabs, third, fourth)
    # It was accepted by the tab that is gone, and the peer said that it had not taken it.
    found = "events.find(({ type }) => type === 'message:undelivered')"
    lost = third.run(f"await until(() => {found}); return {found}")
    assert (lost["peer_id"], lost["ids"][-1], lost["maybe_delivered"]) == (tabs.other.peer_id, sent, True)
    assert fourth.run("return events.some(({ type }) => type === 'message:undelivered')") is False


def test_node_of_a_tab_that_the_debugger_stops_is_taken_over_and_cannot_go_on(tabs: Tabs) -> None:
    third, fourth = tabs.open
    fifth, _ = tabs.add()
    fifth.run("globalThis.extra = new lib.DarkSwapWasm(); await extra.local_peer_id(); events.length = 0;")
    # What it does as it wakes, before it can hear that it was relieved, goes to the tab that runs the node now.
    late = "globalThis.late = node.send_webrtc_message(args[0], new Uint8Array([34]));"
    stop = f"debugger; globalThis.woke = true; {late}"
    go_on = third.page.debug()
    third.run("events.length = 0")
    waiting = tabs.keep_waiting(third)
    of_fourth = fourth.run("return await node.send_webrtc_message(args[0], new Uint8Array([99]))", tabs.other.peer_id)
    third.run('navigator.locks.request("darkswap/coins/test", () => new Promise(() => {})).catch(() => {})')
    third.run(f"setTimeout(() => {{ {stop} }}, 300)", tabs.other.peer_id)
    # Whoever is freed while it stands still does not wait for it.
    is_stopped = "await new Promise((resolve) => setTimeout(resolve, 500)); "
    freeing = fifth.page.start(f"{is_stopped} await extra[Symbol.asyncDispose]();")
    began = time.monotonic()
    fourth.run("events.length = 0; await until(() => events.some(({ type }) => type === 'node:moved'))")
    assert time.monotonic() - began > 4
    assert fourth.run("return await node.local_peer_id()") == tabs.peer_id
    # What Python had locked in the tab that stands still is free.
    fourth.run('await navigator.locks.request("darkswap/coins/test", () => {})')
    go_on()
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
    tabs.take()
    tabs.say(fourth, 32)
    tabs.hear(33, [third, fourth])
    # The conversation went on in the other tab.
    assert fourth.run(f"{UNDELIVERED} return told(args[0]).length", waiting) == 0
    assert tabs.other.run("return got.filter(([, data]) => data[0] === 99).length") == 1


def _moved(tabs: Tabs, heir: OpenPage, other: OpenPage) -> None:
    """`heir` runs the node now; both tabs use it."""
    for tab, here in ((heir, True), (other, False)):
        tab.run('await until(() => events.some((one) => one.type === "node:moved" && one.here === args[0]))', here)
    assert heir.run("return await node.local_peer_id()") == tabs.peer_id
    number = tabs.next_number()
    tabs.say(other, number)
    # Where the tab crashed its session is over: what was sent into it since is told, and not this test's matter.
    tabs.hear(number + 1, [heir, other])
