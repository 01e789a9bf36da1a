"""A host without wallet extensions: CPython, a worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from darkswap_browser.errors import Unsupported


class NoWalletProviders:
    async def discover(self) -> Sequence[str]:
        return ()

    def subscribe_discovered(self, callback: Callable[[str], None]) -> Callable[[], None]:
        return lambda: None

    async def call(self, provider: str, method: str, params: Any) -> Any:
        raise Unsupported(f"wallet {provider}", "Only a page in a browser has wallet extensions; use the seed wallet.")

    def subscribe(self, provider: str, callback: Callable[[str], None]) -> Callable[[], None]:
        raise Unsupported(f"wallet {provider}", "Only a page in a browser has wallet extensions; use the seed wallet.")
