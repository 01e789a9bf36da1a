"""When a reservation is renewed and a lost relay tried again. Pure: times in seconds, chance as a number in 0…1."""

from __future__ import annotations

from darkswap_browser.net.connection import CircuitLimit

SHORTEST_LIFETIME = 30.0
LONGEST_LIFETIME = 24 * 3600.0
RENEW_FROM = 0.5
RENEW_UNTIL = 0.75
"""A renewal falls between half and three quarters of the lifetime, so that one that fails can be tried again."""


def lifetime(expire: int, now: float) -> float:
    """Seconds that a reservation answered just now is good for; both arguments in unix seconds.

    The relay's clock need not be ours, so what it says is only believed between 30 s and 24 h.
    """
    return min(max(expire - now, SHORTEST_LIFETIME), LONGEST_LIFETIME)


def renew_after(lasts: float, chance: float) -> float:
    """Seconds from the answer to the next request. Spread by chance, or all clients of a relay ask in step."""
    return lasts * (RENEW_FROM + (RENEW_UNTIL - RENEW_FROM) * chance)


def normalize_limit(limit: CircuitLimit | None, agent: str) -> CircuitLimit | None:
    """js-libp2p's relay writes its two minutes as 120,000, milliseconds, beside its 128 KiB: read it as meant."""
    if limit is not None and agent.startswith("js-libp2p/") and limit.data == 131072 and limit.duration >= 1000:
        return CircuitLimit(limit.duration // 1000, limit.data)
    return limit
