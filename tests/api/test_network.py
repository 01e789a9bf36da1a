"""The Python face in a simulated world: two nodes meet at a relay and talk, whatever happens to the path."""

from __future__ import annotations

import asyncio

import pytest

from darkswap_browser.api.network import Network
from darkswap_browser.errors import DialFailed, InvalidArgument, RelayRefused, UnknownRelay
from darkswap_browser.identity.peer_id import PeerId
from tests.api.world import place


async def test_two_nodes_meet_at_a_relay_and_talk_directly():
    here = await place()
    alice, bob = await here.node("alice"), await here.node("bob")
    a, b = await alice.local_peer_id(), await bob.local_peer_id()
    connection = await alice.connect_through_relay(here.relay_id, b)
    assert (connection.path, connection.transport) == ("direct", "webrtc")
    channel = await alice.create_webrtc_data_channel(b)
    assert (channel.state, channel.path) == ("open", "direct")
    await alice.send_webrtc_message(b, b"hello")
    assert await bob.receive_webrtc_message(a) == b"hello"
    await bob.send_webrtc_message(a, bytes(3_000_000))
    assert len(await alice.receive_webrtc_message(b)) == 3_000_000
    assert await alice.ping(b) > 0
    metrics = await alice.get_metrics()
    assert (metrics.successful_connections, metrics.active_connections, metrics.direct_connections) == (1, 1, 1)
    assert metrics.bytes_received > 3_000_000
    stats = await alice.get_connection_stats(b)
    assert (stats.path, stats.messages_sent, stats.messages_received) == ("direct", 1, 1)
    assert {peer.peer_id for peer in await alice.get_peers()} == {b, here.relay_id}
    assert [event.fields["path"] for event in here.seen("bob", "channel:open")] == ["direct"]
    assert "webrtc:send-sdp-offer" in {event.fields["step"] for event in here.seen("alice", "dial:step")}
    await alice.stop()
    await bob.stop()
    assert not here.seen("alice", "error") + here.seen("bob", "error")


async def test_the_relayed_connection_serves_where_no_direct_one_can_be_made():
    here = await place()
    alice, bob = await here.node("alice"), await here.node("bob")
    here.world.block_udp("alice", "bob")
    a, b = await alice.local_peer_id(), await bob.local_peer_id()
    connection = await alice.connect_through_relay(here.relay_id, b)
    assert connection.path == "relayed"
    assert connection.limit is not None
    channel = await alice.create_webrtc_data_channel(b)
    assert channel.path == "relayed"
    await alice.send_webrtc_message(b, b"slowly but surely")
    assert await bob.receive_webrtc_message(a) == b"slowly but surely"
    here.world.block_udp("alice", "bob", blocked=False)
    await asyncio.sleep(60)
    assert (await alice.get_connection_stats(b)).path == "direct"
    assert [event.fields["path"] for event in here.seen("alice", "channel:update")][-1] == "direct"
    await alice.send_webrtc_message(b, b"directly")
    assert await bob.receive_webrtc_message(a) == b"directly"
    await alice.stop()
    await bob.stop()


async def test_messages_survive_a_direct_path_that_dies():
    here = await place()
    alice, bob = await here.node("alice"), await here.node("bob")
    a, b = await alice.local_peer_id(), await bob.local_peer_id()
    await alice.connect_through_relay(here.relay_id, b)
    await alice.create_webrtc_data_channel(b)
    here.world.block_udp("alice", "bob")
    for n in range(200):
        await alice.send_webrtc_message(b, b"%d" % n)
    assert [await bob.receive_webrtc_message(a) for _ in range(200)] == [b"%d" % n for n in range(200)]
    assert (await alice.get_connection_stats(b)).path == "relayed"
    await alice.stop()
    await bob.stop()


async def test_both_connect_and_open_at_once():
    here = await place()
    alice, bob = await here.node("alice"), await here.node("bob")
    a, b = await alice.local_peer_id(), await bob.local_peer_id()
    await asyncio.gather(alice.connect_through_relay(here.relay_id, b), bob.connect_through_relay(here.relay_id, a))
    await asyncio.gather(alice.send_webrtc_message(b, b"from alice"), bob.send_webrtc_message(a, b"from bob"))
    assert await bob.receive_webrtc_message(a) == b"from alice"
    assert await alice.receive_webrtc_message(b) == b"from bob"
    await alice.stop()
    await bob.stop()


