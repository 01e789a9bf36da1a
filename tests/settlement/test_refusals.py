from __future__ import annotations

import pytest

from darkswap_browser.settlement.events import BroadcastFailed
from darkswap_browser.settlement.refusals import refusal_of

RIVAL = "b485c345f8acda81afa518ae86949ff1700eaf043da63c939ded6b6dc15df4bd"
LESS = f"insufficient fee, rejecting replacement {RIVAL}, less fees than conflicting txs"


@pytest.mark.parametrize(
    ("reason", "is_spent", "beat"),
    [
        ("min relay fee not met, 434 < 435", False, 0),
        ("mempool min fee not met, 1720 < 63500", False, 0),
        ("mempool full", False, 0),
        ("bad-txns-inputs-missingorspent", True, 0),
        ("Missing inputs", True, 0),
        ("txn-mempool-conflict", True, 0),
        (
            f"insufficient fee, rejecting replacement {RIVAL}, less fees than conflicting txs; 0.0000172 < 0.000635",
            True,
            63_500,
        ),
        (f"{LESS}; 0.00 < 1.00", True, 10**8),
        (f"rejecting replacement {RIVAL}; new feerate 0.00001 BTC/kvB <= old feerate 0.00002 BTC/kvB", True, 0),
        ("less fees than conflicting txs; 0.1 < 99999999999999999999.1", False, 0),
        ("less fees than conflicting txs; 1 < 1e9", False, 0),
        ("", False, 0),
    ],
)
def test_refusal_of_a_node_says_what_spends_the_coins_and_what_must_be_paid(
    reason: str, is_spent: bool, beat: int
) -> None:
    """Words of Bitcoin Core 28 (validation.cpp, policy/rbf.cpp)."""
    assert refusal_of("ab" * 32, reason) == BroadcastFailed("ab" * 32, reason, is_spent, beat)
