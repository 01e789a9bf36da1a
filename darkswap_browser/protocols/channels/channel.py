"""One application channel: whole messages to and from one peer, over whatever stream carries it at the moment.

Sending costs no task switch while there is room. Receiving hands over everything that one read brought.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from darkswap_browser.concurrency.tasks import Tasks, result_of
from darkswap_browser.errors import ConnectionLost, DarkSwapError, EndOfStream, RemoteError, StreamClosed, StreamError
from darkswap_browser.net.connection import CircuitLimit, path_of
from darkswap_browser.net.limits import Limits
from darkswap_browser.protocols.channels.acknowledger import Acknowledger
from darkswap_browser.protocols.channels.channel_stream import ChannelStream
from darkswap_browser.protocols.channels.listener import ChannelState, Listener
from darkswap_browser.protocols.channels.machine import ChannelMachine
from darkswap_browser.protocols.channels.messages import Ack, Close, Control, Leave, Ping, encode_control
from darkswap_browser.protocols.channels.outbox import Undelivered
from darkswap_browser.protocols.channels.progress import Progress, ReceiveProgress
from darkswap_browser.protocols.channels.reader import ChannelReader
from darkswap_browser.protocols.channels.receiver import ChannelReceiver, Sink
from darkswap_browser.protocols.channels.sender import ChannelSender
from darkswap_browser.protocols.channels.silence import Silence
from darkswap_browser.protocols.channels.snapshot import ChannelSnapshot
from darkswap_browser.protocols.channels.writer import ChannelWriter


class Channel:
    """Made by `Channels`; `machine` changes when the peer begins anew."""

    def __init__(
        self, peer: str, machine: ChannelMachine, limits: Limits, listener: ChannelListener, tasks: Tasks
    ) -> None:
        self.peer = peer
        self.machine = machine
        self.state = ChannelState.CONNECTING
        self.left = False
        """The peer left or was not found again: it may come back with this session, or with another."""
        self.link: ChannelStream | None = None
        self.on_spent: Callable[[], None] = lambda: None
        """The circuit below has carried nearly all that its relay allows. Called again and again."""
        self._limits = limits
        self._listener = listener
        self._tasks = tasks
        self._loop = asyncio.get_running_loop()
        self.delivery = ChannelReceiver(machine.inbox, limits, tasks, self._consumed)
        self.sending = ChannelSender(peer, machine.outbox, limits, tasks, self._pump)
        self._writer = ChannelWriter(tasks, self.next_output, self.detach_stream)
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._acks = Acknowledger(machine.inbox, limits, self._say)
        self.reader = ChannelReader(self)
        self._error: DarkSwapError | None = None
        self._close_reason: str | None = None
        self._incoming = ReceiveProgress(limits.channel_progress)
        self._set_window()
        self._silence = Silence(limits, self._is_owed, self._ask, self._fell_silent)

    # --- what it is

    @property
    def path(self) -> str:
        """ "direct", "turn", "relayed" or "none"."""
        return "none" if self.link is None else path_of(self.link.connection)

    @property
    def limit(self) -> CircuitLimit | None:
        return None if self.link is None else self.link.connection.limit

    @property
    def send_queue(self) -> int:
        return self.machine.outbox.unacknowledged

    @property
    def receive_queue(self) -> int:
        return self.machine.inbox.waiting

    @property
    def was_open(self) -> bool:
        return self._opened.done() and self._opened.exception() is None

    def inherit(self, before: Channel) -> None:
        """What still waits in an earlier channel with the same peer comes first."""
        self.delivery.inherit(before.delivery)
        self._set_window()

    async def wait_open(self) -> None:
        """Return once it is open. Raises why it could not be opened. Cancellation: Safe; it goes on opening."""
        await result_of(self._opened)

    # --- sending

    def try_send(self, message: bytes) -> int:
        """Accept a message without waiting; its id, or 0 when it would have to wait, for room or for the peer.

        Raises `MessageTooLarge`, or why the channel is closed.
        """
        return self.sending.try_send(message)

    async def send(
        self,
        message: bytes | bytearray | memoryview,
        on_progress: Progress | None = None,
        *,
        delivered: bool = False,
    ) -> int:
        """Send a message; it is then delivered once and in order, or told by `ChannelListener.undelivered`.

        Args:
            on_progress: Called as the peer takes parts of the message.
            delivered: Wait until the peer's application took it, and not only until it is queued.
        Returns:
            The message's id; those of one peer count up.
        Raises:
            MessageTooLarge: Nothing was sent.
            MessageUndelivered: With `delivered`: it was accepted and will not be sent any more.
            DarkSwapError: Why the channel is closed, or the peer could not be reached. Nothing was accepted.
        Cancellation: Before it is accepted, the message is not sent; afterwards it goes on.
        """
        return await self.sending.send(message, delivered=delivered, on_progress=on_progress)

    def _pump(self) -> None:
        if self.link is not None:
            self._writer.pump(self.link)
            if self.machine.outbox.unacknowledged:
                self._silence.begin()

    def next_output(self, link: ChannelStream) -> bytes:
        """What `link` is to carry next; nothing when it is not the current one."""
        if self.link is not link:
            return b""
        if data := link.take_control():
            return data
        data = b"" if self.sending.kept.unmarked else self.machine.outbox.next_write(link.room())
        if not data and link.is_spent:
            self.on_spent()
        if not data and self._close_reason is not None and not link.said_close and not self.machine.outbox.waiting:
            link.said_close = True
            data = encode_control(self.machine.inbox.grant()) + encode_control(Close(self._close_reason))
        return data

    async def receive(self) -> bytes:
        """The next message. Raises `EndOfStream`, `ConnectionLost` at the end. Cancellation: Safe; nothing is lost."""
        return await self.delivery.receive()

    def deliver_to(self, sink: Sink | None) -> None:
        """Every message from now on, those that wait first; None ends it. `receive` gets nothing meanwhile."""
        self.delivery.deliver_to(sink)

    def _consumed(self) -> None:
        self._set_window()
        self.reader.look()
        self._acks.consumed()

    def _set_window(self) -> None:
        if count := self.delivery.fit_window():
            self._listener.discarded(self, count)

    def _say(self, control: bytes) -> None:
        if self.link is not None:
            self.link.queue_control(control)
            self._pump()

    # --- the stream below

    def pause(self) -> None:
        """Read no further: a HELLO with our position is on its way."""
        self.reader.is_paused = True
        self.reader.look()

    def unpause(self) -> None:
        """The HELLO was answered, or the stream it went out on failed: what it granted may then not have arrived."""
        self.reader.is_paused = False
        self.reader.look()
        self._acks.acknowledge()
        self._path_lost("path lost")

    def attach_stream(self, link: ChannelStream, greeting: bytes = b"") -> None:
        """`link` carries the channel from now on; its HELLOs were exchanged, or `greeting` is the answer."""
        old, self.link = self.link, link
        before = self.state
        self.state = ChannelState.OPEN
        self._silence.end()
        self.left = False
        if old is not None:
            old.stream.reset()
        if greeting:
            link.queue_control(greeting)
        if not self._opened.done():
            self._opened.set_result(None)
        self.reader.is_paused = False
        self.reader.look()
        self.sending.reached()
        self.sending.kept.attached()
        # The peer's HELLO told what it took.
        self.sending.acknowledged()
        self._listener.changed(self, "" if before is not ChannelState.RECONNECTING else "resumed")
        self._pump()

    def arrived(self, link: ChannelStream, data: bytes, controls: Sequence[Control] = ()) -> None:
        """Bytes of the stream, in order; `controls`: of what came before them and the inbox has already."""
        if self._silence.is_silent:
            self.state = ChannelState.OPEN
            self._listener.changed(self, "resumed")
        self._silence.heard()
        try:
            inbox = self.machine.inbox
            before = inbox.received
            controls = [*controls, *inbox.receive(data)]
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
                    if self.link is link:  # after a CLOSE or LEAVE nothing counts
                        self._control(link, control)
                self.reader.look()
            if inbox.received > before:
                self._acks.received()
            if link.is_spent:
                self.on_spent()
        except (StreamError, ConnectionLost):
            self.detach_stream(link)
        except RemoteError as error:
            link.stream.reset()
            if self.link is link:
                self.end(error)

    def _control(self, link: ChannelStream, control: Control) -> None:
        match control:
            case Ack(consumed, window):
                self.machine.outbox.grant(window)
                self.machine.outbox.acknowledge(consumed)
                self.sending.acknowledged()
                self._pump()
            case Ping():
                self._acks.acknowledge()
            case Leave(reason):
                self.left = True
                self.detach_stream(link, reason or "the peer left")
            case Close(reason):
                self._closed_by_peer(link, reason)
            case _:
                raise ConnectionLost("channel", "an opening message in the middle of the stream")

    def detach_stream(self, link: ChannelStream, reason: str = "path lost") -> None:
        """The stream broke; `Channels` looks for another path."""
        if self.link is not link:
            return
        self.link = None
        link.stream.reset()
        # Another path that is being taken ends the one before: nothing is lost then.
        if not self.reader.is_paused:
            self._path_lost(reason)

    def _is_owed(self) -> bool:
        return self.link is not None and self.machine.outbox.unacknowledged > 0

    def _ask(self) -> None:
        self._say(encode_control(Ping()))

    def _fell_silent(self) -> None:
        """The stream stays: it may be heard again, while `Channels` looks whether the path is there."""
        if self.state is ChannelState.OPEN:
            self.state = ChannelState.RECONNECTING
            self._listener.changed(self, "nothing is heard")

    def _path_lost(self, reason: str) -> None:
        if self.link is None and (self.state is ChannelState.OPEN or self._silence.is_silent):
            self._silence.end()
            self.state = ChannelState.RECONNECTING
            self._listener.changed(self, reason)

    def reset_session(self, machine: ChannelMachine, undelivered: Undelivered) -> None:
        """The peer lost the session (a page reload), `machine` follows it. What the peer sent before still waits."""
        self.delivery.adopt(machine.inbox)
        self._acks.inbox = machine.inbox
        self._incoming.clear()
        self.machine = machine
        self._set_window()
        link, self.link = self.link, None
        if link is not None:
            link.stream.reset()
        self.state = ChannelState.RECONNECTING
        self.sending.renew(machine.outbox, undelivered)
        if undelivered.count:
            self._listener.undelivered(self, undelivered)
        self._listener.changed(self, "peer restarted")

    # --- the end

    async def close(self, reason: str = "") -> None:
        """Deliver what was accepted, tell the peer, and end, after `channel_close_timeout` at the latest. Idempotent.

        Cancellation: Safe; the channel ends at once. What is not acknowledged is told as undelivered.
        """
        if self.state is ChannelState.CLOSED:
            return
        if self._close_reason is None:
            self._close_reason = reason
            self.sending.is_closing = True
        # Without a path: only for what was accepted another one is waited for.
        if self.link is None and (self.state is ChannelState.CONNECTING or not self.send_queue):
            return self.end(StreamClosed())
        self._pump()
        try:
            await asyncio.wait((self._over,), timeout=self._limits.channel_close_timeout)
        finally:
            self.end(StreamClosed())

    def say_nowait(self, word: Close | Leave) -> None:
        """Say without waiting that the channel ends, or that the page is about to go and may come back."""
        link = self.link
        if link is not None and not link.said_close:
            with suppress(StreamError, ConnectionLost):
                said = link.try_write(encode_control(self.machine.inbox.grant()) + encode_control(word))
                link.said_close = said and isinstance(word, Close)

    def _closed_by_peer(self, link: ChannelStream, reason: str) -> None:
        if self._close_reason is None:
            link.said_close = True
            self._tasks.spawn(self._acks.answer_close(link), "channel close")
        else:
            self._tasks.spawn(link.stream.close(), "channel close")
        self.end(EndOfStream() if self._close_reason is None else StreamClosed(), reason or "closed by the peer")

    def take_up(self, earlier: Sequence[bytes]) -> None:
        """Go on with the session of another program, before any stream is there.

        Args:
            earlier: Messages of earlier sessions that its application had not taken.
        """
        self.delivery.put_first(earlier)
        self._set_window()
        self.state = ChannelState.RECONNECTING
        self._opened.set_result(None)
        self.sending.reached()

    def hand_over(self, error: DarkSwapError) -> tuple[ChannelSnapshot | None, tuple[bytes, ...]]:
        """End here because of `error`, for another program goes on. Nothing that it goes on with is told.

        Returns:
            The session, if it can go on, and the messages that wait beside it.
        """
        goes_on = self.left if self.state is ChannelState.CLOSED else self.was_open and self._close_reason is None
        session = self.machine.export() if goes_on else None
        earlier = self.delivery.give_away(with_current=session is None)
        self.end(error, moves=goes_on)
        return session, earlier

    def end(self, error: DarkSwapError, reason: str = "", *, moves: bool = False) -> None:
        """Over, because of `error`. Messages that wait can still be received; what is not acknowledged is told.

        `moves`: nothing is, as the session goes on elsewhere.
        """
        if self.state is ChannelState.CLOSED:
            return
        self.state = ChannelState.CLOSED
        self._error = error
        if self.link is not None and not self.link.said_close:
            self.link.stream.reset()
        self.link = None
        self._acks.end()
        self._silence.end()
        self.delivery.end(error)
        undelivered = self.sending.end(error, moves=moves)
        self.left = self.left and not undelivered  # what was told is not sent any more
        if not self._opened.done():
            self._opened.set_exception(error)
            self._opened.exception()
        self._over.set_result(None)
        self.reader.end()
        for each in undelivered:
            self._listener.undelivered(self, each)
        if not moves:
            self._listener.changed(self, reason or str(error))


ChannelListener = Listener[Channel]
