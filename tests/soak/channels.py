"""Worlds of two channel ends that are too large for the tests: every state of each is visited."""

from __future__ import annotations

import time

from tests.protocols.channels.exploration import Budget
from tests.protocols.channels.reduced import ReducedExploration

MOST_STATES = 20_000_000
"""About 20 GB."""

WORLDS = {
    "six messages, two cuts, restart of the receiver": Budget(messages=(6, 0), cuts=2, restarts=(0, 1)),
    "both send two, cut": Budget(messages=(2, 2), cuts=1),
    "both send, two cuts, restart": Budget(messages=(2, 1), cuts=2, restarts=(0, 1)),
    "two cuts, restart of the sender, which sends again": Budget(
        messages=(4, 0), cuts=2, restarts=(1, 0), again=(2, 0)
    ),
    "two cuts, both restart": Budget(messages=(2, 0), cuts=2, restarts=(1, 1), again=(1, 0)),
    "cut, restart, another path": Budget(messages=(3, 0), cuts=1, restarts=(0, 1), climbs=1),
    "two cuts, restart, hand-over of the sender": Budget(messages=(3, 0), cuts=2, restarts=(0, 1), hand_overs=(1, 0)),
    "two cuts, restart, hand-over of the receiver": Budget(
        messages=(3, 0), cuts=2, restarts=(1, 0), hand_overs=(0, 1), again=(1, 0)
    ),
}


def explore_all() -> None:
    """Raises `PromiseBroken`, with the way to the state where it is."""
    for name, budget in WORLDS.items():
        started = time.process_time()
        exploration = ReducedExploration(most=MOST_STATES)
        exploration.run(budget)
        print(f"{name}: {len(exploration.before):,} states, {time.process_time() - started:.0f} s", flush=True)
