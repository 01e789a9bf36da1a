"""darkswap.mjs where it is loaded, given up, broken or dead: what the caller hears of it, and how soon."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.conftest import BLANK
from tests.browser.face import OpenPage
from tests.support.chrome import JsError, Page
from web.build.server import POLICY, Answer, WebServer

pytestmark = pytest.mark.takes(40)


def test_a_page_without_the_policy_for_wasm_hears_so_at_once(site: WebServer, new_page: Callable[[], Page]) -> None:
    page = new_page()
    page.driver.execute_cdp_cmd("Page.enable", {})
    with pytest.raises(JsError) as error:
        page.run_js(
            """const real = WebAssembly.Module;
            WebAssembly.Module = function () { throw new WebAssembly.CompileError("blocked by policy"); };
            try { return await (await import("/darkswap.mjs")).default(); } finally { WebAssembly.Module = real; }""",
            timeout=5,
        )
    assert (error.value.code, error.value.name) == ("WASM_BLOCKED", "DarkSwapError")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ('if (url.endsWith("pyodide-lock.json")) return new Response("", { status: 404 });', "LOAD_FAILED"),
        ('if (url.endsWith("pyodide.asm.wasm")) return new Response("", { status: 404 });', "LOAD_FAILED"),
        (
            'if (url.endsWith("pyodide-lock.json")) { const lock = await (await real(url)).json();'
            ' delete lock.packages["darkswap-browser"]; return Response.json(lock); }',
            "PACKAGE_MISSING",
        ),
        (
            'if (url.endsWith("pyodide-lock.json")) { const lock = await (await real(url)).json();'
            ' lock.packages["darkswap-browser"].sha256 = "0".repeat(64); return Response.json(lock); }',
            "INTEGRITY",
        ),
        (
            'if (url.endsWith("pyodide-lock.json")) { const lock = await (await real(url)).json();'
            ' lock.info.abi_version = "2024_0"; return Response.json(lock); }',
            "ABI_MISMATCH",
        ),
        ('if (/msgpack.*whl$/.test(url)) return new Response("", { status: 404 });', "LOAD_FAILED"),
    ],
)
def test_a_broken_site_is_told_within_seconds(new_page: Callable[[], Page], change: str, code: str) -> None:
    page = new_page()
    with pytest.raises(JsError) as error:
        page.run_js(
            f"""const real = globalThis.fetch;
            globalThis.fetch = async (input, options) => {{
              const url = String(input?.url ?? input);
              {change}
              return real(input, options);
            }};
            await (await import("/darkswap.mjs")).default();""",
            # Pyodide itself finds the wrong ABI, and only after it has started.
            timeout=40 if code == "ABI_MISMATCH" else 10,
        )
    assert error.value.code == code
    assert error.value.hint


def test_init_tells_its_progress_and_happens_once(new_page: Callable[[], Page]) -> None:
    seen = OpenPage(new_page()).page.run_js(
        """const { default: init } = await import("/darkswap.mjs");
        const steps = [];
        const first = init({ onProgress: (progress) => steps.push(progress) });
        const second = init();
        const { version, pyodide } = await first;
        if ((await second).pyodide !== pyodide) throw new Error("two loads");
        const told = (name) => steps.map((step) => step[name]);
        return [version, typeof pyodide.runPython, told("stage"), told("fraction")];""",
        timeout=60,
    )
    version, kind, stages, fractions = seen
    assert (version, kind) == ("0.1.0", "function")
    assert (stages[0], stages[-1], fractions[-1]) == ("check", "ready", 1)
    assert fractions == sorted(fractions)


def test_init_can_be_given_up(new_page: Callable[[], Page]) -> None:
    codes = OpenPage(new_page()).page.run_js(
        """const { default: init } = await import("/darkswap.mjs");
        const code = (error) => error.code;
        const first = await init({ signal: AbortSignal.abort() }).catch(code);
        return [first, await init({ timeout_ms: 1 }).catch(code)];""",
    )
    assert codes == ["ABORTED", "TIMEOUT"]


def test_a_pyodide_of_the_page_is_used(new_page: Callable[[], Page]) -> None:
    page = OpenPage(new_page()).page
    assert page.run_js(
        """const { loadPyodide } = await import("/pyodide.mjs");
        const pyodide = await loadPyodide();
        const lib = await import("/darkswap.mjs");
        const loaded = await lib.default({ pyodide });
        const node = lib.DarkSwapWasm.new_with_defaults("regtest");
        return loaded.pyodide === pyodide && (await node.local_peer_id()).startsWith("12D3KooW");""",
        timeout=60,
    )


def test_a_dead_interpreter_is_named_as_such(new_page: Callable[[], Page]) -> None:
    page = OpenPage(new_page()).loaded()
    code = page.run(
        """const node = new lib.DarkSwapWasm({ identity: { persist: false } });
        const waiting = node.connect_through_webrtc_relay(
          "/ip4/127.0.0.1/tcp/9/ws/p2p/12D3KooWQCkBm1BYtkHpocxCwMgR8yjitEeHGx8spzcDLGt2gkBm",
          "12D3KooWQCkBm1BYtkHpocxCwMgR8yjitEeHGx8spzcDLGt2gkBm").catch((error) => error.code);
        try { pyodide._api.fatal_error(new WebAssembly.RuntimeError("unreachable")); } catch { /* as it should */ }
        const code = await node.local_peer_id().catch((error) => error.code);
        node.free();
        return [code, await waiting];""",
    )
    assert code == ["RUNTIME_DEAD", "RUNTIME_DEAD"]


def test_init_aborted_and_called_again_joins_the_one_load(new_page: Callable[[], Page]) -> None:
    """React's StrictMode mounts, unmounts and mounts again."""
    seen = new_page().run_js(
        """const { default: init } = await import("/darkswap.mjs");
        const told = [];
        const mount = (name) => {
          const controller = new AbortController();
          const done = init({ signal: controller.signal })
            .then(() => told.push(name), (error) => told.push(error.code));
          return { controller, done };
        };
        const first = mount("first");
        await new Promise((go) => setTimeout(go, 300));
        first.controller.abort();
        await first.done;
        await mount("second").done;
        await mount("third").done;
        const entries = performance.getEntriesByType("resource").filter(({ name }) => name.endsWith("asm.wasm"));
        return [told, entries.length];""",
        timeout=60,
    )
    assert seen == [["ABORTED", "second", "third"], 1]


