"""The order of ways and relays, in numbers."""

from __future__ import annotations

from darkswap_browser.errors import ConnectionLost
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.node.paths.machine import MAX_REMEMBERED, MAX_RUNNING, SLOW_SECONDS, PathSearch, RelayMemory
from darkswap_browser.wire.multihash import Multihash

LOST = ConnectionLost()


def peer(number: int) -> PeerId:
    return PeerId(Multihash(0, b"\x08\x01\x12\x20" + number.to_bytes(32, "big")).to_bytes())


A, B, C, D = (peer(number) for number in range(4))


def test_each_way_begins_a_stagger_after_the_one_before_it() -> None:
    search = PathSearch.over("abc", 0.25)
    assert search.begin(10.0) == "a"
    assert search.begin(10.0) is None
    assert search.wait(10.1) == 0.15000000000000036 or abs(search.wait(10.1) - 0.15) < 1e-6
    assert search.begin(10.25) == "b"
    assert search.begin(10.5) == "c"
    assert search.wait(10.5) is None, "there is no other"
    assert search.won("c") == ["a", "b"]


def test_a_way_that_failed_lets_the_next_begin_at_once() -> None:
    search = PathSearch.over("ab", 0.25)
    assert search.begin(1.0) == "a"
    search.failed("a", LOST, 1.01)
    assert search.begin(1.01) == "b"
    assert not search.is_over
    search.failed("b", LOST, 1.02)
    assert search.is_over
    assert search.attempts == [("a", LOST), ("b", LOST)]


def test_no_more_than_a_few_are_tried_at_once() -> None:
    search = PathSearch.over(list(range(100)), 0.25)
    begun = [search.begin(now * 1.0) for now in range(100)]
    assert [way for way in begun if way is not None] == list(range(MAX_RUNNING))
    assert search.wait(1000.0) is None
    search.failed(3, LOST, 1000.0)
    assert search.begin(1000.0) == MAX_RUNNING


def test_relays_are_ordered_by_what_is_known_of_them() -> None:
    memory = RelayMemory()
    order = lambda now: memory.order(A, [A, B, C, D], now, lambda relay: relay == D)  # noqa: E731
    assert order(0.0) == [D, A, B, C]
    memory.met(A, C)
    assert order(0.0) == [C, D, A, B]
    memory.failed(C, 0.0)
    memory.failed(D, 0.0)
    assert order(0.0) == [A, B, C, D]
    assert order(SLOW_SECONDS + 1) == [C, D, A, B]
    memory.met(A, D)
    assert order(0.0) == [D, A, B, C], "a relay that led somewhere is slow no more"


def test_what_is_remembered_is_bounded() -> None:
    memory = RelayMemory()
    for number in range(MAX_REMEMBERED + 10):
        memory.met(peer(number), A)
        memory.failed(peer(number), 0.0)
    assert len(memory._met) == len(memory._slow_until) == MAX_REMEMBERED
    assert peer(0) not in memory._met
