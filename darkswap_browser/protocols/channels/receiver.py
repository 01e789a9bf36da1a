"""The receiving half of a channel: messages go to whoever waits for them, or to a sink as they come."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from darkswap_browser.concurrency.faults import Guard, subscriber_failed
from darkswap_browser.concurrency.tasks import Tasks
from darkswap_browser.concurrency.waiter import Waiter
from darkswap_browser.errors import DarkSwapError, StreamBusy
from darkswap_browser.net.limits import Limits
from darkswap_browser.protocols.channels.inbox import Inbox

Sink = Callable[[Sequence[bytes]], Awaitable[None] | None]
"""Takes messages as they come; when it returns an awaitable, the next ones wait for it."""
OnTaken = Callable[[], None]
COST_OF_SESSION = 8192
"""Bytes for which a session counts in which something waits: a peer may begin many of them, with one byte in each."""
COST_OF_MESSAGE = 48
"""Bytes for which a message counts beside its own, as soon as its session is an earlier one."""


class ChannelReceiver:
    """`taken` is called after messages left `inbox`: the place to grant credit.

    A sink that raises is reported to the owner of `tasks` and has had its messages; the channel goes on.
    """

    def __init__(self, inbox: Inbox, limits: Limits, tasks: Tasks, taken: OnTaken) -> None:
        self._limits = limits
        self._tasks = tasks
        self._taken = taken
        self._sources: deque[tuple[Inbox, OnTaken]] = deque([(inbox, taken)])
        """Inboxes of earlier sessions in which messages wait, and last the one of this session."""
        self._urgent: Inbox | None = None
        """The first of these, while urgent messages wait."""
        self._receiver = Waiter()
        self._sink: Sink | None = None
        self._sink_task: asyncio.Task[None] | None = None
        self._error: DarkSwapError | None = None
        self.is_wanted = False
        """Whether the application ever asked for a message."""
        self.on_waiting: Callable[[], None] = lambda: None
        """Messages came that nobody waits for here."""

    @property
    def waiting_before(self) -> int:
        """Bytes that wait in earlier sessions, and what each of these and their messages cost."""
        earlier = [inbox for inbox, _ in list(self._sources)[:-1]]
        return sum(inbox.waiting + COST_OF_SESSION + COST_OF_MESSAGE * len(inbox) for inbox in earlier)

    def adopt(self, inbox: Inbox) -> None:
        """Another session; what waits of the old one comes first."""
        self._drop_empty(keep=0)
        self._sources.append((inbox, self._taken))

    def inherit(self, before: ChannelReceiver) -> None:
        """What waits in an earlier channel comes first."""
        current, _ = self._sources[-1]
        self._sources.extendleft(source for source in reversed(before._sources) if source[0] is not current)
        before._sources.clear()
        self._drop_empty(keep=1)

    def put_first(self, messages: Sequence[bytes]) -> None:
        """Messages that another program had received and its application had not taken."""
        if messages:
            self._sources.appendleft((Inbox.holding(messages, self._limits), self._taken))

    def put_urgent(self, message: bytes) -> bool:
        """Take a message that comes before all that waits but other urgent ones. False: too many of these wait."""
        if self._error is not None:
            return False
        before: list[bytes] = []
        if self._urgent is not None and self._sources and self._sources[0][0] is self._urgent:
            if len(self._urgent) >= self._limits.channel_urgent_messages:
                return False
            before = self._urgent.take_all()
            self._sources.popleft()
        self._urgent = Inbox.holding([*before, message], self._limits)
        self._sources.appendleft((self._urgent, self._taken))
        self.arrived()
        return True

    def give_away(self, *, with_current: bool) -> tuple[bytes, ...]:
        """What waits of earlier sessions, and of this one if its inbox is not given away itself; it is not here any
        more."""
        current, _ = self._sources[-1]
        inboxes = [inbox for inbox, _ in self._sources if with_current or inbox is not current]
        self._sources.clear()
        return tuple(message for inbox in inboxes for message in inbox.take_all())

    def fit_window(self) -> int:
        """What the peer may send now: what waits of earlier sessions counts, and for an application that never asks
        for a message little comes.

        Returns:
            How many messages of earlier sessions were given up, because they alone are too much.
        """
        limits, discarded = self._limits, 0
        while self.waiting_before > limits.channel_receive_queue:
            discarded += len(self._sources.popleft()[0].take_all())
        if not self._sources:
            return discarded  # another channel inherited them
        inbox, _ = self._sources[-1]
        inbox.counts_parts = self.is_wanted
        inbox.most_messages = limits.channel_receive_messages if self.is_wanted else limits.channel_unwanted_messages
        most = limits.channel_receive_queue if self.is_wanted else limits.channel_unwanted_queue
        inbox.window = max(min(most, limits.channel_receive_queue) - self.waiting_before, 0)
        return discarded

    def _drop_empty(self, keep: int) -> None:
        while len(self._sources) > keep and not len(self._sources[0][0]):
            self._sources.popleft()

    def end(self, error: DarkSwapError) -> None:
        """Nothing more arrives: whoever waits then gets `error`."""
        self._error = error
        self._receiver.wake()

    @property
    def size(self) -> int:
        """Bytes that wait."""
        return sum(inbox.waiting for inbox, _ in self._sources)

    def __len__(self) -> int:
        return sum(len(inbox) for inbox, _ in self._sources)

    def take(self) -> list[bytes]:
        """Every message that waits, without waiting."""
        self.is_wanted = True
        messages: list[bytes] = []
        for inbox, taken in list(self._sources):
            messages = messages + inbox.take_all() if messages else inbox.take_all()
            self._took(taken)
        self._drop_empty(keep=1)
        return messages

    def _took(self, taken: OnTaken) -> None:
        taken()
        if taken != self._taken:
            self._taken()

    def want(self) -> None:
        """The application will take messages: those that come need not be few."""
        if not self.is_wanted:
            self.is_wanted = True
            self._taken()

    async def receive(self) -> bytes:
        await self._wait()
        return self.take_one()

    def take_one(self) -> bytes:
        """The first message that waits; there must be one."""
        self.is_wanted = True
        self._drop_empty(keep=1)
        inbox, taken = self._sources[0]
        message = inbox.take()
        self._took(taken)
        return message

    async def receive_batch(self) -> list[bytes]:
        await self._wait()
        return self.take()

    async def _wait(self) -> None:
        self.want()
        while self._sink is not None or not len(self):
            if self._error is not None:
                raise self._error.fresh()
            if self._receiver.is_waiting or self._sink is not None:
                raise StreamBusy()
            await self._receiver.wait()

    def deliver_to(self, sink: Sink | None) -> None:
        """Give every message to `sink` from now on; whoever waits for one by `receive` gets `StreamBusy`.

        What an earlier sink returned is not waited for any more.
        """
        self._sink = sink
        self._sink_task = None
        if sink is not None:
            self._receiver.wake()
        self.arrived()

    def arrived(self) -> None:
        """Messages came."""
        if self._sink is None:
            if len(self):
                self._receiver.wake()
                self.on_waiting()
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
            # Another sink may be there by now.
            is_current = self._sink_task is asyncio.current_task()
            if is_current:
                self._sink_task = None
        if is_current:
            self.arrived()

    def _sink_failed(self, error: BaseException) -> None:
        self._tasks.report("the receiver of messages", subscriber_failed("the receiver of messages", error))
