"""What a session knows of one stream."""

from __future__ import annotations

from collections import deque

from darkswap_browser.net.yamux.frames import INITIAL_WINDOW


class StreamState:
    __slots__ = (
        "acknowledged",
        "capacity",
        "consumed",
        "finished",
        "finishing",
        "queue",
        "queued",
        "receive_window",
        "remote_finished",
        "scheduled",
        "send_window",
        "unread",
    )

    def __init__(self) -> None:
        self.send_window = INITIAL_WINDOW
        self.receive_window = INITIAL_WINDOW
        """What the peer may still send."""
        self.capacity = INITIAL_WINDOW
        """What it may send when all is read."""
        self.consumed = 0
        """Read by the application and not credited yet."""
        self.unread = 0
        """Received and not read by the application."""
        self.queue: deque[bytes | memoryview] = deque()
        self.queued = 0
        self.scheduled = False
        self.acknowledged = False
        self.finishing = False
        self.finished = False
        self.remote_finished = False
