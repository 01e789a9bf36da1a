"""Ways to a peer in a simulated world: many relays at once, relayed first, and why there is no direct link."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest

from darkswap_browser.api.network import Network
from darkswap_browser.api.records import DarkSwapEvent
from darkswap_browser.errors import DialFailed, NoAddress, NoDirectPath, PeerOffline
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.node.config import NetworkConfig
from darkswap_browser.runtime.base.webrtc import IceServer
from darkswap_browser.runtime.native.host import NoWebRtc
from tests.api.world import Place, place

GLARE_SEEDS = (*range(8), 23, 28, 37)
"""The last three end with two where nobody closes one."""


def now() -> float:
    return asyncio.get_running_loop().time()


async def only_at(here: Place, name: str, address: str) -> Network:
    """A node that holds a reservation at that relay and knows no other."""
    before, here.address = here.address, address
    node = await here.node(name)
    here.address = before
    return node


async def behind_dead_relays(here: Place) -> tuple[Network, Network, list[str]]:
    """Alice, who knows none of them, bob at the last, and the relays: two that swallow every packet, and a good one."""
    addresses = [await here.relay(name) for name in ("dead", "silent", "good")]
    bob = await only_at(here, "bob", addresses[-1])
    here.world.isolate("dead")
    here.world.isolate("silent")
    return await here.node("alice"), bob, addresses


async def test_a_peer_behind_dead_relays_and_a_good_one_is_reached_soon():
    here = await place()
    alice, bob, addresses = await behind_dead_relays(here)
    b = await bob.local_peer_id()
    for address in addresses:
        await alice.add_relay(address)
    for limit in (2.0, 0.3):  # the second time it is known which relay to ask
        started = now()
        await alice.send_webrtc_message(b, b"hello")
        assert await bob.receive_webrtc_message(await alice.local_peer_id()) == b"hello"
        assert now() - started < limit
        await alice.disconnect(b)
        await asyncio.sleep(5)
    await alice.stop()
    await bob.stop()


async def test_a_list_of_dead_and_impossible_relays_and_the_good_one_leads_to_the_peer():
    here = await place()
    alice, bob, addresses = await behind_dead_relays(here)
    impossible = "/dns4/relay..example/tcp/1/ws/p2p/12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf"
    connector = await alice.relay()
    started = now()
    connection = await connector.reach_via(PeerId.parse(await bob.local_peer_id()), [impossible, "x", *addresses])
    assert now() - started < 2
    assert str(connection.remote_addr.relay_peer_id()) == addresses[-1].rpartition("/")[2]
    await alice.stop()
    await bob.stop()


async def test_where_every_way_fails_each_relay_says_why_once():
    here = await place()
    alice, bob, addresses = await behind_dead_relays(here)
    b = await bob.local_peer_id()
    await bob.stop()
    for address in addresses:
        await alice.add_relay(address)
    with pytest.raises(DialFailed) as caught:
        await alice.connect(b)
    relays = [way for way, _ in caught.value.attempts]
    assert len(relays) == len(set(relays)) == 4  # these three, and alice's own
    assert len(str(caught.value)) < 300
    await alice.stop()


async def test_a_peer_that_no_relay_knows_is_offline():
    here = await place()
    alice, bob = await here.node("alice"), await here.node("bob")
    b = await bob.local_peer_id()
    await bob.stop()
    with pytest.raises(PeerOffline):
        await alice.connect(b)
    await alice.stop()


async def test_without_any_relay_there_is_no_address():
    here = await place()
    alice = await here.node("alice")
    await alice.disconnect(here.relay_id)
    nobody = Network(alice.config.__class__(), here.world.runtime("nobody"))
    with pytest.raises(NoAddress):
        await nobody.connect(await alice.local_peer_id())
    await nobody.stop()
    await alice.stop()


async def test_a_channel_opens_relayed_at_once_and_climbs():
    here = await place(latency=0.05)
    alice, bob = await here.node("alice"), await here.node("bob")
    here.world.block_udp("alice", "bob")
    a, b = await alice.local_peer_id(), await bob.local_peer_id()
    started = now()
    await alice.send_webrtc_message(b, b"soon")
    assert await bob.receive_webrtc_message(a) == b"soon"
    assert now() - started < 1.0
    assert (await alice.get_connection_stats(b)).path == "relayed"
    here.world.block_udp("alice", "bob", blocked=False)
    await asyncio.sleep(2)
    assert (await alice.get_connection_stats(b)).path == "direct", "the attempt that began with the dial goes on"
    await alice.stop()
    await bob.stop()


async def test_a_call_that_asks_for_a_connection_waits_for_no_direct_one_for_long():
    here = await place()
    alice, bob = await here.node("alice"), await here.node("bob")
    here.world.block_udp("alice", "bob")
    b = await bob.local_peer_id()
    for call in (alice.connect, lambda peer: alice.connect_through_relay(here.relay_id, peer)):
        started = now()
        assert (await call(b)).path == "relayed"
        assert now() - started < 2.5
        await alice.disconnect(b)
    await alice.stop()
    await bob.stop()


async def test_a_call_that_asks_for_a_connection_waits_for_the_direct_one():
    here = await place()
    alice, bob = await here.node("alice"), await here.node("bob")
    assert (await alice.connect(await bob.local_peer_id())).path == "direct"
    await alice.stop()
    await bob.stop()


STUN = (IceServer(("stun:relay:3478",)),)
TURN = (IceServer(("turn:turn:3478",), "user", "right"),)
REASONS = {
    "no server": ({}, {}, "no_stun", ["host"], ["host"]),
    "only the peer asks": ({}, {"ice_servers": STUN}, "no_stun", ["host"], ["host", "srflx"]),
    "silent": ({"ice_servers": (IceServer(("stun:10.9.9.9:1",)),)}, {"ice_servers": STUN}, "stun_silent", None, None),
    "two silent": (
        {"ice_servers": (IceServer(("stun:10.9.9.9:1", "stun:10.8.8.8:1")),)},
        {"ice_servers": STUN},
        "udp_blocked",
        None,
        None,
    ),
    "peer without": ({"ice_servers": STUN}, {}, "peer_no_stun", ["host", "srflx"], ["host"]),
    "both asked": ({"ice_servers": STUN}, {"ice_servers": STUN}, "both_symmetric", None, None),
    "wrong password": (
        {"ice_servers": (IceServer(("turn:turn:3478",), "user", "wrong"),)},
        {"ice_servers": STUN},
        "turn_refused",
        None,
        None,
    ),
    "TURN alone, none named": ({"relay_only": True}, {"ice_servers": STUN}, "no_turn", [], ["host", "srflx"]),
}


@pytest.mark.parametrize("case", REASONS)
async def test_why_there_is_no_direct_link_is_one_event_and_one_line(case: str):
    own, other, reason, local, remote = REASONS[case]
    here = await place()
    here.world.rtc.add_turn("turn", "user", "right")
    alice, bob = await here.node("alice", **own), await here.node("bob", **other)
    here.world.block_udp("alice", "bob")
    b = await bob.local_peer_id()
    await alice.open_channel(b)
    await asyncio.sleep(300)  # attempts go on, and fail in the same way
    (event,) = here.seen("alice", "direct:failed")
    assert (event.fields["peer_id"], event.fields["reason"]) == (b, reason)
    assert event.fields["message"] and event.fields["hint"]
    if local is not None:
        assert (event.fields["local"], event.fields["remote"]) == (local, remote)
    lines = [each for each in here.seen("alice", "dial:step") if each.fields["step"] == "direct-failed"]
    assert lines and lines[0].fields["detail"].startswith(f"{reason}: ")
    await alice.stop()
    await bob.stop()
    assert not here.seen("alice", "error") + here.seen("bob", "error")


async def test_where_no_relayed_connection_is_allowed_the_error_says_why_there_is_no_direct_one():
    here = await place()
    alice, bob = await here.node("alice", relayed_fallback=False), await here.node("bob")
    here.world.block_udp("alice", "bob")
    b = await bob.local_peer_id()
    for call in (alice.connect(b), alice.connect_through_relay(here.relay_id, b), alice.open_channel(b)):
        with pytest.raises(NoDirectPath) as caught:
            await call
        assert caught.value.reason == "no_stun"
        assert "STUN" in caught.value.hint
    await alice.stop()
    await bob.stop()


async def test_a_peer_that_makes_no_direct_links_is_told_as_such():
    here = await place()
    alice, bob = await here.node("alice"), await here.node("bob", direct=False)
    await alice.open_channel(await bob.local_peer_id())
    await asyncio.sleep(30)
    assert [event.fields["reason"] for event in here.seen("alice", "direct:failed")] == ["peer_refused"]
    await alice.stop()
    await bob.stop()


async def test_a_host_without_webrtc_tells_once_for_each_peer_that_direct_links_are_not_available():
    here = await place()
    bob = await here.node("bob")
    runtime = replace(here.world.runtime("alice"), webrtc=NoWebRtc())
    config = NetworkConfig(relays=(Multiaddr.parse(here.address),))
    told: list[DarkSwapEvent] = []
    async with Network(config, runtime) as alice:
        alice.subscribe(told.append)
        b = await bob.local_peer_id()
        await alice.send_webrtc_message(b, b"hello")
        assert await bob.receive_webrtc_message(await alice.local_peer_id()) == b"hello"
        await alice.close_webrtc_data_channel(b)
        await alice.send_webrtc_message(b, b"again")
        await asyncio.sleep(60)
        addresses = [each for each in await alice.get_multiaddrs() if "/p2p-circuit/" in each]
    assert addresses and not any("/webrtc/" in each for each in addresses)
    (event,) = [each for each in told if each.type == "direct:failed"]
    assert (event.fields["peer_id"], event.fields["reason"]) == (b, "no_webrtc")
    assert "not available" in event.fields["message"]
    assert "through the relay" in event.fields["hint"]
    await bob.stop()


async def test_direct_links_that_nobody_asked_for_are_not_told_as_missing():
    here = await place()
    alice, bob = await here.node("alice", direct=False), await here.node("bob")
    await alice.open_channel(await bob.local_peer_id())
    await asyncio.sleep(30)
    assert here.seen("alice", "direct:failed") == []
    assert not any("/webrtc/" in each for each in await alice.get_multiaddrs())
    assert any("/p2p-circuit/webrtc/" in each for each in await bob.get_multiaddrs())
    await alice.stop()
    await bob.stop()


async def test_a_link_through_a_turn_server_is_called_so():
    here = await place()
    here.world.rtc.add_turn("turn", "user", "right")
    alice, bob = await here.node("alice", ice_servers=TURN), await here.node("bob", ice_servers=TURN)
    here.world.block_udp("alice", "bob")
    b = await bob.local_peer_id()
    assert (await alice.connect(b)).path == "turn"
    await alice.open_channel(b)
    await asyncio.sleep(1)
    stats = await alice.get_connection_stats(b)
    assert (stats.path, stats.local_candidate_type) == ("turn", "relay")
    assert {event.fields["path"] for event in here.seen("bob", "connection:open")} == {"relayed", "turn", "direct"}
    await alice.stop()
    await bob.stop()


async def test_a_call_given_up_leaves_no_attempt_behind():
    here = await place()
    alice, bob = await here.node("alice"), await here.node("bob")
    here.world.block_udp("alice", "bob")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await alice.connect(await bob.local_peer_id())
    await asyncio.sleep(60)
    assert not here.seen("alice", "direct:failed")
    assert {connection.transport for connection in (await alice.swarm()).connections()} == {"websocket", "circuit"}
    await alice.stop()
    await bob.stop()


async def test_relays_that_a_peer_names_in_a_private_network_are_not_dialled():
    here = await place()
    alice, bob = await here.node("alice"), await here.node("bob")
    connector = await alice.relay()
    elsewhere = "/ip4/192.168.1.1/tcp/80/ws/p2p/12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf"
    local = "/ip4/127.0.0.1/tcp/22/ws/p2p/12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"
    await connector.reach_via(PeerId.parse(await bob.local_peer_id()), [elsewhere, local, here.address])
    assert {str(relay) for relay in alice._lifecycle.running.client.relays} == {here.relay_id}
    assert await alice.add_relay(local), "the application may name any"
    beside = local.replace("/tcp/22/", "/tcp/23/")
    await alice.disconnect(await bob.local_peer_id())
    await connector.reach_via(PeerId.parse(await bob.local_peer_id()), [beside])
    assert beside in {str(address) for address in alice._lifecycle.running.client.addresses}
    await alice.stop()
    await bob.stop()


@pytest.mark.parametrize("seed", GLARE_SEEDS)
async def test_two_that_dial_at_once_end_with_one_direct_connection(seed: int):
    chance = random.Random(seed)
    here = await place(seed=seed)
    nodes = [await here.node("alice"), await here.node("bob")]
    for one, other in (("alice", "relay"), ("bob", "relay"), ("alice", "bob")):
        here.world.shape(one, other, latency=chance.choice((0.005, 0.05, 0.2)))
    peers = {await node.local_peer_id(): node for node in nodes}
    first, second = chance.sample(sorted(peers), 2)
    dial = asyncio.create_task(peers[first].connect_through_relay(here.relay_id, second))
    await asyncio.sleep(chance.random() * 0.5)
    await peers[second].connect_through_relay(here.relay_id, first)
    await dial
    await peers[first].send_webrtc_message(second, b"there")
    await peers[second].send_webrtc_message(first, b"and back")
    await asyncio.sleep(10)
    for node in nodes:
        direct = [each for each in (await node.swarm()).connections() if each.transport == "webrtc"]
        assert len(direct) == 1
    assert await peers[second].receive_webrtc_message(first) == b"there"
    assert await peers[first].receive_webrtc_message(second) == b"and back"
    await asyncio.gather(*(node.stop() for node in nodes))
