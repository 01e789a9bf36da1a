"""Starting and stopping: given up at any moment, twice, in any order, and nothing is left."""

from __future__ import annotations

import asyncio
import json

import pytest

from darkswap_browser.api.network import Network
from darkswap_browser.bridge.node import NodeBridge
from darkswap_browser.errors import Aborted, StreamReset, Unsupported
from darkswap_browser.testing.loop import SimulatedLoop, run
from tests.api.world import place, talking
from tests.support.cancelling import cancel_on_turn, tasks_left

SETTLED = 200.0
"""Virtual seconds in which also the other side notices."""


async def test_stop_cancelled_at_any_turn_leaves_nothing_and_starts_again():
    turn = 0
    while True:
        turn += 3
        here = await place()
        before = asyncio.all_tasks()
        alice, bob, peer = await talking(here)
        # Closing takes its time: what is said gets no answer.
        here.world.cut("alice", "bob")
        here.world.cut("alice", "relay")
        await alice.send_webrtc_message(peer, bytes(1000))
        built = await alice.running_node()
        outcome = await cancel_on_turn(alice.stop(), turn)
        await asyncio.sleep(1)
        assert (built.swarm.connections(), built.swarm.protocols) == ((), ())
        assert not built.client.reservations()
        await alice.stop()
        here.world.heal("alice", "bob")
        here.world.heal("alice", "relay")
        await alice.start()
        await alice.make_relay_reservation(here.relay_id)
        await alice.send_webrtc_message(peer, b"again")
        await asyncio.gather(alice.stop(), bob.stop())
        # What was dropped over the cut path is known to the relay only when it breaks.
        here.world.kill("relay")
        await asyncio.sleep(SETTLED)
        assert tasks_left(before) == []
        if not outcome.was_cancelled:
            return


async def test_start_cancelled_at_any_turn_leaves_nothing_and_starts_again():
    turn = 0
    while True:
        here = await place()
        before = asyncio.all_tasks()
        alice = await here.node("alice")
        await alice.stop()
        await asyncio.sleep(SETTLED)
        assert tasks_left(before) == []
        outcome = await cancel_on_turn(alice.start(), turn)
        await asyncio.sleep(1)
        if outcome.was_cancelled:
            assert isinstance(outcome.error, asyncio.CancelledError)
            assert tasks_left(before) == [] and alice.get_open_channel(here.relay_id) is None
        await alice.start()
        await alice.make_relay_reservation(here.relay_id)
        await alice.stop()
        await asyncio.sleep(SETTLED)
        assert tasks_left(before) == []
        if turn and not outcome.was_cancelled:
            return
        turn += 1


async def test_enter_cancelled_at_once_twenty_times_leaves_no_task_and_no_reservation():
    here = await place()
    before = asyncio.all_tasks()
    network = await here.node("alice")
    await network.stop()
    for _ in range(20):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                async with Network(network.config, network.runtime):
                    raise AssertionError("entered")
    await asyncio.sleep(SETTLED)
    assert tasks_left(before) == []


async def test_stop_while_it_starts_aborts_the_start():
    here = await place()
    before = asyncio.all_tasks()
    network = await here.node("alice")
    await network.stop()
    starting = asyncio.create_task(network.start())
    await asyncio.sleep(0)
    await network.stop()
    with pytest.raises(Aborted):
        await starting
    await asyncio.sleep(SETTLED)
    assert tasks_left(before) == []


async def test_start_while_it_stops_waits_and_starts_another_node():
    here = await place()
    alice, bob, _ = await talking(here)
    old = await alice.running_node()
    stopping = asyncio.create_task(alice.stop())
    await asyncio.sleep(0)
    await alice.start()
    assert stopping.done() and await alice.running_node() is not old
    await alice.make_relay_reservation(here.relay_id)
    await asyncio.gather(alice.stop(), alice.stop(), bob.stop())


async def test_stop_given_up_by_one_of_two_callers_goes_on_politely():
    here = await place()
    alice, bob, _ = await talking(here)
    peer = await alice.local_peer_id()
    one, two = asyncio.create_task(alice.stop()), asyncio.create_task(alice.stop())
    await asyncio.sleep(0)
    one.cancel()
    await two
    await asyncio.sleep(1)
    (closed,) = here.seen("bob", "channel:close")
    assert (closed.fields["peer_id"], closed.fields["reason"]) == (peer, "stopped")
    await bob.stop()


async def test_stop_hook_that_fails_still_stops_the_node_and_is_raised():
    here = await place()
    before = asyncio.all_tasks()
    alice = await here.node("alice")
    built = await alice.running_node()

    async def broken() -> None:
        raise ValueError("a hook")

    alice.add_stop_hook(broken)
    with pytest.raises(ValueError, match="a hook"):
        await alice.stop()
    assert built.swarm.connections() == ()
    await alice.stop()
    await asyncio.sleep(SETTLED)
    assert tasks_left(before) == []


async def test_stop_given_up_cancels_a_hook_that_waits():
    here = await place()
    alice = await here.node("alice")
    ended = []

    async def slow() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            ended.append(asyncio.get_running_loop().time())

    alice.add_stop_hook(slow)
    began = asyncio.get_running_loop().time()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await alice.stop()
    assert ended == [pytest.approx(began + 5)]
    assert here.seen("alice", "node")[-1].fields["state"] == "stopped"


class Replies:
    """The JavaScript side of a bridge that keeps its replies."""

    def __init__(self) -> None:
        self.all: list[tuple[int, bool, object]] = []

    def reply(self, call: int, ok: bool, text: str) -> None:
        self.all.append((call, ok, json.loads(text)))

    def reply_bytes(self, call: int, data: bytes, count: int) -> None:
        self.all.append((call, True, data))

    def event(self, text: str) -> None:
        """Not looked at."""

    def messages(self, peer: str, data: object, count: int) -> bool:
        return False

    def progress(self, call: int, done: int, total: int) -> None:
        """Not looked at."""

    def signal(self, peer: str, kind: str, text: str) -> None:
        """Not looked at."""


