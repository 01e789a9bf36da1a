"""One libp2p stream on one data channel: frames, back-pressure and the end of it.

Sending: a writer waits above `channel_high_water` of its channel and above `connection_high_water` of all channels
together. Receiving: a browser empties SCTP's window by itself, so nothing holds the sender back; what exceeds
`webrtc_receive_buffer` resets the stream. `try_write` and `received` are the hot paths: neither waits nor switches
tasks, and a message that is one whole frame is copied once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from darkswap_browser.concurrency.tasks import wait_ended
from darkswap_browser.concurrency.waiter import Waiter
from darkswap_browser.errors import (
    ConnectionLost,
    DarkSwapError,
    EndOfStream,
    MalformedMessage,
    StreamBusy,
    StreamClosed,
    StreamReset,
    TimedOut,
    TooManyRequests,
)
from darkswap_browser.net.limits import Limits
from darkswap_browser.net.memory import MemoryAccount
from darkswap_browser.net.stream import ReceiveBuffer
from darkswap_browser.net.work import SMALL
from darkswap_browser.runtime.base.webrtc import DataChannel
from darkswap_browser.transports.webrtc.machine import LINGER, ReadState, StreamAction, StreamMachine, WriteState
from darkswap_browser.transports.webrtc.messages import (
    FLAG_FRAMES,
    MAX_FRAMES,
    Flag,
    FrameDecoder,
    data_frame,
    sole_payload,
)
from darkswap_browser.transports.webrtc.send_budget import SendBudget

_FLAG_ACTIONS = {
    StreamAction.SEND_FIN: FLAG_FRAMES[Flag.FIN],
    StreamAction.SEND_FIN_ACK: FLAG_FRAMES[Flag.FIN_ACK],
    StreamAction.SEND_STOP_SENDING: FLAG_FRAMES[Flag.STOP_SENDING],
    StreamAction.SEND_RESET: FLAG_FRAMES[Flag.RESET_STREAM],
}
_CLOSE_POLL = 0.05
"""Seconds between looks at bufferedAmount before a channel is closed: closing may drop what is in flight."""


class DataChannelStream:
    """A `Stream`, and the `DataChannelListener` of its channel. `on_over` is called once, when the channel is gone."""

    def __init__(
        self,
        channel: DataChannel,
        budget: SendBudget,
        limits: Limits,
        *,
        prompt_ack: bool = True,
        on_over: Callable[[DataChannelStream], None] = lambda _: None,
        on_work: Callable[[int], None] = lambda _: None,
        account: MemoryAccount | None = None,
    ) -> None:
        """`on_work` hears of small frames as they come; it may end the stream. `account` counts what is not read."""
        self.bytes_sent = 0
        self.bytes_received = 0
        self._loop = asyncio.get_running_loop()
        self._channel = channel
        self._budget = budget
        self._limits = limits
        self._on_over = on_over
        self._on_work = on_work
        self._machine = StreamMachine(limits.fin_ack_timeout, prompt_ack=prompt_ack)
        self._decoder = FrameDecoder(limits.webrtc_receive_frame)
        self._aligned = True
        self._account = account
        self._inbox = ReceiveBuffer(self._release)
        self._sink: Callable[[bytes], None] | None = None
        self._write_error: DarkSwapError | None = None
        self._queued = 0
        self._room = Waiter()
        self._timer: asyncio.TimerHandle | None = None
        self._before_open: list[bytes] | None = []
        self._open: asyncio.Future[None] = self._loop.create_future()
        self._flushed: asyncio.Future[None] = self._loop.create_future()
        self._is_gone = False
        budget.join(self)
        channel.listen(self, limits.channel_low_water)
        if channel.ready_state == "open":
            self.opened()

    def __repr__(self) -> str:
        return f"<data channel stream: write {self._machine.write}, read {self._machine.read}>"

    @property
    def is_gone(self) -> bool:
        """The channel is closed; what was received may still be read."""
        return self._is_gone

    async def wait_open(self) -> None:
        """Raises `TimedOut` or `ConnectionLost` when the channel does not open."""
        if self._open.done() and not self._is_gone:
            return
        try:
            async with asyncio.timeout(self._limits.channel_open_timeout):
                await wait_ended((self._open,))
        except TimeoutError:
            self.reset()
            raise TimedOut("opening a data channel", self._limits.channel_open_timeout) from None
        if self._is_gone:
            raise ConnectionLost("data channel", "closed before it opened")

    @property
    def flushed(self) -> asyncio.Future[None]:
        """Done when the peer has acknowledged our FIN, or will not any more. To be waited for only."""
        return self._flushed

    # --- Stream

    async def read(self, max_bytes: int = 65536) -> bytes:
        return await self._inbox.read(max_bytes)

    @property
    def buffered(self) -> int:
        """Bytes received and not read yet."""
        return len(self._inbox)

    def push_to(self, sink: Callable[[bytes], None] | None) -> None:
        """Hand over data as it arrives, within the host's event, what waits already first; None: buffer it again.

        `read` still tells the end, and nothing else meanwhile. A waking task costs a page more than a frame does.
        """
        self._sink = sink
        while sink is not None and self._sink is sink and len(self._inbox):
            sink(self._inbox.take(65536))

    def try_write(self, data: bytes) -> bool:
        """Send all of `data` now, or nothing: False when a writer would have to wait. Raises as `write` does.

        A success may pass the high-water mark by the size of `data`, which should stay below it.
        """
        if self._machine.write is not WriteState.OPEN:
            raise self._why_not_writable()
        if self._room.is_waiting or self._is_full():
            return False
        most = self._budget.max_payload
        for start in range(0, len(data), most):
            if not self._try_send(data[start : start + most] if start or len(data) > most else data):
                # Only the host's own queue can be full here, far above our mark; then nothing more of `data` fits.
                self.reset()
                raise StreamReset
        return True

    async def write(self, data: bytes) -> None:
        size = len(data)
        start = 0
        while True:
            if self._machine.write is not WriteState.OPEN:
                raise self._why_not_writable()
            if self._room.is_waiting:
                raise StreamBusy
            if self._is_full():
                await self._wait_for_room()
                continue
            if start >= size:
                return
            most = self._budget.max_payload
            payload = data if size <= most else data[start : start + most]
            if self._try_send(payload):
                start += len(payload)
                if start >= size:
                    return
            else:
                await self._wait_for_room()

    async def close_write(self) -> None:
        self._perform(self._machine.finish_writing(self._loop.time()))

    async def close(self) -> None:
        now = self._loop.time()
        if self._machine.read is ReadState.OPEN:
            self._drop_unread(StreamClosed())
        self._perform(self._machine.finish_writing(now))
        self._perform(self._machine.abandon_reading(now))

    def reset(self) -> None:
        self._perform(self._machine.reset())

    def connection_lost(self, reason: DarkSwapError) -> None:
        """The connection below is gone: both directions fail with `reason`, without a word to the peer."""
        if self._is_gone:
            return
        if self._machine.read is ReadState.OPEN:
            self._inbox.end(reason)
        if self._machine.write is WriteState.OPEN:
            self._write_error = reason
        self._machine.channel_closed()
        self._leave()

    # --- DataChannelListener

    def opened(self) -> None:
        early, self._before_open = self._before_open, None
        for frame in early or ():
            self._channel.send(frame)
        if not self._open.done():
            self._open.set_result(None)

    def received(self, data: bytes) -> None:
        if self._machine.is_over:
            # What was under way when the stream broke is not even looked at.
            self._on_work(1)
            return
        if self._aligned:
            payload = sole_payload(data)
            if payload is not None:
                if len(payload) < SMALL:
                    self._on_work(1)
                self._deliver(payload)
                return
        try:
            frames = self._decoder.feed(data)
        except MalformedMessage:
            self._on_work(MAX_FRAMES)
            self.reset()
            return
        # js sends the length of a frame and its body apart: what a message brings pays for what it costs.
        self._on_work((self._decoder.decoded or 1) - len(data) // SMALL)
        self._aligned = self._decoder.is_empty
        for frame in frames:
            if frame.data:
                self._deliver(frame.data)
            if frame.flag is not None:
                self._perform(self._machine.receive_flag(frame.flag, self._loop.time()))

    def drained(self) -> None:
        self._budget.wake()

    def closed(self) -> None:
        self._perform(self._machine.channel_closed())
        self._leave()

    # --- receiving

    def _deliver(self, payload: bytes) -> None:
        if self._machine.read is not ReadState.OPEN:
            return
        self.bytes_received += len(payload)
        if self._sink is not None:
            self._sink(payload)
            return
        self._inbox.feed(payload)
        has_room = self._account is None or self._account.add(len(payload))
        if not has_room or len(self._inbox) > self._limits.webrtc_receive_buffer:
            self.reset()

    def _release(self, count: int) -> None:
        if self._account is not None:
            self._account.release(count)

    def _drop_unread(self, reason: DarkSwapError) -> None:
        self._release(len(self._inbox))
        self._inbox.end(reason, drop=True)

    # --- sending

    def recount(self) -> int:
        """Take the host's figure of what this channel still has to send."""
        amount = 0 if self._is_gone else self._channel.buffered_amount
        self._budget.queued += amount - self._queued
        self._queued = amount
        return amount

    def wake(self) -> None:
        """Let the waiting writer look again."""
        self._room.wake()

    def _is_full(self) -> bool:
        # Our count only grows between looks at the host's, so it is never below the truth, and nearly free.
        if self._queued >= self._limits.channel_high_water and self.recount() >= self._limits.channel_high_water:
            return True
        return self._budget.is_full()

    def _try_send(self, payload: bytes) -> bool:
        """False when the host's queue is full."""
        if not payload:
            return True
        frame = data_frame(payload)
        if not self._send(frame):
            return False
        self.bytes_sent += len(payload)
        return True

    def _send(self, frame: bytes) -> bool:
        if self._before_open is not None:
            self._before_open.append(frame)
        else:
            try:
                self._channel.send(frame)
            except TooManyRequests:
                return False
            except StreamClosed:
                # The channel went before its event arrived.
                self.closed()
                raise StreamReset from None
        self._queued += len(frame)
        self._budget.queued += len(frame)
        return True

    async def _wait_for_room(self) -> None:
        """Until the channel is down to the low-water mark, or the connection has room, or the stream broke."""
        while self._machine.write is WriteState.OPEN:
            self._budget.waiting.add(self)
            # The event is a hint: it may come early, late or never (js-libp2p#2628).
            poll = self._loop.call_later(self._limits.drain_poll, self.wake)
            try:
                await self._room.wait()
            finally:
                poll.cancel()
                self._budget.waiting.discard(self)
            if self.recount() <= self._limits.channel_low_water and not self._budget.is_full():
                return

    def _why_not_writable(self) -> DarkSwapError:
        if self._write_error is not None:
            return self._write_error.fresh()
        return StreamReset() if self._machine.write is WriteState.RESET else StreamClosed()

    # --- the end

    def _perform(self, actions: Iterable[StreamAction]) -> None:
        for action in actions:
            if action in _FLAG_ACTIONS:
                self._send_flag(_FLAG_ACTIONS[action])
            elif action is StreamAction.END_READ:
                self._inbox.end(EndOfStream())
            elif action is StreamAction.BREAK_READ:
                self._drop_unread(StreamReset())
            elif action is StreamAction.BREAK_WRITE:
                self._write_error = StreamReset()
                self.wake()
            elif action is StreamAction.CLOSE_CHANNEL:
                self._close_when_sent(self._loop.time() + LINGER)
        if self._machine.write in (WriteState.CLOSED, WriteState.RESET):
            self._set_flushed()
        self._set_timer()

    def _set_flushed(self) -> None:
        if not self._flushed.done():
            self._flushed.set_result(None)

    def _send_flag(self, frame: bytes) -> None:
        if not self._is_gone and self._channel.ready_state in ("open", "connecting"):
            try:
                self._send(frame)
            except StreamReset:
                return

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._machine.deadline is not None and not self._is_gone:
            self._timer = self._loop.call_at(self._machine.deadline, self._on_timer)

    def _on_timer(self) -> None:
        self._perform(self._machine.handle_timeout(self._loop.time()))

    def _close_when_sent(self, give_up_at: float) -> None:
        if self._is_gone:
            return
        if self._before_open is None and self.recount() > 0 and self._loop.time() < give_up_at:
            self._loop.call_later(_CLOSE_POLL, self._close_when_sent, give_up_at)
        else:
            self._channel.close()

    def _leave(self) -> None:
        if self._is_gone:
            return
        self._is_gone = True
        # What is not read by now counts no more: nobody may be left to read it.
        self._release(len(self._inbox))
        self._account = None
        self.recount()
        self._budget.leave(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._open.done():
            self._open.set_result(None)
        self._set_flushed()
        self.wake()
        self._budget.wake()
        self._on_over(self)
