"""Many schedules over all cores."""

from __future__ import annotations

import hashlib
import multiprocessing
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.soak.world import explore

PIECE = 1000
ROOT = Path(__file__).resolve().parents[2]


def seed_of_this_state() -> int:
    """Another for each commit, the same for each run of one: a first seed for `play`.

    From the commit's hash; from the package's files where this is no checkout, or git is not there.
    """
    try:
        command = ["git", "-C", str(ROOT), "rev-parse", "--verify", "HEAD"]
        state = subprocess.run(command, capture_output=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        state = b"".join(path.read_bytes() for path in sorted((ROOT / "darkswap_browser").rglob("*.py")))
    return int.from_bytes(hashlib.sha256(state).digest()[:6])


def _piece(seeds: tuple[int, int]) -> tuple[int, str]:
    """How many were played, and the story of the first that failed."""
    try:
        for seed in range(*seeds):
            explore(seed)
    except AssertionError as error:
        return 0, str(error)
    return seeds[1] - seeds[0], ""


def play(first: int, count: int, *, processes: int | None = None) -> Iterator[int]:
    """Tells how many are done, from time to time; on all cores unless told otherwise.

    Raises:
        AssertionError: one failed; with its story.
    """
    pieces = [(start, min(start + PIECE, first + count)) for start in range(first, first + count, PIECE)]
    done = 0
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for played, story in pool.imap_unordered(_piece, pieces):
            assert not story, story
            done += played
            yield done
