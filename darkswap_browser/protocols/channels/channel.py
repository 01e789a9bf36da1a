"""One application channel: whole messages to and from one peer, over whatever stream carries it at the moment.

Sending costs no task switch while there is room: the first message of a moment goes out at once, those after it are
gathered until the event loop's next turn. Receiving hands over everything that one read brought.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from enum import StrEnum
from typing import Protocol

from darkswap_browser.concurrency.tasks import Tasks, result_of
from darkswap_browser.errors import ConnectionLost, DarkSwapError, EndOfStream, RemoteError, StreamClosed, StreamError
from darkswap_browser.net.connection import CircuitLimit, is_direct
from darkswap_browser.net.limits import Limits
from darkswap_browser.protocols.channels.channel_stream import ChannelStream
from darkswap_browser.protocols.channels.machine import ChannelMachine
from darkswap_browser.protocols.channels.messages import Ack, Close, Control, encode_control, message_bytes
from darkswap_browser.protocols.channels.progress import Progress, ReceiveProgress, SendProgress
from darkswap_browser.protocols.channels.receiver import ChannelReceiver, Sink


class ChannelState(StrEnum):
    CONNECTING = "connecting"
    OPEN = "open"
    RESUMING = "resuming"
    """The path is gone; messages are kept until another one is found."""
    CLOSED = "closed"


class ChannelListener(Protocol):
    def changed(self, channel: Channel, reason: str) -> None:
        """State or path are others than before."""
        ...

    def progressed(self, channel: Channel, received: int, total: int) -> None:
        """A long message is on its way in."""
        ...


class Channel:
    """Made by `Channels`; `machine` changes when the peer begins anew."""

    def __init__(
        self, peer: str, machine: ChannelMachine, limits: Limits, listener: ChannelListener, tasks: Tasks
    ) -> None:
        self.peer = peer
        self.machine = machine
        self.state = ChannelState.CONNECTING
        self.link: ChannelStream | None = None
        self._limits = limits
        self._listener = listener
        self._tasks = tasks
        self._loop = asyncio.get_running_loop()
        self.delivery = ChannelReceiver(machine.inbox, tasks, self._consumed)
        self._senders: deque[asyncio.Future[None]] = deque()
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._reading: asyncio.Event = asyncio.Event()
        self._reading.set()
        self._paused = False
        self._outgoing = SendProgress(tasks.report)
        self._ack_timer: asyncio.TimerHandle | None = None
        self._error: DarkSwapError | None = None
        self._close_reason: str | None = None
        self._gathering = False
        self._incoming = ReceiveProgress(4 * limits.channel_chunk)

    # --- what it is

    @property
    def path(self) -> str:
        """ "direct", "relayed" or "none"."""
        if self.link is None:
            return "none"
        return "direct" if is_direct(self.link.connection) else "relayed"

    @property
    def limit(self) -> CircuitLimit | None:
        return None if self.link is None else self.link.connection.limit

    @property
    def send_queue(self) -> int:
        return self.machine.outbox.unconfirmed

    @property
    def receive_queue(self) -> int:
        return self.machine.inbox.waiting

    @property
    def was_open(self) -> bool:
        return self._opened.done() and self._opened.exception() is None

    def inherit(self, before: Channel) -> None:
        """What still waits in an earlier channel with the same peer comes first."""
        self.delivery.inherit(before.delivery)

    async def wait_open(self) -> None:
        """Raises why it could not be opened."""
        await result_of(self._opened)

    # --- sending

    def try_send(self, message: bytes) -> bool:
        """Accept a message without waiting; False when the queue is full. Raises `MessageTooLarge`, or why closed."""
        if self._error is not None or self._close_reason is not None:
            raise self._error.fresh() if self._error is not None else StreamClosed()
        outbox = self.machine.outbox
        if self._senders or not outbox.has_room:
            return False
        outbox.accept(message)
        if not self._gathering:
            self._gathering = True
            self._loop.call_soon(self._gathered)
            self._pump()
        return True

    async def send(self, message: bytes | bytearray | memoryview, on_progress: Progress | None = None) -> None:
        """Returns when `message` is accepted: it then arrives once and in order, unless the peer goes for good."""
        data = message_bytes(message)
        if not self.try_send(data):
            await self._wait_for_room(data)
        if on_progress is not None:
            self._outgoing.watch(self.machine.outbox.accepted, len(data), on_progress)

    async def send_batch(self, messages: Sequence[bytes]) -> None:
        for message in messages:
            if not self.try_send(message):
                await self._wait_for_room(message)

    async def _wait_for_room(self, message: bytes) -> None:
        ticket: asyncio.Future[None] = self._loop.create_future()
        self._senders.append(ticket)
        try:
            await ticket
            if self._error is not None:
                raise self._error.fresh()
            self.machine.outbox.accept(message)
        finally:
            self._senders.remove(ticket)
            self._wake_sender()
        self._pump()

    def _wake_sender(self) -> None:
        if self._senders and self.machine.outbox.has_room and not self._senders[0].done():
            self._senders[0].set_result(None)

    def _gathered(self) -> None:
        self._gathering = False
        self._pump()

    def _pump(self) -> None:
        """Hand to the stream what it takes at once; the rest is a task's."""
        link = self.link
        if link is None or link.is_writing:
            return
        try:
            while data := self._next_output(link):
                if link.prompt is None or not link.prompt.try_write(data):
                    link.is_writing = True
                    self._tasks.spawn(self._write(link, data), "channel write")
                    break
        except (StreamError, ConnectionLost):
            self.detach_stream(link)
        self._wake_sender()

    async def _write(self, link: ChannelStream, data: bytes) -> None:
        try:
            while data and self.link is link:
                await link.stream.write(data)
                self._wake_sender()
                data = self._next_output(link) if self.link is link else b""
        except (StreamError, ConnectionLost):
            self.detach_stream(link)
        finally:
            link.is_writing = False

    def _next_output(self, link: ChannelStream) -> bytes:
        if link.control:
            data = b"".join(link.control)
            link.control.clear()
            return data
        data = self.machine.outbox.next_write()
        if not data and self._close_reason is not None and not link.said_close and not self.machine.outbox.waiting:
            link.said_close = True
            data = encode_control(Close(self._close_reason))
        return data

    async def receive(self) -> bytes:
        """The next message. Raises `EndOfStream` when the peer closed and `ConnectionLost` when it went away."""
        return await self.delivery.receive()

    async def receive_batch(self) -> list[bytes]:
        """At least one message, and all that wait. Raises as `receive` does."""
        return await self.delivery.receive_batch()

    def deliver_to(self, sink: Sink | None) -> None:
        """Every message from now on, those that wait first; None ends it. `receive` gets nothing meanwhile."""
        self.delivery.deliver_to(sink)

    def _consumed(self) -> None:
        """Grant credit at once when much was taken, after a moment when little was."""
        inbox = self.machine.inbox
        self._reading_changed()
        if inbox.grant_due:
            self._acknowledge()
        elif self._ack_timer is None and inbox.consumed != inbox.acknowledged and self._error is None:
            self._ack_timer = self._loop.call_later(self._limits.channel_ack_delay, self._acknowledge_late)

    def _acknowledge_late(self) -> None:
        self._ack_timer = None
        self._acknowledge()

    def _acknowledge(self) -> None:
        inbox = self.machine.inbox
        if self.link is not None and inbox.consumed != inbox.acknowledged:
            inbox.acknowledged = inbox.consumed
            self.link.control.append(encode_control(Ack(inbox.consumed)))
            self._pump()

    # --- the stream below

    def pause(self) -> None:
        """Read no further: a HELLO with our position is on its way."""
        self._paused = True
        self._stop_reading()

    def unpause(self) -> None:
        self._paused = False
        self._reading_changed()

    def _reading_changed(self) -> None:
        if self._paused or self.machine.inbox.is_full:
            self._stop_reading()
        else:
            self._reading.set()

    def _stop_reading(self) -> None:
        self._reading.clear()
        if self.link is not None:
            self.link.push_to(None)

    def attach_stream(self, link: ChannelStream, greeting: bytes = b"") -> None:
        """`link` carries the channel from now on; its HELLOs were exchanged, or `greeting` is the answer."""
        old, self.link = self.link, link
        before = self.state
        self.state = ChannelState.OPEN
        if old is not None:
            old.stream.reset()
        if greeting:
            link.control.append(greeting)
        if not self._opened.done():
            self._opened.set_result(None)
        self.unpause()
        self._listener.changed(self, "" if before is not ChannelState.RESUMING else "resumed")
        self._pump()

    async def read(self, link: ChannelStream) -> None:
        """Serve `link` until its stream ends or another takes its place."""
        try:
            while True:
                data = await link.stream.read()
                while not self._reading.is_set():
                    await self._reading.wait()
                if self.link is not link:
                    return
                self._take(link, data)
                if self.link is link and self._reading.is_set():
                    # What comes next needs no task, until reading is stopped; then it comes here again.
                    link.push_to(lambda data: self._take(link, data))
        except (StreamError, ConnectionLost):
            self.detach_stream(link)

    def _take(self, link: ChannelStream, data: bytes) -> None:
        """Bytes of the stream, in order."""
        if self.link is not link:
            return
        try:
            inbox = self.machine.inbox
            controls = inbox.receive(data)
            # A CLOSE comes after every message, so messages are delivered first; a sink that raises loses no credit.
            try:
                for report in self._incoming.reports(inbox.progress):
                    self._listener.progressed(self, *report)
                if len(inbox):
                    self.delivery.arrived()
                elif inbox.progress is not None:
                    self._consumed()
            finally:
                for control in controls:
                    self._control(link, control)
                self._reading_changed()
        except (StreamError, ConnectionLost):
            self.detach_stream(link)
        except RemoteError as error:
            link.stream.reset()
            if self.link is link:
                self.end(error)

    def _control(self, link: ChannelStream, control: Control) -> None:
        match control:
            case Ack(consumed):
                self.machine.outbox.acknowledge(consumed)
                self._outgoing.report(consumed)
                self._pump()
            case Close(reason):
                self._closed_by_peer(link, reason)
            case _:
                raise ConnectionLost("channel", "an opening message in the middle of the stream")

    def detach_stream(self, link: ChannelStream) -> None:
        """The stream broke; `Channels` looks for another path."""
        if self.link is not link:
            return
        self.link = None
        link.stream.reset()
        if self.state is ChannelState.OPEN:
            self.state = ChannelState.RESUMING
            self._listener.changed(self, "path lost")

    def reset_session(self, machine: ChannelMachine) -> None:
        """The peer lost the session (a page reload). What it sent before still waits; what it had not got is gone."""
        self.delivery.adopt(machine.inbox)
        self._incoming.clear()
        self.machine = machine
        self._outgoing.clear()
        link, self.link = self.link, None
        if link is not None:
            link.stream.reset()
        self.state = ChannelState.RESUMING
        self._listener.changed(self, "peer restarted")

    # --- the end

    async def close(self, reason: str = "") -> None:
        """Deliver what was accepted, tell the peer, and end. Waits `channel_close_timeout` at most. Idempotent.

        Cancellation: Safe; the channel ends at once, and what was not delivered is lost.
        """
        if self.state is ChannelState.CLOSED:
            return
        if self._close_reason is None:
            self._close_reason = reason
        # Without a path: only for what was accepted another one is waited for.
        if self.link is None and (self.state is ChannelState.CONNECTING or not self.send_queue):
            self.end(StreamClosed())
            return
        self._pump()
        try:
            await asyncio.wait((self._over,), timeout=self._limits.channel_close_timeout)
        finally:
            self.end(StreamClosed())

    def send_close_nowait(self, reason: str) -> None:
        """Say goodbye without waiting: the page is about to go."""
        if self.link is not None and self.link.prompt is not None:
            with suppress(StreamError, ConnectionLost):
                self.link.said_close = self.link.prompt.try_write(encode_control(Close(reason)))

    def _closed_by_peer(self, link: ChannelStream, reason: str) -> None:
        if self._close_reason is None:
            link.said_close = True
            self._tasks.spawn(self._answer_close(link), "channel close")
        else:
            self._tasks.spawn(link.stream.close(), "channel close")
        self.end(EndOfStream() if self._close_reason is None else StreamClosed(), reason or "closed by the peer")

    async def _answer_close(self, link: ChannelStream) -> None:
        try:
            await link.stream.write(encode_control(Close()))
            await link.stream.close()
        except (StreamError, ConnectionLost):
            link.stream.reset()

    def end(self, error: DarkSwapError, reason: str = "") -> None:
        """Over, because of `error`. Messages that wait can still be received."""
        if self.state is ChannelState.CLOSED:
            return
        self.state = ChannelState.CLOSED
        self._error = error
        if self.link is not None and not self.link.said_close:
            self.link.stream.reset()
        self.link = None
        if self._ack_timer is not None:
            self._ack_timer.cancel()
        self.delivery.end(error)
        for waiting in self._senders:
            if not waiting.done():
                waiting.set_exception(error.fresh())
        if not self._opened.done():
            self._opened.set_exception(error)
            self._opened.exception()
        self._over.set_result(None)
        self._reading.set()
        self._listener.changed(self, reason or str(error))
