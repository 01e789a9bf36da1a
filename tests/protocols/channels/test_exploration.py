"""Every interleaving of a few messages with cuts, restarts, hand-overs and further streams keeps the promise.

Six messages with two cuts and a restart are millions of states; ways through them are chosen by chance. Long messages
are in test_machine.py.
"""

from __future__ import annotations

import random

import pytest

from tests.protocols.channels.exploration import Budget, Exploration, explore
from tests.support.examples import examples

WORLDS = {
    "cut": (Budget(messages=(2, 0), cuts=1), 11272, 4),
    "cut, both send": (Budget(messages=(1, 1), cuts=1), 12100, 4),
    "restart of the receiver": (Budget(messages=(2, 0), restarts=(0, 1)), 15410, 32),
    "restart of one of two that send": (Budget(messages=(1, 1), restarts=(0, 1)), 14155, 38),
    "another path": (Budget(messages=(2, 0), climbs=1), 13645, 7),
    "hand-over of the sender": (Budget(messages=(1, 0), cuts=1, hand_overs=(1, 0)), 3981, 8),
    "cut and restart": (Budget(messages=(2, 0), cuts=1, restarts=(0, 1)), 42252, 64),
}


# A quick run leaves the larger worlds out; of each kind of trouble one stays.
LARGEST = examples(150_000)


@pytest.mark.parametrize("name", [name for name, (_, states, _) in WORLDS.items() if states <= LARGEST])
def test_every_state_keeps_the_promise(name: str) -> None:
    budget, states, quiet = WORLDS[name]
    assert explore(budget) == (states, quiet)


def test_ways_through_a_larger_world_keep_the_promise() -> None:
    exploration = Exploration()
    budget = Budget(messages=(4, 2), cuts=2, restarts=(0, 1), hand_overs=(1, 1), climbs=2)
    chance = random.Random(1)
    ways = examples(300)
    steps = sum(exploration.walk(budget, chance, 0.03) for _ in range(ways))
    assert steps > ways * 30
