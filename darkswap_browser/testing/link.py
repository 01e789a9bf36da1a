"""A virtual socket: two ends that carry bytes, with back-pressure and every way to break."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable

from darkswap_browser.concurrency.waiter import Waiter
from darkswap_browser.errors import ConnectionLost, DarkSwapError, EndOfStream, StreamBusy
from darkswap_browser.testing.pipe import Pipe, Route

SILENCE_SECONDS = 57.0
"""A link whose path stays cut this long is lost: the native host's ping interval and pong deadline together."""

SEND_BUFFER = 256 * 1024
"""Bytes written and not yet read by the other end before a writer waits."""


class _Finished:
    """Travels behind the last byte of a closed end, or in place of what a reset dropped."""

    def __init__(self, reason: DarkSwapError) -> None:
        self.reason = reason


class SimulatedLink:
    """One end of a virtual socket. Fulfils `runtime.base.ByteLink`."""

    def __init__(
        self, host: str, remote: str, route: Route, split: random.Random | None, gone: Callable[[SimulatedLink], None]
    ) -> None:
        self.host = host
        self.remote = remote
        self._route = route
        self._gone = gone
        self._split = split
        self._unread: deque[bytes] = deque()
        self.unread = 0
        self._end: DarkSwapError | None = None
        self._reader = Waiter()
        self._writers: list[asyncio.Future[None]] = []
        self._lost_timer: asyncio.TimerHandle | None = None
        self._closed = False
        self.peer: SimulatedLink = self
        self._out: Pipe[bytes | _Finished] = Pipe(route, self._arrive)

    def _arrive(self, item: bytes | _Finished) -> None:
        self.peer.receive(item)
        self.wake_writers()

    async def read(self, max_bytes: int = 65536) -> bytes:
        while not self._unread:
            if self._end is not None:
                raise self._end.fresh()
            if self._reader.is_waiting:
                raise StreamBusy()
            await self._reader.wait()
        data = self._unread.popleft()
        if len(data) > max_bytes:
            self._unread.appendleft(data[max_bytes:])
            data = data[:max_bytes]
        self.unread -= len(data)
        self.peer.wake_writers()
        return data

    async def write(self, data: bytes) -> None:
        if self._end is not None:
            raise ConnectionLost("link", str(self._end))
        for chunk in self._chunks(bytes(data)):
            self._out.send(chunk, len(chunk))
        while self._out.pending + self.peer.unread > SEND_BUFFER:
            room = asyncio.get_running_loop().create_future()
            self._writers.append(room)
            await room
            if self._end is not None and not isinstance(self._end, EndOfStream):
                raise ConnectionLost("link", str(self._end))

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._unread.clear()
            self.unread = 0
            if self._end is None:
                self._out.send(_Finished(EndOfStream()), 0)
            self.lose("closed on this side")

    def reset(self) -> None:
        if not self._closed:
            self._closed = True
            self._out.clear()
            self._out.send(_Finished(ConnectionLost("link", "reset by the peer")), 0)
            self.lose("closed on this side")

    def lose(self, reason: str) -> None:
        """This end breaks; the other learns nothing by it."""
        if not isinstance(self._end, ConnectionLost):
            self._end = ConnectionLost("link", reason)
        self._reader.wake()
        self.wake_writers()
        if self._lost_timer is not None:
            self._lost_timer.cancel()
        self._gone(self)

    def route_changed(self) -> None:
        self._out.resume()
        if self._end is not None and not isinstance(self._end, EndOfStream):
            return
        if self._route.is_up():
            if self._lost_timer is not None:
                self._lost_timer.cancel()
                self._lost_timer = None
        elif self._lost_timer is None:
            loop = asyncio.get_running_loop()
            self._lost_timer = loop.call_later(SILENCE_SECONDS, self.lose, "no answer from the other side")

    def receive(self, item: bytes | _Finished) -> None:
        if self._end is not None and not isinstance(self._end, EndOfStream):
            return
        if isinstance(item, bytes):
            self._unread.append(item)
            self.unread += len(item)
        elif isinstance(item.reason, ConnectionLost):
            self._unread.clear()
            self.unread = 0
            self.lose(item.reason.reason)
        elif self._end is None:
            self._end = item.reason
            self.wake_writers()
        self._reader.wake()

    def _chunks(self, data: bytes) -> list[bytes]:
        """Where a receiver sees borders is up to chance: sockets keep no messages."""
        if self._split is None or len(data) < 2 or self._split.random() < 0.5:
            return [data] if data else []
        cuts = sorted({self._split.randrange(1, len(data)) for _ in range(3)})
        return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]

    def wake_writers(self) -> None:
        waiting, self._writers = self._writers, []
        for writer in waiting:
            if not writer.done():
                writer.set_result(None)
