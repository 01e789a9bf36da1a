"""Trades of one order between whole engines, while everything goes wrong in a seeded order, and then no more."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from darkswap_browser.errors import DarkSwapError
from darkswap_browser.settlement.machine import FINALITY_MARGIN_BLOCKS
from darkswap_browser.trades.views import TradeView
from tests.support.trade_world import DOG, TradeWorld, TradingPeer, sells_dog

pytestmark = pytest.mark.takes(10)

OVER = ("settled", "revoked", "failed", "canceled", "expired")


class Chaos:
    def __init__(self, world: TradeWorld, seed: int) -> None:
        self.world = world
        self.takers = [world.taker]
        self.chance = random.Random(seed)
        self.story: list[str] = []
        self.txids: set[str] = set()
        self.pace = self.chance.choice((0.0, 1.0, 4.0))
        """Seconds for which a wallet is read: in a slow world there is more to break."""

    @property
    def parties(self) -> list[TradingPeer]:
        return [self.world.maker, *self.takers]

    def tell(self, what: str) -> None:
        phases = [[view.phase for view in party.trades.all()] for party in self.parties]
        self.story.append(f"{asyncio.get_running_loop().time():8.2f} {what} {phases}")

    # --- what goes wrong

    async def disturb(self) -> None:
        party = self.chance.choice(self.parties)
        act: Callable[[TradingPeer], Awaitable[None]] = self.chance.choice(
            (
                self.reload,
                self.reload,
                self.link,
                self.link,
                self.servers,
                self.store,
                self.wallet,
                self.user,
                self.blocks,
            )
        )
        self.tell(f"{act.__name__} {party.peer.name}")
        await act(party)

    async def reload(self, party: TradingPeer) -> None:
        await self.world.reload(party, wallet=False, away=self.chance.choice((0.0, 0.0, 3.0, 30.0)))
        await asyncio.sleep(self.chance.choice((0.0, 4.0)))
        party.open_wallet()

    async def link(self, party: TradingPeer) -> None:
        world = self.world.sim.world
        match self.chance.randrange(3):
            case 0:
                world.sever("maker", self.takers[0].peer.name)
            case 1:
                other = self.chance.choice(self.takers).peer.name
                world.cut("maker", other)
                await asyncio.sleep(self.chance.choice((0.05, 1, 8, 40)))
                world.heal("maker", other)
            case 2:
                world.isolate(party.peer.name)
                await asyncio.sleep(self.chance.choice((1, 8, 40)))
                world.rejoin(party.peer.name)

    async def servers(self, party: TradingPeer) -> None:
        servers = party.servers
        servers.down, servers.lag = self.chance.random() < 0.4, self.chance.choice((0, 0, 2))
        servers.delay, servers.rejects = self.chance.choice((0.0, 0.5)), self.chance.choice(("", "mempool full"))
        await asyncio.sleep(self.chance.choice((1, 10, 50)))
        self.mend(party)

    async def store(self, party: TradingPeer) -> None:
        party.store.broken = True
        await asyncio.sleep(self.chance.choice((0.5, 12)))
        self.mend(party)

    async def wallet(self, party: TradingPeer) -> None:
        wallet = party.wallet
        wallet.refuses, wallet.broken = self.chance.random() < 0.2, self.chance.random() < 0.2
        wallet.delay = self.chance.choice((0, 5, 70))
        await asyncio.sleep(self.chance.choice((2, 20)))
        self.mend(party)

    async def user(self, party: TradingPeer) -> None:
        """Somebody presses a button, whether it makes sense or not."""
        press = self.chance.choice(
            (party.trades.confirm, party.trades.revoke, party.trades.cancel, party.trades.revoke)
        )
        for view in party.trades.all():
            try:
                async with asyncio.timeout(20):
                    await press(view.id)
            except (DarkSwapError, TimeoutError) as error:
                self.tell(f"{type(error).__name__}")

    async def blocks(self, party: TradingPeer) -> None:
        chain = self.world.chain
        if self.chance.random() < 0.4 and self.depth() < FINALITY_MARGIN_BLOCKS:
            gone = [txid for txid in self.txids if self.chance.random() < 0.3]
            chain.reorg(min(self.chance.randrange(1, 4), chain.height - 6), without=gone)
            for txid in gone:
                chain.mempool.pop(txid, None)
        else:
            chain.mine(self.chance.choice((1, 1, 3)))

    def depth(self) -> int:
        found = [self.world.chain.find(txid) for txid in self.txids]
        heights = [each[1] for each in found if each is not None and each[1] is not None]
        return max((self.world.chain.height - height + 1 for height in heights), default=0)

    def mend(self, party: TradingPeer) -> None:
        servers, wallet = party.servers, party.wallet
        servers.down, servers.lag, servers.delay, servers.rejects = False, 0, self.pace / 10, ""
        wallet.refuses, wallet.broken, wallet.delay, party.store.broken = False, False, self.pace, False

    # --- from beginning to end

    async def play(self) -> None:
        self.dogs, self.sats = self.world.maker.balance(DOG), sum(party.balance() for party in self.parties)
        order = await sells_dog(self.world, min_fill=100)
        for party in self.parties:
            self.mend(party)
        review = self.chance.random() < 0.4
        fills = [self.chance.choice((600, 250) if len(self.takers) == 1 else (300, 200)) for _ in self.takers]
        begun = [
            asyncio.create_task(self._begin(taker, order.text, order.id, fill, review))
            for taker, fill in zip(self.takers, fills, strict=True)
        ]
        for _ in range(self.chance.randrange(3, 9)):
            await asyncio.sleep(self.chance.choice((0.02, 0.1, 0.5, 3, 20)))
            self.txids |= {txid for party in self.parties for view in party.trades.all() for txid in _txids(view)}
            await self.disturb()
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)
        await self.calm()
        await self.judge()

    async def _begin(self, taker: TradingPeer, text: str, order_id: str, fill: int, review: bool) -> None:
        await asyncio.sleep(self.chance.random())
        try:
            await taker.orders.import_text(text)
            trade = await taker.trades.take(order_id, fill, review=review)
            if review:
                await taker.until("reviewing")
                await taker.trades.confirm(trade.id)
        except (DarkSwapError, TimeoutError) as error:
            self.tell(f"the taker hears: {error!r}")

    async def calm(self) -> None:
        """Users take back what hangs, time and blocks go on."""
        for party in self.parties:
            self.mend(party)
        self.tell("calm")
        for _ in range(60):
            await asyncio.sleep(30)
            self.world.chain.mine()
            for party in self.parties:
                for view in party.trades.all():
                    if view.phase == "exposed":
                        await party.trades.revoke(view.id)
        self.tell("the end")

    async def judge(self) -> None:
        chain, maker = self.world.chain, self.world.maker
        await asyncio.sleep(30)
        for party in self.parties:
            assert all(view.phase in OVER for view in party.trades.all()), f"{party.peer.name} never ends"
            assert await party.holds_nothing(), f"{party.peer.name} holds something"
            assert party.aside == []
        settled = {view.txid for party in self.parties for view in party.trades.all() if view.phase == "settled"}
        in_chain = {
            view.txid for party in self.parties for view in party.trades.all() if view.txid and chain.find(view.txid)
        }
        assert settled == in_chain
        for txid in settled:
            phases = [view.phase for party in self.parties for view in party.trades.all() if view.txid == txid]
            assert phases == ["settled", "settled"]
        sold = sum(view.base_atoms for view in maker.trades.all() if view.phase == "settled")
        for taker in self.takers:
            bought = sum(view.base_atoms for view in taker.trades.all() if view.phase == "settled")
            assert taker.balance(DOG) == bought
        assert maker.balance(DOG) + sold == self.dogs
        (order,) = [view for view in maker.orders.all() if view.is_local]
        assert (order.filled_atoms, order.remaining_atoms) == (sold, 600 - sold)
        assert sum(party.balance() for party in self.parties) > self.sats - 20_000 * len(self.takers), "more than fees"


def _txids(view: TradeView) -> set[str]:
    return {txid for txid in (view.txid, view.revoke_txid) if txid}


async def play(seed: int, takers: int = 1) -> Chaos:
    """Raises `AssertionError` with the story."""
    async with TradeWorld() as world:
        chaos = Chaos(world, seed)
        for number in range(1, takers):
            party = await world.party(f"taker {number}", "ws")
            party.give(100_000)
            chaos.takers.append(party)
            world.maker.give(10_000, DOG, 300)
            world.maker.give(20_000)
        try:
            await chaos.play()
        except AssertionError as error:
            raise AssertionError("\n".join((f"seed {seed}: {error}", *chaos.story))) from error
    return chaos


@pytest.mark.parametrize("seed", range(16))
async def test_whatever_goes_wrong_both_end_alike_and_nothing_is_held_or_lost(seed: int) -> None:
    await play(seed)


@pytest.mark.parametrize("seed", range(8))
async def test_an_order_that_many_take_at_once_is_never_sold_twice(seed: int) -> None:
    await play(seed, takers=3)
