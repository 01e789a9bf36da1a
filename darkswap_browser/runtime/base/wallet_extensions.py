"""Interface: wallet extensions of the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

TAB_GONE = "tab"
"""Told to subscribers, for the last time, when the wallet was in another tab and that tab is gone."""


class WalletProviders(Protocol):
    """The wallets that extensions put into the page. Main thread of a page only: elsewhere there are none."""

    async def discover(self) -> Sequence[str]:
        """Names of what is there now: "unisat", "okx", "xverse", "leather", "standard:<name>" …

        Extensions may come after the page: those are published to `subscribe_discovered`.
        """
        ...

    def subscribe_discovered(self, callback: Callable[[str], None]) -> Callable[[], None]:
        """Call `callback` with the name of each wallet that comes after the first `discover`, once.

        Returns:
            The function that ends it. Idempotent.
        """
        ...

    async def call(self, provider: str, method: str, params: Any) -> Any:
        """Plain values both ways (dicts, lists, texts, numbers, bytes).

        `params`: a list of the arguments of the provider's own method `method`; where the provider has one `request`
        (xverse, leather and their like) the object for it, whose JSON-RPC result comes back; for "standard:…" the
        object for the function, `method` being "feature.function". There the account to sign with is given as
        {"account": address}. Raises `WalletRejected`, `WalletFailed`, `Unsupported` when there is no such method,
        `WalletNotConnected` when it was in another tab and that tab is gone.
        """
        ...

    def subscribe(self, provider: str, callback: Callable[[str], None]) -> Callable[[], None]:
        """Tells "accounts", "network" or "disconnect" when the user changes it there, or `TAB_GONE`."""
        ...
