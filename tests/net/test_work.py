"""Token buckets of work and the budget of memory, on both sides of each bound."""

from __future__ import annotations

import dataclasses

import pytest

from darkswap_browser.errors import ProtocolViolation
from darkswap_browser.net.limits import DEFAULT_LIMITS
from darkswap_browser.net.memory import MemoryBudget
from darkswap_browser.net.work import SharedBuckets, TokenBucket, WorkMeter

LIMITS = dataclasses.replace(
    DEFAULT_LIMITS,
    work_rate=10.0,
    work_burst=100.0,
    waste_rate=1.0,
    waste_burst=50.0,
    unread_bytes=1000,
    unread_bytes_of_strangers=100,
    unread_least=10,
)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_bucket_holds_its_burst_refills_by_its_rate_and_says_how_long_to_wait() -> None:
    bucket = TokenBucket(10, 2.0)
    assert bucket.spend(10, 0.0) and bucket.debt == 0
    assert not bucket.spend(4, 0.0) and bucket.debt == 2.0
    assert bucket.spend(0, 2.0) and bucket.debt == 0
    assert bucket.spend(10, 100.0) and not bucket.spend(1, 100.0)
    assert bucket.spend(-100, 100.0) and bucket.spend(10, 100.0) and not bucket.spend(1, 100.0)


@pytest.mark.parametrize(("is_ours", "share"), [(True, 100), (False, 20)])
def test_strangers_have_a_fifth_of_the_work_of_our_peers(is_ours: bool, share: int) -> None:
    clock = Clock()
    meter = WorkMeter(LIMITS, lambda: is_ours, clock)
    assert meter.spend(share)
    assert not meter.spend(1)
    clock.now = 100.0
    assert meter.spend(share) and not meter.spend(1)


def test_peer_that_becomes_ours_is_counted_as_ours_from_then_on() -> None:
    ours = False
    meter = WorkMeter(LIMITS, lambda: ours, Clock())
    assert meter.spend(10)
    ours = True
    assert meter.spend(50) and not meter.spend(1)


@pytest.mark.parametrize(("is_ours", "share"), [(True, 50), (False, 10)])
def test_frames_that_carry_nothing_end_the_connection_beyond_their_burst(is_ours: bool, share: int) -> None:
    meter = WorkMeter(LIMITS, lambda: is_ours, Clock())
    meter.waste(0)
    meter.waste(share)
    with pytest.raises(ProtocolViolation):
        meter.waste(1)


def test_strangers_of_one_address_share_the_work_of_eight() -> None:
    clock, shared = Clock(), SharedBuckets(LIMITS)
    assert shared.of(None) is None and shared.of("a") is shared.of("a") is not shared.of("b")
    crowd = [WorkMeter(LIMITS, lambda: False, clock, shared.of("a")) for _ in range(10)]
    assert [meter.spend(20) for meter in crowd] == [True] * 8 + [False] * 2
    assert crowd[0].debt > 0, "all of the address wait"
    assert WorkMeter(LIMITS, lambda: False, clock, shared.of("b")).spend(20)
    assert WorkMeter(LIMITS, lambda: True, clock, shared.of("a")).spend(100)


def test_addresses_seen_longest_ago_are_forgotten() -> None:
    shared = SharedBuckets(LIMITS, most=2)
    first = shared.of("a")
    shared.of("b")
    assert shared.of("a") is first
    shared.of("c")
    shared.of("d")
    assert shared.of("a") is not first


def test_strangers_together_hold_a_tenth_and_each_may_hold_a_little_more() -> None:
    memory = MemoryBudget(LIMITS)
    one, two, friend = (memory.account(lambda ours=ours: ours) for ours in (False, False, True))
    assert one.add(100)
    assert not one.add(1)
    assert two.add(10), "who holds little goes on"
    assert not two.add(1)
    assert friend.add(1000) and not friend.add(1)
    one.close()
    assert two.add(1) and memory.held == 12 + 1001 - 0
    two.close()
    friend.close()
    assert memory.held == 0


def test_what_a_stranger_holds_moves_when_it_becomes_ours() -> None:
    memory, ours = MemoryBudget(LIMITS), False
    account = memory.account(lambda: ours)
    assert account.add(100)
    ours = True
    assert account.add(500)
    assert memory.account(lambda: False).add(100), "the strangers' part is free again"
    account.close()
    assert memory.held == 100
