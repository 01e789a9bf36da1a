"""The lock that lets one process trade for an identity."""

from __future__ import annotations

LOCK_PATIENCE = 3.0
"""Seconds to wait for another tab of the same identity: a page that is being reloaded is gone sooner."""


def lock_name(network: str, peer: str) -> str:
    """Held by the one program that goes on with the trades of an identity."""
    return f"darkswap/trades/{network}/{peer}"
