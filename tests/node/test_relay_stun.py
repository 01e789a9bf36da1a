"""Which STUN servers a node asks: its configuration's, else those of the relays that it reached."""

from __future__ import annotations

import pytest

from darkswap_browser.runtime.base.webrtc import IceServer, SessionDescription
from tests.api.world import place

OWN = IceServer(("stun:relay:3478",))


async def candidates(here, **settings: object) -> set[str]:
    """Kinds that alice offers bob."""
    alice, bob = await here.node("alice", **settings), await here.node("bob")
    found: set[str] = set()

    def look(signal) -> None:
        text = signal.event.sdp if isinstance(signal.event, SessionDescription) else signal.event.candidate
        found.update(kind for kind in ("host", "srflx", "relay") if f"typ {kind}" in text)

    bob.subscribe_signals(look)
    await alice.connect_through_relay(here.relay_id, await bob.local_peer_id())
    await alice.stop()
    await bob.stop()
    return found


@pytest.mark.parametrize(
    ("stun", "settings", "expected"),
    [
        (4001, {}, {"host", "srflx"}),
        (None, {}, {"host"}),
        (4001, {"relay_stun": False}, {"host"}),
        (4001, {"ice_servers": (IceServer(("stun:nowhere:1",)),)}, {"host"}),
        (None, {"ice_servers": (OWN,)}, {"host", "srflx"}),
        (4001, {"relay_only": True}, set()),
    ],
    ids=["of the relay", "none", "not wanted", "another's", "own", "TURN alone"],
)
async def test_a_node_offers_what_the_servers_it_asks_tell_it(stun, settings, expected):
    assert await candidates(await place(stun=stun), **settings) == expected


async def test_a_relay_that_is_not_connected_is_not_asked():
    here = await place(stun=4001)
    alice = await here.node("alice")
    stun = alice._lifecycle.running.stun
    assert stun.configuration().ice_servers == (IceServer((f"stun:{here.world.ip('relay')}:4001",)),)
    await alice.disconnect(here.relay_id)
    assert stun.configuration().ice_servers == ()
    await alice.stop()