async def test_a_page_that_reloads_keeps_its_identity_and_is_found_again():
    here = await place()
    alice, bob = await here.node("alice"), await here.node("bob")
    a, b = await alice.local_peer_id(), await bob.local_peer_id()
    await alice.connect_through_relay(here.relay_id, b)
    await alice.send_webrtc_message(b, b"before")
    assert await bob.receive_webrtc_message(a) == b"before"
    here.world.reload("bob")
    again = await here.node("bob")
    assert await again.local_peer_id() == b
    await again.connect_through_relay(here.relay_id, a)
    await again.send_webrtc_message(a, b"after")
    assert await alice.receive_webrtc_message(b) == b"after"
    await alice.send_webrtc_message(b, b"welcome")
    assert await again.receive_webrtc_message(a) == b"welcome"
    await alice.stop()
    await again.stop()


async def test_every_message_of_every_peer_goes_to_a_sink():
    here = await place()
    alice, bob = await here.node("alice"), await here.node("bob")
    a, b = await alice.local_peer_id(), await bob.local_peer_id()
    got: list[tuple[str, bytes]] = []
    bob.set_message_sink(lambda peer, messages: got.extend((peer, message) for message in messages))
    await alice.connect_through_relay(here.relay_id, b)
    for n in range(300):
        await alice.send_webrtc_message(b, b"%d" % n)
    await asyncio.sleep(5)
    assert got == [(a, b"%d" % n) for n in range(300)]
    await alice.stop()
    await bob.stop()


async def test_offers_can_be_answered_by_hand():
    here = await place()
    alice, bob = await here.node("alice"), await here.node("bob", signaling="manual")
    b = await bob.local_peer_id()
    a = await alice.local_peer_id()
    await alice.send_webrtc_offer(b, "v=0\r\nan offer")
    offer = await bob.receive_webrtc_event()
    assert (offer.peer, offer.event.type, offer.event.sdp) == (a, "offer", "v=0\r\nan offer")
    await bob.send_webrtc_answer(a, "v=0\r\nan answer")
    await bob.send_webrtc_ice_candidate(a, "candidate:1", "0", 0)
    assert (await alice.receive_webrtc_event()).event.type == "answer"
    assert (await alice.receive_webrtc_event()).event.candidate == "candidate:1"
    with pytest.raises(InvalidArgument):
        await bob.send_webrtc_answer(here.relay_id, "nobody asked")
    await alice.stop()
    await bob.stop()


async def test_what_cannot_be_says_why():
    here = await place()
    alice = await here.node("alice")
    stranger = "12D3KooWQCkBm1BYtkHpocxCwMgR8yjitEeHGx8spzcDLGt2gkBm"
    with pytest.raises(RelayRefused) as refused:
        await alice.connect_through_relay(here.relay_id, stranger)
    assert refused.value.status == 204
    with pytest.raises(UnknownRelay):
        await alice.connect_through_relay(stranger, stranger)
    with pytest.raises(InvalidArgument):
        await alice.connect_through_relay(here.relay_id, "not a peer")
    with pytest.raises(DialFailed):
        await alice.create_webrtc_data_channel(stranger)
    assert (await alice.get_metrics()).failed_connections == 1
    assert not here.seen("alice", "error")
    await alice.stop()


async def test_a_node_can_be_stopped_and_started_again():
    here = await place()
    alice = await here.node("alice")
    before = await alice.local_peer_id()
    await alice.stop()
    assert [event.fields["state"] for event in here.seen("alice", "node")] == ["starting", "ready", "stopped"]
    await asyncio.gather(alice.start(), alice.start())
    assert await alice.local_peer_id() == before
    await alice.stop()


async def test_reservations_are_listed_and_given_up():
    here = await place()
    alice = await here.node("alice")
    reservation = (await alice.get_relay_reservations())[0]
    assert reservation.relay_peer_id == here.relay_id
    assert reservation.expires_at > here.world.runtime("alice").clock.now()
    assert any("/p2p-circuit/webrtc/" in address for address in reservation.addresses)
    assert await alice.is_relay_reservation_valid(here.relay_id)
    assert any("p2p-circuit" in address for address in await alice.get_multiaddrs())
    await alice.disconnect(here.relay_id)
    assert not await alice.is_relay_reservation_valid(here.relay_id)
    assert here.seen("alice", "relay:reserved")
    await alice.stop()


def test_a_node_is_cheap_to_make_and_needs_no_loop():
    assert Network().config.bitcoin_network == "mainnet"


async def test_peer_with_two_connections_is_told_connected_and_disconnected_once():
    here = await place()
    alice, bob = await here.node("alice"), await here.node("bob")
    peer = await bob.local_peer_id()
    await alice.connect_through_relay(here.relay_id, peer)
    both = (await alice.swarm()).connections(PeerId.parse(peer))
    assert len(both) == 2
    for connection in both:
        connection.abort()
    await asyncio.sleep(0.1)
    told = [event.type for event in here.events["alice"] if event.fields.get("peer_id") == peer]
    assert [kind for kind in told if kind.startswith("peer:") and kind != "peer:identify"] == [
        "peer:connect",
        "peer:disconnect",
    ]
    await asyncio.gather(alice.stop(), bob.stop())
