"""The relay's front door: how many sockets there may be, how many of one address, and which one goes for another."""

from __future__ import annotations

import ipaddress
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence

from darkswap_browser.net.rate_limit import Rate, TokenBuckets
from darkswap_browser.net.source import BLOCK, ip_block, ip_key, shares

logger = logging.getLogger(__name__)

ARRIVALS = 20.0
"""New links of one address in a second, after as many at once as it may hold: a handshake costs 2 ms, and honest
clients, an office full of them, come back less often …"""
LEAST_ARRIVALS = 64
"""… and at once, at least."""
TRACKED = 65536
"""Addresses of which that is remembered."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Gate:
    """A `LinkGate`. `on_refused` hears of each link that was turned away or dropped for another.

    Args:
        most: Links at once.
        per_address: Of one IPv4 address or IPv6 /64; a /48 has four times as many. Loopback is not counted.
        trusted: Proxies whose word of the client's address counts.
        clock: Monotonic seconds.
    """

    def __init__(
        self, most: int, per_address: int, trusted: Sequence[Network] = (), clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.most = most
        self._per_address = per_address
        self._clock = clock
        at_once = max(per_address, LEAST_ARRIVALS)
        self._arrivals = TokenBuckets(Rate(at_once, 1 / ARRIVALS), TRACKED)
        self._arrivals_of_block = TokenBuckets(Rate(at_once * BLOCK, 1 / ARRIVALS / BLOCK), TRACKED)
        self._trusted = tuple(trusted)
        self.on_refused: Callable[[], None] = lambda: None
        self._links: dict[str | None, dict[Admitted, None]] = {}
        """By address, the oldest first; None: those that are not counted by address."""
        self._counts: Counter[str] = Counter()
        self.open = 0
        self._warned = False

    def trusts(self, ip: str) -> bool:
        try:
            address = ipaddress.ip_address(ip)
        except ValueError:
            return False
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._trusted)

    def ignored(self, ip: str) -> None:
        """Tell the operator, once, of a proxy that nobody named. Strangers from outside may write what they like."""
        address = ipaddress.ip_address(ip)
        if self._warned or not (address.is_loopback or address.is_private):
            return
        self._warned = True
        logger.warning(
            "a proxy in front is not trusted: its clients count as %s; name it by --trusted-proxy",
            "nobody, so one of them can take every place" if address.is_loopback else "one address",
        )

    def enter(self, ip: str, drop: Callable[[], None]) -> Admitted | None:
        # Who hides behind a proxy is counted once the proxy has said who it is.
        source = None if self.trusts(ip) else ip_key(ip)
        if not self._has_share(source) or not self._make_room(source) or not self._may_arrive(source):
            self.on_refused()
            return None
        link = Admitted(self, source, drop)
        self.put(link)
        return link

    def identify(self, link: Admitted, ip: str) -> bool:
        """For `Admitted`."""
        source = ip_key(ip)
        if not self._has_share(source) or not self._may_arrive(source):
            self.on_refused()
            return False
        self.remove(link)
        link.source = source
        self.put(link)
        return True

    def put(self, link: Admitted) -> None:
        """For `Admitted`."""
        self.open += 1
        self._links.setdefault(link.source, {})[link] = None
        for key, _ in shares(link.source, 0):
            self._counts[key] += 1

    def remove(self, link: Admitted) -> None:
        """For `Admitted`."""
        links = self._links.get(link.source, {})
        if link not in links:
            return
        del links[link]
        if not links:
            del self._links[link.source]
        self.open -= 1
        for key, _ in shares(link.source, 0):
            self._counts[key] -= 1
            if not self._counts[key]:
                del self._counts[key]

    def _has_share(self, source: str | None) -> bool:
        return all(self._counts[key] < most for key, most in shares(source, self._per_address))

    def _may_arrive(self, source: str | None) -> bool:
        """Whether this address came seldom enough: refused here, before the first byte, a link costs least."""
        if source is None:
            return True
        now, block = self._clock(), ip_block(source)
        if not self._arrivals.allows(source, now) or (
            block is not None and not self._arrivals_of_block.take(block, now)
        ):
            return False
        return self._arrivals.take(source, now)

    def _make_room(self, source: str | None) -> bool:
        """Whether there is room, if need be by dropping the newest link of the address that has most, where that has
        more than the newcomer's will have."""
        if self.open < self.most:
            return True
        heaviest = _largest(self._links)
        if heaviest is None or len(self._links[heaviest]) <= len(self._links.get(source, ())) + 1:
            return False
        victim = next(reversed(self._links[heaviest]))
        self.remove(victim)
        self.on_refused()
        victim.drop()
        return True


class Admitted:
    """An `AdmittedLink`."""

    def __init__(self, gate: Gate, source: str | None, drop: Callable[[], None]) -> None:
        self._gate = gate
        self.source = source
        self.drop = drop

    def identify(self, ip: str) -> bool:
        return self._gate.identify(self, ip)

    def leave(self) -> None:
        self._gate.remove(self)


def _largest(links: dict[str | None, dict[Admitted, None]]) -> str | None:
    """The address with most links. Uncounted ones are many addresses, or a machine of the operator's own."""
    return max((source for source in links if source is not None), key=lambda source: len(links[source]), default=None)
