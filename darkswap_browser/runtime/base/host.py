"""The host: clock, locks, life events, and everything a host offers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from darkswap_browser.runtime.base.crypto import Crypto, Entropy
from darkswap_browser.runtime.base.dns import LookupTxt
from darkswap_browser.runtime.base.http import Fetch
from darkswap_browser.runtime.base.links import Sockets
from darkswap_browser.runtime.base.storage import Fence, KeyValueStore, NoFence
from darkswap_browser.runtime.base.wallet_extensions import WalletProviders
from darkswap_browser.runtime.base.webrtc import WebRtc


class Clock(Protocol):
    def now(self) -> float:
        """Wall-clock time in unix seconds."""

    def now_ns(self) -> int:
        """Wall-clock time in unix nanoseconds."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment, as fine as the host measures: for durations below a millisecond."""


class Locks(Protocol):
    """Exclusive locks by name, shared by every tab of the site (Web Locks) or process of the folder."""

    def hold(self, name: str) -> AbstractAsyncContextManager[None]:
        """Waits until the lock is free; released at the end of the block, or with its tab."""
        ...


class Lifecycle(Protocol):
    """What the host tells about itself: "online", "offline", "visible", "hidden", "resumed", "leaving"."""

    def subscribe(self, callback: Callable[[str], None]) -> Callable[[], None]:
        """Returns the function that ends the subscription."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """One host, whole. `close` lets go of databases, listeners and proxies; the next use opens them again."""

    name: str
    clock: Clock
    entropy: Entropy
    crypto: Crypto
    sockets: Sockets
    webrtc: WebRtc
    store: KeyValueStore
    lifecycle: Lifecycle
    fetch: Fetch
    locks: Locks
    wallet_providers: WalletProviders
    node_locks: Locks | None = None
    """Held by the running node of an identity, where no two of them may run at once: in processes of one folder. None:
    they may, as a site's tabs do.
    """
    fence: Fence = field(default_factory=NoFence)
    lookup_txt: LookupTxt | None = None
    """None where the host asks no resolver for TXT records."""
    features: Mapping[str, bool] = field(default_factory=dict)
    close: Callable[[], None] = lambda: None
