"""One yamux stream as the application sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from darkswap_browser.concurrency.waiter import Waiter
from darkswap_browser.errors import DarkSwapError, EndOfStream, StreamBusy, StreamClosed, StreamReset
from darkswap_browser.net.stream import ReceiveBuffer


class StreamHost(Protocol):
    """What a stream asks of its connection. Nothing happens for the number of a stream that is over."""

    def queue(self, number: int, data: bytes) -> None: ...

    def has_room(self, number: int) -> bool:
        """Whether a writer may go on."""
        ...

    def wait_for_room(self, number: int, stream: YamuxStream) -> None:
        """Call `stream.wake_writer` once there is room."""
        ...

    def finish(self, number: int) -> None: ...

    def reset(self, number: int) -> None: ...

    def consumed(self, number: int, count: int) -> None:
        """The application read `count` bytes."""
        ...

    def linger(self, number: int) -> None:
        """Both halves are closed here; reset the stream if the peer does not end its own in time."""
        ...


class YamuxStream:
    """One stream. Reading grants credit to the peer; writing waits while much of it is queued."""

    def __init__(self, session: StreamHost, number: int) -> None:
        self._session = session
        self._number = number
        self._buffer = ReceiveBuffer(self._credit)
        self._end: DarkSwapError | None = None
        self._write_closed = False
        self._discarding = False
        self._sink: Callable[[bytes], None] | None = None
        self._room = Waiter()

    async def read(self, max_bytes: int = 65536) -> bytes:
        return await self._buffer.read(max_bytes)

    def push_to(self, sink: Callable[[bytes], None] | None) -> None:
        """Hand over data as it arrives, what waits already first; None: buffer it for `read` again.

        `read` still tells the end, and nothing else meanwhile. What is handed over counts as read.
        """
        self._sink = sink
        while sink is not None and len(self._buffer):
            sink(self._buffer.take(len(self._buffer)))

    def try_write(self, data: bytes) -> bool:
        """Queue all of `data`, or nothing: False when a writer would have to wait. Raises as `write` does."""
        self._check_writable()
        if self._room.is_waiting or not self._session.has_room(self._number):
            return False
        self._session.queue(self._number, data)
        return True

    async def write(self, data: bytes) -> None:
        self._check_writable()
        if self._room.is_waiting:
            raise StreamBusy()
        self._session.queue(self._number, data)
        while not self._session.has_room(self._number):
            self._session.wait_for_room(self._number, self)
            await self._room.wait()
            if self._end is not None:
                raise self._end.fresh()

    def _check_writable(self) -> None:
        if self._end is not None:
            raise self._end.fresh()
        if self._write_closed:
            raise StreamClosed()

    async def close_write(self) -> None:
        if not self._write_closed:
            self._write_closed = True
            self._session.finish(self._number)

    async def close(self) -> None:
        """FIN, and whatever still comes is dropped but credited, so the peer can come to its own end."""
        if self._discarding:
            return
        await self.close_write()
        self._discarding = True
        unread = len(self._buffer)
        self._buffer.end(StreamClosed(), drop=True)
        if self._end is None:
            self._credit(unread)
            self._session.linger(self._number)

    def reset(self) -> None:
        if self._end is None:
            self._session.reset(self._number)
            self.ended(StreamReset(), drop=True)

    # --- called by the session

    def received(self, data: bytes) -> None:
        if self._discarding:
            self._credit(len(data))
        elif self._sink is not None:
            self._sink(data)
            self._credit(len(data))
        else:
            self._buffer.feed(data)

    def remote_finished(self) -> None:
        self._buffer.end(EndOfStream())

    def ended(self, reason: DarkSwapError, *, drop: bool) -> None:
        """Both halves are over; `drop` also what was received and not read."""
        if self._end is None:
            self._end = reason
            self._buffer.end(reason, drop=drop)
            self.wake_writer()

    def wake_writer(self) -> None:
        self._room.wake()

    def _credit(self, count: int) -> None:
        if self._end is None:
            self._session.consumed(self._number, count)

    def __repr__(self) -> str:
        return f"<yamux stream {self._number}>"
