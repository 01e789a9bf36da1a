"""Drives yamux over a secure link: a `Connection` whose streams have flow control both ways."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from darkswap_browser.concurrency.faults import ReportFault, log_fault
from darkswap_browser.concurrency.tasks import Tasks
from darkswap_browser.errors import (
    ConnectionLost,
    DarkSwapError,
    EndOfStream,
    RemoteError,
    StreamClosed,
    StreamReset,
)
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import CircuitLimit, Direction, StreamHandler
from darkswap_browser.net.limits import Limits
from darkswap_browser.net.memory import MemoryAccount, MemoryBudget
from darkswap_browser.net.stream import Stream
from darkswap_browser.net.work import TokenBucket, WorkMeter, everybody
from darkswap_browser.net.yamux.events import (
    DataReceived,
    Event,
    PingAnswered,
    RemoteFinished,
    RemoteGoAway,
    StreamBroken,
    StreamOpened,
)
from darkswap_browser.net.yamux.frames import GO_AWAY, NORMAL, PROTOCOL_ERROR, pack
from darkswap_browser.net.yamux.machine import YamuxMachine
from darkswap_browser.net.yamux.stream import YamuxStream

PROTOCOL = "/yamux/1.0.0"
READ_SIZE = 256 * 1024


class YamuxConnection:
    """Fulfils `net.connection.Connection`. One task reads, one writes; both end with the connection."""

    def __init__(
        self,
        link: Stream,
        *,
        remote_peer: PeerId,
        remote_addr: Multiaddr,
        direction: Direction,
        transport: str,
        limit: CircuitLimit | None,
        limits: Limits,
        report: ReportFault = log_fault,
        account: MemoryAccount | None = None,
        is_ours: Callable[[], bool] = everybody,
        shared_work: TokenBucket | None = None,
    ) -> None:
        self.remote_peer = remote_peer
        self.remote_addr = remote_addr
        self.direction = direction
        self._loop = asyncio.get_running_loop()
        self.opened_at = self._loop.time()
        self._transport = transport
        self._limit = limit
        self._limits = limits
        self._link = link
        self._account = account or MemoryBudget(limits).account(is_ours)
        self._work = WorkMeter(limits, is_ours, self._loop.time, shared_work)
        self._machine = YamuxMachine(initiator=direction is Direction.OUTBOUND, limits=limits, account=self._account)
        self._streams: dict[int, YamuxStream] = {}
        self._waiting: dict[int, YamuxStream] = {}
        self._lingering: dict[int, asyncio.TimerHandle] = {}
        self._early: list[YamuxStream] = []
        self._on_stream: StreamHandler | None = None
        self._wake = asyncio.Event()
        self._written = asyncio.Event()
        self._writing = False
        self._pings: dict[int, asyncio.Future[None]] = {}
        self._next_ping = 0
        self._bytes_sent = 0
        self._bytes_received = 0
        self._end: DarkSwapError | None = None
        self._orderly = False
        self._stopped = False
        self._farewell: asyncio.TimerHandle | None = None
        self._tasks = Tasks(report)
        self._task = self._tasks.spawn(self._run(), "yamux")

    # --- Connection

    @property
    def transport(self) -> str:
        return self._transport

    @property
    def limit(self) -> CircuitLimit | None:
        return self._limit

    @property
    def streams(self) -> int:
        return self._machine.streams

    @property
    def is_closed(self) -> bool:
        return self._end is not None

    @property
    def close_reason(self) -> str:
        return "" if self._end is None or self._orderly else str(self._lost())

    def start(self, on_stream: StreamHandler) -> None:
        self._on_stream = on_stream
        early, self._early = self._early, []
        for stream in early:
            on_stream(stream)

    async def open_stream(self) -> Stream:
        if self._end is not None:
            raise self._lost()
        try:
            number = self._machine.open_stream()
        except StreamClosed:
            raise ConnectionLost("connection", "the peer is closing it") from None
        self._wake.set()
        stream = self._streams[number] = YamuxStream(self, number)
        return stream

    async def close(self) -> None:
        """What was written is flushed first, for at most `close_timeout`: behind GoAway js hears no more.

        Cancellation: Safe; the connection is then dropped at once.
        """
        if self._end is None:
            self._orderly = True
            self._finish(StreamClosed())
            try:
                async with asyncio.timeout(self._limits.close_timeout):
                    await self._flush()
                    self._machine.go_away(NORMAL)
                    self._wake.set()
                    await self._flush()
            except TimeoutError:
                self._link.reset()
            except BaseException:
                # Given up: nobody waits for a link to be closed politely.
                self._link.reset()
                raise
            finally:
                self._task.cancel()
        await self.wait_closed()

    def abort(self) -> None:
        if not self._stopped:
            self._finish(ConnectionLost("connection", "aborted"))
            self._link.reset()
            self._task.cancel()

    async def wait_closed(self) -> None:
        if not self._task.done():
            await asyncio.wait([self._task])

    def stats(self) -> Mapping[str, Any]:
        return {"bytes_sent": self._bytes_sent, "bytes_received": self._bytes_received, "streams": self.streams}

    async def ping(self) -> float:
        """Round trip of the session in seconds. Raises `ConnectionLost`."""
        if self._end is not None:
            raise self._lost()
        value, self._next_ping = self._next_ping, (self._next_ping + 1) % 2**32
        answered = self._pings[value] = self._loop.create_future()
        sent = self._loop.time()
        self._machine.ping(value)
        self._wake.set()
        try:
            await answered
        finally:
            self._pings.pop(value, None)
        return self._loop.time() - sent

    # --- called by the streams

    def queue(self, number: int, data: bytes) -> None:
        self._machine.send(number, data)
        self._bytes_sent += len(data)
        self._wake.set()

    def has_room(self, number: int) -> bool:
        """Whether a writer may go on. Streams that the peer does not read leave the others a small share."""
        limits = self._limits
        crowded = self._machine.queued > limits.yamux_send_buffer
        share = limits.yamux_frame if crowded else limits.yamux_stream_queue
        return self._machine.queued_on(number) <= share

    def wait_for_room(self, number: int, stream: YamuxStream) -> None:
        self._waiting[number] = stream

    def finish(self, number: int) -> None:
        self._machine.finish(number)
        self._wake.set()

    def reset(self, number: int) -> None:
        # Of this stream only: events of others that were dropped may still be on their way to them.
        self._machine.reset(number)
        self._forget(number)
        self._wake.set()

    def consumed(self, number: int, count: int) -> None:
        if self._machine.consumed(number, count):
            self._wake.set()

    def linger(self, number: int) -> None:
        if number in self._streams:
            self._lingering[number] = self._loop.call_later(self._limits.yamux_linger, self.reset, number)

    # --- the two directions

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(), name="yamux reader")
                tasks.create_task(self._write(), name="yamux writer")
        except* DarkSwapError as group:
            for error in group.exceptions:
                if isinstance(error, DarkSwapError):
                    self._finish(error)
        finally:
            self._finish(ConnectionLost("connection", "aborted"))
            self._stopped = True
            self._account.close()
            self._written.set()
            await self._close_link()

    async def _read(self) -> None:
        machine = self._machine
        while True:
            data = await self._link.read(READ_SIZE)
            self._handle(data)
            while machine.has_more or self._work.debt:
                # Others have their turn, and who sends more than its share waits: the link below holds it back.
                await asyncio.sleep(self._work.debt)
                self._handle(b"")

    def _handle(self, data: bytes) -> None:
        machine, work = self._machine, self._work
        for event in machine.receive(data):
            self._dispatch(event)
        self._forget_dropped()
        if machine.wants_to_send:
            self._wake.set()
        small, wasted = machine.take_work()
        work.spend(small)
        work.waste(wasted)

    async def _write(self) -> None:
        machine = self._machine
        while True:
            await self._wake.wait()
            self._wake.clear()
            # Everything that one turn of the event loop queued leaves in one write.
            while machine.wants_to_send:
                data = machine.take_output(self._limits.yamux_output)
                self._forget_dropped()
                self._wake_writers()
                self._writing = True
                await self._link.write(data)
                self._writing = False
            self._written.set()

    def _dispatch(self, event: Event) -> None:
        if isinstance(event, DataReceived):
            self._bytes_received += len(event.data)
            if (stream := self._streams.get(event.stream)) is not None:
                stream.received(event.data)
        elif isinstance(event, StreamOpened):
            stream = self._streams[event.stream] = YamuxStream(self, event.stream)
            if self._on_stream is None:
                self._early.append(stream)
            else:
                self._on_stream(stream)
        elif isinstance(event, RemoteFinished):
            if (stream := self._streams.get(event.stream)) is not None:
                stream.remote_finished()
        elif isinstance(event, StreamBroken):
            if (stream := self._streams.get(event.stream)) is not None:
                stream.ended(StreamReset(), drop=True)
        elif isinstance(event, PingAnswered):
            if (answered := self._pings.get(event.value)) is not None and not answered.done():
                answered.set_result(None)
        else:
            self._peer_leaves(event)

    def _peer_leaves(self, event: RemoteGoAway) -> None:
        """After GoAway 0 the peer's last streams have a moment to end."""
        if event.code != NORMAL:
            raise ConnectionLost("connection", f"the peer ended it with code {event.code}")
        self._orderly = True
        if self._farewell is None:
            delay = self._limits.close_timeout if self._machine.streams else 0.0
            self._farewell = self._loop.call_later(delay, self._leave)

    def _leave(self) -> None:
        self._finish(EndOfStream())
        self._task.cancel()

    async def _flush(self) -> None:
        while not self._stopped and (self._machine.queued or self._machine.wants_to_send or self._writing):
            self._written.clear()
            await self._written.wait()

    # --- the end

    def _finish(self, error: DarkSwapError) -> None:
        """End every stream. The first error stays: `StreamClosed` is our own end, `EndOfStream` the peer's."""
        if self._end is not None:
            return
        self._end = error
        if self._farewell is not None:
            self._farewell.cancel()
        for timer in self._lingering.values():
            timer.cancel()
        self._lingering.clear()
        self._waiting.clear()
        self._early.clear()
        reason = error if isinstance(error, StreamClosed) else self._lost()
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            stream.ended(reason, drop=False)
        for answered in self._pings.values():
            if not answered.done():
                answered.set_exception(self._lost())

    async def _close_link(self) -> None:
        is_closed = False
        try:
            async with asyncio.timeout(self._limits.close_timeout):
                if isinstance(self._end, RemoteError) and not self._writing:
                    await self._link.write(pack(GO_AWAY, 0, 0, PROTOCOL_ERROR))
                if not isinstance(self._end, ConnectionLost):
                    await self._link.close()
                    is_closed = isinstance(self._end, StreamClosed | EndOfStream)
        except (DarkSwapError, TimeoutError):
            pass  # The link is dropped.
        finally:
            if not is_closed:
                # A closed one ends by itself. Where it is a stream of another connection, a reset would take back what
                # that has not sent yet.
                self._link.reset()

    def _lost(self) -> ConnectionLost:
        """Why nothing can be done any more."""
        if isinstance(self._end, ConnectionLost):
            return self._end.fresh()
        if isinstance(self._end, EndOfStream):
            return ConnectionLost("connection", "closed by the peer" if self._orderly else "the peer hung up")
        return ConnectionLost("connection", str(self._end))

    def _forget_dropped(self) -> None:
        for number in self._machine.take_dropped():
            self._forget(number)

    def _forget(self, number: int) -> None:
        self._streams.pop(number, None)
        self._waiting.pop(number, None)
        if (timer := self._lingering.pop(number, None)) is not None:
            timer.cancel()

    def _wake_writers(self) -> None:
        for number in [number for number in self._waiting if self.has_room(number)]:
            self._waiting.pop(number).wake_writer()

    def __repr__(self) -> str:
        return f"<yamux {self.direction} {self.remote_peer} over {self._transport}>"
