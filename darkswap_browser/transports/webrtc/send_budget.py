"""What the data channels of one connection may have queued, all together."""

from __future__ import annotations

from typing import Protocol

from darkswap_browser.transports.webrtc.messages import MAX_PAYLOAD


class QueuedStream(Protocol):
    def wake(self) -> None:
        """Let the waiting writer look again."""
        ...

    def recount(self) -> int:
        """Take the host's figure of what the channel still has to send."""
        ...


class SendBudget:
    """Bytes handed to all channels of one connection and not known to be sent."""

    def __init__(self, high_water: int) -> None:
        self.high_water = high_water
        self.queued = 0
        self.max_payload = MAX_PAYLOAD
        """Of one message to this peer."""
        self.waiting: set[QueuedStream] = set()
        """Streams with a writer that waits, for room of its own or of the connection."""
        self._streams: set[QueuedStream] = set()

    def join(self, stream: QueuedStream) -> None:
        self._streams.add(stream)

    def leave(self, stream: QueuedStream) -> None:
        self._streams.discard(stream)

    def wake(self) -> None:
        for stream in self.waiting:
            stream.wake()

    def is_full(self) -> bool:
        """Asks the host only when our own count says full."""
        if self.queued < self.high_water:
            return False
        for stream in self._streams:
            stream.recount()
        return self.queued >= self.high_water
