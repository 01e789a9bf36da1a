"""The browser as a host, in a real one: the suites every host passes, and what only a browser does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from darkswap_browser.testing.conformance import check_crypto, check_link, check_store
from tests.support.chrome import Chrome, Page
from tests.support.websocket_server import WebSocketServer
from web.build.server import WebServer

pytestmark = pytest.mark.takes(20)

VECTORS = Path(__file__).parent.parent / "vectors/signatures.json"
REGISTER = 'pyodide.registerJsModule("darkswap_crypto", await import(new URL("/darkswap-crypto.mjs", location.href)));'
WRITE = "pyodide.FS.writeFile(args[0], args[1]);"


def prepared(page: Page, *, noble: bool) -> Page:
    page.load_python()
    if noble:
        page.run_js(REGISTER)
    for suite in (check_crypto, check_link, check_store):
        path = Path(suite.__file__)
        page.run_js(WRITE, f"/home/pyodide/{path.name}", path.read_text())
    page.run_js(WRITE, "/home/pyodide/signatures.json", VECTORS.read_text())
    page.run_python("from darkswap_browser.runtime.select import load; runtime = load()")
    return page


@pytest.fixture(scope="module", params=["noble", "python"])
def crypto_page(request: pytest.FixtureRequest, chrome: Chrome, site: WebServer) -> Iterator[Page]:
    page = prepared(chrome.new_page(site.url).open("/blank.html"), noble=request.param == "noble")
    assert page.run_python("runtime.crypto.primitives.name") == request.param
    yield page
    page.close()


@pytest.fixture(scope="module")
def host(chrome: Chrome, site: WebServer) -> Iterator[Page]:
    page = prepared(chrome.new_page(site.url).open("/blank.html"), noble=True)
    yield page
    page.close()


@pytest.fixture(scope="module")
def server() -> Iterator[WebSocketServer]:
    server = WebSocketServer()
    yield server
    server.close()


def test_the_page_is_a_host_with_webrtc_and_without_listening(host: Page) -> None:
    assert host.run_python("runtime.name, dict(runtime.features), runtime.webrtc.available") == [
        "browser",
        {"tcp": False, "listen": False, "webrtc": True, "noble": True},
        True,
    ]


@pytest.mark.parametrize("check", [check.__name__ for check in check_crypto.CHECKS])
def test_crypto(crypto_page: Page, check: str) -> None:
    crypto_page.run_python(f"import check_crypto; await check_crypto.{check}(runtime.crypto)")


def test_signatures_of_every_key_type(crypto_page: Page) -> None:
    crypto_page.run_python(
        """import json, check_crypto
signed = check_crypto.read_signed(json.load(open("signatures.json")))
await check_crypto.signed_by_others(runtime.crypto, signed)"""
    )


def test_a_browser_without_webcryptos_ed25519_signs_all_the_same(host: Page) -> None:
    host.run_js(
        """globalThis.realCrypto = {};
        for (const name of ["generateKey", "importKey"]) {
            const real = realCrypto[name] = SubtleCrypto.prototype[name];
            SubtleCrypto.prototype[name] = function (...args) {
                return args.includes("Ed25519")
                    ? Promise.reject(new DOMException("no such algorithm", "NotSupportedError"))
                    : real.apply(this, args);
            };
        }"""
    )
    host.run_python(
        """import check_crypto
from darkswap_browser.runtime.browser.crypto import BrowserCrypto
crypto = BrowserCrypto()
for check in (check_crypto.ed25519_as_rfc_8032_says, check_crypto.generated_keys_sign_and_differ):
    await check(crypto)
key = await crypto.generate_signing_key()
await runtime.store.save_signing_key("seed", key)
again = await runtime.store.load_signing_key("seed")
assert again.public_bytes == key.public_bytes and await again.sign(b"x") == await key.sign(b"x")"""
    )
    host.run_js("Object.assign(SubtleCrypto.prototype, realCrypto)")


def test_a_private_key_cannot_be_read_and_survives_a_reload(new_page: Callable[[], Page]) -> None:
    page = prepared(new_page(), noble=True)
    public = page.run_python(
        """key = await runtime.crypto.generate_signing_key()
assert key.js_private.extractable is False
await runtime.store.save_signing_key("identity", key)
key.public_bytes"""
    )
    prepared(page.open("/blank.html"), noble=True)
    again = page.run_python(
        """key = await runtime.store.load_signing_key("identity")
from darkswap_browser.runtime.base.crypto import KeyAlgorithm
assert await runtime.crypto.verify(KeyAlgorithm.ED25519, key.public_bytes, b"text", await key.sign(b"text"))
key.public_bytes"""
    )
    assert again == public
    assert page.run_python("await runtime.store.load_signing_key('another') is None")


@pytest.mark.parametrize("check", [check.__name__ for check in check_store.CHECKS])
def test_store(host: Page, check: str) -> None:
    host.run_python(
        f"""import check_store
