"""Token buckets, second by second."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.net.rate_limit import Rate, TokenBuckets
from tests.support.examples import examples


def test_a_burst_is_granted_and_one_more_per_interval() -> None:
    buckets = TokenBuckets(Rate(10, 60.0), 100)
    assert [buckets.take("a", 0.0) for _ in range(11)] == [True] * 10 + [False]
    assert not buckets.take("a", 59.9)
    assert buckets.take("a", 60.0)
    assert not buckets.take("a", 60.0)


def test_keys_do_not_share_tokens() -> None:
    buckets = TokenBuckets(Rate(1, 60.0), 100)
    assert buckets.take("a", 0.0)
    assert buckets.take("b", 0.0)
    assert not buckets.take("a", 1.0)


def test_asking_takes_nothing() -> None:
    buckets = TokenBuckets(Rate(1, 60.0), 100)
    assert all(buckets.allows("a", 0.0) for _ in range(5))
    assert buckets.take("a", 0.0)
    assert not buckets.allows("a", 0.0)


def test_a_burst_of_zero_lifts_the_limit() -> None:
    buckets = TokenBuckets(Rate(0, 60.0), 100)
    assert all(buckets.take("a", 0.0) for _ in range(1000))
    assert len(buckets) == 0


def test_memory_stays_bounded_and_those_at_their_limit_are_remembered() -> None:
    buckets = TokenBuckets(Rate(3, 60.0), 50)
    for _ in range(3):
        buckets.take("greedy", 0.0)
    for number in range(1000):
        buckets.take(number, 0.0)
    assert len(buckets) <= 50
    assert not buckets.allows("greedy", 0.0)


def test_full_buckets_are_forgotten() -> None:
    buckets = TokenBuckets(Rate(3, 60.0), 50)
    buckets.take("a", 0.0)
    buckets.sweep(59.0)
    assert len(buckets) == 1
    buckets.sweep(60.0)
    assert len(buckets) == 0


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.floats(0.0, 20.0), max_size=60))
def test_never_more_than_burst_plus_elapsed_over_interval(gaps: list[float]) -> None:
    buckets = TokenBuckets(Rate(4, 5.0), 50)
    now, taken = 0.0, 0
    for gap in gaps:
        now += gap
        taken += buckets.take("a", now)
        assert taken <= 4 + now / 5.0 + 1e-6
