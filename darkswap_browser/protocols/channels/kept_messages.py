"""Messages of a channel that are kept in a store until they are settled, so that they outlive the process."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Protocol


class MessageKeeper(Protocol):
    """Has the store. Neither call waits."""

    def settled(self, names: Sequence[str]) -> None:
        """The messages were delivered, or told as undelivered: they are kept no longer."""
        ...

    def mark(self, kept: KeptMessages) -> None:
        """Store of `kept.unmarked` that they may have been written, then call `kept.marked`."""
        ...


class KeptMessages:
    """Of one channel, by their ids. `go_on` is called when they may be written."""

    def __init__(self) -> None:
        self.keeper: MessageKeeper | None = None
        self.names: dict[int, str] = {}
        """Id → name in the store."""
        self.unmarked: set[str] = set()
        """Those of which the store says that they were never written: they must not be, before it says otherwise."""
        self.go_on: Callable[[], None] = lambda: None

    def add(self, number: int, name: str, *, is_marked: bool) -> None:
        self.names[number] = name
        if not is_marked:
            self.unmarked.add(name)

    def attached(self) -> None:
        """There is a stream: what waits is about to be written."""
        if self.unmarked and self.keeper is not None:
            self.keeper.mark(self)

    def marked(self, names: Container[str]) -> None:
        self.unmarked = {name for name in self.unmarked if name not in names}
        self.go_on()

    def acknowledged(self, number: int) -> None:
        """All messages up to `number` were taken."""
        if self.names:
            self._settle([each for each in self.names if each <= number])

    def told(self, ids: range) -> None:
        if self.names:
            self._settle([each for each in self.names if each in ids])

    def _settle(self, ids: Sequence[int]) -> None:
        names = [self.names.pop(each) for each in ids]
        self.unmarked.difference_update(names)
        if names and self.keeper is not None:
            self.keeper.settled(names)