from darkswap_browser.runtime.browser.store import IndexedDbStore
store = IndexedDbStore(runtime.crypto.primitives, {check!r})
await check_store.{check}(store, runtime.crypto)
store.close()"""
    )


def test_another_tab_may_delete_the_data_and_the_store_opens_again(host: Page) -> None:
    host.run_python("await runtime.store.put('a', b'one')")
    host.run_js(
        """await new Promise((resolve, reject) => {
            const request = indexedDB.deleteDatabase("darkswap");
            request.onsuccess = resolve; request.onerror = request.onblocked = () => reject(new Error("blocked"));
        });"""
    )
    assert host.run_python("await runtime.store.get('a') is None")


def test_blocked_storage_is_unsupported_and_says_what_to_do(host: Page) -> None:
    host.run_js(
        """globalThis.realStorage = Object.getOwnPropertyDescriptor(globalThis, "indexedDB");
        Object.defineProperty(globalThis, "indexedDB", { configurable: true, value: { open() {
            throw new DOMException("access denied", "SecurityError"); } } });"""
    )
    hint = host.run_python(
        """from darkswap_browser.errors import Unsupported
from darkswap_browser.runtime.browser.store import IndexedDbStore
try:
    await IndexedDbStore(runtime.crypto.primitives, "blocked").get("a")
except Unsupported as error:
    hint = error.hint
hint"""
    )
    host.run_js('Object.defineProperty(globalThis, "indexedDB", realStorage);')
    assert hint.startswith("Allow this site to store data")
    assert host.run_python("await runtime.store.get('never') is None")


def connect(url: str) -> str:
    return f"link = await runtime.sockets.connect_websocket({url!r})\n"


# A page cannot slow a sender down: what bounds memory there is a test of its own below.
UNBOUND = {check_link.a_writer_waits_for_a_reader_that_does_not_read}


@pytest.mark.parametrize("check", [check.__name__ for check in check_link.CHECKS if check not in UNBOUND])
def test_link(host: Page, server: WebSocketServer, check: str) -> None:
    """Both ends in this page, joined by the server."""
    host.run_python(
        f"""import asyncio, check_link
from contextlib import asynccontextmanager
@asynccontextmanager
async def pair():
    url = {server.url + "/pair/" + check!r}
    one, two = await asyncio.gather(*(runtime.sockets.connect_websocket(url) for _ in range(2)))
    try:
        yield one, two
    finally:
        one.reset()
        two.reset()
await check_link.{check}(pair)"""
    )


def test_a_websocket_carries_bytes_both_ways(host: Page, server: WebSocketServer) -> None:
    host.run_python(
        connect(f"{server.url}/echo")
        + """async def read(count):
    data = b""
    while len(data) < count:
        data += await link.read()
    return data
await link.write(b"hello"); await link.write(b" world"); await link.write(b"")
assert await link.read(4) == b"hell" and await read(7) == b"o world"
big = bytes(range(256)) * 4096
import asyncio
writing = asyncio.ensure_future(link.write(big))
assert await read(len(big)) == big
await writing
await link.close(); await link.close(); link.reset()"""
    )


def test_writes_of_one_turn_leave_as_one_message(host: Page, server: WebSocketServer) -> None:
    server.messages.clear()
    total = host.run_python(
        connect(f"{server.url}/count")
        + """for _ in range(100):
    await link.write(b"x" * 100)
import asyncio; await asyncio.sleep(0.01)
await link.write(b"end")
answer = int(await link.read())
await link.close()
answer"""
    )
    assert total == 10_000
    assert server.messages == [10_000]


def test_a_writer_waits_for_a_slow_reader(host: Page, server: WebSocketServer) -> None:
    seen = host.run_python(
        connect(f"{server.url}/slow")
        + """import time, asyncio
began, most = time.perf_counter(), 0
for _ in range(48):
    await link.write(bytes(1024 * 1024))
    most = max(most, link._js_socket.bufferedAmount)
took = time.perf_counter() - began
await asyncio.sleep(0.05)
await link.write(b"end")
answer = int(await link.read())
await link.close()
answer, most, took""",
        timeout=60,
    )
    total, most, took = seen
    assert total == 48 * 1024 * 1024
    assert most <= 3 * 1024 * 1024
    assert took > 0.2


def test_a_text_message_is_its_utf8(host: Page, server: WebSocketServer) -> None:
    assert host.run_python(connect(f"{server.url}/text") + "data = await link.read(); link.reset(); data") == (
        "héllo".encode()
    )


def ends(host: Page, url: str) -> object:
    return host.run_python(
        connect(url)
        + """out = []
for _ in range(3):
    try:
        out.append((await link.read()).decode())
    except Exception as error:
        out.append(f"{type(error).__name__} {error}")
try:
    await link.write(b"late")
except Exception as error:
    out.append(type(error).__name__)
