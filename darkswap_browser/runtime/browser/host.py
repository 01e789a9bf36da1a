"""The browser as host: a page, or a worker without WebRTC."""

from __future__ import annotations

import secrets
import time

from darkswap_browser.runtime.base.host import Runtime
from darkswap_browser.runtime.browser.crypto import BrowserCrypto
from darkswap_browser.runtime.browser.fetch import BrowserFetch
from darkswap_browser.runtime.browser.lifecycle import BrowserLifecycle
from darkswap_browser.runtime.browser.locks import WebLocks
from darkswap_browser.runtime.browser.rtc import BrowserWebRtc
from darkswap_browser.runtime.browser.store import IndexedDbStore
from darkswap_browser.runtime.browser.wallets import PageWallets
from darkswap_browser.runtime.browser.websocket import BrowserSockets


class BrowserClock:
    """`Date.now()`, which counts whole milliseconds, and `performance.now()`, which counts parts of them."""

    def now(self) -> float:
        return time.time()

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic(self) -> float:
        return time.perf_counter()


class BrowserEntropy:
    """`crypto.getRandomValues`, through Pyodide's `os.urandom`: nothing that a memory snapshot could repeat."""

    def bytes(self, count: int) -> bytes:
        return secrets.token_bytes(count)


def browser_runtime() -> Runtime:
    crypto = BrowserCrypto()
    webrtc = BrowserWebRtc()
    store = IndexedDbStore(crypto.primitives)
    wallets = PageWallets()

    def close() -> None:
        store.close()
        wallets.close()

    return Runtime(
        name="browser",
        clock=BrowserClock(),
        entropy=BrowserEntropy(),
        crypto=crypto,
        sockets=BrowserSockets(),
        webrtc=webrtc,
        store=store,
        fence=store,
        lifecycle=BrowserLifecycle(),
        fetch=BrowserFetch(),
        locks=WebLocks(),
        wallet_providers=wallets,
        features={
            "tcp": False,
            "listen": False,
            "webrtc": webrtc.available,
            "noble": crypto.primitives.name == "noble",
        },
        close=close,
    )
