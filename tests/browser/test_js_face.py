"""The JavaScript face in real pages: what darkswap.d.ts promises, held by the running object."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.face import OpenPage, Relay
from tests.interop.processes import our_relay
from tests.support.chrome import Chrome
from web.build.server import WebServer

pytestmark = pytest.mark.takes(20)

TYPES = Path(__file__).resolve().parents[2] / "web" / "src" / "api" / "darkswap.d.ts"
WAIT_READY = "while (!globalThis.ready) await new Promise((resolve) => setTimeout(resolve, 20)); return true;"


@pytest.fixture(scope="module")
def relay() -> Iterator[Relay]:
    with our_relay() as address:
        yield Relay(address)


@pytest.fixture(scope="module")
def two_faces(chrome: Chrome, site: WebServer, relay: Relay) -> Iterator[tuple[OpenPage, OpenPage]]:
    """Two pages with darkswap.mjs as `globalThis.lib`, whose `globalThis.node` holds a reservation; all tests share
    them, because loading Python is what takes long here."""
    pages = tuple(OpenPage(chrome.new_page(site.url).open("/blank.html")) for _ in range(2))
    for page in pages:
        page.loaded(network={"relays": [relay.address]}).node(relay)
    yield pages[0], pages[1]
    for page in pages:
        page.page.close()


@pytest.fixture
def face(two_faces: tuple[OpenPage, OpenPage]) -> OpenPage:
    return two_faces[0]


def test_the_snippet_runs_word_for_word(two_faces: tuple[OpenPage, OpenPage], relay: Relay) -> None:
    here, there = two_faces
    here.run(
        f"""const {{ DarkSwapWasm }} = lib;
        const said = [];
        const console = {{ log: (line) => said.push(line) }};
        const darkswap = new DarkSwapWasm.new_with_defaults("regtest");
        const reservation = await darkswap.make_webrtc_relay_reservation("{relay.peer_id}");
        await darkswap.connect_through_webrtc_relay("{relay.peer_id}", "{there.peer_id}");
        const metrics = await darkswap.get_webrtc_relay_metrics();
        console.log(`Active connections: ${{metrics.active_connections}}`);
        if (said[0] !== "Active connections: 1") throw new Error(said[0]);
        if (reservation.relay_peer_id !== "{relay.peer_id}") throw new Error(JSON.stringify(reservation));
        if (!(reservation.expires_at > Date.now() / 1000)) throw new Error("expired");
        await darkswap[Symbol.asyncDispose]();""",
        timeout=60,
    )
    assert here.page.faults() == []


def test_two_pages_talk_directly(two_faces: tuple[OpenPage, OpenPage], relay: Relay) -> None:
    here, there = two_faces
    there.run(
        """globalThis.got = [];
        node.on_webrtc_message((peer, data) => got.push([peer, data.length, data[0] ?? -1]));""",
    )
    path = here.run(
        f"""const connection = await node.connect_through_webrtc_relay("{relay.peer_id}", "{there.peer_id}");
        const peer = "{there.peer_id}";
        const channel = await node.create_webrtc_data_channel(peer);
        if (channel.state !== "open") throw new Error(JSON.stringify(channel));
        await node.send_webrtc_message(peer, new Uint8Array(0));
        const many = [];
        const send = (index) => node.send_webrtc_message(peer, new Uint8Array([index]));
        for (let index = 0; index < 2000; index += 1) many.push(send(index));
        await Promise.all(many);
        const seen = [];
        const big = new Uint8Array(16 * 1024 * 1024).fill(7);
        const on_progress = (sent, total) => seen.push(sent / total);
        const sending = node.send_webrtc_message(peer, big, {{ on_progress }});
        await node.send_urgent_webrtc_message(peer, new Uint8Array([42, 0]));
        await sending;
        const answer = await node.receive_webrtc_message(peer, {{ timeout_ms: 20000 }});
        if (new TextDecoder().decode(answer) !== "got it") throw new Error("wrong answer");
        while (seen.at(-1) !== 1) await new Promise((resolve) => setTimeout(resolve, 20));
        return connection.path;""",
        during=lambda: there.run(
            f"""while (got.length < 2003) await new Promise((resolve) => setTimeout(resolve, 20));
            await node.send_webrtc_message("{here.peer_id}", new TextEncoder().encode("got it"));""",
            timeout=60,
        ),
        timeout=60,
    )
    assert path == "direct"
    assert there.run("return got.map((each) => each[2]).slice(1, 2001)") == [index % 256 for index in range(2000)]
    assert there.run("return got.at(-1)") == [here.peer_id, 16 * 1024 * 1024, 7], "the urgent message came before it"
    assert there.run("return got.at(-2)") == [here.peer_id, 2, 42]
    stats = here.run(f'return await node.get_connection_stats("{there.peer_id}")')
    assert (stats["path"], stats["channel"], stats["messages_sent"]) == ("direct", "open", 2002)
    assert stats["local_candidate_type"]
    assert here.run(f'return await node.ping("{there.peer_id}")') > 0
    assert [each["peer_id"] for each in here.run("return (await node.get_peers()).filter((p) => !p.relay)")] == [
        there.peer_id
    ]
    assert here.page.faults() == []


def test_messages_keep_their_order_whatever_way_they_are_sent(
    two_faces: tuple[OpenPage, OpenPage], relay: Relay
) -> None:
    here, there = two_faces
    there.run(
        """globalThis.order = [];
        const first = (data) => new DataView(data.buffer, data.byteOffset).getUint32(0);
        globalThis.endOrder = node.on_webrtc_message((peer, data) => order.push(first(data)));""",
    )
    got = here.run(
        f"""const peer = "{there.peer_id}";
        await node.connect_through_webrtc_relay("{relay.peer_id}", peer);
        const message = (index, size) => {{
          const data = new Uint8Array(size);
          new DataView(data.buffer).setUint32(0, index);
          return data;
        }};
        const ways = [
          (index) => node.send_webrtc_message(peer, message(index, 8)),
          (index) => node.send_webrtc_message(peer, message(index, 60000)),
          (index) => node.send_webrtc_message(peer, message(index, 300000), {{ on_progress() {{}} }}),
          (index) => node.send_webrtc_message(peer, message(index, 20), {{ timeout_ms: 60000 }}),
        ];
        const sent = [];
        for (let index = 0; index < 120; index += 1) sent.push(ways[(index * 7 + (index >> 3)) % 4](index));
        const control = new AbortController();
        const given_up = node.send_webrtc_message(peer, message(999, 50), {{ signal: control.signal }})
          .catch((error) => error.code);
        control.abort();
        sent.push(node.send_webrtc_message(peer, message(120, 8)));
        await Promise.all(sent);
        return await given_up;""",
        timeout=60,
    )
    assert got == "ABORTED"
    order = there.run(
        """while (order.at(-1) !== 120) await new Promise((resolve) => setTimeout(resolve, 20));
        endOrder();
        return order;""",
    )
    assert order == list(range(121))


def test_two_connections_in_one_page_need_no_network(face: OpenPage) -> None:
    got = face.run(
        """const { WebRtcConnection } = lib;
        const a = new WebRtcConnection(), b = new WebRtcConnection();
        a.on_ice_candidate((candidate) => b.add_ice_candidate(candidate));
        b.on_ice_candidate((candidate) => a.add_ice_candidate(candidate));
        await a.create_data_channel("chat");
        const open = Promise.all([a, b].map((each) => new Promise((resolve) => each.on_data_channel_open(resolve))));
        const offer = await a.create_offer();
        await b.set_remote_description(offer);
        await a.set_remote_description(await b.create_answer());
        const labels = await open;
        const message = new Promise((resolve) => b.on_data_channel_message(resolve));
        await a.send_message(new Uint8Array([1, 2, 3]));
        const data = await message;
        const closed = new Promise((resolve) => b.on_data_channel_close(resolve));
        await a.close_data_channel();
        await closed;
        await a.close();
        a.free(); b.free(); b.free();
        let code = "";
        try { await a.create_offer(); } catch (error) { code = error.code; }
        return [labels, Array.from(data), code, data instanceof Uint8Array];""",
    )
    assert got == [["chat", "chat"], [1, 2, 3], "FREED", True]


def test_the_declared_members_are_those_of_the_running_classes(face: OpenPage) -> None:
    declared = TYPES.read_text()
    for name in ("DarkSwapWasm", "WebRtcConnection", "DarkSwapError"):
        body = re.search(rf"export class {name}[^{{]*\{{(.*?)^\}}", declared, re.S | re.M)
        assert body
        methods = set(re.findall(r"^  (?:static )?(\w+)(?:\(|: \{)", body.group(1), re.M)) - {"constructor"}
        running = face.run(
            """const own = (object) => Object.getOwnPropertyNames(object);
            return [own(lib[args[0]].prototype), own(lib[args[0]])];""",
            name,
        )
        present = set(running[0]) - {"constructor"} | (set(running[1]) - {"length", "name", "prototype"})
        assert methods == present, name
    exported = set(re.findall(r"^export (?:const|class|function) (\w+)", declared, re.M)) | {"default"}
    assert set(face.run("return Object.keys(lib)")) == exported


def test_the_declarations_are_sound_typescript(node: Path, tmp_path: Path) -> None:
    (tmp_path / "darkswap.d.mts").write_text(TYPES.read_text())
    (tmp_path / "use.mts").write_text(Path(__file__).with_name("types.mts").read_text())
    compiler = TYPES.parents[2] / "node_modules" / "typescript" / "lib" / "tsc.js"
    options = ["--noEmit", "--strict", "--target", "es2022", "--module", "es2022", "--moduleResolution", "bundler"]
    options += ["--lib", "es2022,dom,dom.iterable,esnext.disposable", str(tmp_path / "use.mts")]
    said = subprocess.run([str(node), str(compiler), *options], capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout


@pytest.mark.parametrize(
    ("call", "code", "says"),
    [
        ('new lib.DarkSwapWasm({ network: { relays: ["nonsense"] } })', "INVALID_ARGUMENT", "network.relays[0]"),
        ('lib.DarkSwapWasm.new_with_defaults("dogecoin")', "INVALID_ARGUMENT", "bitcoin.network"),
        ('new lib.DarkSwapWasm("{")', "INVALID_ARGUMENT", "JSON"),
        ('fresh.add_relay("/ip4/1.2.3.4/tcp/5/ws")', "INVALID_ARGUMENT", "relay"),
        ('fresh.make_webrtc_relay_reservation("12D3KooWnonsense")', "INVALID_ARGUMENT", "peer"),
        (
            f'fresh.make_webrtc_relay_reservation("{"12D3KooWQCkBm1BYtkHpocxCwMgR8yjitEeHGx8spzcDLGt2gkBm"}")',
            "UNKNOWN_RELAY",
            "12D3",
        ),
        ("fresh.make_webrtc_relay_reservation(7)", "INVALID_ARGUMENT", "relay"),
        ('fresh.send_webrtc_message("x", "text")', "INVALID_ARGUMENT", "data"),
        ('fresh.send_webrtc_message("x", new Uint8Array(16 * 1024 * 1024 + 1))', "MESSAGE_TOO_LARGE", "16777217"),
        ('fresh.send_webrtc_message("x", new Uint8Array(1))', "INVALID_ARGUMENT", "peer"),
        ("fresh.on_event(7)", "INVALID_ARGUMENT", "callback"),
        ("fresh.start({ timeout_ms: -1 })", "INVALID_ARGUMENT", "timeout_ms"),
        ("fresh.start({ signal: AbortSignal.abort() })", "ABORTED", "start"),
        ("(fresh.free(), fresh.start())", "FREED", "DarkSwapWasm"),
        ("(fresh.free(), fresh.version())", "FREED", "DarkSwapWasm"),
    ],
)
def test_a_bad_call_says_what_is_wrong(face: OpenPage, call: str, code: str, says: str) -> None:
    error = face.run(
        f"""const fresh = new lib.DarkSwapWasm({{ identity: {{ persist: false }} }});
        try {{ await {call}; return null; }} catch (error) {{
          return [error instanceof lib.DarkSwapError, error.code, error.message, error.hint];
        }} finally {{ fresh.free(); }}""",
    )
    assert error is not None
    assert error[:2] == [True, code]
    assert says in error[2]
    assert error[3]
    assert "Traceback" not in error[2]


def test_nothing_waits_longer_than_it_was_told(two_faces: tuple[OpenPage, OpenPage], relay: Relay) -> None:
    here, there = two_faces
    got = here.run(
        f"""const peer = "{there.peer_id}";
        await node.connect_through_webrtc_relay("{relay.peer_id}", peer);
        await node.create_webrtc_data_channel(peer);
        const codes = [];
        const note = (error) => codes.push(error.code);
        const control = new AbortController();
        const patient = node.receive_webrtc_message(peer);
        const first = node.receive_webrtc_message(peer, {{ timeout_ms: 50 }}).catch(note);
        const second = node.receive_webrtc_message(peer, {{ signal: control.signal }}).catch(note);
        await first;
        control.abort();
        await second;
        await globalThis.answerMe;
        return [codes, new TextDecoder().decode(await patient)];""",
        during=lambda: there.run(
            f"""await new Promise((resolve) => setTimeout(resolve, 300));
            await node.send_webrtc_message("{here.peer_id}", new TextEncoder().encode("for the patient"));""",
        ),
    )
    assert got == [["TIMEOUT", "ABORTED"], "for the patient"]


def test_ten_thousand_calls_leave_nothing_behind(face: OpenPage) -> None:
    before, after, tasks = face.run(
        """const module = pyodide._module;
        module.enable_pyproxy_allocation_tracing();
        const node = new lib.DarkSwapWasm({ identity: { persist: false }, network: { relays: [] } });
        await node.start();
        const count = () => [...module.pyproxy_alloc_map.keys()].length;
        const tasks = () => pyodide.runPython("import asyncio; len(asyncio.all_tasks())");
        const before = count(), tasksBefore = tasks();
        for (let index = 0; index < 10000; index += 50) {
          await Promise.all(Array.from({ length: 50 }, () => node.local_peer_id()));
        }
        const after = count(), tasksAfter = tasks();
        node.free();
        return [before, after, tasksAfter - tasksBefore];""",
        timeout=120,
    )
    # A timer of the event loop that is set at that moment is a proxy as well.
    assert after <= before + 3
    assert tasks <= 3


def test_a_freed_node_lets_go_of_everything_that_waits(face: OpenPage) -> None:
    codes = face.run(
        """const node = new lib.DarkSwapWasm({ identity: { persist: false }, network: { relays: [] } });
        await node.start();
        const code = (error) => error.code;
        const waiting = [
          node.make_webrtc_relay_reservation("/ip4/127.0.0.1/tcp/9/ws/p2p/" + args[0]).catch(code),
          node.create_webrtc_data_channel(args[0]).catch(code),
        ];
        node.free();
        node.free();
        return await Promise.all(waiting);""",
        "12D3KooWQCkBm1BYtkHpocxCwMgR8yjitEeHGx8spzcDLGt2gkBm",
    )
    assert codes == ["FREED", "FREED"]


def test_python_classes_serve_pages_without_the_module(face: OpenPage) -> None:
    assert face.run(
        """const { Network, NetworkConfig } = pyodide.pyimport("darkswap_browser");
        const config = NetworkConfig.callKwargs({ bitcoin_network: "regtest", persist: false });
        const network = Network(config);
        const id = await network.local_peer_id();
        await network.stop();
        return id.startsWith("12D3KooW");""",
    )


def test_pages_signal_by_hand(two_faces: tuple[OpenPage, OpenPage], relay: Relay) -> None:
    here, there = two_faces
    peer = there.run(
        """globalThis.byHand = new lib.DarkSwapWasm({ network: { signaling: "manual" }, identity: { persist: false } });
        await byHand.make_webrtc_relay_reservation(args[0]);
        byHand.on_webrtc_offer(async (peer, offer) => {
          globalThis.answering = new lib.WebRtcConnection();
          answering.on_ice_candidate((candidate) => byHand.send_webrtc_ice_candidate(peer, candidate));
          byHand.on_webrtc_ice_candidate((_, candidate) => answering.add_ice_candidate(candidate));
          answering.on_data_channel_message((data) => answering.send_message(data));
          await answering.set_remote_description(offer);
          await byHand.send_webrtc_answer(peer, await answering.create_answer());
        });
        return byHand.local_peer_id();""",
        relay.peer_id,
    )
    echoed = here.run(
        """const [peer] = args;
        const offering = new lib.WebRtcConnection();
        await offering.create_data_channel("by hand");
        const open = new Promise((resolve) => offering.on_data_channel_open(resolve));
        const early = [];
        let send = (candidate) => early.push(candidate);
        offering.on_ice_candidate((candidate) => send(candidate));
        const ends = [
          node.on_webrtc_answer((_, answer) => offering.set_remote_description(answer)),
          node.on_webrtc_ice_candidate((_, candidate) => offering.add_ice_candidate(candidate)),
        ];
        await node.send_webrtc_offer(peer, await offering.create_offer());
        send = (candidate) => node.send_webrtc_ice_candidate(peer, candidate);
        early.forEach(send);
        await open;
        const echo = new Promise((resolve) => offering.on_data_channel_message(resolve));
        await offering.send_message(new Uint8Array([4, 2]));
        const data = Array.from(await echo);
        ends.forEach((end) => end());
        offering.free();
        return data;""",
        peer,
    )
    assert echoed == [4, 2]
    there.run("answering.free(); byHand.free();")


def test_a_page_that_goes_says_goodbye(two_faces: tuple[OpenPage, OpenPage], relay: Relay) -> None:
    here, there = two_faces
    waited = here.run(
        f"""const peer = "{there.peer_id}";
        await node.connect_through_webrtc_relay("{relay.peer_id}", peer);
        await node.create_webrtc_data_channel(peer);
        const gone = new Promise((resolve) => node.on_event((event) => {{
          if (event.type === "channel:close" && event.peer_id === peer) resolve(event.reason);
        }}));
        globalThis.ready = true;
        return await gone;""",
        during=lambda: there.page.open("/blank.html") if here.page.run_js(WAIT_READY) else None,
    )
    assert waited == "leaving"


def test_diagnostics_stream_and_tell_nobodys_name(two_faces: tuple[OpenPage, OpenPage], relay: Relay) -> None:
    here, _ = two_faces
    seen, checks, stats, report = here.run(
        """const seen = [];
        const on_check = ({ name, status }) => { seen.push([name, status]); throw new Error("a page may err"); };
        const checks = await node.run_diagnostics({ on_check });
        return [seen, checks, await node.get_stats(), JSON.stringify(await node.create_report())];""",
        timeout=60,
    )
    found = {check["name"]: check for check in checks}
    for name in ("storage", "node", "webrtc", "candidates", "relays", "reservations", "echo"):
        assert found[name]["status"] in ("passed", "warning"), found[name]
        assert [[name, "running"], [name, found[name]["status"]]] == [each for each in seen if each[0] == name]
    assert found["echo"]["status"] == "passed" and found["relays"]["details"]["relays"][0]["rtt_ms"] > 0
    assert found["candidates"]["details"]["host"] > 0
    assert [each["reserved"] for each in stats["relays"]] == [True] and stats["uptime_ms"] > 0
    assert relay.peer_id not in report and here.peer_id not in report and "127.0.0.1" not in report