def test_init_waits_while_bytes_arrive_and_gives_up_when_they_stop(new_page: Callable[[], Page]) -> None:
    code, waited, loaded, message = new_page().run_js(
        """const real = globalThis.fetch;
        globalThis.fetch = async (input, options) => {
          if (!String(input?.url ?? input).endsWith("pyodide.asm.wasm")) return real(input, options);
          let left = 10;
          const body = new ReadableStream({ async pull(controller) {
            await new Promise((go) => setTimeout(go, 300));
            if (left-- > 0) controller.enqueue(new Uint8Array(100_000));
            else await new Promise(() => {});
          } });
          return new Response(body, { headers: { "Content-Type": "application/wasm" } });
        };
        const { default: init } = await import("/darkswap.mjs");
        const started = performance.now();
        const seen = [];
        const onProgress = ({ loaded }) => seen.push(loaded);
        const error = await init({ timeout_ms: 1500, onProgress }).catch((error) => error);
        return [error.code, performance.now() - started, seen, error.message];""",
        timeout=60,
    )
    assert (code, message) == ("TIMEOUT", "loading made no progress for 1.5 s")
    assert waited > 4000
    assert loaded == sorted(loaded)
    assert len({count for count in loaded if count}) > 5


def test_init_called_again_with_other_options_is_refused(new_page: Callable[[], Page]) -> None:
    page = OpenPage(new_page()).loaded(bitcoin={"network": "regtest"}).page
    outcomes = page.run_js(
        """const said = (promise) => promise.then(() => "ok", ({ code, details }) => [code, details.path]);
        return [
          await said(lib.default()), await said(lib.default({ defaults: { bitcoin: { network: "regtest" } } })),
          await said(lib.default({ defaults: { bitcoin: { network: "signet" } } })),
          await said(lib.default({ stdlib: "full" })),
        ];"""
    )
    assert outcomes == ["ok", "ok", ["INVALID_ARGUMENT", "options.defaults"], ["INVALID_ARGUMENT", "options.stdlib"]]


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ("5", "options"),
        ("{ signal: {} }", "options.signal"),
        ("{ timeout_ms: -1 }", "options.timeout_ms"),
        ("{ onProgress: 5 }", "options.onProgress"),
        ("{ on_progress() {} }", "options.on_progress"),
        ("{ indexURL: 5 }", "options.indexURL"),
        ("{ indexURL: 'http://' }", "options.indexURL"),
        ("{ pyodide: {} }", "options.pyodide"),
        ("{ defaults: 5 }", "options.defaults"),
    ],
)
def test_init_option_of_the_wrong_kind_is_refused(page: Page, options: str, path: str) -> None:
    told = page.run_js(
        f"""const {{ default: init }} = await import("/darkswap.mjs");
        return init({options}).then(() => "ok", (error) => [error.code, error.details.path]);"""
    )
    assert told == ["INVALID_ARGUMENT", path]


