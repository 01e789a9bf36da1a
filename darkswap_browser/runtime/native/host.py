"""The CPython host: real sockets, `cryptography`, SQLite, the system's clock and random numbers."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from darkswap_browser.errors import Unsupported
from darkswap_browser.runtime.base.host import Runtime
from darkswap_browser.runtime.base.links import LinkGate
from darkswap_browser.runtime.base.webrtc import PeerConnection, PeerConnectionListener, RtcConfiguration
from darkswap_browser.runtime.memory_store import MemoryStore
from darkswap_browser.runtime.native.crypto import NativeCrypto
from darkswap_browser.runtime.native.dns import lookup_txt
from darkswap_browser.runtime.native.fetch import NativeFetch
from darkswap_browser.runtime.native.locks import NativeLocks
from darkswap_browser.runtime.native.sockets import NativeSockets, PlainHttp
from darkswap_browser.runtime.native.store import SqliteStore
from darkswap_browser.runtime.no_wallets import NoWalletProviders


class SystemClock:
    def now(self) -> float:
        return time.time()

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic(self) -> float:
        return time.perf_counter()


class SystemEntropy:
    def bytes(self, count: int) -> bytes:
        return secrets.token_bytes(count)


class NoWebRtc:
    @property
    def available(self) -> bool:
        return False

    def create_peer_connection(
        self, configuration: RtcConfiguration, listener: PeerConnectionListener
    ) -> PeerConnection:
        raise Unsupported("WebRTC", "Only a browser page has RTCPeerConnection; use relayed connections on CPython.")


class NullLifecycle:
    """A process is neither hidden nor told that it is offline."""

    def subscribe(self, callback: Callable[[str], None]) -> Callable[[], None]:
        return _nothing


def _nothing() -> None:
    return None


def native_runtime(
    store_path: str | None = None,
    *,
    trusted: str | None = None,
    plain_http: PlainHttp | None = None,
    gate: LinkGate | None = None,
) -> Runtime:
    """`store_path`: SQLite file, made at first use (None: in memory); the rest as in `NativeSockets`."""
    database = None if store_path is None else SqliteStore(store_path)
    locks = NativeLocks(store_path)
    return Runtime(
        name="native",
        clock=SystemClock(),
        entropy=SystemEntropy(),
        crypto=NativeCrypto(),
        sockets=NativeSockets(trusted, plain_http, gate=gate),
        webrtc=NoWebRtc(),
        store=MemoryStore() if database is None else database,
        lifecycle=NullLifecycle(),
        fetch=NativeFetch(trusted),
        locks=locks,
        wallet_providers=NoWalletProviders(),
        node_locks=None if store_path is None else locks,
        lookup_txt=lookup_txt,
        features={"tcp": True, "listen": True, "webrtc": False},
        close=_nothing if database is None else database.close,
    )
