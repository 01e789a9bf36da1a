"""Known peers: where they may be reached, what they speak, what they run. Everything here is capped and forgotten."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.limits import Limits


@dataclass(slots=True)
class _Entry:
    expiry: dict[Multiaddr, float] = field(default_factory=dict)
    protocols: tuple[str, ...] = ()
    agent: str = ""


class AddressBook:
    """`now` is any monotonic time in seconds, always the same one. The peer touched longest ago is dropped first."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._peers: OrderedDict[PeerId, _Entry] = OrderedDict()

    def add(self, peer: PeerId, addresses: Iterable[Multiaddr], now: float, ttl: float) -> None:
        """Know `addresses` for `ttl` seconds from `now`; an address already known lives at least as long as before."""
        expiry = self._entry(peer).expiry
        for address in addresses:
            until = max(now + ttl, expiry.pop(address, 0.0))
            expiry[address] = until
        for address in [known for known, until in expiry.items() if until <= now]:
            del expiry[address]
        # Oldest first: what a peer says last is what it believes now.
        while len(expiry) > self._limits.identify_addresses:
            del expiry[next(iter(expiry))]

    def addresses(self, peer: PeerId, now: float) -> tuple[Multiaddr, ...]:
        """Addresses that have not expired; the one learnt last comes first."""
        entry = self._peers.get(peer)
        if entry is None:
            return ()
        return tuple(address for address, until in reversed(entry.expiry.items()) if until > now)

    def set_protocols(self, peer: PeerId, protocols: Iterable[str]) -> None:
        self._entry(peer).protocols = tuple(protocols)[: self._limits.identify_protocols]

    def protocols(self, peer: PeerId) -> tuple[str, ...]:
        """What identify said the peer speaks; empty when it has not."""
        entry = self._peers.get(peer)
        return entry.protocols if entry else ()

    def set_agent(self, peer: PeerId, agent: str) -> None:
        self._entry(peer).agent = agent

    def agent(self, peer: PeerId) -> str:
        """The peer's software, e.g. "js-libp2p/3.3.11"; empty when unknown."""
        entry = self._peers.get(peer)
        return entry.agent if entry else ""

    def forget(self, peer: PeerId) -> None:
        self._peers.pop(peer, None)

    def __len__(self) -> int:
        return len(self._peers)

    def _entry(self, peer: PeerId) -> _Entry:
        entry = self._peers.setdefault(peer, _Entry())
        self._peers.move_to_end(peer)
        while len(self._peers) > self._limits.address_book_peers:
            self._peers.popitem(last=False)
        return entry
