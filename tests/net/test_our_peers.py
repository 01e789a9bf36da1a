"""Who is ours, and for how long."""

from __future__ import annotations

from darkswap_browser.net.our_peers import OurPeers
from tests.support.native_identity import identity


async def test_named_peers_are_ours_and_the_one_named_longest_ago_goes_first() -> None:
    one, two, three = [(await identity(name)).peer_id for name in ("one", "two", "three")]
    ours = OurPeers(2)
    ours.add(one)
    ours.add(two)
    assert one in ours and two in ours and three not in ours
    ours.add(one)
    ours.add(three)
    assert one in ours and three in ours and two not in ours


async def test_peer_of_a_trade_is_ours_until_its_last_trade_is_over() -> None:
    taker = (await identity("taker")).peer_id
    ours = OurPeers(1)
    ours.begin(taker)
    ours.begin(taker)
    ours.end(taker)
    assert taker in ours
    ours.end(taker)
    assert taker not in ours
