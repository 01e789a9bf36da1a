"""When a reservation is renewed and a relay tried again."""

from __future__ import annotations

import pytest

from darkswap_browser.concurrency.backoff import Backoff
from darkswap_browser.net.connection import CircuitLimit
from darkswap_browser.protocols.relay.renewal import lifetime, normalize_limit, renew_after


@pytest.mark.parametrize(
    ("expire", "seconds"),
    [(4600, 3600.0), (1000, 30.0), (0, 30.0), (1001, 30.0), (2**62, 86400.0)],
    ids=["an hour", "now", "long ago by a slow clock", "a second", "for ever"],
)
def test_a_lifetime_is_counted_from_the_answer_and_clamped(expire: int, seconds: float) -> None:
    assert lifetime(expire, 1000.0) == seconds


def test_a_renewal_falls_between_half_and_three_quarters() -> None:
    assert renew_after(3600.0, 0.0) == 1800.0
    assert renew_after(3600.0, 1.0) == 2700.0


def test_waits_double_up_to_the_largest_and_shrink_by_at_most_half() -> None:
    backoff = Backoff(0.5, 30.0)
    assert [backoff.wait(0.0) for _ in range(8)] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert backoff.wait(1.0) == 15.0
    backoff.reset()
    assert backoff.wait(0.0) == 0.5


def test_milliseconds_of_the_js_relay_are_read_as_meant() -> None:
    wrong = CircuitLimit(120_000, 131072)
    assert normalize_limit(wrong, "js-libp2p/3.3.11 node/24") == CircuitLimit(120, 131072)
    assert normalize_limit(wrong, "go-libp2p/0.49") == wrong
    assert normalize_limit(CircuitLimit(120, 131072), "js-libp2p/3.3.11") == CircuitLimit(120, 131072)
    assert normalize_limit(None, "js-libp2p/3.3.11") is None
