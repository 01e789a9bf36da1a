"""The whole node for Python: `Network`, and the trades over it, in one object."""

from __future__ import annotations

import asyncio

from darkswap_browser.api.network import Network
from darkswap_browser.api.trading.trading import Trading
from darkswap_browser.concurrency.shared_call import SharedCall
from darkswap_browser.net.limits import DEFAULT_LIMITS, Limits
from darkswap_browser.node.config import NetworkConfig
from darkswap_browser.node.node import Node
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
        self._whole_start = SharedCall[None]("start of the node and its trades")
        self._unclaimed: Node | None = None
        """The node that a start brought up and that no caller of it was given yet."""

    async def start(self) -> None:
        """Bring the node up and take up its trades. Idempotent; callers at once share one start.

        Raises:
            Aborted: It was stopped meanwhile, or this is called in a stop hook of it.
            IdentityInUse: Another trades with this identity. The node is down again, unless it ran before.
            Unsupported: It was started on another event loop and not stopped there.

        Cancellation: Safe. When the last caller gives up, the node is taken down again, unless it ran before.
        """
        self._lifecycle.check_hook()
        if not self._whole_start.is_running:
            self._whole_start.begin(self._start_all())
        try:
            await self._whole_start.join()
        except asyncio.CancelledError:
            built = self._unclaimed
            if built is not None and built is self._lifecycle.running and not self._whole_start.has_callers:
                # Given up in the moment in which it came up.
                await self.stop()
            raise
        self._unclaimed = None

    async def _start_all(self) -> None:
        before = self._lifecycle.running
        await Network.start(self)
        built = self._lifecycle.running
        try:
            await self.resume_trades()
        except BaseException:
            if built is not before and built is self._lifecycle.running:
                await self.stop()
            raise
        self._unclaimed = built if built is not before else None