async def test_free_right_after_stop_joins_it_and_nothing_is_left_ten_minutes_later():
    here = await place()
    before = asyncio.all_tasks()
    alice, bob, _ = await talking(here)
    built, replies = await alice.running_node(), Replies()
    node = NodeBridge(alice, replies, bytes)
    node.call(1, "stop", "[]")
    await asyncio.sleep(0)
    node.free(2)
    await asyncio.sleep(600)
    assert sorted(replies.all) == [(1, True, None), (2, True, None)]
    assert (built.swarm.connections(), built.swarm.protocols, built.client.reservations()) == ((), (), ())
    await bob.stop()
    await asyncio.sleep(SETTLED)
    assert tasks_left(before) == []


@pytest.mark.parametrize("direct", [True, False])
async def test_free_seeks_and_reserves_nothing_after_its_farewell(direct: bool):
    here = await place()
    alice, bob = await here.node("alice", direct=direct), await here.node("bob", direct=direct)
    peer, own = await bob.local_peer_id(), await alice.local_peer_id()
    await alice.connect_through_relay(here.relay_id, peer)
    await alice.send_webrtc_message(peer, b"hello")
    await asyncio.sleep(5)
    told = len(here.events["bob"])
    NodeBridge(alice, Replies(), bytes).free(1)
    await asyncio.sleep(120)
    after = [event for event in here.events["bob"][told:] if event.fields.get("peer_id") == own]
    assert [event.fields["reason"] for event in after if event.type.startswith("channel:")] == ["stopped"]
    assert not [event for event in after if event.type in ("connection:open", "peer:connect")]
    assert here.world.network.links("alice") == 0
    await bob.stop()


async def test_pending_calls_are_answered_when_the_node_is_freed():
    here = await place()
    alice, bob, peer = await talking(here)
    replies = Replies()
    node = NodeBridge(alice, replies, bytes)
    node.receive_batch(1, peer)
    await asyncio.sleep(0)
    node.free(2)
    await asyncio.sleep(60)
    answered = {call: ok for call, ok, _ in replies.all}
    assert answered == {1: False, 2: True}
    await bob.stop()


class Broken(Network):
    """Stands for a fault of ours below the bridge."""

    async def begin_channel(self, peer: str) -> object:
        raise OSError("a fault below")

    async def receive_webrtc_messages(self, peer: str) -> list[bytes]:
        raise OSError("a fault below")


class Array:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def to_bytes(self) -> bytes:
        return self._data


async def test_bridge_call_that_fails_unexpectedly_is_answered(faults: list[BaseException]):
    here = await place()
    alice = await here.node("alice")
    await alice.stop()
    network, replies = Broken(alice.config, alice.runtime), Replies()
    node = NodeBridge(network, replies, bytes)
    peer = here.relay_id
    node.call(1, "ping", '["not a peer"]')
    node.send(2, peer, Array(b"x"), 1)
    node.send_with_progress(3, peer, Array(b"x"), False, False)
    node.receive_batch(4, peer)
    await asyncio.sleep(60)
    codes = {call: (ok, shape["code"]) for call, ok, shape in replies.all}
    internal = (False, "INTERNAL")
    assert codes == {1: (False, "INVALID_ARGUMENT"), 2: internal, 3: internal, 4: internal}
    assert len(faults) == 3
    await network.stop()


async def test_exception_handler_of_the_loop_stays_the_applications(faults: list[BaseException]):
    loop = asyncio.get_running_loop()
    handler = loop.get_exception_handler()
    here = await place()
    alice, bob = await here.node("alice"), await here.node("bob")
    assert loop.get_exception_handler() is handler
    loop.call_exception_handler({"message": "the application's own", "exception": RuntimeError("a bug of its own")})
    await alice.stop()
    await bob.stop()
    assert loop.get_exception_handler() is handler
    assert [str(fault) for fault in faults] == ["a bug of its own"]
    assert not here.seen("alice", "error") and not here.seen("bob", "error")


async def test_fault_in_a_background_task_is_told_as_an_event_and_logged(
    faults: list[BaseException], caplog: pytest.LogCaptureFixture
):
    here = await place()
    alice, bob = await here.node("alice"), await here.node("bob")

    async def broken(*_: object) -> None:
        raise ValueError("the real cause")

    (await bob.swarm()).handle("/broken/1.0.0", broken, allow_limited=True)
    await alice.connect_through_relay(here.relay_id, await bob.local_peer_id())
    connection = (await alice.swarm()).best_connection((await bob.swarm()).local_peer)
    assert connection is not None
    with pytest.raises(StreamReset):
        await (await alice.swarm()).new_stream(connection, ["/broken/1.0.0"], allow_limited=True)
    await asyncio.sleep(1)
    (told,) = here.seen("bob", "error")
    assert told.fields["code"] == "INTERNAL" and "the real cause" in str(told.fields["message"])
    assert "raise ValueError" in caplog.text and len(faults) == 1
    await alice.stop()
    await bob.stop()


def test_node_used_on_another_loop_than_its_own_is_an_error():
    with asyncio.Runner(loop_factory=SimulatedLoop) as own:
        network = own.run(_started())
        for use in (network.local_peer_id, network.start, network.stop):
            with pytest.raises(Unsupported, match="another event loop"):
                run(use())
        own.run(network.stop())


async def _started() -> Network:
    return await (await place()).node("alice")
