"""Many schedules over all cores."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator

from tests.soak.world import explore

PIECE = 1000


def _piece(seeds: tuple[int, int]) -> tuple[int, str]:
    """How many were played, and the story of the first that failed."""
    try:
        for seed in range(*seeds):
            explore(seed)
    except AssertionError as error:
        return 0, str(error)
    return seeds[1] - seeds[0], ""


def play(first: int, count: int) -> Iterator[int]:
    """Tells how many are done, from time to time. Raises `AssertionError` with the story of one that failed."""
    pieces = [(start, min(start + PIECE, first + count)) for start in range(first, first + count, PIECE)]
    done = 0
    with multiprocessing.get_context("spawn").Pool() as pool:
        for played, story in pool.imap_unordered(_piece, pieces):
            assert not story, story
            done += played
            yield done