def test_init_goes_on_when_the_progress_listener_throws_and_null_is_left_out(new_page: Callable[[], Page]) -> None:
    told = new_page().run_js(
        """const { default: init } = await import("/darkswap.mjs");
        const reported = [];
        addEventListener("error", (event) => { reported.push(event.message); event.preventDefault(); });
        const { version } = await init({ signal: null, onProgress() { throw new Error("mine"); } });
        await init(null);
        return [version, reported.length > 3];""",
        timeout=60,
    )
    assert told == ["0.1.0", True]


def test_second_copy_of_the_module_is_told_and_knows_the_errors_of_the_first(new_page: Callable[[], Page]) -> None:
    page = new_page()
    page.console()
    seen = page.run_js(
        """const one = await import("/darkswap.mjs?copy=1"), two = await import("/darkswap.mjs?copy=2");
        const options = { indexURL: "/", signal: AbortSignal.timeout(1) };
        const failed = [one, two].map((copy) => copy.default(options).catch((error) => error));
        const [error, other] = await Promise.all(failed);
        return [error instanceof two.DarkSwapError, other instanceof one.DarkSwapError,
          new Error("x") instanceof one.DarkSwapError];"""
    )
    assert seen == [True, True, False]
    assert [line for line in page.console() if "DarkSwap 0.1.0 is loaded 2 times" in line]


def test_error_shows_all_of_itself_and_the_line_of_the_caller(new_page: Callable[[], Page]) -> None:
    page = OpenPage(new_page()).loaded().page
    text, stacks = page.run_js(
        """const node = new lib.DarkSwapWasm({ identity: { persist: false } });
        async function lineOfTheCaller(options) { await node.ping("x", options); }
        const refused = await lineOfTheCaller().catch((error) => error);
        const gone = await lineOfTheCaller({ signal: AbortSignal.timeout(0) }).catch((error) => error);
        node.free();
        return [JSON.stringify(refused), [refused.stack, gone.stack]];"""
    )
    fields = json.loads(text)
    assert (fields["name"], fields["code"]) == ("DarkSwapError", "INVALID_ARGUMENT")
    assert fields["message"] and fields["hint"]
    assert all("lineOfTheCaller" in stack for stack in stacks)


def test_init_outside_of_a_browser_says_so(node: Path, built: Path) -> None:
    script = f"""const {{ default: init }} = await import({json.dumps((built / "darkswap.mjs").as_uri())});
    console.log(await init().catch(({{ code, message, hint }}) => [code, message, hint].join("|")));"""
    command = [str(node), "--input-type=module", "-e", script]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert said.startswith("UNSUPPORTED|init() needs a browser, and this is not in one|")


