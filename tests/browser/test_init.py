"""`await init()` of darkswap.mjs: ready under the strict policy, and a typed error at once when something is wrong."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.conftest import BLANK
from tests.support.chrome import JsError, Page
from web.build.server import POLICY, Answer, WebServer

pytestmark = pytest.mark.takes(30)

INIT = """const { default: init } = await import(new URL("/darkswap.mjs", location.href));
const { version } = await init(%s);
return version;"""
# Longest that a failure may take to be told, seconds, on a machine that is busy with other tests: a fault that shows
# before Python starts, and one that can only show after. Both are well below init's own limit of 60 s.
PROMPT = 8.0
LATE = 45.0


@pytest.fixture
def broken(own_site: WebServer, page: Page) -> Callable[..., JsError]:
    """Runs init on `own_site`; returns how it failed, which it must do soon and in one line."""

    def run(options: str = "{}", within: float = PROMPT) -> JsError:
        page.open(own_site.url + "/blank.html")
        started = time.monotonic()
        with pytest.raises(JsError) as caught:
            page.run_js(INIT % options, timeout=60)
        assert time.monotonic() - started < within
        assert caught.value.name == "DarkSwapError"
        assert caught.value.hint
        assert "Traceback" not in caught.value.message
        return caught.value

    return run


def _wheel(built: Path) -> str:
    lock = json.loads((built / "pyodide-lock.json").read_text())
    return str(lock["packages"]["darkswap-browser"]["file_name"])


def test_init_is_ready_under_the_strict_policy(page: Page, built: Path) -> None:
    page.console()
    manifest = json.loads((built / "manifest.json").read_text())
    assert page.run_js(INIT % "", timeout=60) == manifest["version"]
    assert page.faults() == []


def test_nothing_is_fetched_from_elsewhere(page: Page) -> None:
    page.run_js(INIT % "", timeout=60)
    origins = page.run_js(
        'return [...new Set(performance.getEntriesByType("resource").map((entry) => new URL(entry.name).origin))]'
    )
    assert origins == [page.base]


def test_progress_never_falls_and_ends_ready(page: Page) -> None:
    steps = page.run_js(
        """const { default: init } = await import(new URL("/darkswap.mjs", location.href));
        const steps = [];
        await init({ onProgress: ({ stage, fraction }) => steps.push([stage, fraction]) });
        return steps;""",
        timeout=60,
    )
    fractions = [fraction for _, fraction in steps]
    assert fractions == sorted(fractions)
    assert steps[-1] == ["ready", 1]
    assert {"check", "download", "python", "packages", "import"} <= {stage for stage, _ in steps}


def test_an_interpreter_of_the_pages_own_is_taken(page: Page) -> None:
    page.load_python()
    same = page.run_js(
        """const { default: init, DarkSwapWasm } = await import(new URL("/darkswap.mjs", location.href));
        const ready = await init({ pyodide: globalThis.pyodide });
        const darkswap = DarkSwapWasm.new_with_defaults("regtest");
        darkswap.free();
        return ready.pyodide === globalThis.pyodide;""",
        timeout=60,
    )
    assert same is True


def test_files_of_another_origin_load(own_site: WebServer, page: Page, site: WebServer) -> None:
    policy = POLICY.replace("'self'", f"'self' {site.url}")
    own_site.site.answers["/blank.html"] = Answer(BLANK.body, BLANK.content_type, policy=policy)
    page.open(own_site.url + "/blank.html")
    version = page.run_js(
        """const { default: init } = await import(args[0] + "/darkswap.mjs");
        return (await init()).version;""",
        site.url,
        timeout=60,
    )
    assert version == page.run_js('return (await import(args[0] + "/darkswap.mjs")).version', site.url)


def test_a_policy_without_webassembly_is_named(own_site: WebServer, page: Page) -> None:
    policy = POLICY.replace(" 'wasm-unsafe-eval'", "")
    own_site.site.answers["/blank.html"] = Answer(BLANK.body, BLANK.content_type, policy=policy)
    page.open(own_site.url + "/blank.html")
    started = time.monotonic()
    with pytest.raises(JsError) as caught:
        page.run_js(INIT % "")
    assert (caught.value.code, caught.value.retryable) == ("WASM_BLOCKED", False)
    assert "wasm-unsafe-eval" in str(caught.value.hint)
    assert time.monotonic() - started < PROMPT


@pytest.mark.parametrize(
    "name", ["pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib_small.zip", "pyodide-lock.json"]
)
def test_a_missing_file_is_named(own_site: WebServer, broken: Callable[..., JsError], name: str) -> None:
    own_site.site.answers[f"/{name}"] = Answer(b"gone", status=404)
    error = broken()
    assert (error.code, error.retryable) == ("LOAD_FAILED", True)
    assert name in error.message


def test_a_missing_wheel_is_named(own_site: WebServer, broken: Callable[..., JsError], built: Path) -> None:
    name = _wheel(built)
    own_site.site.answers[f"/{name}"] = Answer(b"gone", status=404)
    error = broken(within=LATE)
    assert (error.code, error.retryable) == ("LOAD_FAILED", True)
    assert name in error.message


def test_a_changed_wheel_is_refused(own_site: WebServer, broken: Callable[..., JsError], built: Path) -> None:
    name = _wheel(built)
    own_site.site.answers[f"/{name}"] = Answer((built / name).read_bytes() + b"\0", "application/zip")
    assert broken(within=LATE).code == "INTEGRITY"


def _edit_lock(server: WebServer, built: Path, edit: Callable[[dict[str, dict[str, object]]], object]) -> None:
    lock = json.loads((built / "pyodide-lock.json").read_text())
    edit(lock)
    server.site.answers["/pyodide-lock.json"] = Answer(json.dumps(lock).encode(), "application/json")


def test_a_lock_for_another_interpreter_is_refused(
    own_site: WebServer, broken: Callable[..., JsError], built: Path
) -> None:
    _edit_lock(own_site, built, lambda lock: lock["info"].update(abi_version="2025_0"))
    assert broken(within=LATE).code == "ABI_MISMATCH"


def test_a_lock_without_the_package_is_refused(
    own_site: WebServer, broken: Callable[..., JsError], built: Path
) -> None:
    _edit_lock(own_site, built, lambda lock: lock["packages"].pop("darkswap-browser"))
    assert broken().code == "PACKAGE_MISSING"


def test_a_lock_that_is_no_json_is_refused(own_site: WebServer, broken: Callable[..., JsError]) -> None:
    own_site.site.answers["/pyodide-lock.json"] = Answer(b"<html>", "text/html")
    assert broken().code == "LOAD_FAILED"


def test_a_second_try_succeeds_once_the_file_is_there(own_site: WebServer, page: Page) -> None:
    own_site.site.answers["/pyodide-lock.json"] = Answer(b"gone", status=404)
    page.open(own_site.url + "/blank.html")
    with pytest.raises(JsError):
        page.run_js(INIT % "")
    del own_site.site.answers["/pyodide-lock.json"]
    assert page.run_js(INIT % "", timeout=60)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ("{ signal: AbortSignal.abort() }", "ABORTED"),
        ("{ timeout_ms: 1 }", "TIMEOUT"),
    ],
)
def test_the_caller_may_give_up(broken: Callable[..., JsError], options: str, code: str) -> None:
    assert broken(options).code == code


@pytest.mark.parametrize(
    ("name", "wanted"), [("pyodide.asm.wasm", "application/wasm"), ("pyodide.mjs", "text/javascript")]
)
def test_a_file_of_the_wrong_media_type_is_named(
    own_site: WebServer, broken: Callable[..., JsError], built: Path, name: str, wanted: str
) -> None:
    own_site.site.answers[f"/{name}"] = Answer((built / name).read_bytes(), "application/octet-stream")
    error = broken()
    assert (error.code, error.retryable) == ("LOAD_FAILED", False)
    assert name in error.message and "application/octet-stream" in error.message
    assert wanted in str(error.hint)


def test_a_page_in_place_of_a_file_is_named(own_site: WebServer, broken: Callable[..., JsError], built: Path) -> None:
    name = _wheel(built)
    own_site.site.answers[f"/{name}"] = Answer(b"<!doctype html>", "text/html")
    error = broken(within=LATE)
    assert error.code == "LOAD_FAILED"
    assert name in error.message and "text/html" in error.message


@pytest.mark.parametrize(("directive", "what"), [("connect-src", "pyodide-lock.json"), ("script-src", "pyodide.mjs")])
def test_a_policy_that_forbids_a_file_is_named(
    own_site: WebServer, broken: Callable[..., JsError], site: WebServer, directive: str, what: str
) -> None:
    """The files are of another origin, which the policy allows but for one directive."""
    policy = POLICY.replace("'self'", f"'self' {site.url}").replace("http://127.0.0.1:* ", "")
    policy = policy.replace(f"{directive} 'self' {site.url}", f"{directive} 'self'")
    own_site.site.answers["/blank.html"] = Answer(BLANK.body, BLANK.content_type, policy=policy)
    error = broken(f"{{ indexURL: '{site.url}/' }}")
    assert (error.code, error.retryable) == ("LOAD_FAILED", False)
    assert what in error.message and f"({directive})" in error.message
    assert f"Add {site.url} to {directive}" in str(error.hint)
