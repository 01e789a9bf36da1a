"""How often somebody may ask for nothing: requests that end before a signature cost us coins shown and held."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

FIRST_PAUSE_SECONDS = 60
"""After the second failure: whoever changed his mind once may come back at once …"""
PAUSE_FACTOR = 4
"""… and after each further one so many times as long."""


@dataclass(frozen=True, slots=True)
class _Failures:
    count: int = 0
    until: int = 0
    """Unix second before which nothing more is tried."""


class FailureLimiter:
    """At most `allowed` failures per key, from the second on with a pause that grows; `kept` keys are remembered, the
    oldest goes first. Times in unix seconds.
    """

    def __init__(self, allowed: int, kept: int) -> None:
        self._allowed = allowed
        self._kept = kept
        self._failed: OrderedDict[Hashable, _Failures] = OrderedDict()

    def is_allowed(self, keys: Iterable[Hashable], now: int) -> bool:
        found = [self._failed[key] for key in keys if key in self._failed]
        return all(each.count < self._allowed and now >= each.until for each in found)

    def record_failure(self, keys: Iterable[Hashable], now: int) -> None:
        for key in keys:
            before = self._failed.get(key, _Failures())
            pause = FIRST_PAUSE_SECONDS * PAUSE_FACTOR ** (before.count - 1) if before.count else 0
            self._failed[key] = _Failures(before.count + 1, now + pause)
            self._failed.move_to_end(key)
            if len(self._failed) > self._kept:
                self._failed.popitem(last=False)

    def record_success(self, keys: Iterable[Hashable]) -> None:
        """Whoever ends a trade well begins anew."""
        for key in keys:
            self._failed.pop(key, None)
