"""Makers and takers in one simulated world: real orders, links, wallets and trades over a chain in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from darkswap_browser.api.trading.coin_recovery import CoinRecovery
from darkswap_browser.bitcoin.networks import GENESIS
from darkswap_browser.errors import NoAddress
from darkswap_browser.identity.keys import Identity
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.market.assets import BTC, Asset, AssetMetadata
from darkswap_browser.market.orders import Side
from darkswap_browser.net.connection import Connection
from darkswap_browser.net.limits import DEFAULT_LIMITS, Limits
from darkswap_browser.orders.order_manager import OrderDraft, OrderManager
from darkswap_browser.orders.views import OrderEvent, OrderView
from darkswap_browser.settlement.checks import TradePolicy
from darkswap_browser.trades.trade_manager import TradeManager
from darkswap_browser.trades.views import TradeEvent, TradeView
from darkswap_browser.wallets.coins import IndexedCoinStore
from darkswap_browser.wallets.reservations import CoinReservations, ReservationTable
from tests.support.chain import Block, SimChain, SimServers
from tests.support.simulated_wallet import SimulatedWallet
from tests.support.slow_store import PACE, SlowStore
from tests.support.world import SimPeer, SimWorld

DOG = Asset.rune(840000, 3)
CAT = Asset.rune(840001, 7)
DIESEL = Asset.alkane(2, 0)
NETWORK = "regtest"
PATIENCE = 7200.0
"""Seconds of virtual time for one world: watching never ends by itself."""


def decimals_of(asset: Asset) -> int:
    return 8 if asset == BTC else 2


class SlowIdentity(Identity):
    """Signing takes time, as it does where the key is out of Python's reach."""

    async def sign(self, message: bytes) -> bytes:
        await asyncio.sleep(PACE)
        return await super().sign(message)


class TradingPeer:
    """One peer that trades."""

    def __init__(self, world: TradeWorld, peer: SimPeer, wallet: SimulatedWallet, listen: Sequence[str]) -> None:
        self.world = world
        self.peer = peer
        self.wallet = wallet
        self.listen = listen
        self.servers = SimServers(world.chain)
        self.events: list[TradeEvent] = []
        self.order_events: list[OrderEvent] = []
        self.relays: tuple[str, ...] = ()
        """Those that hold a place for it."""
        self._news = asyncio.Event()
        self.aside: list[tuple[str, str]] = []
        self.store_trouble: list[str] = []
        self.build()

    def build(self) -> None:
        chain = self.servers
        self.store = SlowStore(self.peer.runtime.store)
        runtime = replace(self.peer.runtime, store=self.store, fence=self.store)
        recovery = CoinRecovery(runtime.store, NETWORK, self._set_aside, lambda key, why, _: self._set_aside(key, why))
        reservations = CoinReservations(runtime.store, runtime.locks, NETWORK, recovery.recover)
        self.coins = IndexedCoinStore(chain, reservations, lambda: self.wallet.accounts)
        self.orders = OrderManager(
            runtime,
            SlowIdentity(self.peer.swarm.identity.key),
            NETWORK,
            chain,
            lambda: self.relays,
            self._set_aside,
            private_sales=self.world.policy.private_sales,
        )
        self.trades = TradeManager(
            runtime,
            self.peer.swarm,
            NETWORK,
            chain,
            self.coins,
            self.orders,
            self._reach,
            self.world.policy,
            1,
            self._set_aside,
            lambda error: self.store_trouble.append(error.code),
        )
        self.trades.subscribe(self._heard)
        self.orders.subscribe(self.order_events.append)

    def _set_aside(self, key: str, why: str) -> None:
        self.aside.append((key, why))

    async def start(self, *, wallet: bool = True) -> None:
        await self.orders.start()
        await self.trades.start()
        if wallet:
            self.open_wallet()

    def open_wallet(self) -> None:
        self.orders.set_wallet(self.wallet, self.coins)
        self.trades.set_wallet(self.wallet)

    async def stop(self) -> None:
        await self.trades.stop()
        await self.orders.stop()

    async def _reach(self, peer: PeerId, relays: Sequence[str]) -> Connection:
        known = self.peer.swarm.best_connection(peer)
        if known is not None:
            return known
        for other in self.world.parties:
            if other.peer.id == peer and (addresses := other.peer.swarm.listen_addresses()):
                return await self.peer.swarm.dial(peer, addresses)
        raise NoAddress(str(peer))

    # --- what it has

    def give(self, sats: int, asset: Asset | None = None, atoms: int = 0) -> None:
        """A confirmed coin: of plain bitcoin, or with `atoms` of an asset."""
        if asset is None:
            self.world.chain.fund(self.wallet.payment.script, sats)
        else:
            self.world.chain.fund(self.wallet.assets.script, sats, {asset: atoms})

    def balance(self, asset: Asset | None = None) -> int:
        """Confirmed atoms; sats of all scripts for None."""
        scripts = {account.script for account in self.wallet.accounts}
        return sum(self.world.chain.total(script).get(asset, 0) for script in scripts)

    async def offers(self, base: Asset, atoms: int, quote: Asset, quote_atoms: int, **more: object) -> OrderView:
        side = more.pop("side", Side.SELL)
        more = {"base_decimals": decimals_of(base), "quote_decimals": decimals_of(quote), **more}
        draft = OrderDraft(base=base, quote=quote, side=side, base_atoms=atoms, quote_atoms=quote_atoms, **more)  # type: ignore[arg-type]
        return await self.orders.create(draft)

    async def takes(
        self,
        order: OrderView,
        fill: int | None = None,
        rate: int | None = None,
        *,
        max_fee: int | None = None,
        review: bool = False,
    ) -> TradeView:
        await self.orders.import_text(order.text)
        return await self.trades.take(order.id, fill, rate, max_fee, review=review)

    def only(self) -> TradeView:
        """Its one trade."""
        (view,) = self.trades.all()
        return view

    async def reserved(self, trade_id: str) -> int:
        return len(await self.coins.reserved(trade_id))

    async def holds_nothing(self) -> bool:
        """No coin is reserved, no part of an order is held, no beginning is left over."""
        store = self.peer.runtime.store
        claims = await store.get(f"coins/{NETWORK}")
        held = ReservationTable.decode(claims).held if claims is not None else {}
        return not held and not self.orders.open_fills() and not await store.keys("pending-takes/")

    async def until(self, phase: str, seconds: float = 1000.0) -> TradeView:
        """Its newest trade in that phase, once there is one."""
        async with asyncio.timeout(seconds):
            while (found := next((view for view in self.trades.all() if view.phase == phase), None)) is None:
                self._news.clear()
                await self._news.wait()
        return found

    def _heard(self, event: TradeEvent) -> None:
        self.events.append(event)
        self._news.set()


