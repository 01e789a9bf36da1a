"""How much work one connection's peer may cause: token buckets, five times as deep for peers of ours.

Cost is counted in frames, not bytes: a page handles a megabyte in frames of 16 KiB in 50 ms, and in frames of three
bytes in more than a second. Frames that carry `SMALL` bytes or more are paid by what they bring.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from darkswap_browser.errors import ProtocolViolation
from darkswap_browser.net.limits import Limits

SMALL = 1024
"""Bytes from which a frame costs nothing here."""
ADDRESS_SHARE = 8
"""Connections' worth of work that one address has: an office has more of them, but not all at their limit."""
OPENING = 20
"""What a stream that the peer opens costs, in frames: a task, negotiation, a handler."""


class TokenBucket:
    """`burst` at once, then `rate` a second. Spending goes below zero; `debt` is how long to wait then."""

    def __init__(self, burst: float, rate: float) -> None:
        self._burst = burst
        self._rate = rate
        self._level = burst
        self._at: float | None = None

    def spend(self, count: float, now: float) -> bool:
        """Whether the bucket held it. A negative `count` gives back."""
        if self._at is not None:
            self._level = min(self._burst, self._level + max(now - self._at, 0.0) * self._rate)
        self._at = now
        self._level = min(self._burst, self._level - count)
        return self._level >= 0

    @property
    def debt(self) -> float:
        """Seconds until nothing is owed, as of the last `spend`."""
        return max(-self._level, 0.0) / self._rate


class SharedBuckets:
    """One bucket of small frames for each address, of those seen last; eight connections' worth."""

    def __init__(self, limits: Limits, most: int = 4096) -> None:
        part = ADDRESS_SHARE / limits.work_strangers_part
        self._bucket = (limits.work_burst * part, limits.work_rate * part)
        self._most = most
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def of(self, source: str | None) -> TokenBucket | None:
        """By a key of `ip_key`; None where addresses are not counted."""
        if source is None:
            return None
        bucket = self._buckets.setdefault(source, TokenBucket(*self._bucket))
        self._buckets.move_to_end(source)
        while len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return bucket


def everybody() -> bool:
    """The `is_ours` of a connection whose peers are all alike."""
    return True


class WorkMeter:
    """Of one connection. `clock` gives any monotonic seconds; `is_ours` is asked each time, for peers become ours.

    `shared`: what all strangers of one address have together, beside the share of each.
    """

    def __init__(
        self,
        limits: Limits,
        is_ours: Callable[[], bool],
        clock: Callable[[], float],
        shared: TokenBucket | None = None,
    ) -> None:
        self._is_ours = is_ours
        self._shared = shared
        self._clock = clock
        self._share = limits.work_strangers_part
        self._frames = TokenBucket(limits.work_burst, limits.work_rate)
        self._waste = TokenBucket(limits.waste_burst, limits.waste_rate)

    def spend(self, frames: int) -> bool:
        """False when the peer is beyond its burst: the caller waits for `debt`, or where it cannot, ends it."""
        now = self._clock()
        has_shared = self._shared is None or self._is_ours() or self._shared.spend(frames, now)
        return self._frames.spend(self._priced(frames), now) and has_shared

    @property
    def debt(self) -> float:
        """Seconds to wait before more is taken."""
        return max(self._frames.debt, 0.0 if self._shared is None or self._is_ours() else self._shared.debt)

    def waste(self, frames: int) -> None:
        """Frames that carry nothing at all, which nobody needs to send. Raises `ProtocolViolation` for a flood."""
        if frames and not self._waste.spend(self._priced(frames), self._clock()):
            raise ProtocolViolation("connection", "a flood of frames that carry nothing")

    def _priced(self, frames: int) -> int:
        return frames if self._is_ours() else frames * self._share
