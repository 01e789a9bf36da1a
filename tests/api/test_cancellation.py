"""Every public coroutine of `Network`, cancelled at each of its awaits: the node works on, `stop` leaves nothing."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from darkswap_browser.api.network import Network
from tests.api.world import Place, place
from tests.support.cancelling import cancel_at, cancel_on_turn, tasks_left

SETTLED = 200.0
MOST = 400
"""Moments tried at most of one call."""
IN_TASKS_OF_ITS_OWN = 7
"""A call whose work is done by tasks that it only waits for is cancelled at every so many turns of the loop."""

Call = Callable[[Network, "Peers"], Coroutine[Any, Any, object]]


class Peers:
    """Whom a call is about."""

    def __init__(self, here: Place, relay: str, peer: str) -> None:
        self.here = here
        self.relay = relay
        self.peer = peer


CALLS: dict[str, Call] = {
    "local_peer_id": lambda node, to: node.local_peer_id(),
    "get_multiaddrs": lambda node, to: node.get_multiaddrs(),
    "swarm": lambda node, to: node.swarm(),
    "relay": lambda node, to: node.relay(),
    "running_node": lambda node, to: node.running_node(),
    "add_relay": lambda node, to: node.add_relay(to.here.address),
    "add_peer": lambda node, to: node.add_peer(to.peer),
    "make_relay_reservation": lambda node, to: node.make_relay_reservation(to.relay),
    "is_relay_reservation_valid": lambda node, to: node.is_relay_reservation_valid(to.relay),
    "get_relay_reservations": lambda node, to: node.get_relay_reservations(),
    "connect_through_relay": lambda node, to: node.connect_through_relay(to.relay, to.peer),
    "connect": lambda node, to: node.connect(to.peer),
    "disconnect": lambda node, to: node.disconnect(to.peer),
    "get_metrics": lambda node, to: node.get_metrics(),
    "get_stats": lambda node, to: node.get_stats(),
    "run_diagnostic": lambda node, to: node.run_diagnostic("relays"),
    "create_report": lambda node, to: node.create_report(),
    "begin_channel": lambda node, to: node.begin_channel(to.peer),
    "open_channel": lambda node, to: node.open_channel(to.peer),
    "create_webrtc_data_channel": lambda node, to: node.create_webrtc_data_channel(to.peer),
    "send_urgent_webrtc_message": lambda node, to: node.send_urgent_webrtc_message(to.peer, b"cancelled perhaps"),
    "send_webrtc_message": lambda node, to: node.send_webrtc_message(to.peer, b"cancelled perhaps"),
    "receive_webrtc_message": lambda node, to: node.receive_webrtc_message(to.peer),
    "receive_webrtc_messages": lambda node, to: node.receive_webrtc_messages(to.peer),
    "close_webrtc_data_channel": lambda node, to: node.close_webrtc_data_channel(to.peer),
    "send_webrtc_offer": lambda node, to: node.send_webrtc_offer(to.peer, "v=0\r\n"),
    "get_peers": lambda node, to: node.get_peers(),
    "get_connection_stats": lambda node, to: node.get_connection_stats(to.peer),
    "ping": lambda node, to: node.ping(to.peer),
}
CONNECTED = {
    "disconnect",
    "receive_webrtc_message",
    "receive_webrtc_messages",
    "close_webrtc_data_channel",
    "get_connection_stats",
    "ping",
    "send_webrtc_offer",
}
"""Calls that need a channel to be there."""
ELSEWHERE = {
    "accept": "tests/api/test_receiving.py",
    "start": "tests/api/test_lifecycle.py",
    "stop": "tests/api/test_lifecycle.py",
    "receive_webrtc_event": "waits for the peer: below",
    "send_webrtc_answer": "as send_webrtc_offer",
    "send_webrtc_ice_candidate": "as send_webrtc_offer",
}


def test_every_public_coroutine_is_cancelled_here_or_elsewhere() -> None:
    public = {
        name for name, member in inspect.getmembers(Network, inspect.iscoroutinefunction) if not name.startswith("_")
    }
    assert public == set(CALLS) | set(ELSEWHERE)


@pytest.mark.parametrize("name", CALLS)
async def test_call_cancelled_at_any_await_leaves_a_node_that_works(name: str):
    for number in count(1):
        outcome = await _cancelled(name, lambda work, number=number: cancel_at(work, number))
        if not outcome or number > MOST:
            return


@pytest.mark.parametrize("name", ["make_relay_reservation", "connect_through_relay", "open_channel", "disconnect"])
async def test_call_cancelled_at_any_turn_leaves_a_node_that_works(name: str):
    for turn in range(1, MOST, IN_TASKS_OF_ITS_OWN):
        if not await _cancelled(name, lambda work, turn=turn: cancel_on_turn(work, turn)):
            return


async def _cancelled(name: str, cancel: Callable[..., Coroutine[Any, Any, Any]]) -> bool:
    """Whether the call was still under way when it was cancelled."""
    here = await place()
    before = asyncio.all_tasks()
    bob = await here.node("bob")
    alice = Network(replace(bob.config, reserve=False), here.world.runtime("alice"))
    await alice.start()
    relay, peer, own = here.relay_id, await bob.local_peer_id(), await alice.local_peer_id()
    to = Peers(here, relay, peer)
    if name in CONNECTED:
        await _talk(alice, bob, own, peer, b"before")
        if name.startswith("receive"):
            asyncio.get_running_loop().call_later(0.01, _send_soon, bob, own)
    built = await alice.running_node()
    outcome = await cancel(CALLS[name](alice, to))
    if outcome.was_cancelled and name == "make_relay_reservation" and outcome.error is not None:
        assert not await alice.get_relay_reservations()
    await asyncio.sleep(2)
    await _drain(alice, peer)
    await _drain(bob, own)
    await _talk(alice, bob, own, peer, b"after")
    await asyncio.gather(alice.stop(), bob.stop())
    assert (built.swarm.connections(), built.swarm.protocols) == ((), ())
    await asyncio.sleep(SETTLED)
    assert tasks_left(before) == []
    return bool(outcome.was_cancelled)


def _send_soon(bob: Network, peer: str) -> None:
    channel = bob.get_open_channel(peer)
    assert channel is not None and channel.try_send(b"received perhaps")


async def _drain(node: Network, peer: str) -> None:
    """Take what the cancelled call left to be received."""
    channel = node.get_open_channel(peer)
    while channel is not None and len(channel.delivery):
        await channel.receive()


async def _talk(alice: Network, bob: Network, own: str, peer: str, message: bytes) -> None:
    await alice.send_webrtc_message(peer, message)
    assert await bob.receive_webrtc_message(own) == message
    await bob.send_webrtc_message(own, message)
    assert await alice.receive_webrtc_message(peer) == message


async def test_receive_event_cancelled_leaves_the_signal_for_the_next_caller():
    here = await place()
    alice, bob = await here.node("alice", signaling="manual"), await here.node("bob", signaling="manual")
    own, peer = await alice.local_peer_id(), await bob.local_peer_id()
    waiting = asyncio.create_task(bob.receive_webrtc_event())
    await asyncio.sleep(1)
    waiting.cancel()
    await alice.send_webrtc_offer(peer, "v=0\r\n")
    signal = await bob.receive_webrtc_event()
    assert signal.peer == own
    await asyncio.gather(alice.stop(), bob.stop())
