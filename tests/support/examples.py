"""How many examples hypothesis tries, ways are walked, states visited: all in a whole run, a tenth in
`build.py test --pure`, for a quick look."""

from __future__ import annotations

import os

QUICK = "DARKSWAP_QUICK_TESTS"
LEAST = 5


def examples(count: int) -> int:
    """`count`, or what a quick run has time for."""
    return max(LEAST, count // 10) if os.environ.get(QUICK) else count
