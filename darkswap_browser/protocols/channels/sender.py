"""The sending half of a channel: who waits for room, for the peer, for delivery, and for progress."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from darkswap_browser.concurrency.tasks import Tasks
from darkswap_browser.errors import DarkSwapError, MessageTooLarge, MessageUndelivered, StreamClosed
from darkswap_browser.net.limits import Limits
from darkswap_browser.protocols.channels.kept_messages import KeptMessages
from darkswap_browser.protocols.channels.messages import message_bytes
from darkswap_browser.protocols.channels.outbox import Outbox, Undelivered
from darkswap_browser.protocols.channels.progress import Progress, SendProgress


@dataclass(slots=True)
class _Waiting:
    message: bytes
    accepted: asyncio.Future[int]
    delivered: asyncio.Future[None] | None
    name: str = ""


class ChannelSender:
    """`pump` is called when there is something to write.

    Until the peer was reached once nothing is accepted, and senders wait.
    """

    def __init__(self, peer: str, outbox: Outbox, limits: Limits, tasks: Tasks, pump: Callable[[], None]) -> None:
        self._peer = peer
        self._outbox = outbox
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._pump = pump
        self._gathering = False
        self._is_reached = False
        self.is_closing = False
        """Nothing more is accepted."""
        self._error: DarkSwapError | None = None
        self._waiting: deque[_Waiting] = deque()
        self._deliveries: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._progress = SendProgress(tasks.report)
        self.kept = KeptMessages()
        self.kept.go_on = pump
        self.goes_on_later = False
        """The node stops: kept messages are sent after its next start, and not told as undelivered."""
        self.on_sent: Callable[[], None] | None = None
        """Called when the first message is accepted."""

    def try_send(self, message: bytes) -> int:
        """Accept a message without waiting; its id, or 0 when it would have to wait.

        Raises `MessageTooLarge`, or why the channel is closed.
        """
        if self._error is not None:
            raise self._error.fresh()
        if self.is_closing:
            raise StreamClosed()
        if not self.has_room:
            return 0
        number = self._outbox.accept(message)
        self._tell_sent()
        if not self._gathering:
            # The first message of a moment goes out at once, those after it in the loop's next turn, together.
            self._gathering = True
            self._loop.call_soon(self._gathered)
            self._pump()
        return number

    @property
    def has_room(self) -> bool:
        """Whether a message would be accepted without waiting."""
        return self._is_reached and not self._waiting and self._outbox.has_room

    def _tell_sent(self) -> None:
        if self.on_sent is not None:
            on_sent, self.on_sent = self.on_sent, None
            on_sent()

    def _gathered(self) -> None:
        self._gathering = False
        self._pump()

    async def send(
        self,
        message: object,
        *,
        delivered: bool = False,
        on_progress: Progress | None = None,
        on_accepted: Callable[[int], None] | None = None,
        name: str = "",
        is_marked: bool = True,
    ) -> int:
        """`name`: under which the message is kept in the store. `is_marked`: which says that it may have been written;
        otherwise there must be room for it, and no stream."""
        data = message_bytes(message)
        taken: asyncio.Future[None] | None = self._loop.create_future() if delivered else None
        if number := self.try_send(data):
            self._expect_delivery(number, taken, name, is_marked=is_marked)
        else:
            number = await self._wait_for_room(data, taken, name)
        if on_progress is not None:
            self._progress.watch(number, self._end_of(number), len(data), on_progress)
        if on_accepted is not None:
            on_accepted(number)
        if taken is not None:
            await taken
        return number

    async def send_batch(self, messages: Sequence[bytes]) -> list[int]:
        return [self.try_send(message) or await self._wait_for_room(message) for message in messages]

    async def _wait_for_room(
        self, message: bytes, delivered: asyncio.Future[None] | None = None, name: str = ""
    ) -> int:
        if len(message) > self._limits.channel_message:
            raise MessageTooLarge(len(message), self._limits.channel_message)
        waiting = _Waiting(message, self._loop.create_future(), delivered, name)
        self._waiting.append(waiting)
        try:
            return await waiting.accepted
        finally:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
                self.fill()

    def _accept(self, waiting: _Waiting) -> int:
        number = self._outbox.accept(waiting.message)
        self._tell_sent()
        self._expect_delivery(number, waiting.delivered, waiting.name)
        return number

    def _expect_delivery(
        self, number: int, delivered: asyncio.Future[None] | None, name: str, *, is_marked: bool = True
    ) -> None:
        if name:
            self.kept.add(number, name, is_marked=is_marked)
        if delivered is not None:
            self._deliveries.append((number, delivered))

    def _end_of(self, number: int) -> int:
        return self._outbox.end_of(number) if number > self._outbox.acknowledged_id else self._outbox.consumed

    def fill(self) -> None:
        """Accept what waits, as far as there is room."""
        if self._is_reached and self._waiting:
            while self._waiting and self._outbox.has_room:
                waiting = self._waiting.popleft()
                if not waiting.accepted.done():
                    waiting.accepted.set_result(self._accept(waiting))
            self._pump()

    def reached(self) -> None:
        """The peer is there: from now on messages are accepted."""
        if not self._is_reached:
            self._is_reached = True
            self.fill()

    def acknowledged(self) -> None:
        """The peer's application took something."""
        number = self._outbox.acknowledged_id
        waiting = self._deliveries
        while waiting and waiting[0][0] <= number:
            _, delivered = waiting.popleft()
            if not delivered.done():
                delivered.set_result(None)
        self.kept.acknowledged(number)
        self._progress.report(self._outbox.consumed)
        self.fill()

    def renew(self, outbox: Outbox, undelivered: Undelivered) -> None:
        """Another session, which sends what is left of the one before."""
        self._outbox = outbox
        self._reject(undelivered)
        self._progress.move(outbox.acknowledged_id, self._end_of)
        self.fill()

    def _reject(self, undelivered: Undelivered) -> None:
        kept = deque[tuple[int, asyncio.Future[None]]]()
        for number, delivered in self._deliveries:
            if number not in undelivered.ids:
                kept.append((number, delivered))
            elif not delivered.done():
                delivered.set_exception(MessageUndelivered(self._peer, number, undelivered.maybe_delivered))
        self._deliveries = kept
        self.kept.told(undelivered.ids)

    def end(self, error: DarkSwapError, *, moves: bool = False) -> list[Undelivered]:
        """Nothing is sent any more, because of `error`. Returns what was accepted and not acknowledged.

        Args:
            moves: Another program goes on: nothing is lost, but its delivery is not heard of here.
        """
        self._error = error
        for waiting in self._waiting:
            if not waiting.accepted.done():
                waiting.accepted.set_exception(error.fresh())
        self._waiting.clear()
        left = [] if moves else [self._outbox.undelivered_written(), self._outbox.undelivered_unwritten()]
        if self.goes_on_later:
            left = [part for undelivered in left for part in undelivered.without(self.kept.names)]
        for undelivered in left:
            self._reject(undelivered)
        for _, delivered in self._deliveries:
            if not delivered.done():
                delivered.set_exception(error.fresh())
        return [undelivered for undelivered in left if undelivered.count]
