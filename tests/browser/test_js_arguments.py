"""What a page may pass wrongly: every method, with odd values in every place, answers with a declared code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.face import OpenPage
from tests.support.chrome import Chrome
from tests.support.scripted_page import ScriptJob
from web.build.server import WebServer

pytestmark = pytest.mark.takes(20)

TYPES = Path(__file__).resolve().parents[2] / "web" / "src" / "api" / "darkswap.d.ts"
PEER = "12D3KooWQCkBm1BYtkHpocxCwMgR8yjitEeHGx8spzcDLGt2gkBm"
ODD = """
const circle = {}; circle.itself = circle;
let deep = {}; for (let level = 0; level < 20000; level += 1) deep = { deep };
let deepList = []; for (let level = 0; level < 20000; level += 1) deepList = [deepList];
const detached = new Uint8Array(8); structuredClone(detached.buffer, { transfer: [detached.buffer] });
const traps = (names) => Object.fromEntries(names.map((name) => [name, () => { throw new Error(name); }]));
const throwing = (names) => new Proxy({}, traps(names));
return {
  undefined: undefined, null: null, true: true, false: false, zero: 0, minus: -1, number: 5, fraction: 0.5, huge: 1e300,
  NaN: NaN, infinity: Infinity, bigint: 5n, empty: "", text: "x", longText: "x".repeat(100000), surrogate: "\\ud800",
  zeroByte: "\\0", symbol: Symbol("s"), function: () => 1, class: class {}, list: [], fullList: [1, "x"], deepList,
  object: {}, nullObject: Object.create(null), unknown: { reveiw: true }, deep, circle, bigintInside: { amount: 5n },
  nanInside: { amount: NaN }, functionInside: { amount: () => 1 }, date: new Date(0), invalidDate: new Date(NaN),
  url: new URL("http://x.example"), map: new Map([["a", 1]]), set: new Set(), wrapped: new String("x"),
  error: new Error("x"),
  regexp: /x/, promise: Promise.resolve(), signal: AbortSignal.abort(), controller: new AbortController(),
  buffer: new ArrayBuffer(4), bytes: new Uint8Array(4), detached, view: new DataView(new ArrayBuffer(4)),
  floats: new Float32Array(2), window: globalThis, getter: { get amount() { throw new Error("getter"); } },
  getterThrowsNothing: { get amount() { throw undefined; } }, toJsonThrows: { toJSON() { throw new Error("toJSON"); } },
  toJsonBigint: { toJSON: () => 5n }, toJsonText: { toJSON: () => "x" }, ownKeysThrows: throwing(["ownKeys"]),
  getThrows: throwing(["get"]), prototypeThrows: throwing(["getPrototypeOf"]),
  allThrow: throwing(["ownKeys", "get", "has", "getPrototypeOf", "getOwnPropertyDescriptor"]),
  signalWrong: { signal: {} }, timeWrong: { timeout_ms: "5" }, timeNaN: { timeout_ms: NaN },
  timeBigint: { timeout_ms: 5n },
  progressWrong: { on_progress: 5 }, reviewWrong: { review: 1 }, proto: JSON.parse('{"__proto__": {"a": 1}}'),
};
"""
# Good values of the arguments before the options; what is not named here has none.
GOOD = {
    "add_relay": [f"/ip4/127.0.0.1/tcp/9/ws/p2p/{PEER}"],
    "make_webrtc_relay_reservation": [PEER],
    "is_webrtc_relay_reservation_valid": [PEER],
    "connect_through_webrtc_relay": [PEER, PEER],
    "disconnect_from_webrtc_relay": [PEER],
    "create_webrtc_data_channel": [PEER],
    "receive_webrtc_message": [PEER],
    "close_webrtc_data_channel": [PEER],
    "send_webrtc_message": [PEER, {"$bytes": [1]}],
    "send_urgent_webrtc_message": [PEER, {"$bytes": [1]}],
    "send_webrtc_offer": [PEER, {"type": "offer", "sdp": "v=0"}],
    "send_webrtc_answer": [PEER, {"type": "answer", "sdp": "v=0"}],
    "send_webrtc_ice_candidate": [PEER, {"candidate": "", "sdpMid": "0", "sdpMLineIndex": 0}],
    "create_webrtc_connection": [PEER],
    "get_connection_stats": [PEER],
    "add_peer": [PEER],
    "ping": [PEER],
    "connect_wallet": [{"type": "unisat"}],
    "export_mnemonic": [""],
    "get_address": ["payment"],
    "freeze_coin": [f"{'0' * 64}:0", True],
    "release_coin": [f"{'0' * 64}:0"],
    "sign_message": ["x"],
    "check_order": [{"base_asset": "BTC"}],
    "create_order": ["rune", "1:1", "btc", "", "sell", "1", "1", 600],
    "update_order": ["00", {"paused": True}],
    "cancel_order": ["00"],
    "get_order": ["00"],
    "import_order": ["x"],
    "take_order": ["00", "1"],
    "confirm_trade": ["00"],
    "get_trade": ["00"],
    "cancel_trade": ["00", "why"],
    "revoke_trade": ["00"],
    "estimate_revoke_fee": ["00"],
    "bump_trade_fee": ["00"],
    "wait_for_trade": ["00"],
    "get_rune_info": ["1:1"],
    "get_alkane_info": ["2:0"],
}
# Not called: they end the node that the others need, or take neither arguments nor options.
LEFT_OUT = {
    "stop",
    "free",
    "version",
    "on_event",
    "on_webrtc_message",
    "on_webrtc_offer",
    "on_webrtc_answer",
    "on_webrtc_ice_candidate",
}
# Without a time-out they wait for a peer that is not there yet.
WAITING = {"receive_webrtc_message"}
# They ask chain servers or peers that do not answer, again and again until their time is up.
PATIENT = (
    "run_diagnostics",
    "create_report",
    "receive_webrtc_message",
    "create_order",
    "get_alkane_info",
    "get_rune_info",
)
# What is wrong with an error; "" for one that is declared and told in a sentence.
JUDGE = """
const judge = (error) => {
  if (!(error instanceof lib.DarkSwapError)) return `no DarkSwapError: ${error?.name} ${error?.message}`;
  if (!known.has(error.code) || ["INTERNAL", "ERROR"].includes(error.code)) return `${error.code} ${error.message}`;
  return error.message.length > 400 ? `a message of ${error.message.length} characters` : "";
};
"""
RUN = (
    """