out"""
    )


def test_a_normal_close_is_an_end_and_any_other_a_loss(host: Page, server: WebSocketServer) -> None:
    end = "EndOfStream the peer finished writing"
    assert ends(host, f"{server.url}/bye") == ["last words", end, end, "ConnectionLost"]
    lost = "ConnectionLost websocket lost: close code 1011 broken"
    assert ends(host, f"{server.url}/fault") == [lost, lost, lost, "ConnectionLost"]


def test_our_close_is_normal_and_our_reset_is_not(host: Page, server: WebSocketServer) -> None:
    # Connections of other tests may end while this one runs: these have a name.
    path = "/echo?closing"
    host.run_python(
        connect(server.url + path)
        + "await link.write(b'x'); await link.close()\n"
        + connect(server.url + path)
        + """link.reset()
from darkswap_browser.errors import ConnectionLost
try:
    await link.read()
except ConnectionLost as error:
    assert error.reason == "closed on this side\""""
    )
    assert sorted(code or 0 for code in server.close_codes(path, 2)) == [1000, 4000]


def test_a_server_that_sends_without_end_is_cut_off(host: Page, server: WebSocketServer) -> None:
    reason = host.run_python(
        connect(f"{server.url}/flood")
        + """import asyncio
while link._end is None:
    await asyncio.sleep(0.05)
link._end.reason""",
        timeout=60,
    )
    assert reason == f"more than {32 * 1024 * 1024} bytes unread"


@pytest.mark.parametrize(
    ("url", "error"),
    [("ws://127.0.0.1:1/", "ConnectionLost"), ("nonsense", "ConnectionLost"), ("ftp://a/", "InvalidArgument")],
)
def test_what_cannot_be_opened_is_an_error_at_once(host: Page, url: str, error: str) -> None:
    name = host.run_python(
        f"""try:
    await runtime.sockets.connect_websocket({url!r})
except Exception as error:
    name = type(error).__name__
name"""
    )
    assert name == error


def test_connections_leave_no_proxy_behind(host: Page, server: WebSocketServer) -> None:
    code = f"""for _ in range(20):
    link = await runtime.sockets.connect_websocket({server.url + "/echo"!r})
    await link.write(b"x"); await link.read(); await link.close()
    await runtime.store.put("a", b"b")
    stop = runtime.lifecycle.subscribe(print); stop()
"""
    host.run_js("pyodide._module.enable_pyproxy_allocation_tracing()")
    count = "return pyodide._module.pyproxy_alloc_map.size"
    host.run_python(code)
    before = host.run_js(count)
    host.run_python(code)
    assert host.run_js(count) == before
    host.run_js("pyodide._module.disable_pyproxy_allocation_tracing()")


def test_lifecycle_speaks_our_words(host: Page) -> None:
    host.run_python("words = []; stop = runtime.lifecycle.subscribe(words.append)")
    host.run_js(
        """for (const name of ["online", "offline", "pagehide"]) dispatchEvent(new Event(name));
        dispatchEvent(new PageTransitionEvent("pageshow", { persisted: false }));
        dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
        document.dispatchEvent(new Event("visibilitychange"));
        document.dispatchEvent(new Event("resume"));"""
    )
    assert host.run_python("words") == ["online", "offline", "leaving", "resumed", "visible", "resumed"]
    host.run_python("stop(); stop()")
    host.run_js('dispatchEvent(new Event("online"))')
    assert len(host.run_python("words")) == 6


def test_a_jump_of_the_wall_clock_means_that_the_machine_slept(host: Page) -> None:
    host.run_python(
        """import asyncio
from darkswap_browser.runtime.browser.lifecycle import BrowserLifecycle
words = []
stop = BrowserLifecycle(tick=0.02).subscribe(words.append)
await asyncio.sleep(0.1)
assert words == []"""
    )
    host.run_js("globalThis.realNow = Date.now; Date.now = () => realNow() + 100_000;")
    assert host.run_python("await asyncio.sleep(0.1); stop(); words") == ["resumed"]
    host.run_js("Date.now = realNow")


def test_chance_comes_in_any_amount_and_never_twice(host: Page) -> None:
    host.run_python(
        """big = runtime.entropy.bytes(200_000)
assert len(big) == 200_000 and len(set(big[at:at + 16] for at in range(0, 200_000, 16))) == 12_500
assert abs(runtime.clock.now() - runtime.clock.now_ns() / 1e9) < 1"""
    )


def test_a_worker_loads_the_host_without_webrtc(new_page: Callable[[], Page], site: WebServer) -> None:
    page = new_page()
    answer = page.run_js(
        """const trusted = trustedTypes.createPolicy("worker", { createScriptURL: (url) => url });
        const worker = new Worker(trusted.createScriptURL(args[0]), { type: "module" });
        return await new Promise((resolve, reject) => {
            worker.onmessage = (event) => resolve(event.data);
            worker.onerror = (event) => reject(new Error(event.message));
        });""",
        "/tests/host_worker.mjs",
        timeout=60,
    )
    assert json.loads(answer) == {"webrtc": False, "noble": False, "record": "kept"}
