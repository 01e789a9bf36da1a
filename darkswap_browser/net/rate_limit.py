"""Token buckets, one per key: how often somebody may ask."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """A token bucket: `burst` at once, then one more every `interval` seconds. A burst of 0 lifts the limit."""

    burst: int
    interval: float


class TokenBuckets:
    """Buckets that were never touched are full, so a bucket that has refilled need not be remembered.

    At most `tracked` keys are kept. When more are in debt, the one nearest to full goes: it has least to hide.
    """

    def __init__(self, rate: Rate, tracked: int) -> None:
        self._rate = rate
        self._tracked = tracked
        self._full_at: dict[Hashable, float] = {}
        """Key → time at which its bucket is full again: the one number that tells every level."""

    def __len__(self) -> int:
        return len(self._full_at)

    def allows(self, key: Hashable, now: float) -> bool:
        """Is there a token? Takes none."""
        if not self._rate.burst:
            return True
        debt = max(self._full_at.get(key, now) - now, 0.0)
        # The tolerance keeps sums of many refills from missing the moment by a rounding error.
        return debt <= (self._rate.burst - 1) * self._rate.interval + 1e-6

    def wait(self, key: Hashable, now: float) -> float:
        """Seconds until there is a token."""
        debt = max(self._full_at.get(key, now) - now, 0.0)
        return max(debt - (self._rate.burst - 1) * self._rate.interval, 0.0) if self._rate.burst else 0.0

    def take(self, key: Hashable, now: float) -> bool:
        """Take one token; False (and nothing taken) when there is none."""
        if not self._rate.burst:
            return True
        if not self.allows(key, now):
            return False
        self._full_at[key] = max(self._full_at.get(key, now), now) + self._rate.interval
        if len(self._full_at) > self._tracked:
            self.sweep(now)
            if len(self._full_at) > self._tracked:
                del self._full_at[min(self._full_at, key=self._full_at.__getitem__)]
        return True

    def sweep(self, now: float) -> None:
        """Forget the buckets that are full again."""
        self._full_at = {key: full_at for key, full_at in self._full_at.items() if full_at > now}
