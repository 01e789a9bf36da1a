"""Pages that die at any of their writes, links that break, and people who go away: the same end, nothing held."""

from __future__ import annotations

import asyncio
import functools
import itertools
from collections.abc import Callable

import pytest

from darkswap_browser.errors import MalformedMessage
from darkswap_browser.settlement.states import phase_of
from darkswap_browser.storage import codec
from darkswap_browser.storage.orders import OrderStatus
from darkswap_browser.storage.trades import TRADE_RECORD
from darkswap_browser.trades.views import TradeStatus
from tests.support.trade_world import DOG, TradeWorld, TradingPeer, sells_dog

TAKER = ["requesting", "verifying", "reviewing", "signing", "signatures_out", "pending", "completed", "settled"]
MAKER = ["validating", "offered", "countersigning", "pending", "completed", "settled"]
EACH = [("taker", state) for state in TAKER] + [("maker", state) for state in MAKER]

pytestmark = pytest.mark.takes(20)


def entering(state: str) -> Callable[[str, bytes], bool]:
    """Of a write: it keeps a trade in this state."""

    def is_it(key: str, data: bytes) -> bool:
        if not key.startswith("trades/"):
            return False
        try:
            return phase_of(codec.decode(TRADE_RECORD, data, 1).state) == state
        except MalformedMessage:
            return False

    return is_it


class Story:
    """One order taken whole, by a taker who confirms, while blocks are mined."""

    def __init__(self, world: TradeWorld, *, review: bool = False) -> None:
        self.world = world
        self.review = review
        self.tasks = [asyncio.create_task(self._blocks())]

    async def begin(self, offered: Callable[[], object] = lambda: None) -> None:
        """`offered()` is called between the order and its taking."""
        self.order = await sells_dog(self.world)
        offered()
        self.tasks.append(asyncio.create_task(self.world.taker.takes(self.order, review=self.review)))

    async def confirm(self) -> None:
        if self.review:
            view = await self.world.taker.until("reviewing")
            await self.world.taker.trades.confirm(view.id)

    async def _blocks(self) -> None:
        while True:
            await asyncio.sleep(40)
            self.world.chain.mine()

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.wait(self.tasks)

    async def ends_well(self) -> None:
        world = self.world
        for party in (world.taker, world.maker):
            await party.until("settled", 1500)
            assert party.aside == []
        await asyncio.sleep(1)
        assert (world.taker.balance(DOG), world.maker.balance(DOG)) == (600, 400)
        assert await world.taker.holds_nothing() and await world.maker.holds_nothing()
        view = world.maker.orders.get(self.order.id)
        assert view is not None and (view.status, view.filled_atoms) == (OrderStatus.FILLED, 600)
        await self.end()


@pytest.mark.parametrize("kept", [True, False], ids=["after", "before"])
@pytest.mark.parametrize(("who", "state"), EACH)
async def test_a_page_that_dies_as_a_state_is_saved_goes_on_after_its_reload(who: str, state: str, kept: bool) -> None:
    async with TradeWorld() as world:
        story = Story(world, review=state == "reviewing")
        party: TradingPeer = getattr(world, who)
        party.store.die_at(entering(state), kept=kept)
        await story.begin()
        if (state, kept) != ("reviewing", True) and story.review:
            story.tasks.append(asyncio.create_task(story.confirm()))
        await party.store.died.wait()
        await world.reload(party)
        if (who, state, kept) == ("taker", "requesting", False):
            # The call of the page that died never returned; its user takes the order again.
            assert party.trades.all() == [] and await party.holds_nothing()
            await party.takes(story.order)
        if story.review:
            await story.confirm()
        await story.ends_well()


@pytest.mark.parametrize(("who", "state"), [("taker", "signing"), ("maker", "countersigning"), ("maker", "pending")])
async def test_a_page_that_was_relieved_neither_signs_nor_broadcasts_and_its_heir_goes_on(who: str, state: str) -> None:
    async with TradeWorld() as world:
        story = Story(world)
        party: TradingPeer = getattr(world, who)
        is_entered, relieved = entering(state), asyncio.Event()

        def saved(key: str, data: bytes) -> None:
            if not relieved.is_set() and is_entered(key, data):
                party.store.relieved = True
                relieved.set()

        party.store.watch(saved)
        await story.begin()
        await relieved.wait()
        signed, offered = list(party.wallet.signed), list(party.servers.offered)
        await asyncio.sleep(5)
        assert (party.wallet.signed, party.servers.offered) == (signed, offered)
        await world.reload(party)
        await story.ends_well()


@pytest.mark.parametrize("number", range(1, 18))
@pytest.mark.parametrize("who", ["maker", "taker"])
async def test_a_page_that_dies_at_any_of_its_writes_goes_on_after_its_reload(who: str, number: int) -> None:
    """Of coins, orders, beginnings and trades: odd ones are kept, even ones are not."""
    async with TradeWorld() as world:
        story = Story(world)
        party: TradingPeer = getattr(world, who)
        writes = itertools.count(1)
        dies = functools.partial(party.store.die_at, lambda key, data: next(writes) == number, kept=number % 2 == 1)
        await story.begin(dies)
        await party.store.died.wait()
        await world.reload(party)
        await asyncio.sleep(60)
        if not world.taker.trades.all():
            await world.taker.takes(story.order)
        await story.ends_well()


