from __future__ import annotations

from darkswap_browser.trades.failure_limiter import FIRST_PAUSE_SECONDS, PAUSE_FACTOR, FailureLimiter

LATER = 10**6


def test_a_key_may_fail_so_often_and_a_good_end_clears_it() -> None:
    tries = FailureLimiter(allowed=3, kept=10)
    for number in range(3):
        assert tries.is_allowed(("a", "b"), number * LATER)
        tries.record_failure(("a",), number * LATER)
    assert not tries.is_allowed(("a", "b"), 9 * LATER)
    assert tries.is_allowed(("b",), 0)
    tries.record_success(("a",))
    assert tries.is_allowed(("a",), 0)


def test_after_each_further_failure_a_longer_pause_follows() -> None:
    tries, now = FailureLimiter(allowed=5, kept=10), 0
    tries.record_failure(("a",), now)
    assert tries.is_allowed(("a", "b"), now), "who changed his mind once"
    for number in range(3):
        tries.record_failure(("a",), now)
        pause = FIRST_PAUSE_SECONDS * PAUSE_FACTOR**number
        assert not tries.is_allowed(("a", "b"), now + pause - 1)
        assert tries.is_allowed(("a", "b"), now + pause)
        now += pause


def test_no_more_keys_are_remembered_than_said() -> None:
    tries = FailureLimiter(allowed=1, kept=2)
    tries.record_failure(("a",), 0)
    tries.record_failure(("b", "c"), 0)
    assert tries.is_allowed(("a",), 0)
    assert not tries.is_allowed(("b",), LATER)
