"""Callbacks of the application that raise: the node goes on, others hear, and the failure is told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from darkswap_browser.api.network import Network
from darkswap_browser.api.records import DarkSwapEvent, PeerSignal
from tests.api.world import Place, place
from tests.support.cancelling import tasks_left

EVENTS = (
    "node",
    "connection:open",
    "peer:connect",
    "self:peer:update",
    "relay:reserved",
    "dial:step",
    "peer:identify",
    "channel:open",
    "channel:update",
    "message:progress",
    "channel:close",
    "connection:close",
    "peer:disconnect",
)


async def _node(here: Place, name: str, kind: str) -> tuple[Network, list[DarkSwapEvent]]:
    """A node whose first subscriber raises at events of that kind, and what its second one hears."""
    config = (await here.node("template")).config if "template" not in here.nodes else here.nodes["template"].config
    network, heard = Network(config, here.world.runtime(name)), list[DarkSwapEvent]()

    def bad(event: DarkSwapEvent) -> None:
        if event.type == kind:
            raise ValueError("a bug of the application")

    network.subscribe(bad)
    network.subscribe(heard.append)
    await network.start()
    await network.make_relay_reservation(here.relay_id)
    return network, heard


@pytest.mark.parametrize("kind", EVENTS)
async def test_subscriber_that_raises_at_an_event_disturbs_nothing(kind: str, faults: list[BaseException]):
    here = await place()
    await here.node("template")
    before = asyncio.all_tasks()
    (alice, heard), (bob, _) = await _node(here, "alice", kind), await _node(here, "bob", kind)
    own, peer = await alice.local_peer_id(), await bob.local_peer_id()
    await alice.connect_through_relay(here.relay_id, peer)
    for sender, receiver, to, source in ((alice, bob, peer, own), (bob, alice, own, peer)):
        await sender.send_webrtc_message(to, bytes(3_000_000))
        assert await receiver.receive_webrtc_message(source) == bytes(3_000_000)
    # The path is lost and found again.
    for connection in (await alice.swarm()).connections():
        connection.abort()
    await asyncio.sleep(10)
    await alice.send_webrtc_message(peer, b"on another path")
    assert await bob.receive_webrtc_message(own) == b"on another path"
    await alice.close_webrtc_data_channel(peer)
    await alice.stop()
    await bob.stop()
    raised = [event for event in heard if event.type == kind]
    told = [event.fields for event in heard if event.type == "error"]
    failures = [fields for fields in told if fields["code"] == "SUBSCRIBER_FAILED"]
    assert raised and len(failures) == len(raised) and len(faults) >= len(failures)
    assert kind in str(failures[0]["message"]) and "ValueError: a bug of the application" in str(failures[0]["message"])
    await asyncio.sleep(200)
    assert tasks_left(before) == []


async def test_subscriber_that_raises_at_everything_does_not_go_on_for_ever(faults: list[BaseException]):
    here = await place()
    alice = await here.node("alice")

    def bad(event: DarkSwapEvent) -> None:
        raise ValueError("a bug of the application")

    alice.subscribe(bad)
    alice.publish("example", {})
    await asyncio.sleep(1)
    (told,) = [event for event in here.seen("alice", "error") if "example" in str(event.fields["message"])]
    assert told.fields["code"] == "SUBSCRIBER_FAILED"
    # Each event is told, and its failure; the failure to hear of that one is logged only.
    events = [event for event in here.events["alice"] if event.type != "error"]
    assert len(faults) <= 2 * len(events)
    await alice.stop()


async def test_receiver_of_messages_that_raises_gets_the_next_ones(faults: list[BaseException]):
    here = await place()
    alice, bob = await here.node("alice"), await here.node("bob")
    own, peer = await alice.local_peer_id(), await bob.local_peer_id()
    taken: list[bytes] = []

    def sink(source: str, messages: Sequence[bytes]) -> None:
        taken.extend(messages)
        if messages[0] == b"bad":
            raise ValueError("a bug of the application")

    bob.set_message_sink(sink)
    await alice.connect_through_relay(here.relay_id, peer)
    for message in (b"good", b"bad", b"better"):
        await alice.send_webrtc_message(peer, message)
        await asyncio.sleep(1)
    assert taken == [b"good", b"bad", b"better"]
    (told,) = here.seen("bob", "error")
    assert told.fields["code"] == "SUBSCRIBER_FAILED" and len(faults) == 1
    await bob.send_webrtc_message(own, b"answer")
    assert await alice.receive_webrtc_message(peer) == b"answer"
    await asyncio.gather(alice.stop(), bob.stop())


async def test_receiver_of_messages_whose_awaitable_raises_gets_what_came_meanwhile(faults: list[BaseException]):
    here = await place()
    alice, bob = await here.node("alice"), await here.node("bob")
    peer = await bob.local_peer_id()
    taken: list[bytes] = []

    async def slow() -> None:
        await asyncio.sleep(5)
        raise ValueError("a bug of the application")

    def sink(source: str, messages: Sequence[bytes]) -> asyncio.Task[None] | None:
        taken.extend(messages)
        return asyncio.ensure_future(slow()) if messages[0] == b"bad" else None

    bob.set_message_sink(sink)
    await alice.connect_through_relay(here.relay_id, peer)
    await alice.send_webrtc_message(peer, b"bad")
    await asyncio.sleep(1)
    await alice.send_webrtc_message(peer, b"meanwhile")
    await asyncio.sleep(10)
    assert taken == [b"bad", b"meanwhile"] and len(faults) == 1
    await asyncio.gather(alice.stop(), bob.stop())


async def test_progress_callback_that_raises_does_not_stop_the_message(faults: list[BaseException]):
    here = await place()
    alice, bob = await here.node("alice"), await here.node("bob")
    own, peer = await alice.local_peer_id(), await bob.local_peer_id()

    def progress(done: int, total: int) -> None:
        raise ValueError("a bug of the application")

    await alice.connect_through_relay(here.relay_id, peer)
    await alice.send_webrtc_message(peer, bytes(1_000_000), progress)
    assert await bob.receive_webrtc_message(own) == bytes(1_000_000)
    await bob.send_webrtc_message(own, b"answer")
    assert await alice.receive_webrtc_message(peer) == b"answer"
    await asyncio.sleep(1)
    assert len(faults) == 1
    await asyncio.gather(alice.stop(), bob.stop())


async def test_subscriber_of_signals_that_raises_leaves_the_others_their_signal(faults: list[BaseException]):
    here = await place()
    alice, bob = await here.node("alice"), await here.node("bob", signaling="manual")
    heard: list[PeerSignal] = []

    def bad(signal: PeerSignal) -> None:
        raise ValueError("a bug of the application")

    bob.subscribe_signals(bad)
    bob.subscribe_signals(heard.append)
    await alice.send_webrtc_offer(await bob.local_peer_id(), "v=0\r\n")
    await asyncio.sleep(1)
    assert len(heard) == len(faults) == len(here.seen("bob", "error")) == 1
    await asyncio.gather(alice.stop(), bob.stop())


async def test_receiver_of_messages_whose_awaitable_was_cancelled_gets_what_came_meanwhile(faults: list[BaseException]):
    here = await place()
    alice, bob = await here.node("alice"), await here.node("bob")
    peer = await bob.local_peer_id()
    taken: list[bytes] = []
    answers: list[asyncio.Future[None]] = []

    def sink(source: str, messages: Sequence[bytes]) -> asyncio.Future[None] | None:
        taken.extend(messages)
        if messages[0] != b"bad":
            return None
        answers.append(asyncio.get_running_loop().create_future())
        return answers[0]

    bob.set_message_sink(sink)
    await alice.connect_through_relay(here.relay_id, peer)
    await alice.send_webrtc_message(peer, b"bad")
    await asyncio.sleep(1)
    await alice.send_webrtc_message(peer, b"meanwhile")
    await asyncio.sleep(1)
    answers[0].cancel()
    await asyncio.sleep(1)
    assert taken == [b"bad", b"meanwhile"] and len(faults) == 1
    await asyncio.gather(alice.stop(), bob.stop())
