"""Writes the golden files anew: `python -m tests.golden`. Only where a format is meant to change."""

from __future__ import annotations

from tests.golden import network, stored, trade
from tests.golden.case import keep

AREAS = {"stored": stored.CASES, "trade": trade.CASES, "network": network.CASES}

if __name__ == "__main__":
    for area, cases in AREAS.items():
        keep(area, cases)
