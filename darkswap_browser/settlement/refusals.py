"""What a node's words say of a transaction that it does not take."""

from __future__ import annotations

import re
from decimal import Decimal

from darkswap_browser.settlement.events import BroadcastFailed

SPENT = ("missingorspent", "missing inputs", "txn-mempool-conflict", "rejecting replacement")
"""What Bitcoin Core says where another transaction spends an input."""
LESS_FEES = re.compile(r"less fees than conflicting txs; [0-9.]{1,20} < ([0-9]{1,8}\.[0-9]{1,8})")
"""And where that one, with all that hangs on it, pays more (policy/rbf.cpp, PaysForRBF); in bitcoin."""


def refusal_of(txid: str, reason: str) -> BroadcastFailed:
    """`reason`: the node's own text, whatever stands in it."""
    less = LESS_FEES.search(reason)
    beat = int(Decimal(less[1]) * 10**8) if less is not None else 0
    return BroadcastFailed(txid, reason, any(word in reason.lower() for word in SPENT), beat)
