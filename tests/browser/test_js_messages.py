"""How a page in JavaScript sends and receives: what memory that takes, and how the ways of receiving get along."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.face import OpenPage, Relay
from tests.interop.processes import our_relay
from tests.support.chrome import Chrome
from web.build.server import WebServer


@pytest.fixture(scope="module")
def relay() -> Iterator[Relay]:
    with our_relay() as address:
        yield Relay(address)


@pytest.fixture(scope="module")
def face(chrome: Chrome, site: WebServer, relay: Relay) -> Iterator[OpenPage]:
    """One page with two nodes, `x` and `y`, that have a channel: `X` and `Y` are their peer ids."""
    page = OpenPage(chrome.new_page(site.url).open("/blank.html")).loaded(network={"relays": [relay.address]})
    page.run(
        """globalThis.make = () => new lib.DarkSwapWasm({ identity: { persist: false } });
        globalThis.x = make(); globalThis.y = make();
        await y.make_webrtc_relay_reservation(args[0]);
        globalThis.X = await x.local_peer_id(); globalThis.Y = await y.local_peer_id();
        await x.connect_through_webrtc_relay(args[0], Y);
        await x.create_webrtc_data_channel(Y);
        globalThis.send = (...each) => Promise.all(each.map((one) => x.send_webrtc_message(Y, new Uint8Array([one]))));
        globalThis.soon = (promise) => Promise.race([
          promise.then((value) => [...value], (error) => error.code),
          new Promise((resolve) => setTimeout(resolve, 5000, "never")),
        ]);
        globalThis.until = async (condition) => {
          for (const end = Date.now() + 10000; !condition();) {
            if (Date.now() > end) throw new Error(`never: ${condition}`);
            await new Promise((resolve) => setTimeout(resolve, 10));
          }
        };""",
        relay.peer_id,
        timeout=60,
    )
    yield page
    page.page.close()


def test_names_of_peers_that_are_refused_cost_no_memory(face: OpenPage) -> None:
    def bytes_of_buffers() -> int:
        face.page.focus()
        face.page.driver.execute_cdp_cmd("HeapProfiler.enable", {})
        face.page.driver.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
        return int(face.page.driver.execute_cdp_cmd("Runtime.getHeapUsage", {})["backingStorageSize"])

    script = """for (let index = 0; index < 100; index += 1) {
      const peer = `${args[0]} ${index}`;
      await x.send_webrtc_message(peer, new Uint8Array(10)).catch(() => {});
      await x.send_webrtc_message(peer, new Uint8Array(10), { timeout_ms: 1000 }).catch(() => {});
      await x.receive_webrtc_message(peer).catch(() => {});
    }"""
    face.run(script, "first", timeout=60)
    before = bytes_of_buffers()
    face.run(script, "second", timeout=60)
    assert bytes_of_buffers() - before < 700_000


def test_pending_receive_is_busy_when_a_callback_is_registered(face: OpenPage) -> None:
    got = face.run(
        """const pending = soon(y.receive_webrtc_message(X)), got = [];
        await new Promise((resolve) => setTimeout(resolve, 100));
        const end = y.on_webrtc_message((peer, data) => got.push(data[0]));
        const told = [await pending];
        const same = y.receive_webrtc_message(X);
        told.push(await soon(same));
        await send(1, 2);
        await until(() => got.length === 2);
        end();
        const later = soon(y.receive_webrtc_message(X));
        await send(3);
        return [told, got, await later];"""
    )
    assert got == [["STREAM_BUSY", "STREAM_BUSY"], [1, 2], [3]]


def test_receive_and_callback_of_one_moment_lose_no_message(face: OpenPage) -> None:
    got = face.run(
        """const pending = soon(y.receive_webrtc_message(X)), got = [];
        const end = y.on_webrtc_message((peer, data) => got.push(data[0]));
        await send(1, 2, 3);
        await until(() => got.length === 3);
        end();
        return [await pending, got];"""
    )
    assert got == ["STREAM_BUSY", [1, 2, 3]]


def test_callback_that_never_settles_holds_messages_only_while_subscribed(face: OpenPage) -> None:
    got = face.run(
        """let calls = 0;
        const after = [];
        const end = y.on_webrtc_message(() => { calls += 1; return new Promise(() => {}); });
        await send(1, 2, 3);
        await until(() => calls === 1);
        await send(4);
        await new Promise((resolve) => setTimeout(resolve, 200));
        end();
        const endOther = y.on_webrtc_message((peer, data) => after.push(data[0]));
        await send(5);
        await until(() => after.includes(5));
        endOther();
        return [calls, after];"""
    )
    assert got == [1, [2, 3, 4, 5]]


def test_messages_behind_the_one_that_ends_the_subscription_are_received(face: OpenPage) -> None:
    got = face.run(
        """const first = [];
        const end = y.on_webrtc_message((peer, data) => { first.push(data[0]); end(); });
        await send(1, 2, 3);
        await until(() => first.length === 1);
        return [first, await soon(y.receive_webrtc_message(X)), await soon(y.receive_webrtc_message(X))];"""
    )
    assert got == [[1], [2], [3]]


def test_pings_at_once_are_all_answered(face: OpenPage) -> None:
    times = face.run(
        """const all = await Promise.allSettled(Array.from({ length: 20 }, () => x.ping(Y)));
        return all.map(({ value, reason }) => value > 0 ? "ok" : reason?.code);""",
        timeout=60,
    )
    assert times == ["ok"] * 20


def test_sending_to_an_absent_peer_says_that_it_is_not_online(face: OpenPage) -> None:
    told = face.run(
        """const absent = "12D3KooWGqFRmHaKM9RQe9Cc5AbbHNXYT4N8pTizyADdPHWNTUxj";
        const error = await x.send_webrtc_message(absent, new Uint8Array(1)).catch((error) => error);
        return [error.code, error.message, error.hint, error.retryable, error.details.attempts.length];""",
        timeout=60,
    )
    assert told[0] == "PEER_OFFLINE" and len(told[1]) < 200 and "open its page" in told[2] and told[3] is True
    assert told[4] == 1


def test_sends_resolve_with_ids_and_may_wait_for_delivery(face: OpenPage) -> None:
    got = face.run(
        """const first = await x.send_webrtc_message(Y, new Uint8Array([1]));
        const batch = await Promise.all([2, 3, 4].map((one) => x.send_webrtc_message(Y, new Uint8Array([one]))));
        const watched = await x.send_webrtc_message(Y, new Uint8Array([5]), { timeout_ms: 5000 });
        const delivered = x.send_webrtc_message(Y, new Uint8Array([6]), { until: "delivered" });
        const after = await x.send_webrtc_message(Y, new Uint8Array([7]));
        const pause = new Promise((go) => setTimeout(go, 500, [0]));
        const early = await soon(Promise.race([delivered.then(() => [1]), pause]));
        for (let count = 0; count < 7; count += 1) await y.receive_webrtc_message(X);
        const wrong = x.send_webrtc_message(Y, new Uint8Array(1), { until: "read" });
        const refused = await wrong.catch((error) => error.message);
        return [[...batch, watched, await delivered, after].map((id) => id - first), early, refused];""",
        timeout=60,
    )
    assert got == [[1, 2, 3, 4, 5, 6], [0], "options.until: is none of accepted, delivered"]


def test_each_message_has_memory_of_its_own_and_arrays_of_any_kind_can_be_sent(face: OpenPage) -> None:
    got = face.run(
        """class Buffer2 extends Uint8Array {}
        const frame = document.body.appendChild(document.createElement("iframe"));
        const theirs = new frame.contentWindow.Uint8Array([3, 3]);
        const signal = new frame.contentWindow.AbortController().signal;
        const got = [];
        const end = y.on_webrtc_message((peer, data) => {
          got.push(structuredClone(data, { transfer: [data.buffer] }));
        });
        const all = [new Uint8Array([1]), Buffer2.from([2, 2]), theirs];
        await Promise.all(all.map((data) => x.send_webrtc_message(Y, data)));
        await x.send_webrtc_message(Y, new Buffer2(60000).fill(4));
        await x.send_webrtc_message(Y, theirs, { signal });
        await until(() => got.length === 5);
        end();
        frame.remove();
        return got.map((data) => [data.length, data[0], data.buffer.byteLength]);""",
        timeout=60,
    )
    assert got == [[1, 1, 1], [2, 2, 2], [2, 3, 2], [60000, 4, 60000], [2, 3, 2]]


def test_iterating_gives_every_message_and_leaves_the_rest_for_others(face: OpenPage) -> None:
    got = face.run(
        """const got = [];
        await send(1, 2, 3, 4);
        for await (const { peer_id, data } of y) {
          got.push([peer_id === X, data[0]]);
          if (got.length === 2) break;
        }
        got.push((await y.receive_webrtc_message(X, { timeout_ms: 5000 }))[0]);
        const rest = y[Symbol.asyncIterator]();
        got.push((await rest.next()).value.data[0]);
        const pending = rest.next();
        await rest.return();
        return [...got, (await pending).done, (await rest.next()).done];""",
        timeout=60,
    )
    assert got == [[True, 1], [True, 2], 3, 4, True, True]
