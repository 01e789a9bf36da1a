"""Whole nodes and what peers that they did not ask for can do to them."""

from __future__ import annotations

import asyncio

import pytest

from darkswap_browser.api.network import Network
from darkswap_browser.errors import DarkSwapError, InvalidArgument
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.net.connection import Connection
from darkswap_browser.net.limits import DEFAULT_LIMITS
from darkswap_browser.protocols.channels.messages import PROTOCOL
from tests.api.world import Place, place


async def connections(network: Network, transport: str = "") -> list[Connection]:
    found = (await network.swarm()).connections()
    return [each for each in found if transport in ("", each.transport)]


async def circuit(here: Place, stranger: Network, victim: Network) -> Connection:
    """A relayed connection on which nothing is said."""
    address = f"{here.address}/p2p-circuit/p2p/{await victim.local_peer_id()}"
    return await (await stranger.swarm()).dial_address(Multiaddr.parse(address))


async def test_many_visitors_reach_a_node_and_leave_no_circuit_behind() -> None:
    here = await place()
    maker = await here.node("maker")
    peer = await maker.local_peer_id()
    for number in range(12):
        visitor = await here.node(f"visitor {number}")
        assert (await visitor.connect_through_relay(here.relay_id, peer)).path == "direct"
    assert len(await connections(maker, "webrtc")) == 12
    await asyncio.sleep(30)
    assert await connections(maker, "circuit") == []
    assert here.server is not None and here.server.circuits == 0
    for number in range(12):
        await here.nodes[f"visitor {number}"].send_webrtc_message(peer, b"still here")
    assert len(await connections(maker, "webrtc")) == 12


async def test_idle_circuits_of_a_stranger_keep_nobody_out_and_end_after_a_minute() -> None:
    here = await place()
    maker, stranger = await here.node("maker"), await here.node("stranger")
    held = []
    for _ in range(8):
        try:
            held.append(await circuit(here, stranger, maker))
        except DarkSwapError:
            break
    assert 0 < len(held) < 8
    friend = await here.node("friend")
    assert (await friend.connect_through_relay(here.relay_id, await maker.local_peer_id())).path == "direct"
    await asyncio.sleep(DEFAULT_LIMITS.stranger_idle + 10)
    assert all(each.is_closed for each in held)


async def test_path_lost_after_its_circuit_was_closed_is_found_again() -> None:
    here = await place()
    maker, friend = await here.node("maker"), await here.node("friend")
    peer, other = await maker.local_peer_id(), await friend.local_peer_id()
    await friend.send_webrtc_message(peer, b"first")
    assert await maker.receive_webrtc_message(other) == b"first"
    await asyncio.sleep(60)
    assert await connections(maker, "circuit") == []
    for each in await connections(maker, "webrtc"):
        each.abort()
    await friend.send_webrtc_message(peer, b"second")
    await maker.send_webrtc_message(other, b"answer")
    async with asyncio.timeout(10):
        assert await maker.receive_webrtc_message(other) == b"second"
        assert await friend.receive_webrtc_message(peer) == b"answer"


async def test_stranger_that_opens_a_channel_and_vanishes_makes_the_node_dial_nobody() -> None:
    here = await place()
    maker, stranger = await here.node("maker"), await here.node("stranger")
    theirs = await stranger.swarm()
    theirs.set_announced("lan", [Multiaddr.parse(f"/ip4/127.0.0.1/tcp/{port}/ws") for port in range(9000, 9030)])
    await stranger.send_webrtc_message(await maker.local_peer_id(), b"hello")
    await asyncio.sleep(2)
    assert (await maker.get_peers())[1].channel == "open"
    theirs.abort()
    steps: list[object] = []
    (await maker.swarm()).subscribe(lambda event: steps.append(event) if "DialStep" in type(event).__name__ else None)
    await asyncio.sleep(120)
    assert steps == []
    assert (await maker.get_peers())[0].relay


async def test_peer_that_was_answered_is_sought_when_its_path_is_lost() -> None:
    here = await place()
    maker, friend = await here.node("maker"), await here.node("friend")
    peer, other = await maker.local_peer_id(), await friend.local_peer_id()
    await friend.send_webrtc_message(peer, b"hello")
    await maker.send_webrtc_message(other, b"answer")
    steps: list[object] = []
    (await maker.swarm()).subscribe(lambda event: steps.append(event) if "DialStep" in type(event).__name__ else None)
    await asyncio.sleep(1)
    (await friend.swarm()).abort()
    await asyncio.sleep(30)
    assert steps != []


@pytest.mark.parametrize(("accept", "path"), [("direct", "direct"), ("relayed", "relayed"), ("ours", None)])
async def test_accept_says_what_strangers_get(accept: str, path: str | None) -> None:
    here = await place()
    maker, stranger = await here.node("maker", accept=accept), await here.node("stranger")
    peer = await maker.local_peer_id()
    if path is None:
        with pytest.raises(DarkSwapError):
            connection = await circuit(here, stranger, maker)
            await (await stranger.swarm()).new_stream(connection, [PROTOCOL], allow_limited=True)
            await asyncio.sleep(1)
        assert [each.remote_peer for each in await connections(maker) if each.transport != "websocket"] == []
    else:
        assert (await stranger.connect_through_relay(here.relay_id, peer)).path == path
    # Whoever the application asks for gets more.
    other = await stranger.local_peer_id()
    await maker.send_webrtc_message(other, b"hello")
    await asyncio.sleep(5)
    assert await stranger.receive_webrtc_message(peer) == b"hello"
    assert await connections(maker, "webrtc") != []


async def test_peer_that_the_application_adds_or_asks_for_by_name_is_ours() -> None:
    here = await place()
    maker, one, two = await here.node("maker", accept="relayed"), await here.node("one"), await here.node("two")
    peer, ours = await maker.local_peer_id(), (await maker.swarm()).ours
    await maker.add_peer(await one.local_peer_id())
    assert (await one.connect_through_relay(here.relay_id, peer)).path == "direct"
    receiving = asyncio.create_task(maker.receive_webrtc_message(await two.local_peer_id()))
    await asyncio.sleep(0.1)
    assert (await two.connect_through_relay(here.relay_id, peer)).path == "direct"
    assert (await two.swarm()).local_peer in ours
    with pytest.raises(InvalidArgument):
        await maker.add_peer("nobody")
    receiving.cancel()
