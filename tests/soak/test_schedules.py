from __future__ import annotations

import os

import pytest

from tests.soak.crowd import play, seed_of_this_state

pytestmark = pytest.mark.takes(20)


def test_twenty_thousand_schedules_of_this_commit_keep_every_promise() -> None:
    # The other cores are those of the other workers.
    processes = 1 if "PYTEST_XDIST_WORKER" in os.environ else None
    assert list(play(seed_of_this_state(), 20_000, processes=processes))[-1] == 20_000


def test_the_seed_of_a_state_is_the_same_each_time() -> None:
    assert seed_of_this_state() == seed_of_this_state()
