"""Streams: the one shape that everything above the transports speaks.

A `Stream` is a reliable, ordered, half-closable duplex of bytes: a yamux stream, a data channel, a relayed circuit,
the secured link below a muxer. `BufferedStream` adds exact reads and length-prefixed messages and keeps what was
read too far, so no layer consumes bytes of the next. `ReceiveBuffer` is the inbound half that implementations share.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from darkswap_browser.concurrency.waiter import Waiter
from darkswap_browser.errors import DarkSwapError, EndOfStream, MalformedMessage, StreamBusy, StreamError
from darkswap_browser.wire.varint import MAX_VARINT_BYTES, decode_varint_prefix, encode_varint

SMALL_PIECE = 1024
"""Bytes below which a piece that is received is joined with those before it …"""
JOINED_PIECE = 16 * 1024
"""… until they are as many."""


class Stream(Protocol):
    async def read(self, max_bytes: int = 65536) -> bytes:
        """Between 1 and `max_bytes` bytes. Raises `EndOfStream`, `StreamReset`, `StreamClosed` or `ConnectionLost`."""
        ...

    async def write(self, data: bytes) -> None:
        """Returns once `data` is accepted for sending under back-pressure. Raises as `read` does."""
        ...

    async def close_write(self) -> None:
        """Finish our direction (FIN) after all data written; reading goes on. Idempotent."""
        ...

    async def close(self) -> None:
        """Finish both directions gracefully; unread data is dropped. Idempotent, never raises `StreamError`."""
        ...

    def reset(self) -> None:
        """Break the stream off in both directions at once. Idempotent."""
        ...


class ReceiveBuffer:
    """Bytes that arrived and were not read yet, with one waiting reader.

    `on_read(count)` is called as the application takes bytes: the place to grant credit to the sender.
    """

    def __init__(self, on_read: Callable[[int], None] | None = None) -> None:
        self._chunks: deque[bytes | bytearray] = deque()
        self._size = 0
        self._end: DarkSwapError | None = None
        self._waiter = Waiter()
        self._on_read = on_read

    def __len__(self) -> int:
        return self._size

    def feed(self, data: bytes) -> None:
        if data and self._end is None:
            self._keep(data)
            self._size += len(data)
            self._waiter.wake()

    def _keep(self, data: bytes) -> None:
        """Small pieces are joined: each by itself would take thirty bytes more than it has."""
        if len(data) >= SMALL_PIECE:
            self._chunks.append(data)
        elif self._chunks and isinstance(last := self._chunks[-1], bytearray) and len(last) < JOINED_PIECE:
            last += data
        else:
            self._chunks.append(bytearray(data))

    def end(self, reason: DarkSwapError, *, drop: bool = False) -> None:
        """No more will come. What is buffered is still delivered unless `drop`. The first reason stays."""
        if drop:
            self._chunks.clear()
            self._size = 0
        if self._end is None or (drop and isinstance(self._end, EndOfStream)):
            self._end = reason
        self._waiter.wake()

    async def read(self, max_bytes: int) -> bytes:
        while not self._chunks:
            if self._end is not None:
                raise self._end.fresh()
            if self._waiter.is_waiting:
                raise StreamBusy()
            await self._waiter.wait()
        return self.take(max_bytes)

    def take(self, max_bytes: int) -> bytes:
        """What waits, up to `max_bytes`, without waiting for more; nothing when nothing does."""
        if not self._chunks:
            return b""
        data = self._take(max_bytes)
        self._size -= len(data)
        if self._on_read is not None:
            self._on_read(len(data))
        return data

    def _take(self, max_bytes: int) -> bytes:
        """As many whole chunks as fit, so that small messages do not cost a call each; or a part of the first."""
        chunks = self._chunks
        data = chunks.popleft()
        if len(data) > max_bytes:
            chunks.appendleft(data[max_bytes:])
            return bytes(data[:max_bytes])
        if not chunks:
            return bytes(data)
        taken, size = [data], len(data)
        while chunks and size + len(chunks[0]) <= max_bytes:
            taken.append(chunks.popleft())
            size += len(taken[-1])
        return b"".join(taken)


class BufferedStream:
    """Any stream with look-ahead: exact reads, lines of length-prefixed messages, `unread`. Itself a `Stream`."""

    def __init__(self, raw: Stream) -> None:
        self.raw = raw
        self._ahead = bytearray()

    async def read(self, max_bytes: int = 65536) -> bytes:
        return self.take_ahead(max_bytes) or await self.raw.read(max_bytes)

    @property
    def ahead(self) -> int:
        """Bytes taken from the raw stream and not read yet."""
        return len(self._ahead)

    def take_ahead(self, max_bytes: int) -> bytes:
        """Up to `max_bytes` of what was taken from the raw stream and not read yet, without waiting for more."""
        data = bytes(self._ahead[:max_bytes])
        del self._ahead[:max_bytes]
        return data

    async def read_exactly(self, count: int) -> bytes:
        """`count` bytes. Raises `EndOfStream` when the stream ends at a boundary, `MalformedMessage` within."""
        while len(self._ahead) < count:
            try:
                self._ahead += await self.raw.read()
            except EndOfStream:
                if not self._ahead:
                    raise
                raise MalformedMessage("stream", "ended in the middle of a message") from None
        data = bytes(self._ahead[:count])
        del self._ahead[:count]
        return data

    async def read_message(self, max_size: int) -> bytes:
        """One message behind its unsigned-varint length; the length is judged before the body is awaited."""
        while (header := decode_varint_prefix(self._ahead)) is None:
            if len(self._ahead) > MAX_VARINT_BYTES:
                raise MalformedMessage("length prefix", "over-long varint")
            try:
                self._ahead += await self.raw.read()
            except EndOfStream:
                if not self._ahead:
                    raise
                raise MalformedMessage("stream", "ended in the middle of a length prefix") from None
        size, start = header
        if size > max_size:
            raise MalformedMessage("message", f"announces {size} bytes; at most {max_size} are allowed")
        del self._ahead[:start]
        return await self.read_exactly(size) if size else b""

    def has_message(self) -> bool:
        """Whether a whole length-prefixed message is here already. Raises `MalformedMessage`."""
        header = decode_varint_prefix(self._ahead)
        return header is not None and len(self._ahead) >= sum(header)

    async def write_message(self, message: bytes) -> None:
        await self.raw.write(encode_varint(len(message)) + message)

    def unread(self, data: bytes) -> None:
        """Put bytes back before everything still to be read."""
        self._ahead[:0] = data

    async def write(self, data: bytes) -> None:
        await self.raw.write(data)

    async def close_write(self) -> None:
        await self.raw.close_write()

    async def close(self) -> None:
        await self.raw.close()

    def reset(self) -> None:
        self.raw.reset()

    def __repr__(self) -> str:
        return f"<buffered {self.raw!r}>"


async def close_or_reset(stream: Stream) -> None:
    """Close; a stream that already broke is as good as closed."""
    try:
        await stream.close()
    except StreamError:
        stream.reset()
