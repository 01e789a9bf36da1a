"""Which datagrams a STUN server answers, and with what. Time is an argument."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from darkswap_browser.net.rate_limit import Rate, TokenBuckets
from darkswap_browser.net.source import ip_key
from darkswap_browser.relayd.stun.messages import HEADER, decode_request, encode_answer

PER_ADDRESS = Rate(burst=64, interval=1 / 32)
"""Of one IPv4 address or IPv6 /64. A browser asks once every 10 s for each connection and interface; many browsers may
stand behind one address. Somebody whose address is forged here is sent 2 kB a second at most."""
ALTOGETHER = Rate(burst=2000, interval=1 / 2000)
"""So that a flood leaves the relay most of its time."""
TRACKED = 4096
"""Addresses in debt that are remembered."""


@dataclass(slots=True)
class StunResponder:
    """Answers Binding requests; counts what it did."""

    answered: int = 0
    refused: int = 0
    """Over the rate."""
    ignored: int = 0
    """No Binding requests, or too short for their answer."""
    _addresses: TokenBuckets = field(default_factory=lambda: TokenBuckets(PER_ADDRESS, TRACKED))
    _all: TokenBuckets = field(default_factory=lambda: TokenBuckets(ALTOGETHER, 1))

    def respond(self, data: bytes, ip: str, port: int, now: float) -> bytes | None:
        """The answer to a datagram from `ip` and `port`, at most as long as `longest_answer`; None: be silent."""
        request = decode_request(data)
        if request is None or not port:
            self.ignored += 1
            return None
        answer = encode_answer(request.transaction, ip, port)
        if len(answer) > longest_answer(request.size, ip):
            self.ignored += 1
            return None
        if not self._addresses.allows(ip_key(ip), now) or not self._all.take("all", now):
            self.refused += 1
            return None
        self._addresses.take(ip_key(ip), now)
        self.answered += 1
        return answer


def longest_answer(question: int, ip: str) -> int:
    """As long as the question, and for the smallest question of all as long as the protocol makes an answer.

    Browsers ask with a bare header of 20 bytes, to which no answer is shorter than 32 (44 with an IPv6 address): with
    the headers of IP and UDP 1.25 times the question.
    """
    least = HEADER + (12 if ipaddress.ip_address(ip).version == 4 else 24)
    return max(question, least)
