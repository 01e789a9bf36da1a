"""Wallet extensions of a simulated host: the test says what each answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from darkswap_browser.concurrency.notify import Subscribers
from darkswap_browser.errors import Unsupported

Answerer = Callable[[str, Any], Awaitable[Any]]
"""Gets `method` and `params` of each call and gives the result; raises what a wallet would."""


class ScriptedProviders:
    def __init__(self) -> None:
        self._answerers: dict[str, Answerer] = {}
        self._callbacks: dict[int, tuple[str, Callable[[str], None]]] = {}
        self._next = 0
        self._discovered: Subscribers[str] = Subscribers()

    def install(self, provider: str, answerer: Answerer) -> None:
        is_new = provider not in self._answerers
        self._answerers[provider] = answerer
        if is_new:
            self._discovered.publish(provider)

    def tell(self, provider: str, word: str) -> None:
        """What the user changed in that wallet."""
        for name, callback in list(self._callbacks.values()):
            if name == provider:
                callback(word)

    async def discover(self) -> Sequence[str]:
        return tuple(self._answerers)

    def subscribe_discovered(self, callback: Callable[[str], None]) -> Callable[[], None]:
        return self._discovered.subscribe(callback)

    async def call(self, provider: str, method: str, params: Any) -> Any:
        if provider not in self._answerers:
            raise Unsupported(f"wallet {provider}")
        return await self._answerers[provider](method, params)

    def subscribe(self, provider: str, callback: Callable[[str], None]) -> Callable[[], None]:
        self._next += 1
        number = self._next
        self._callbacks[number] = provider, callback

        def unsubscribe() -> None:
            self._callbacks.pop(number, None)

        return unsubscribe
