"""Wallet extensions of the other tabs of a site. An extension lives in the tab that connected it, and is asked there by
messages; `web/src/api/tab_wallets.mjs` answers them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

from darkswap_browser.errors import Unsupported, WalletFailed, WalletNotConnected
from darkswap_browser.runtime import wallet_names
from darkswap_browser.runtime.base.wallet_extensions import TAB_GONE
from darkswap_browser.runtime.wallet_answers import result_of, wallet_error
from darkswap_browser.wire.parsing import parse_json

BYTES = "\0bytes"
"""Name of the only field of an object that stands for bytes; its value is their hex."""
NAMES = {
    "paths": wallet_names.PATHS,
    "own_methods": list(wallet_names.OWN_METHODS),
    "events": wallet_names.EVENTS,
    "listed": wallet_names.LISTED,
    "standard": wallet_names.STANDARD,
    "account_fields": wallet_names.ACCOUNT_FIELDS,
    "error_fields": wallet_names.ERROR_FIELDS,
    "max_listed": wallet_names.MAX_LISTED,
    "max_standard": wallet_names.MAX_STANDARD,
    "max_name": wallet_names.MAX_NAME,
    "late_seconds": wallet_names.LATE_SECONDS,
    "poll_seconds": wallet_names.POLL_SECONDS,
    "depth": wallet_names.MAX_DEPTH,
    "values": wallet_names.MAX_VALUES,
    "length": wallet_names.MAX_LENGTH,
    "bytes": BYTES,
}
MAX_DEPTH = wallet_names.MAX_DEPTH + 3
"""Of an answer: the tab's own object around what the wallet gave, and an object for bytes in it."""

Ask = Callable[[str, int, str], None]
"""Tab, number of the question, its JSON."""


class WalletTabs:
    """Questions to tabs by number, and who waits for their answers.

    Args:
        ask: Passes a question on; `tab_gone` follows, at once or later, where the tab cannot answer any more.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._last = 0
        self._waiting: dict[int, tuple[str, asyncio.Future[Any]]] = {}
        self._listeners: dict[int, tuple[str, Callable[[str], None]]] = {}

    def of(self, tab: str) -> TabWallets:
        return TabWallets(self, tab)

    def told(self, number: int, text: str) -> None:
        """A tab answers, or tells a listener; answers that nobody waits for any more are ignored."""
        answer = parse_json("answer of a tab", text, MAX_DEPTH, object_hook=_revived)
        word = answer.get("word")
        if word is not None:
            listener = self._listeners.get(number)
            if listener is not None:
                listener[1](word)
            return
        waiting = self._waiting.get(number)
        if waiting is not None and not waiting[1].done():
            waiting[1].set_result(answer)

    def tab_gone(self, tab: str) -> None:
        """Listeners hear `TAB_GONE`, and then questions fail with `WalletNotConnected`."""
        for number, (its, listener) in list(self._listeners.items()):
            if its == tab:
                del self._listeners[number]
                listener(TAB_GONE)
        for its, waiting in list(self._waiting.values()):
            if its == tab and not waiting.done():
                waiting.set_exception(WalletNotConnected())

    async def ask(self, tab: str, what: str, **parts: Any) -> Any:
        """The answer's JSON as a dict. Raises `WalletNotConnected` when the tab is gone."""
        number = self._next()
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = (tab, future)
        try:
            self._ask(tab, number, question(what, parts))
            return await future
        finally:
            del self._waiting[number]

    def listen(self, tab: str, provider: str, callback: Callable[[str], None]) -> Callable[[], None]:
        """Until the function that it returns is called, which may be called again."""
        number = self._next()
        self._listeners[number] = (tab, callback)
        self._ask(tab, number, question("subscribe", {"provider": provider}))

        def end() -> None:
            if self._listeners.pop(number, None) is not None:
                self._ask(tab, self._next(), question("unsubscribe", {"params": number}))

        return end

    def _next(self) -> int:
        self._last += 1
        return self._last


class TabWallets:
    """The `WalletProviders` of one tab. Wallets that come late are told in that tab alone, by itself."""

    def __init__(self, tabs: WalletTabs, tab: str) -> None:
        self._tabs = tabs
        self._tab = tab

    async def discover(self) -> Sequence[str]:
        return [str(name) for name in await self._value("", "discover")]

    def subscribe_discovered(self, callback: Callable[[str], None]) -> Callable[[], None]:
        return lambda: None

    async def call(self, provider: str, method: str, params: Any) -> Any:
        value = await self._value(provider, "call", method=method, params=params)
        has_request = provider not in wallet_names.OWN_METHODS and not provider.startswith(wallet_names.STANDARD)
        return result_of(provider, value) if has_request else value

    def subscribe(self, provider: str, callback: Callable[[str], None]) -> Callable[[], None]:
        return self._tabs.listen(self._tab, provider, callback)

    async def _value(self, provider: str, what: str, **parts: Any) -> Any:
        answer = await self._tabs.ask(self._tab, what, provider=provider, **parts)
        if answer.get("large"):
            raise WalletFailed(provider, "gave an answer that is too large")
        if answer.get("missing") == "wallet":
            raise Unsupported(f"wallet {provider}", "Install or enable it in this browser, then reload the page.")
        if answer.get("missing"):
            raise Unsupported(f"{parts.get('method')} of {provider}")
        if "error" in answer:
            raise wallet_error(provider, answer["error"])
        return answer.get("value")


def question(what: str, parts: dict[str, Any]) -> str:
    return json.dumps({"names": NAMES, "what": what, **_sent(parts)})


def _sent(value: Any) -> Any:
    if isinstance(value, bytes):
        return {BYTES: value.hex()}
    if isinstance(value, dict):
        return {name: _sent(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_sent(each) for each in value]
    return value


def _revived(value: dict[str, Any]) -> Any:
    return bytes.fromhex(value[BYTES]) if set(value) == {BYTES} else value