class TradeWorld:
    """`async with TradeWorld() as world`: world.maker has 1000 DOG and fees, world.taker 100,000 sats."""

    def __init__(self, *, limits: Limits = DEFAULT_LIMITS, policy: TradePolicy | None = None) -> None:
        self.sim = SimWorld(limits=limits)
        self.chain = SimChain()
        self._patience = asyncio.timeout(PATIENCE)
        self.chain.blocks[0] = Block(GENESIS[NETWORK], ())
        self.policy = policy or TradePolicy()
        self.parties: list[TradingPeer] = []
        for asset, name in ((DOG, "DOG"), (CAT, "CAT"), (DIESEL, "DIESEL")):
            self.chain.infos[asset] = AssetMetadata(asset=asset, name=name, decimals=2)

    async def party(self, name: str, *listen: str) -> TradingPeer:
        party = TradingPeer(self, await self.sim.peer(name, *listen), SimulatedWallet(name), listen)
        self.parties.append(party)
        await party.start()
        return party

    async def reload(self, party: TradingPeer, *, wallet: bool = True, away: float = 0.0) -> None:
        """As a page reload: what is in the store stays, everything else is new. `away`: seconds in between."""
        await party.stop()
        party.store.died.set()  # whatever that page still had in mind
        if away:
            self.sim.world.kill(party.peer.name)
            await asyncio.sleep(away)
        party.peer = await self.sim.reload(party.peer, *party.listen)
        party.events.clear()
        party.build()
        await party.start(wallet=wallet)

    async def __aenter__(self) -> TradeWorld:
        await self._patience.__aenter__()
        self.maker = await self.party("maker", "ws")
        self.taker = await self.party("taker", "ws")
        self.maker.give(10_000, DOG, 1000)
        self.maker.give(50_000)
        self.taker.give(100_000)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *exc_info: object) -> None:
        for party in self.parties:
            await party.stop()
        await self.sim.close()
        if kind is None:
            await self._audit()
        await self._patience.__aexit__(kind, *exc_info)  # type: ignore[arg-type]

    async def _audit(self) -> None:
        """No task outlives its node, and no coin is in two settlements that were signed."""
        await asyncio.sleep(1)
        left = [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        assert not left, f"tasks are left over: {left}"
        for party in self.parties:
            twice = [coin for coin, txids in party.wallet.settled.items() if len(txids) > 1]
            assert not twice, f"{party.peer.name} signed two transactions with {twice}"

    async def settles(self, blocks: int = 1) -> None:
        """What is being traded is broadcast, then mined."""
        for party in (self.maker, self.taker):
            await party.until("pending")
        await self.mined(blocks)

    async def mined(self, blocks: int = 1, *, seconds: float = 30.0) -> None:
        """Blocks, and time for everybody to see them."""
        self.chain.mine(blocks)
        await asyncio.sleep(seconds)


async def sells_dog(world: TradeWorld, atoms: int = 600, sats: int = 30_000, **more: object) -> OrderView:
    return await world.maker.offers(DOG, atoms, BTC, sats, **more)
