"""What is told of a dial over many ways: one sentence, every reason once, and whether the peer is away."""

from __future__ import annotations

import pytest

from darkswap_browser.errors import ConnectionLost, DarkSwapError, DialFailed, NoAddress, PeerOffline, RelayRefused

PEER, RELAY = (
    "12D3KooWGqFRmHaKM9RQe9Cc5AbbHNXYT4N8pTizyADdPHWNTUxj",
    "12D3KooWQCkBm1BYtkHpocxCwMgR8yjitEeHGx8spzcDLGt2gkBm",
)
ABSENT = RelayRefused(RELAY, 204, "NO_RESERVATION")
FULL = RelayRefused(RELAY, 201, "RESOURCE_LIMIT_EXCEEDED")


def test_dial_failed_of_many_addresses_is_one_sentence() -> None:
    relay = tuple((f"/ip4/10.0.0.{index}/tcp/4001/ws/p2p/{RELAY}", ConnectionLost("x" * 300)) for index in range(3))
    ways = tuple((f"{address}/p2p-circuit/p2p/{PEER}", DialFailed(RELAY, relay)) for address, _ in relay for _ in "ab")
    error = DialFailed.of(PEER, ways)
    assert type(error) is DialFailed
    assert len(str(error)) <= 200 and str(error).startswith(f"could not reach {PEER}: x")
    assert error.attempts == relay


@pytest.mark.parametrize(
    ("reasons", "is_offline"),
    [
        ((ABSENT,), True),
        ((ABSENT, RelayRefused("other", 203, "CONNECTION_FAILED"), NoAddress(PEER)), True),
        ((DialFailed(PEER, (("a", ABSENT), ("b", ABSENT))),), True),
        ((ABSENT, ConnectionLost()), False),
        ((FULL,), False),
        ((NoAddress(PEER),), False),
        ((), False),
    ],
)
def test_dial_failed_of_is_peer_offline_where_every_relay_says_so(
    reasons: tuple[DarkSwapError, ...], is_offline: bool
) -> None:
    error = DialFailed.of(PEER, tuple((f"relay {at}", reason) for at, reason in enumerate(reasons)))
    assert isinstance(error, PeerOffline) is is_offline
    assert error.hint and error.retryable
