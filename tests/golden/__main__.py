"""Writes the golden files anew: `python -m tests.golden`. Only where a format is meant to change."""

from __future__ import annotations

from tests.golden import relayd
from tests.golden.areas import PAGE
from tests.golden.case import keep

AREAS = {**PAGE, "relayd": relayd.CASES}

if __name__ == "__main__":
    for area, cases in AREAS.items():
        keep(area, cases)
