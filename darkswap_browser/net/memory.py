"""Bytes that peers made this node keep: received, and not read by the application. One budget for a whole node.

Each connection and each stream has a bound of its own; the sum of honest bounds over many connections is more than a
host has. Whoever holds little when the budget is spent may go on, so that nobody is cut off by what others do.
"""

from __future__ import annotations

from collections.abc import Callable

from darkswap_browser.net.limits import Limits


class MemoryBudget:
    """What all connections hold: of peers of ours, and of strangers, who have a tenth of it."""

    def __init__(self, limits: Limits) -> None:
        self._least = limits.unread_least
        self._most = {True: limits.unread_bytes, False: limits.unread_bytes_of_strangers}
        self._held = {True: 0, False: 0}

    @property
    def held(self) -> int:
        return sum(self._held.values())

    def account(self, is_ours: Callable[[], bool]) -> MemoryAccount:
        """For one connection. `is_ours` is asked each time: peers become ours."""
        return MemoryAccount(self, is_ours)

    def change(self, count: int, *, ours: bool) -> None:
        """For accounts."""
        self._held[ours] += count

    def allows(self, held: int, *, ours: bool) -> bool:
        """Whether an account that holds so much may go on."""
        return held <= self._least or self._held[ours] <= self._most[ours]


class MemoryAccount:
    """What one connection holds."""

    def __init__(self, budget: MemoryBudget, is_ours: Callable[[], bool]) -> None:
        self._budget = budget
        self._is_ours = is_ours
        self._ours = is_ours()
        self.held = 0

    def add(self, count: int) -> bool:
        """Keep `count` bytes more. False when it is too much: the caller lets go of them, and of the stream."""
        if (ours := self._is_ours()) is not self._ours:
            self._budget.change(-self.held, ours=self._ours)
            self._budget.change(self.held, ours=ours)
            self._ours = ours
        self.held += count
        self._budget.change(count, ours=self._ours)
        return self._budget.allows(self.held, ours=self._ours)

    def release(self, count: int) -> None:
        self.held -= count
        self._budget.change(-count, ours=self._ours)

    def close(self) -> None:
        """Nothing is held any more."""
        self.release(self.held)
