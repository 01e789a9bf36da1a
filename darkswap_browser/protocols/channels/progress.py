"""How far a long message has come, told often enough to draw and no more often."""

from __future__ import annotations

from collections.abc import Callable

from darkswap_browser.concurrency.faults import Guard, ReportFault, log_fault, subscriber_failed

Progress = Callable[[int, int], None]
"""(bytes the peer has taken, size of the message)."""


class SendProgress:
    """Messages whose sender wants to know.

    A callback that raises is reported and not called again.
    """

    def __init__(self, report: ReportFault = log_fault) -> None:
        self._report = report
        self._watches: list[tuple[int, int, int, Progress]] = []

    def watch(self, number: int, end: int, size: int, on_progress: Progress) -> None:
        """Message `number`, of `size` bytes, ends at position `end`."""
        self._watches.append((number, end, size, on_progress))

    def report(self, consumed: int) -> None:
        """The peer has taken everything up to position `consumed`."""
        waiting = []
        for number, end, size, on_progress in self._watches:
            with Guard(self._failed):
                on_progress(max(0, min(size, size - (end - consumed))), size)
                if end > consumed:
                    waiting.append((number, end, size, on_progress))
        self._watches = waiting

    def move(self, acknowledged: int, end_of: Callable[[int], int]) -> None:
        """Another session: messages up to `acknowledged` are not in it, the others end elsewhere."""
        self._watches = [
            (number, end_of(number), size, on_progress)
            for number, _, size, on_progress in self._watches
            if number > acknowledged
        ]

    def _failed(self, error: BaseException) -> None:
        self._report("a progress callback", subscriber_failed("a progress callback", error))


class ReceiveProgress:
    """The long message under way: told every `step` bytes, and when all of it is there if it was told before."""

    def __init__(self, step: int) -> None:
        self._step = step
        self._told: tuple[int, int] | None = None

    def reports(self, progress: tuple[int, int] | None) -> list[tuple[int, int]]:
        """What to tell, as (bytes so far, size), now that the message under way is at `progress`; None: none is."""
        found = []
        told = self._told
        if told is not None and (progress is None or progress[0] < told[0] or progress[1] != told[1]):
            found.append((told[1], told[1]))
            told = self._told = None
        if progress is not None and progress[0] >= self._step + (told[0] if told is not None else 0):
            self._told = progress
            found.append(progress)
        return found

    def clear(self) -> None:
        """The message under way will not be completed: another session began."""
        self._told = None
