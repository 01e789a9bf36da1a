"""The receiving half of a channel: messages go to whoever waits for them, or to a sink as they come."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from darkswap_browser.concurrency.faults import Guard, subscriber_failed
from darkswap_browser.concurrency.tasks import Tasks
from darkswap_browser.concurrency.waiter import Waiter
from darkswap_browser.errors import DarkSwapError, StreamBusy
from darkswap_browser.protocols.channels.machine import Inbox

Sink = Callable[[Sequence[bytes]], Awaitable[None] | None]
"""Takes messages as they come; when it returns an awaitable, the next ones wait for it."""


class ChannelReceiver:
    """`taken` is called after messages left `inbox`: the place to grant credit.

    A sink that raises is reported to the owner of `tasks` and has had its messages; the channel goes on.
    """

    def __init__(self, inbox: Inbox, tasks: Tasks, taken: Callable[[], None]) -> None:
        self._inbox = inbox
        self._tasks = tasks
        self._taken = taken
        self._early: deque[bytes] = deque()
        self._receiver = Waiter()
        self._sink: Sink | None = None
        self._sink_task: asyncio.Task[None] | None = None
        self._error: DarkSwapError | None = None

    def adopt(self, inbox: Inbox) -> None:
        """Another session; what waits of the old one comes first."""
        self._early.extend(self._inbox.take_all())
        self._inbox = inbox

    def inherit(self, before: ChannelReceiver) -> None:
        """What waits in an earlier channel comes first."""
        self._early.extend(before.take())

    def end(self, error: DarkSwapError) -> None:
        """Nothing more arrives: whoever waits then gets `error`."""
        self._error = error
        self._receiver.wake()

    def take(self) -> list[bytes]:
        """Every message that waits, without waiting."""
        messages = self._inbox.take_all()
        if self._early:
            messages = [*self._early, *messages]
            self._early.clear()
        self._taken()
        return messages

    async def receive(self) -> bytes:
        await self._wait()
        if self._early:
            return self._early.popleft()
        message = self._inbox.take()
        self._taken()
        return message

    async def receive_batch(self) -> list[bytes]:
        await self._wait()
        return self.take()

    async def _wait(self) -> None:
        while self._sink is not None or (not self._early and not len(self._inbox)):
            if self._error is not None:
                raise self._error.fresh()
            if self._receiver.is_waiting or self._sink is not None:
                raise StreamBusy()
            await self._receiver.wait()

    def deliver_to(self, sink: Sink | None) -> None:
        """Give every message to `sink` from now on; whoever waits for one by `receive` gets `StreamBusy`."""
        self._sink = sink
        if sink is not None:
            self._receiver.wake()
        self.arrived()

    def arrived(self) -> None:
        """Messages came."""
        if self._sink is None:
            if self._early or len(self._inbox):
                self._receiver.wake()
        elif self._sink_task is None and (messages := self.take()):
            pending: Awaitable[None] | None = None
            with Guard(self._sink_failed):
                pending = self._sink(messages)
            if pending is not None:
                self._sink_task = self._tasks.spawn(self._after_sink(pending), "message sink")

    async def _after_sink(self, pending: Awaitable[None]) -> None:
        try:
            with Guard(self._sink_failed, awaits=True):
                await pending
        finally:
            self._sink_task = None
        self.arrived()

    def _sink_failed(self, error: BaseException) -> None:
        self._tasks.report("the receiver of messages", subscriber_failed("the receiver of messages", error))
