"""What the relay server writes, which no page loads."""

from __future__ import annotations

from darkswap_browser.relayd.stun import messages as stun
from tests.golden.case import Case


def _stun_answer(asked: tuple[bytes, str, int]) -> bytes:
    return stun.encode_answer(*asked)


ASKED = ((bytes(range(12)), "192.0.2.1", 32853), (bytes(range(12)), "2001:db8::1", 32853))
CASES = [Case(name=f"stun answer to {asked[1]}", value=asked, encode=_stun_answer) for asked in ASKED]
"""Only answers are written; requests are browsers'."""

MODULES = {stun: ("stun answer",)}
"""As `network.MODULES`."""
