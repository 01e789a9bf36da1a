"""Where trades meet: relays that orders name, and our own that we name in them."""

from __future__ import annotations

from collections.abc import Sequence

from darkswap_browser.api.records import RelayReservation
from darkswap_browser.errors import InvalidArgument
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import Connection
from darkswap_browser.node.node import Stack
from darkswap_browser.protocols.trade_streams import Reach


def reach_through(stack: Stack) -> Reach:
    async def reach(peer: PeerId, relays: Sequence[str]) -> Connection:
        known = stack.swarm.best_connection(peer)
        if known is not None:
            return known
        for relay in relays:
            try:
                stack.circuits.add_relay(relay)
            except InvalidArgument:
                continue  # whoever made the order named no relay: others may know the way
        return await stack.circuits.reach(peer)

    return reach


def here(stack: Stack) -> Sequence[str]:
    """Full multiaddrs of the relays that hold a place for us, one each."""
    found: dict[str, str] = {}
    for held in stack.client.reservations():
        for address in RelayReservation.of(held).addresses:
            relay, circuit, _ = address.partition("/p2p-circuit")
            if circuit:
                found.setdefault(relay.rpartition("/p2p/")[2], relay)
    return list(found.values())
