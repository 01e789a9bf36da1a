"""The part of `run_diagnostics` that trading adds: whether the chain servers answer and are near each other."""

from __future__ import annotations

from darkswap_browser.api.diagnostics import CheckStatus, Found
from darkswap_browser.api.serialization import plain
from darkswap_browser.chain.quorum import BEHIND, Quorum


async def chain_check(quorum: Quorum) -> Found:
    """Each server is asked for its latest block. Cancellation: Safe; it only reads."""
    answers = await quorum.check_servers()
    if not answers:
        hint = "Name one in chain.esplora; runes need chain.ord besides, alkanes chain.alkanes."
        return Found(CheckStatus.WARNING, "no chain server is named: nothing can be traded", hint)
    details = {"servers": [plain(each) for each in answers]}
    heights = [each.height for each in answers if each.height is not None]
    failures = [each for each in answers if each.height is None]
    said = f"{len(heights)} of {len(answers)} answer"
    if not heights:
        return Found(CheckStatus.FAILED, f"{said}; {failures[0].error}", failures[0].hint, details)
    highest = max(heights)
    late = [each for each in answers if each.height is not None and each.height < highest - BEHIND]
    if failures:
        return Found(CheckStatus.WARNING, f"{said}; {failures[0].error}", failures[0].hint, details)
    if late:
        behind = highest - (late[0].height or 0)
        hint = "It may catch up; while it is behind nothing is signed on its word. Or name another."
        return Found(CheckStatus.WARNING, f"{said}; {late[0].server} is {behind} blocks behind", hint, details)
    return Found(CheckStatus.PASSED, f"{said}, at block {highest}", "", details)
