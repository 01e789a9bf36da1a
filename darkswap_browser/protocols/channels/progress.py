"""How far a long message has come, told often enough to draw and no more often."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""(bytes the peer has taken, size of the message)."""


class Outgoing:
    """Messages whose sender wants to know. Positions count all bytes that were ever accepted."""

    def __init__(self) -> None:
        self._watches: list[tuple[int, int, Progress]] = []

    def watch(self, end: int, size: int, on_progress: Progress) -> None:
        """A message of `size` bytes that ends at position `end`."""
        self._watches.append((end, size, on_progress))

    def report(self, consumed: int) -> None:
        """The peer has taken everything up to position `consumed`."""
        waiting = []
        for end, size, on_progress in self._watches:
            on_progress(max(0, min(size, size - (end - consumed))), size)
            if end > consumed:
                waiting.append((end, size, on_progress))
        self._watches = waiting

    def clear(self) -> None:
        self._watches.clear()


class Incoming:
    """Whether `step` more bytes of the message under way came since it was told last."""

    def __init__(self, step: int) -> None:
        self._step = step
        self._told = 0

    def is_due(self, received: int) -> bool:
        if self._told <= received < self._told + self._step:
            return False
        self._told = received
        return True
