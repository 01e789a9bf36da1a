"""The small standard library that `init()` loads: an import of what it lacks says how to get the whole one."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

# Written by `build.py build` into the small library alone.
INDEX = "_darkswap_left_out"
# Pyodide adds "removed … due to browser limitations" to an error without this attribute (_pyodide/_importhook.py).
NOTED = "_PYODIDE_ADDED_NOTE"


class LeftOutFinder(MetaPathFinder):
    """The last finder: reached when no other knows a module."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return None for a module that the whole library lacks as well.

        Raises:
            ModuleNotFoundError: The module is in the whole library only.
        """
        if fullname not in self._names:
            return None
        error = ModuleNotFoundError(
            f"No module named {fullname!r}: it is left out of the small standard library · init({{ stdlib: 'full' }})",
            name=fullname,
        )
        setattr(error, NOTED, True)
        raise error


def install() -> bool:
    """Put a `LeftOutFinder` behind all finders. Returns False, and does nothing, under the whole library."""
    try:
        index = importlib.import_module(INDEX)
    except ModuleNotFoundError:
        return False
    sys.meta_path.append(LeftOutFinder(index.MODULES))
    return True