@pytest.mark.parametrize(("who", "state"), EACH)
async def test_a_trade_taken_up_before_the_wallet_is_open_waits_for_it(who: str, state: str) -> None:
    async with TradeWorld() as world:
        story = Story(world, review=state == "reviewing")
        party: TradingPeer = getattr(world, who)
        party.store.die_at(entering(state), kept=True)
        await story.begin()
        await party.store.died.wait()
        await world.reload(party, wallet=False)
        await asyncio.sleep(5)
        party.open_wallet()
        await story.confirm()
        await story.ends_well()


@pytest.mark.parametrize("break_it", ["sever", "cut"])
@pytest.mark.parametrize(("who", "state"), EACH[:6] + EACH[8:12])
async def test_a_link_that_breaks_in_any_state_is_found_again(who: str, state: str, break_it: str) -> None:
    """Severed: both are told. Cut: nobody is, for five seconds."""
    async with TradeWorld() as world:
        story = Story(world, review=state == "reviewing")
        party: TradingPeer = getattr(world, who)
        seen = entering(state)
        hit = asyncio.Event()
        party.store.watch(lambda key, data: hit.set() if seen(key, data) else None)
        await story.begin()
        await hit.wait()
        if break_it == "sever":
            world.sim.world.sever("maker", "taker")
        else:
            world.sim.world.cut("maker", "taker")
            await asyncio.sleep(5)
            world.sim.world.heal("maker", "taker")
        await story.confirm()
        await story.ends_well()


@pytest.mark.parametrize("state", ["requesting", "verifying", "signing"])
async def test_a_taker_who_never_comes_back_holds_the_makers_coins_no_longer_than_the_deadline(state: str) -> None:
    async with TradeWorld() as world:
        story = Story(world)
        world.taker.store.die_at(entering(state), kept=True)
        await story.begin()
        await world.taker.store.died.wait()
        await world.taker.stop()
        world.sim.world.kill("taker", silent=True)
        await asyncio.sleep(400)
        assert all(view.status is TradeStatus.FAILED for view in world.maker.trades.all())
        assert await world.maker.holds_nothing() and world.maker.wallet.signed == []
        view = world.maker.orders.get(story.order.id)
        assert view is not None and view.is_active and view.remaining_atoms == 600
        await story.end()


@pytest.mark.parametrize("state", ["validating", "offered"])
async def test_a_maker_who_never_comes_back_costs_the_taker_nothing_but_time(state: str) -> None:
    async with TradeWorld() as world:
        story = Story(world)
        world.maker.store.die_at(entering(state), kept=False)
        await story.begin()
        await world.maker.store.died.wait()
        await world.maker.stop()
        world.sim.world.kill("maker", silent=True)
        view = await world.taker.until("expired")
        assert view.status is TradeStatus.FAILED
        assert view.reason is not None and view.reason.code == "TIMEOUT"
        await asyncio.sleep(1)
        assert await world.taker.holds_nothing() and world.taker.wallet.signed == []
        await story.end()


@pytest.mark.parametrize("state", ["validating", "offered"])
async def test_a_maker_who_comes_back_too_late_finds_its_order_whole(state: str) -> None:
    async with TradeWorld() as world:
        story = Story(world)
        world.maker.store.die_at(entering(state), kept=True)
        await story.begin()
        await world.maker.store.died.wait()
        await world.reload(world.maker, away=700)
        await asyncio.sleep(30)
        assert {view.phase for view in world.maker.trades.all()} <= {"expired", "canceled"}
        assert world.taker.only().phase in ("expired", "canceled")
        for party in (world.maker, world.taker):
            assert await party.holds_nothing() and party.wallet.signed == []
        view = world.maker.orders.get(story.order.id)
        assert view is not None and view.remaining_atoms == 600 and view.is_active
        await story.end()


@pytest.mark.parametrize("kept", [True, False], ids=["after", "before"])
async def test_coins_reserved_for_a_trade_that_was_never_saved_are_free_after_the_reload(kept: bool) -> None:
    async with TradeWorld() as world:
        story = Story(world)
        world.taker.store.die_at(lambda key, data: key.startswith("coins/"), kept=kept)
        await story.begin()
        await world.taker.store.died.wait()
        held = await world.taker.peer.runtime.store.get("coins/regtest")
        assert (held is not None) is kept
        await world.reload(world.taker)
        assert world.taker.trades.all() == [] and await world.taker.holds_nothing()
        await world.taker.takes(story.order)
        await story.ends_well()


async def test_a_part_of_an_order_held_for_a_trade_that_was_never_saved_is_free_after_the_reload() -> None:
    async with TradeWorld() as world:
        story = Story(world)
        world.maker.store.die_at(entering("validating"), kept=False)
        await story.begin()
        await world.maker.store.died.wait()
        assert world.maker.orders.open_fills() != []
        await world.taker.stop()
        world.sim.world.kill("taker", silent=True)
        await world.reload(world.maker)
        assert world.maker.orders.open_fills() == [] and world.maker.trades.all() == []
        await story.end()


async def test_both_pages_may_die_again_and_again() -> None:
    async with TradeWorld() as world:
        story = Story(world)
        await story.begin()
        for _ in range(3):
            await asyncio.sleep(0.3)
            await world.reload(world.maker)
            await asyncio.sleep(0.7)
            await world.reload(world.taker)
        if not world.taker.trades.all():
            await world.taker.takes(story.order)
        await story.ends_well()
