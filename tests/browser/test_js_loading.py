"""darkswap.mjs where it is loaded, given up, broken or dead: what the caller hears of it, and how soon."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.browser.face import OpenPage
from tests.support.chrome import JsError, Page
from web.build.server import WebServer


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
        (
            'if (url.endsWith("pyodide.asm.wasm") && options?.method === "HEAD")'
            ' return new Response("", { status: 404 });',
            "LOAD_FAILED",
        ),
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
        if (init() !== first) throw new Error("two loads");
        const { version, pyodide } = await first;
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
