from __future__ import annotations

from darkswap_browser.trades.failure_limiter import FailureLimiter


def test_a_key_may_fail_so_often_and_a_good_end_clears_it() -> None:
    tries = FailureLimiter(allowed=3, kept=10)
    for _ in range(3):
        assert tries.is_allowed(("a", "b"))
        tries.record_failure(("a",))
    assert not tries.is_allowed(("a", "b"))
    assert tries.is_allowed(("b",))
    tries.record_success(("a",))
    assert tries.is_allowed(("a",))


def test_no_more_keys_are_remembered_than_said() -> None:
    tries = FailureLimiter(allowed=1, kept=2)
    tries.record_failure(("a",))
    tries.record_failure(("b", "c"))
    assert tries.is_allowed(("a",))
    assert not tries.is_allowed(("b",))
