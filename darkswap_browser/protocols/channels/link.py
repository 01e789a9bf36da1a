"""The stream below a channel, and whether its path is a direct one."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from darkswap_browser.net.connection import Connection
from darkswap_browser.net.stream import BufferedStream


@runtime_checkable
class PromptStream(Protocol):
    """A stream that can take bytes without waiting."""

    def try_write(self, data: bytes) -> bool:
        """All of `data`, or nothing: False when a writer would have to wait."""
        ...


def is_direct(connection: Connection) -> bool:
    return connection.transport != "circuit"


class Link:
    """A stream that carries, or carried, a channel."""

    def __init__(self, stream: BufferedStream, connection: Connection) -> None:
        self.stream = stream
        self.connection = connection
        self.prompt = stream.raw if isinstance(stream.raw, PromptStream) else None
        self.control: list[bytes] = []
        self.is_writing = False
        self.said_close = False
