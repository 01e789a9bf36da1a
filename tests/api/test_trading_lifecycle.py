"""Starting and stopping the trading half: given up half-way, failed, stopped meanwhile; and subscribers that raise."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import count

import pytest

from darkswap_browser.api.darkswap import DarkSwap
from darkswap_browser.api.network import Network
from darkswap_browser.api.records import DarkSwapEvent
from darkswap_browser.errors import IdentityInUse, StorageError
from darkswap_browser.identity.keys import Identity
from darkswap_browser.market import order_codec
from darkswap_browser.market.order_codec import SignedOrder
from darkswap_browser.node.config import NetworkConfig
from darkswap_browser.testing.host import SimulatedStore
from darkswap_browser.testing.world import SimulatedWorld
from tests.market.cases import funded
from tests.support.cancelling import cancel_on_turn, tasks_left
from tests.support.native_identity import CRYPTO

CONFIG = NetworkConfig(bitcoin_network="regtest")


class TroubledStore(SimulatedStore):
    """Listing what begins with `broken` fails while that is set."""

    broken = ""

    async def keys(self, prefix: str) -> list[str]:
        if self.broken and prefix.startswith(self.broken):
            raise StorageError("store", "busy")
        return await super().keys(prefix)


async def order_text(world: SimulatedWorld, nonce: int) -> str:
    """Of somebody with a key; its coins are looked up in vain, since there is no chain server."""
    maker = await Identity.generate(CRYPTO)
    now = int(world.runtime("alice").clock.now())
    made = funded(
        maker=str(maker.peer_id), network="regtest", created_at=now, expires_at=now + 3600, nonce=bytes([nonce] * 16)
    )
    return order_codec.encode_text(SignedOrder(made, await maker.sign(order_codec.signing_bytes(made))))


async def test_stop_cancelled_at_any_turn_leaves_no_task_and_frees_the_identity() -> None:
    world = SimulatedWorld(crypto=CRYPTO)
    for turn in count(1):
        before = asyncio.all_tasks()
        node = DarkSwap(CONFIG, world.runtime("alice"))
        await node.start()
        outcome = await cancel_on_turn(node.stop(), turn)
        await asyncio.sleep(1)
        assert not [name for name in tasks_left(before) if name.startswith(("trad", "order"))], turn
        async with asyncio.timeout(1):  # less than another tab is waited for
            await DarkSwap(CONFIG, world.runtime("alice")).get_orders()
        world = SimulatedWorld(turn, crypto=CRYPTO)
        if not outcome.was_cancelled:
            break
    assert turn > 1


async def test_start_cancelled_at_any_turn_leaves_no_task_and_frees_the_identity() -> None:
    for turn in count(1):
        world = SimulatedWorld(turn, crypto=CRYPTO)
        node = DarkSwap(CONFIG, world.runtime("alice"))
        before = asyncio.all_tasks()
        outcome = await cancel_on_turn(node.resume_trades(), turn)
        await node.stop()
        await asyncio.sleep(1)
        assert not [name for name in tasks_left(before) if name.startswith(("trad", "order"))], turn
        async with asyncio.timeout(1):
            assert await node.get_orders() == []
        await node.stop()
        if not outcome.was_cancelled:
            break
    assert turn > 3


async def test_enter_while_another_holds_the_identity_leaves_no_node() -> None:
    world = SimulatedWorld(crypto=CRYPTO)
    before = asyncio.all_tasks()
    first, second = DarkSwap(CONFIG, world.runtime("alice")), DarkSwap(CONFIG, world.tab("second", "alice"))
    states: list[object] = []
    second.subscribe(lambda event: states.append(event.fields["state"]) if event.type == "node" else None)
    async with first:
        with pytest.raises(IdentityInUse):
            async with second:
                raise AssertionError("entered")
        assert states == ["starting", "ready", "stopped"]
    await second.start()
    await second.stop()
    await asyncio.sleep(1)
    assert tasks_left(before) == []


async def test_start_of_a_running_node_that_fails_leaves_it_running() -> None:
    world = SimulatedWorld(crypto=CRYPTO)
    first, second = DarkSwap(CONFIG, world.runtime("alice")), DarkSwap(CONFIG, world.tab("second", "alice"))
    await first.start()
    await Network.start(second)
    built = await second.running_node()
    with pytest.raises(IdentityInUse):
        await second.start()
    assert await second.running_node() is built
    await asyncio.gather(first.stop(), second.stop())


async def test_whole_start_cancelled_at_any_turn_leaves_no_node_and_starts_again() -> None:
    for turn in count(0):
        world = SimulatedWorld(turn, crypto=CRYPTO)
        node = DarkSwap(CONFIG, world.runtime("alice"))
        before = asyncio.all_tasks()
        outcome = await cancel_on_turn(node.start(), turn)
        await asyncio.sleep(1)
        if outcome.was_cancelled:
            assert isinstance(outcome.error, asyncio.CancelledError)
            assert tasks_left(before) == [], turn
        await node.start()
        await node.stop()
        await asyncio.sleep(1)
        assert tasks_left(before) == []
        if not outcome.was_cancelled:
            break
    assert turn > 5


async def test_start_given_up_by_one_of_two_callers_goes_on() -> None:
    for turn in range(1, 6):
        world = SimulatedWorld(turn, crypto=CRYPTO)
        node = DarkSwap(CONFIG, world.runtime("alice"))
        other = asyncio.ensure_future(node.start())
        await cancel_on_turn(node.start(), turn)
        await other
        built = await node.running_node()
        await node.start()
        assert await node.running_node() is built
        await node.stop()


async def test_stop_while_trades_are_taken_up_ends_them() -> None:
    world = SimulatedWorld(crypto=CRYPTO)
    node, other = DarkSwap(CONFIG, world.runtime("alice")), DarkSwap(CONFIG, world.runtime("alice"))
    await other.get_orders()
    before = asyncio.all_tasks()
    waiting = asyncio.create_task(node.get_orders())  # for the lock, which the other one holds
    await asyncio.sleep(1)
    await node.stop()
    await asyncio.wait([waiting])
    assert isinstance(waiting.exception(), Exception)
    assert not [name for name in tasks_left(before) if name.startswith(("trad", "order"))]
    await other.stop()


@pytest.mark.parametrize("broken", ["orders/", "trades/", "pending-takes/"])
async def test_start_that_fails_leaves_no_task_and_may_be_tried_again(broken: str) -> None:
    world = SimulatedWorld(crypto=CRYPTO)
    store = TroubledStore()
    node = DarkSwap(CONFIG, replace(world.runtime("alice"), store=store))
    await Network.start(node)
    before = asyncio.all_tasks()
    store.broken = broken
    for _ in range(3):
        with pytest.raises(StorageError):
            await node.get_orders()
    assert tasks_left(before) == []
    store.broken = ""
    assert await node.get_orders() == []
    assert tasks_left(before).count("order watch") == 1
    await node.stop()


async def test_order_events_go_on_after_a_subscriber_raised(faults: list[BaseException]) -> None:
    world = SimulatedWorld(crypto=CRYPTO)
    node = DarkSwap(CONFIG, world.runtime("alice"))
    heard: list[str] = []

    def raising(event: DarkSwapEvent) -> None:
        if event.type.startswith("order_"):
            raise ValueError("in a program that uses us")

    node.subscribe(lambda event: heard.append(event.type))
    node.subscribe(raising)
    for nonce in (1, 2, 3):
        await node.import_order(await order_text(world, nonce))
        await asyncio.sleep(1)
    assert heard.count("order_created") == 3
    assert {type(fault) for fault in faults} == {ValueError}
    await node.stop()
