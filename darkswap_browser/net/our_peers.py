"""Which peers are ours, and which are strangers.

Ours are those that the application dialled, sent to, named or trades with. Everybody else is a stranger, also when
authenticated: identities cost nothing. Strangers share a part of every table of the node, go first when there is no
room, and make it neither dial nor search; every table asks here.
"""

from __future__ import annotations

from collections import Counter, OrderedDict

from darkswap_browser.identity.peer_id import PeerId


class OurPeers:
    """At most `most` named peers are remembered; the one named longest ago becomes a stranger first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._named: OrderedDict[PeerId, None] = OrderedDict()
        self._trading: Counter[PeerId] = Counter()

    def __contains__(self, peer: PeerId) -> bool:
        return peer in self._named or peer in self._trading

    def add(self, peer: PeerId) -> None:
        """The application asked for `peer`."""
        self._named[peer] = None
        self._named.move_to_end(peer)
        while len(self._named) > self._most:
            self._named.popitem(last=False)

    def begin(self, peer: PeerId) -> None:
        """Something of ours goes on with `peer`, a trade; pair with `end`. The application need not have named it."""
        self._trading[peer] += 1

    def end(self, peer: PeerId) -> None:
        """What `begin` was called for is over."""
        self._trading[peer] -= 1
        if self._trading[peer] <= 0:
            del self._trading[peer]