const [method, good, codes, waits] = args;
const values = good.map((value) => (value?.$bytes ? new Uint8Array(value.$bytes) : value));
const known = new Set(codes), wrong = [];
"""
    + JUDGE
    + """
const one = async (place, name, value) => {
  const given = [...values, { timeout_ms: 4000 }];
  given[place] = value;
  const [limit, said] = waits && place === good.length ? [6000, ""] : [20000, "never answers"];
  const late = new Promise((resolve) => setTimeout(resolve, limit, said));
  let found = "";
  try { found = await Promise.race([node[method](...given).then(() => "", judge), late]); }
  catch (error) { found = `throws at once: ${error.message}`; }
  if (found) wrong.push(`${method} place ${place} ${name}: ${String(found).slice(0, 200)}`);
};
const places = Array.from({ length: values.length + 1 }, (_, place) => place);
await Promise.all(places.flatMap((place) => Object.entries(odd).map(([name, value]) => one(place, name, value))));
return wrong;
"""
)


@pytest.fixture(scope="module")
def face(chrome: Chrome, site: WebServer) -> Iterator[OpenPage]:
    """A page whose node knows no relay, and whose chain servers do not answer."""
    page = OpenPage(chrome.new_page(site.url).open("/blank.html")).loaded()
    page.run(
        f"""globalThis.odd = await (async () => {{ {ODD} }})();
        const dead = ["http://127.0.0.1:9"];
        globalThis.node = new lib.DarkSwapWasm({{
          bitcoin: {{ network: "regtest" }}, identity: {{ persist: false }},
          chain: {{ esplora: dead, ord: dead, alkanes: dead }},
        }});
        await node.start();
        await node.get_orders();""",
        timeout=60,
    )
    yield page
    page.page.close()


def declared_codes() -> list[str]:
    body = re.search(r"DarkSwapErrorCode =(.*?);", TYPES.read_text("utf-8"), re.S)
    assert body
    return re.findall(r'"([A-Z_]+)"', body.group(1))


def declared_methods() -> list[str]:
    body = re.search(r"export class DarkSwapWasm \{(.*?)^\}", TYPES.read_text("utf-8"), re.S | re.M)
    assert body
    return sorted(set(re.findall(r"^  (\w+)\(", body.group(1), re.M)) - {"constructor"})


def judged(face: OpenPage, method: str) -> ScriptJob:
    return face.page.start(RUN, method, GOOD.get(method, []), declared_codes(), method in WAITING)


@pytest.fixture(scope="module", autouse=True)
def begun(face: OpenPage) -> dict[str, ScriptJob]:
    """What waits for time, which passes while the others run."""
    return {method: judged(face, method) for method in PATIENT}


@pytest.mark.parametrize("method", [name for name in declared_methods() if name not in {*LEFT_OUT, *PATIENT}])
def test_method_with_odd_values_rejects_with_a_declared_code(face: OpenPage, method: str) -> None:
    assert judged(face, method).wait(120) == []


def test_constructors_with_odd_values_throw_a_declared_code(face: OpenPage) -> None:
    wrong = face.run(
        f"const known = new Set(args[0]), wrong = []; {JUDGE}"
        """
        const makers = {
          DarkSwapWasm: (value) => new lib.DarkSwapWasm(value).free(),
          bitcoin: (value) => new lib.DarkSwapWasm({ bitcoin: value }).free(),
          relays: (value) => new lib.DarkSwapWasm({ network: { relays: [value] } }).free(),
          timeout: (value) => new lib.DarkSwapWasm({ network: { connect_timeout_ms: value } }).free(),
          defaults: (value) => new lib.DarkSwapWasm.new_with_defaults(value).free(),
          WebRtcConnection: (value) => new lib.WebRtcConnection(value).free(),
          ice: (value) => new lib.WebRtcConnection({ ice_servers: value }).free(),
          event: (value) => node.on_event(value)(), message: (value) => node.on_webrtc_message(value)(),
          candidate: (value) => node.on_webrtc_ice_candidate(value)(),
        };
        for (const [maker, make] of Object.entries(makers)) for (const [name, value] of Object.entries(odd)) {
          try { make(value); } catch (error) {
            const told = judge(error);
            if (told) wrong.push(`${maker} ${name}: ${told}`.slice(0, 200));
          }
        }
        return wrong;""",
        declared_codes(),
        timeout=120,
    )
    assert wrong == []


def test_connection_methods_with_odd_values_reject_with_a_declared_code(face: OpenPage) -> None:
    wrong = face.run(
        f"const known = new Set(args[0]), wrong = []; {JUDGE}"
        """const connection = new lib.WebRtcConnection();
        const calls = {
          set_remote_description: [[{ type: "offer", sdp: "x" }]], add_ice_candidate: [[{ candidate: "" }]],
          create_data_channel: [["chat"]], send_message: [[new Uint8Array(1)]], create_offer: [[]], create_answer: [[]],
          close_data_channel: [[]],
        };
        for (const [method, [good]] of Object.entries(calls)) for (let place = 0; place <= good.length; place += 1) {
          for (const [name, value] of Object.entries(odd)) {
            const given = [...good, { timeout_ms: 2000 }];
            given[place] = value;
            try { await connection[method](...given); } catch (error) {
              const told = judge(error);
              if (told) wrong.push(`${method} ${place} ${name}: ${told}`.slice(0, 200));
            }
          }
        }
        connection.free();
        return wrong;""",
        declared_codes(),
        timeout=120,
    )
    assert wrong == []


@pytest.mark.parametrize(
    ("call", "path"),
    [
        ('node.take_order("00", null, { reveiw: true })', "options.reveiw"),
        ('node.take_order("00", "1", { review: true, max_fee: 5 })', "options.max_fee"),
        ('node.take_order("00", "1", null, { review: true })', "options"),
        ('node.take_order("00", null, null, { review: true })', "options"),
        ('node.create_order("rune", "1:1", "btc", "", "sell", "1", "1", null, { timeout: 5 })', "options.timeout"),
        ('node.create_order({ base_asset: "BTC" }, { timeout: 5 })', "options.timeout"),
        ('node.wait_for_trade("00", { timeout: 5 })', "options.timeout"),
        ('node.wait_for_trade("00", 5)', "options"),
        ("node.get_balances({ abort: true })", "options.abort"),
        ("node.get_balances(null, { timeout_ms: 5 })", "options"),
        ("node.start(new AbortController().signal)", "options"),
        ("node.ping(peer, { timeout: 5 })", "options.timeout"),
        ("node.receive_webrtc_message(peer, { timeout: 5 })", "options.timeout"),
        ("node.send_webrtc_message(peer, new Uint8Array(1), { onprogress() {} })", "options.onprogress"),
        ("node.send_webrtc_message(peer, new Uint8Array(1), 5)", "options"),
        ("node.send_webrtc_message(peer, new Uint8Array(1), { on_progress: 5 })", "options.on_progress"),
        ("node.send_webrtc_message(peer, odd.detached)", "data"),
        ("new lib.WebRtcConnection().create_offer({ timeout: 5 })", "options.timeout"),
        ('new lib.WebRtcConnection().create_data_channel("x", { timeout: 5 })', "options.timeout"),
        ("new lib.WebRtcConnection().close({ timeout: 5 })", "options.timeout"),
        # A bigint counts atoms; amounts are texts in display units.
        ('node.take_order("00", 100n)', "amount"),
        ('node.check_order({ base_asset: "BTC", amount: 100n })', "amount"),
        ('node.create_order({ base_asset: "BTC", amount: 100n })', "amount"),
        ('node.create_order({ base_asset: "BTC", min_amount: 100n })', "min_amount"),
        ('node.create_order("rune", "1:1", "btc", "", "sell", 100n, "1")', "amount"),
        ('node.create_order("rune", "1:1", "btc", "", "sell", "1", 100n)', "price"),
        ('node.update_order("00", { price: 100n })', "price"),
        ('node.update_order("00", { total: 100n })', "total"),
        ('node.update_order("00", { price: "1", total: "1" })', "price"),
        ("node.connect_wallet({})", "type"),
        ("node.connect_wallet([])", "config"),
        ("new lib.DarkSwapWasm({ network: { connect_timeout_ms: 5n } })", "network.connect_timeout_ms"),
    ],
)
def test_wrong_option_or_bigint_amount_is_refused_by_its_name(face: OpenPage, call: str, path: str) -> None:
    told = face.run(
        f"""const peer = "{PEER}", told = (error) => [error.code, error.details?.path, error.message];
        try {{ await {call}; return null; }} catch (error) {{ return told(error); }}"""
    )
    assert told is not None and told[:2] == ["INVALID_ARGUMENT", path], told


@pytest.mark.parametrize(
    "call",
    [
        "node.get_orders(null)",
        "node.get_orders({ signal: null, timeout_ms: null })",
        "node.get_orders({ signal: undefined }, undefined)",
        "node.local_peer_id(null)",
        "new lib.WebRtcConnection(null).create_data_channel('x', null)",
        "new lib.DarkSwapWasm(null).version()",
    ],
)
def test_null_option_counts_as_left_out(face: OpenPage, call: str) -> None:
    face.run(f"await {call}")


@pytest.mark.parametrize("method", PATIENT)
def test_method_that_waits_with_odd_values_rejects_with_a_declared_code(
    begun: dict[str, ScriptJob], method: str
) -> None:
    assert begun[method].wait(120) == []
