"""The whole node for Python: `Network`, and the trades over it, in one object."""

from __future__ import annotations

from darkswap_browser.api.network import Network
from darkswap_browser.api.trading.trading import Trading
from darkswap_browser.net.limits import DEFAULT_LIMITS, Limits
from darkswap_browser.node.config import NetworkConfig
from darkswap_browser.runtime.base.host import Runtime
from darkswap_browser.runtime.select import DataFolder


class DarkSwap(Network, Trading):
    """`start` also takes up the trades that were going on, so that a maker without a page answers takers."""

    def __init__(
        self,
        config: NetworkConfig | None = None,
        runtime: Runtime | None = None,
        *,
        data: DataFolder | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        Network.__init__(self, config, runtime, data=data, limits=limits)
        Trading.__init__(self, self)

    async def start(self) -> None:
        """Raises `IdentityInUse`."""
        await Network.start(self)
        await self.resume_trades()
