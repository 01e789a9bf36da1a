"""The cases of everything that a page stores or sends, by golden file."""

from __future__ import annotations

from tests.golden import network, stored, trade

PAGE = {"stored": stored.CASES, "trade": trade.CASES, "network": network.CASES}
