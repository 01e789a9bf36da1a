"""What is fuzzed: each decoder by name."""

from __future__ import annotations

from tests.fuzz.money import MONEY
from tests.fuzz.network import NETWORK

TARGETS = NETWORK | MONEY
