"""Which fee rate to believe of several servers' estimates: nobody can prove one, and both a high and a low one cost."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from darkswap_browser.chain.agreement import ServerAnswer, none_configured
from darkswap_browser.errors import ChainError, ChainInconsistent

RELAY_FLOOR = 1000
"""Sats per 1000 vB: what every node relays."""
FAR = 4
"""Times by which two servers' estimates may differ …"""
QUIET_FEE_RATE = 10_000
"""… beyond this, in sats per 1000 vB: on quiet chains estimates mean little."""
MEMORY_SECONDS = 3600.0


class FeeEstimates:
    """Rates in sats per 1000 vB."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._agreed: dict[int, tuple[float, int]] = {}
        """By target in blocks: the loop's time, and a rate on which servers were not far apart."""

    def choose(
        self,
        target: int,
        answers: Sequence[ServerAnswer[Mapping[int, int]]],
        failures: Sequence[ChainError],
        needed: int,
    ) -> int:
        """The upper middle one, so that no single server makes it so cheap that nothing is mined. Where the two in the
        middle are far apart one of them may lie: then the one nearer to what was agreed on within the hour.

        Raises:
            ChainError: Fewer than `needed` answered, or they are far apart, and nothing was agreed on within the hour.
        """
        now = asyncio.get_running_loop().time()
        at, known = self._agreed.get(target, (0.0, 0))
        known = known if now - at <= MEMORY_SECONDS else 0
        if len(answers) < needed:
            if known:
                return known
            raise failures[0] if failures else none_configured()
        rates = sorted(max(_rate(given.value, target), RELAY_FLOOR) for given in answers)
        low, high = rates[(len(rates) - 1) // 2], rates[len(rates) // 2]
        if high <= max(FAR * low, QUIET_FEE_RATE):
            rate = min(high, self._most)
            self._agreed[target] = now, rate
            return rate
        if not known:
            names = ", ".join(given.source for given in answers)
            raise ChainInconsistent(names, f"do not agree on a fee rate: {low / 1000:g} or {high / 1000:g} sats per vB")
        return min(low if known * known < low * high else high, self._most)


def _rate(rates: Mapping[int, int], target: int) -> int:
    """That of the longest target within `target`, else of the shortest one; of none the floor."""
    within = [blocks for blocks in rates if blocks <= target]
    if within:
        return rates[max(within)]
    return rates[min(rates)] if rates else RELAY_FLOOR
