"""A node that is stopped from its own callbacks: the stop ends, and the callback does too."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

import pytest

from darkswap_browser.api.darkswap import DarkSwap
from darkswap_browser.api.network import Network
from darkswap_browser.errors import Aborted, StreamReset
from darkswap_browser.node.config import NetworkConfig
from darkswap_browser.testing.world import SimulatedWorld
from tests.api.world import place, talking
from tests.support.cancelling import tasks_left
from tests.support.native_identity import CRYPTO

SETTLED = 200.0
"""Virtual seconds in which also the other side notices."""


async def test_stop_awaited_in_a_message_sink_ends_it_and_says_goodbye():
    here = await place()
    before = asyncio.all_tasks()
    alice, bob, peer = await talking(here)
    own = await bob.local_peer_id()
    ended: list[str] = []

    async def sink(source: str, messages: Sequence[bytes]) -> None:
        try:
            await bob.stop()
        finally:
            ended.append("sink")

    bob.set_message_sink(sink)
    await alice.send_webrtc_message(peer, b"quit")
    await asyncio.sleep(60)
    assert ended == ["sink"] and here.seen("bob", "node")[-1].fields["state"] == "stopped"
    closed = here.seen("alice", "channel:close")[-1].fields
    assert (closed["peer_id"], closed["reason"]) == (own, "stopped")
    bob.set_message_sink(None)
    await bob.start()
    await asyncio.gather(alice.stop(), bob.stop())
    await asyncio.sleep(SETTLED)
    assert tasks_left(before) == []


async def test_stop_awaited_in_a_task_that_a_sink_waits_for_ends_both():
    here = await place()
    before = asyncio.all_tasks()
    alice, bob, peer = await talking(here)
    bob.set_message_sink(lambda source, messages: asyncio.ensure_future(bob.stop()))
    await alice.send_webrtc_message(peer, b"quit")
    await asyncio.sleep(60)
    assert here.seen("bob", "node")[-1].fields["state"] == "stopped"
    async with asyncio.timeout(60):
        await asyncio.gather(alice.stop(), bob.stop())
    await asyncio.sleep(SETTLED)
    assert tasks_left(before) == []


@pytest.mark.parametrize("patience", [None, 0.01, 1.0])
async def test_stop_awaited_in_a_handler_of_a_protocol_ends_it(patience: float | None):
    here = await place()
    before = asyncio.all_tasks()
    alice, bob, _ = await talking(here)

    async def handler(*_: object) -> None:
        async with asyncio.timeout(patience):
            await bob.stop()

    (await bob.swarm()).handle("/quit/1.0.0", handler, allow_limited=True)
    connection = (await alice.swarm()).best_connection((await bob.swarm()).local_peer)
    assert connection is not None
    with contextlib.suppress(StreamReset):
        await (await alice.swarm()).new_stream(connection, ["/quit/1.0.0"], allow_limited=True)
    await asyncio.sleep(60)
    assert here.seen("bob", "node")[-1].fields["state"] == "stopped"
    async with asyncio.timeout(60):
        await asyncio.gather(alice.stop(), bob.stop())
    await asyncio.sleep(SETTLED)
    assert tasks_left(before) == []


async def test_stop_awaited_in_a_stop_hook_returns_at_once():
    here = await place()
    alice, bob = await here.node("alice"), await here.node("bob")
    order: list[str] = []

    async def hook() -> None:
        await asyncio.ensure_future(alice.stop())
        await bob.stop()
        order.append("hook")

    alice.add_stop_hook(hook)
    async with asyncio.timeout(60):
        await alice.stop()
    order.append("stop")
    assert order == ["hook", "stop"]
    for name in ("alice", "bob"):
        assert here.seen(name, "node")[-1].fields["state"] == "stopped"


async def test_two_nodes_whose_stop_hooks_stop_each_other_both_stop():
    here = await place()
    alice, bob = await here.node("alice"), await here.node("bob")
    alice.add_stop_hook(bob.stop)
    bob.add_stop_hook(alice.stop)
    async with asyncio.timeout(60):
        await alice.stop()
    for name in ("alice", "bob"):
        assert here.seen(name, "node")[-1].fields["state"] == "stopped"


async def test_two_nodes_stopped_at_once_whose_stop_hooks_stop_each_other_both_stop():
    here = await place()
    alice, bob = await here.node("alice"), await here.node("bob")
    alice.add_stop_hook(bob.stop)
    bob.add_stop_hook(alice.stop)
    async with asyncio.timeout(60):
        await asyncio.gather(alice.stop(), bob.stop())
    for name in ("alice", "bob"):
        assert here.seen(name, "node")[-1].fields["state"] == "stopped"


@pytest.mark.parametrize("call", ["start", "local_peer_id", "get_peers"])
async def test_call_that_needs_the_node_in_its_stop_hook_is_aborted(call: str):
    here = await place()
    alice = await here.node("alice")
    caught: list[BaseException] = []

    async def hook() -> None:
        try:
            await getattr(alice, call)()
        except Aborted as error:
            caught.append(error)

    alice.add_stop_hook(hook)
    async with asyncio.timeout(60):
        await alice.stop()
    assert len(caught) == 1 and here.seen("alice", "node")[-1].fields["state"] == "stopped"


async def test_whole_start_awaited_in_a_stop_hook_is_aborted():
    node = DarkSwap(NetworkConfig(bitcoin_network="regtest"), SimulatedWorld(crypto=CRYPTO).runtime("alice"))
    caught: list[BaseException] = []

    async def hook() -> None:
        for call in (node.start, node.get_orders):
            try:
                await call()
            except Aborted as error:
                caught.append(error)

    node.add_stop_hook(hook)
    async with asyncio.timeout(60):
        await node.start()
        await node.stop()
    assert len(caught) == 2


async def test_calls_of_each_other_in_the_stop_hooks_of_two_nodes_are_aborted():
    here = await place()
    alice, bob = await here.node("alice"), await here.node("bob")
    caught: list[BaseException] = []

    def asks(other: Network) -> Callable[[], Awaitable[None]]:
        async def hook() -> None:
            try:
                await other.local_peer_id()
            except Aborted as error:
                caught.append(error)

        return hook

    alice.add_stop_hook(asks(bob))
    bob.add_stop_hook(asks(alice))
    async with asyncio.timeout(60):
        await asyncio.gather(alice.stop(), bob.stop())
        await asyncio.gather(alice.stop(), bob.stop())
    assert caught
    for name in ("alice", "bob"):
        assert here.seen(name, "node")[-1].fields["state"] in ("stopped", "ready")


async def test_restart_begun_in_a_stop_hook_comes_after_the_stop():
    here = await place()
    alice = await here.node("alice")
    restarts: list[asyncio.Task[None]] = []

    async def hook() -> None:
        if not restarts:
            restarts.append(asyncio.create_task(alice.start()))
            await asyncio.sleep(0)

    alice.add_stop_hook(hook)
    async with asyncio.timeout(60):
        await alice.stop()
        await restarts[0]
    assert here.seen("alice", "node")[-1].fields["state"] == "ready"
    await alice.stop()
