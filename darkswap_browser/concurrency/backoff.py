"""How long to wait before something that failed is tried again. Seconds; chance is an argument."""

from __future__ import annotations


class Backoff:
    """Doubling waits between `first` and `largest` seconds."""

    def __init__(self, first: float, largest: float) -> None:
        self._first = first
        self._largest = largest
        self._next = first

    def wait(self, chance: float = 0.0) -> float:
        """Seconds to wait before the next attempt.

        Args:
            chance: 0…1, shortens the wait by up to a half, so that many clients do not come back in step.
        """
        current = self._next
        self._next = min(current * 2, self._largest)
        return current * (1 - chance / 2)

    def reset(self) -> None:
        """Begin with `first` again: an attempt succeeded, or the host says that its network changed."""
        self._next = self._first
