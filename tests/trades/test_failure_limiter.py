from __future__ import annotations

from darkswap_browser.trades.failure_limiter import Tries


def test_a_key_may_fail_so_often_and_a_good_end_clears_it() -> None:
    tries = Tries(allowed=3, kept=10)
    for _ in range(3):
        assert tries.allows(("a", "b"))
        tries.failed(("a",))
    assert not tries.allows(("a", "b"))
    assert tries.allows(("b",))
    tries.succeeded(("a",))
    assert tries.allows(("a",))


def test_no_more_keys_are_remembered_than_said() -> None:
    tries = Tries(allowed=1, kept=2)
    tries.failed(("a",))
    tries.failed(("b", "c"))
    assert tries.allows(("a",))
    assert not tries.allows(("b",))
