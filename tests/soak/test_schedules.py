from __future__ import annotations

from tests.soak.crowd import play


def test_a_hundred_thousand_schedules_keep_every_promise() -> None:
    assert list(play(1_000_000, 100_000))[-1] == 100_000
