"""How often somebody may ask for nothing: requests that end before a signature cost us coins shown and held."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable


class FailureLimiter:
    """At most `allowed` failures per key; `kept` keys are remembered, the oldest goes first."""

    def __init__(self, allowed: int, kept: int) -> None:
        self._allowed = allowed
        self._kept = kept
        self._failed: OrderedDict[Hashable, int] = OrderedDict()

    def is_allowed(self, keys: Iterable[Hashable]) -> bool:
        return all(self._failed.get(key, 0) < self._allowed for key in keys)

    def record_failure(self, keys: Iterable[Hashable]) -> None:
        for key in keys:
            self._failed[key] = self._failed.get(key, 0) + 1
            self._failed.move_to_end(key)
            if len(self._failed) > self._kept:
                self._failed.popitem(last=False)

    def record_success(self, keys: Iterable[Hashable]) -> None:
        """Whoever ends a trade well begins anew."""
        for key in keys:
            self._failed.pop(key, None)
