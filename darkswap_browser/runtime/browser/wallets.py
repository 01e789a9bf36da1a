"""The wallet extensions of the page: found by the objects they put into `window`, called with plain values.

For families see `runtime/wallet_names.py`; for wallets of other tabs `bridge/tab_wallets.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import js

from darkswap_browser.concurrency.notify import Subscribers
from darkswap_browser.concurrency.tasks import Tasks
from darkswap_browser.errors import Unsupported
from darkswap_browser.runtime.browser.ffi import JsCallback
from darkswap_browser.runtime.browser.standard_wallets import WalletStandardRegistry
from darkswap_browser.runtime.browser.wallet_values import js_argument, plain, settled
from darkswap_browser.runtime.wallet_answers import result_of
from darkswap_browser.runtime.wallet_names import (
    EVENTS,
    KNOWN_PATHS,
    LATE_SECONDS,
    LISTED,
    MAX_LISTED,
    OWN_METHODS,
    PATHS,
    POLL_SECONDS,
)


class PageWallets:
    """In a worker there is no `window`: then no wallet is found."""

    def __init__(self) -> None:
        self._js_window: Any = getattr(js, "window", None)
        self._standard = WalletStandardRegistry(self._publish_new)
        self._discovered: Subscribers[str] = Subscribers()
        self._known: set[str] | None = None
        """Names that were returned or published; None before the first `discover`."""
        self._tasks = Tasks()

    def close(self) -> None:
        """Let go of the window's listener and of proxies, end the search. Idempotent; `discover` begins anew."""
        self._known = None
        self._tasks.cancel()
        self._standard.close()

    async def discover(self) -> Sequence[str]:
        if self._js_window is None:
            return ()
        if self._known is None:
            # Those that are there register themselves before this returns.
            self._standard.announce_app(self._js_window)
            self._known = set(self._found())
            self._tasks = Tasks()
            self._tasks.spawn(self._find_late(), "wallet discovery")
        else:
            self._publish_new()
        return self._found()

    def subscribe_discovered(self, callback: Callable[[str], None]) -> Callable[[], None]:
        return self._discovered.subscribe(callback)

    async def call(self, provider: str, method: str, params: Any) -> Any:
        if self._known is None:
            # Those of wallet-standard are known by what they answer.
            await self.discover()
        if self._standard.knows(provider):
            return await self._standard.call(provider, method, params)
        js_provider = self._provider(provider)
        if provider in OWN_METHODS:
            js_arguments = [js_argument(each) for each in params]
            return plain(provider, await settled(provider, js_provider, method, js_arguments))
        js_answer = await settled(provider, js_provider, "request", [method, js_argument(params)])
        return result_of(provider, plain(provider, js_answer))

    def subscribe(self, provider: str, callback: Callable[[str], None]) -> Callable[[], None]:
        if self._standard.knows(provider):
            return self._standard.subscribe(provider, callback)
        js_provider = self._provider(provider)
        # A wallet without events (Leather) tells nothing; its answers do, when the account is another one by then.
        js_add = next(
            (js_on for name in ("on", "addListener") if callable(js_on := getattr(js_provider, name, None))), None
        )
        ends = (
            []
            if js_add is None
            else [_listen(js_provider, js_add, event, word, callback) for event, word in EVENTS.items()]
        )

        def unsubscribe() -> None:
            while ends:
                ends.pop()()

        return unsubscribe

    async def _find_late(self) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + LATE_SECONDS
        while loop.time() < until:
            await asyncio.sleep(POLL_SECONDS)
            self._publish_new()

    def _publish_new(self) -> None:
        if self._known is None:
            return
        for name in self._found():
            if name not in self._known:
                self._known.add(name)
                self._discovered.publish(name)

    def _found(self) -> tuple[str, ...]:
        names = [*PATHS, *self._listed()]
        return (*(name for name in names if self._object(name) is not None), *self._standard.names)

    def _listed(self) -> Iterator[str]:
        """Wallets of the list that are not known by a name of ours already."""
        for js_entry in list(getattr(self._js_window, "btc_providers", None) or ())[:MAX_LISTED]:
            path = str(getattr(js_entry, "id", ""))
            if path and path not in KNOWN_PATHS and callable(getattr(self._at(path), "request", None)):
                yield LISTED + path

    def _provider(self, name: str) -> Any:
        js_provider = None if self._js_window is None else self._object(name)
        if js_provider is None:
            raise Unsupported(f"wallet {name}", "Install or enable it in this browser, then reload the page.")
        return js_provider

    def _object(self, name: str) -> Any:
        """Looked up each time: an extension that was updated puts another object there."""
        if name.startswith(LISTED):
            return self._at(name.removeprefix(LISTED)) if name in self._listed() else None
        return next((js_found for path in PATHS.get(name, ()) if (js_found := self._at(path)) is not None), None)

    def _at(self, path: str) -> Any:
        js_object = self._js_window
        for part in path.split("."):
            js_object = None if js_object is None else getattr(js_object, part, None)
        return js_object


def _listen(
    js_provider: Any, js_add: Any, event: str, word: str, callback: Callable[[str], None]
) -> Callable[[], None]:
    """`addListener` of sats-connect gives the function that ends it; `on` of the others has a counterpart."""
    lent = JsCallback(lambda *_: callback(word))
    js_end = js_add(event, lent.js_function)
    js_remove = getattr(js_provider, "removeListener", None)

    def end() -> None:
        if callable(js_remove):
            js_remove(event, lent.js_function)
        elif callable(js_end):
            js_end()
        lent.destroy()

    return end