def test_init_in_a_classic_worker_names_the_kind_of_worker_it_needs(own_site: WebServer, page: Page) -> None:
    script = b"""import("/darkswap.mjs").then(({ default: init }) => init())
      .then(() => postMessage("ok"), ({ code, hint }) => postMessage(`${code}|${hint}`));"""
    own_site.site.answers["/worker.js"] = Answer(script, "text/javascript")
    page.open(own_site.url + "/blank.html")
    page.run_js("globalThis.trustedTypes?.createPolicy('default', { createScriptURL: (url) => url });")
    told = page.run_js(
        """return new Promise((resolve) => { new Worker("/worker.js").onmessage = ({ data }) => resolve(data); });"""
    )
    assert told == 'UNSUPPORTED|Start the worker as a module: new Worker(url, { type: "module" }).'


def test_death_of_the_interpreter_is_told_to_all_who_listen_and_start(new_page: Callable[[], Page]) -> None:
    page = OpenPage(new_page()).loaded().page
    events, init, made = page.run_js(
        """const node = new lib.DarkSwapWasm({ identity: { persist: false } });
        const idle = new lib.DarkSwapWasm({ identity: { persist: false } });
        const events = [];
        const note = ({ type, code, hint }) => events.push([type, code, hint.length > 0]);
        for (const each of [node, idle]) each.on_event(note);
        await node.local_peer_id();
        events.length = 0;
        try { pyodide._api.fatal_error(new WebAssembly.RuntimeError("unreachable")); } catch { /* as it should */ }
        const code = (error) => error.code;
        const init = await lib.default().then(() => "ok", code);
        let made;
        try { made = new lib.DarkSwapWasm(); } catch (error) { made = code(error); }
        return [events, init, made];"""
    )
    assert events == [["error", "RUNTIME_DEAD", True], ["error", "RUNTIME_DEAD", True]]
    assert (init, made) == ("RUNTIME_DEAD", "RUNTIME_DEAD")


def test_relay_that_the_pages_policy_forbids_is_told_with_the_policy(own_site: WebServer, page: Page) -> None:
    policy = POLICY.replace("connect-src 'self' ws: wss: https:", "connect-src 'self' wss:")
    own_site.site.answers["/blank.html"] = Answer(BLANK.body, BLANK.content_type, policy=policy)
    page.open(own_site.url + "/blank.html")
    code, text, waited, checks = page.run_js(
        """const { default: init, DarkSwapWasm } = await import("/darkswap.mjs");
        await init();
        const node = new DarkSwapWasm({ identity: { persist: false } });
        await node.local_peer_id();
        const started = performance.now();
        const relay = "/ip4/127.0.0.1/tcp/9/ws/p2p/12D3KooWQCkBm1BYtkHpocxCwMgR8yjitEeHGx8spzcDLGt2gkBm";
        const error = await node.make_webrtc_relay_reservation(relay, { timeout_ms: 25000 }).catch((error) => error);
        const waited = performance.now() - started;
        const esplora = ["https://chain.example/api"];
        const bitcoin = { network: "signet" };
        const trader = new DarkSwapWasm({ identity: { persist: false }, bitcoin, chain: { esplora } });
        await trader.get_orders();
        const checks = [...await node.run_diagnostics(), ...await trader.run_diagnostics()];
        node.free();
        trader.free();
        const found = checks.map(({ name, message, hint }) => [name, message, hint]);
        return [error.code, JSON.stringify(error), waited, found];""",
        timeout=90,
    )
    found = [(name, f"{message} {hint}") for name, message, hint in checks]
    assert any(name == "relays" and "Add ws://127.0.0.1:9 to connect-src" in said for name, said in found)
    assert any(name == "chain_servers" and "add https://chain.example to connect-src" in said for name, said in found)
    assert code in {"DIAL_FAILED", "UNSUPPORTED"}
    assert "Content-Security-Policy" in text
    assert "Add ws://127.0.0.1:9 to connect-src" in text
    assert waited < 8000
