"""Every interleaving of a few messages with cuts, restarts, hand-overs and further streams keeps the promise.

Larger worlds take minutes: `build.py soak channels`. Ways through still larger ones are chosen by chance. Long messages
are in test_machine.py.
"""

from __future__ import annotations

import random

import pytest

from tests.protocols.channels.exploration import Budget, Exploration
from tests.protocols.channels.reduced import ReducedExploration, explore
from tests.support.examples import examples

COMPARED = {
    "cut": (Budget(messages=(2, 0), cuts=1), 4893, 1185),
    "restart of the receiver": (Budget(messages=(2, 0), restarts=(0, 1)), 7387, 2339),
    "another path": (Budget(messages=(1, 0), climbs=1), 1138, 449),
    "hand-over of the sender": (Budget(messages=(1, 0), cuts=1, hand_overs=(1, 0)), 2829, 1258),
}
"""World, its states with every interleaving, and its states in the reduced form."""

WORLDS = {
    "four messages, two cuts, restart of the receiver": (Budget(messages=(4, 0), cuts=2, restarts=(0, 1)), 36381),
    "both send, cut, restart": (Budget(messages=(1, 1), cuts=1, restarts=(0, 1)), 7655),
    "cut, restart, another path": (Budget(messages=(1, 0), cuts=1, restarts=(0, 1), climbs=1), 6574),
    "cut, restart of the sender": (Budget(messages=(2, 0), cuts=1, restarts=(1, 0), again=(1, 0)), 5523),
    "cut, restart, hand-over of the sender": (
        Budget(messages=(1, 0), cuts=1, restarts=(0, 1), hand_overs=(1, 0)),
        7311,
    ),
}
"""World, and its states."""


@pytest.mark.parametrize("name", COMPARED)
def test_every_interleaving_keeps_the_promise_and_the_reduced_world_comes_to_the_same(name: str) -> None:
    budget, states, reduced_states = COMPARED[name]
    whole, reduced = Exploration(), ReducedExploration(remembers=True)
    whole.run(budget)
    reduced.run(budget)
    assert whole.outcomes == reduced.outcomes
    assert (len(whole.before), len(reduced.before)) == (states, reduced_states)


# A quick run leaves the largest world out.
LARGEST = examples(100_000)


@pytest.mark.parametrize("name", [name for name, (_, states) in WORLDS.items() if states <= LARGEST])
def test_every_state_keeps_the_promise(name: str) -> None:
    budget, states = WORLDS[name]
    assert explore(budget) == states


def test_ways_through_a_larger_world_keep_the_promise() -> None:
    exploration = Exploration()
    budget = Budget(messages=(4, 2), cuts=2, restarts=(0, 1), hand_overs=(1, 1), climbs=2)
    chance = random.Random(1)
    ways = examples(300)
    steps = sum(exploration.walk(budget, chance, 0.03) for _ in range(ways))
    assert steps > ways * 30
