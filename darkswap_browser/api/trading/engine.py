"""One start of the trading half: the lock of the identity, its orders and trades, and whoever tells of them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from darkswap_browser.concurrency.faults import Guard
from darkswap_browser.concurrency.tasks import Tasks, finish_now
from darkswap_browser.concurrency.waiter import Waiter
from darkswap_browser.errors import IdentityInUse
from darkswap_browser.node.node import Node
from darkswap_browser.orders.order_manager import OrderManager
from darkswap_browser.orders.views import OrderEvent
from darkswap_browser.runtime.base.host import Runtime
from darkswap_browser.trades.lock import LOCK_PATIENCE, lock_name
from darkswap_browser.trades.trade_manager import TradeManager
from darkswap_browser.trades.views import TradeEvent

MAX_WAITING_EVENTS = 1000
"""Events whose names and decimals are still being looked up; the oldest go first."""

Event = OrderEvent | TradeEvent


async def hold_identity(runtime: Runtime, network: str, peer: str) -> AsyncExitStack:
    """The lock of an identity, held until the result is closed, which takes no time.

    Raises:
        IdentityInUse: Another tab or program still holds it after `LOCK_PATIENCE`.

    Cancellation: Safe; the lock is not held.
    """
    async with AsyncExitStack() as lock:
        try:
            async with asyncio.timeout(LOCK_PATIENCE):
                await lock.enter_async_context(runtime.locks.hold(lock_name(network, peer)))
        except TimeoutError:
            raise IdentityInUse(peer) from None
        return lock.pop_all()


class Engine:
    """Orders and trades as long as the node runs.

    Args:
        lock: Closed with this.
        publish: Called with every event, one after the other. What it raises is reported, and ends nothing.
    """

    def __init__(
        self,
        node: Node,
        orders: OrderManager,
        trades: TradeManager,
        lock: AsyncExitStack,
        publish: Callable[[TradeManager, Event], Awaitable[None]],
    ) -> None:
        self.node = node
        self.orders = orders
        self.trades = trades
        self._lock = lock
        self._publish = publish
        self._report = node.swarm.faults.report
        self._tasks = Tasks(self._report)
        self._events: deque[Event] = deque(maxlen=MAX_WAITING_EVENTS)
        self._news = Waiter()
        self._loop = asyncio.get_running_loop()

    @property
    def is_lost(self) -> bool:
        """Whether its loop has ended without `close`. Nothing of it runs then, and `forget` frees the identity."""
        return self._loop.is_closed()

    def forget(self) -> None:
        finish_now(self._lock.aclose())

    async def start(self) -> None:
        """Take up what was going on. After a failure, `close` is due.

        Cancellation: `close` is due: what was begun goes on until then.
        """
        self.orders.subscribe(self._happened)
        self.trades.subscribe(self._happened)
        self._tasks.spawn(self._publish_all(), "trading events")
        await self.orders.start()
        await self.trades.start()

    async def close(self) -> None:
        """Say what trades still have to say, end everything and let go of the lock. Idempotent.

        Cancellation: Safe. Everything was told to end then, and the lock is free afterwards.
        """
        try:
            try:
                await self.trades.stop()
            finally:
                self.orders.stop_nowait()
                self._tasks.cancel()
            await self.orders.stop()
            await self._tasks.close()
        finally:
            await self._lock.aclose()

    def _happened(self, event: Event) -> None:
        self._events.append(event)
        self._news.wake()

    async def _publish_all(self) -> None:
        while True:
            while self._events:
                with Guard(lambda error: self._report("the telling of a trading event", error), awaits=True):
                    await self._publish(self.trades, self._events.popleft())
            await self._news.wait()
