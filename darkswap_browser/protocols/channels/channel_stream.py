"""The stream below a channel, and whether its path is a direct one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from darkswap_browser.net.connection import Connection
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


class ChannelStream:
    """A stream that carries, or carried, a channel."""

    def __init__(self, stream: BufferedStream, connection: Connection) -> None:
        self.stream = stream
        self.connection = connection
        self.prompt = stream.raw if isinstance(stream.raw, PromptStream) else None
        self._push = stream.raw if isinstance(stream.raw, PushStream) else None
        self.control: list[bytes] = []
        self.is_writing = False
        self.said_close = False

    def try_write(self, data: bytes) -> bool:
        """Write without waiting; False where that cannot be done now."""
        return self.prompt is not None and not self.is_writing and self.prompt.try_write(data)

    def push_to(self, sink: Callable[[bytes], None] | None) -> None:
        """Data goes to `sink` at once, where the stream can do that and nothing read ahead is left."""
        if self._push is not None and (sink is None or not self.stream.ahead):
            self._push.push_to(sink)
