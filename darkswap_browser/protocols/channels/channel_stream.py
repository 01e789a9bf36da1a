"""The stream below a channel, and whether its path is a direct one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from darkswap_browser.net.connection import CircuitLimit, Connection
from darkswap_browser.net.stream import BufferedStream


@runtime_checkable
class PromptStream(Protocol):
    """A stream that can take bytes without waiting."""

    def try_write(self, data: bytes) -> bool:
        """All of `data`, or nothing: False when a writer would have to wait."""
        ...


@runtime_checkable
class PushStream(Protocol):
    """A stream that can hand over data from within the host's own event, which saves waking a task for it."""

    def push_to(self, sink: Callable[[bytes], None] | None) -> None:
        """Everything from now on, what waits already first; None: keep it for `read` again.

        `read` tells the end all the same.
        """
        ...


WRITE_ON_CIRCUIT = 16 * 1024
"""Bytes of one write on a circuit with a limit: what a relay cuts off in the middle is lost as a whole."""
_LEAST = 512
"""Below this a circuit counts as spent."""
_COST_OF_WRITE = 64
"""Frames of Noise and yamux around one write, at most."""


def usable(limit: CircuitLimit) -> int:
    """Bytes in one direction that a circuit can be trusted with: the handshake, pings and identify pass over it too,
    and a relay that cuts drops what it has not passed on."""
    return limit.data - min(limit.data // 2, limit.data // 8 + 4096)


class ChannelStream:
    """A stream that carries, or carried, a channel."""

    def __init__(self, stream: BufferedStream, connection: Connection) -> None:
        self.stream = stream
        self.connection = connection
        self.prompt = stream.raw if isinstance(stream.raw, PromptStream) else None
        self._push = stream.raw if isinstance(stream.raw, PushStream) else None
        self._control: dict[int, bytes] = {}
        """The newest frame of each kind that waits to be written: it says all that those before it did."""
        self.is_writing = False
        self.said_close = False
        limit = connection.limit
        self._usable = usable(limit) if limit is not None and limit.data else 0
        self.writes = 0

    def room(self) -> int | None:
        """Bytes of the session that the next write may have; None: as many as it likes."""
        if not self._usable:
            return None
        sent = int(self.connection.stats()["bytes_sent"])
        left = self._usable - sent - _COST_OF_WRITE * self.writes
        return 0 if left < _LEAST else min(left, WRITE_ON_CIRCUIT)

    @property
    def is_spent(self) -> bool:
        """Whether one direction has carried nearly all that a relay allows."""
        if not self._usable:
            return False
        stats = self.connection.stats()
        most = max(int(stats["bytes_sent"]) + _COST_OF_WRITE * self.writes, int(stats["bytes_received"]))
        return most > self._usable - _LEAST

    def queue_control(self, frame: bytes) -> None:
        """`frame` goes out with the next write."""
        self._control[frame[1]] = frame

    def take_control(self) -> bytes:
        frames = b"".join(self._control.values())
        self._control.clear()
        return frames

    def try_write(self, data: bytes) -> bool:
        """Write without waiting; False where that cannot be done now."""
        return self.prompt is not None and not self.is_writing and self.prompt.try_write(data)

    def push_to(self, sink: Callable[[bytes], None] | None) -> None:
        """Data goes to `sink` at once, where the stream can do that and nothing read ahead is left."""
        if self._push is not None and (sink is None or not self.stream.ahead):
            self._push.push_to(sink)
