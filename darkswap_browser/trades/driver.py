"""What every trade is surrounded by: the store, the peer, the chain, the wallet, and its subscribers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.chain.base import Chain
from darkswap_browser.concurrency.faults import ReportFault
from darkswap_browser.concurrency.notify import Subscribers
from darkswap_browser.concurrency.tasks import Tasks, wait_ended
from darkswap_browser.concurrency.waiter import Waiter
from darkswap_browser.errors import (
    ChainError,
    DarkSwapError,
    ObjectClosed,
    StorageError,
    TooManyRequests,
    TradeNotFound,
    TradeRefused,
    WalletNotConnected,
)
from darkswap_browser.identity.keys import Identity
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.limits import Limits
from darkswap_browser.orders.order_manager import OrderManager
from darkswap_browser.protocols.trade_streams import TradeStreams
from darkswap_browser.runtime.base.host import Runtime
from darkswap_browser.settlement.checks import TradePolicy
from darkswap_browser.settlement.effects import (
    Broadcast,
    Countersign,
    Effect,
    PublishChange,
    Release,
    SelfSpend,
    Send,
    Sign,
    Validate,
    Verify,
    Watch,
)
from darkswap_browser.settlement.events import Event, FinalTransactionFetched, SeenInMempool, SigningFailed
from darkswap_browser.settlement.states import Completed, Settled, Trade
from darkswap_browser.settlement.terms import Role
from darkswap_browser.storage.records import QuarantineListener
from darkswap_browser.storage.trades import MAX_TRADES, TradeRecord, trade_records
from darkswap_browser.trades import envelopes
from darkswap_browser.trades.admission import TradeAdmission
from darkswap_browser.trades.chain_watcher import (
    ChainObservation,
    ChainUnavailable,
    ChainWatcher,
    InBlock,
    InMempool,
    event_of,
)
from darkswap_browser.trades.fee_bumper import FeeBumper
from darkswap_browser.trades.operations import TradeOperations
from darkswap_browser.trades.runner import STORE_RETRY_SECONDS, TradeRunner, Work
from darkswap_browser.trades.view_builder import build_trade_view
from darkswap_browser.trades.views import TradeEvent, TradeStatus, TradeView
from darkswap_browser.wallets.base import CoinStore, ConnectedWallet, Wallet

StoreTrouble = Callable[[DarkSwapError], None]
"""Something of a trade cannot be saved now."""


class Driver:
    """The trades that are known here, and the `TradeContext` of each."""

    def __init__(
        self,
        runtime: Runtime,
        identity: Identity,
        network: str,
        chain: Chain,
        coins: CoinStore,
        orders: OrderManager,
        links: TradeStreams,
        policy: TradePolicy,
        limits: Limits,
        aside: QuarantineListener,
        store_trouble: StoreTrouble,
        report: ReportFault,
    ) -> None:
        self._runtime = runtime
        self._identity = identity
        self._local = str(identity.peer_id)
        self._limits = limits
        self._chain = chain
        self._coins = coins
        self._orders = orders
        self._links = links
        self._wallet: Wallet | None = None
        self._wallet_there = Waiter()
        self._records = trade_records(runtime.store, network, self._local, aside)
        self.admission = TradeAdmission(orders, policy, limits)
        self.operations = TradeOperations(chain, policy, runtime.clock.now, self._connected, self._busy, runtime.fence)
        self.fee_bumper = FeeBumper(chain, self._connected, runtime.fence)
        self._watcher = ChainWatcher(chain, self._seen, report)
        self.runs: dict[str, TradeRunner] = {}
        self._blind: dict[str, str] = {}
        self._told: dict[str, TradeStatus] = {}
        self._subscribers = Subscribers[TradeEvent](lambda error, event: report("a subscriber of trades", error))
        self._report = report
        self._tasks = Tasks(report)
        self._stopped = False
        self._store_trouble = store_trouble
        self._has_trouble = False

    # --- life

    async def load(self) -> None:
        for trade_id, record in (await self._records.all()).items():
            run = self.runs[trade_id] = TradeRunner(record, self, self._limits.trade_inbox, self._report)
            self._told[trade_id] = self.view(run).status

    def resume(self) -> None:
        for run in self.runs.values():
            if not (run.is_over and run.record.released):
                run.resume()
                self.require_stream(run)

    async def wait_sent(self) -> None:
        """Until every trade has sent its newest message, or found nobody to take it; for `trade_farewell` at most.

        Cancellation: Safe.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.trade_farewell):
                for run in list(self.runs.values()):
                    await run.wait_sent()

    def stop_nowait(self) -> None:
        """End everything at once, without waiting. Idempotent."""
        self._stopped = True
        self._watcher.close_nowait()
        for run in self.runs.values():
            run.stop_nowait()
        self._tasks.cancel()

    async def stop(self) -> None:
        """As `stop_nowait`, and wait until everything has ended. Idempotent.

        Cancellation: Safe. Everything was told to end before the first await.
        """
        self.stop_nowait()
        await self._watcher.close()
        for run in self.runs.values():
            await run.stop()
        await self._tasks.close()

    def set_wallet(self, wallet: Wallet | None) -> None:
        self._wallet = wallet
        if wallet is not None:
            self._wallet_there.wake()

    @property
    def wallet(self) -> Wallet:
        """Raises `WalletNotConnected`."""
        if self._wallet is None:
            raise WalletNotConnected
        return self._wallet

    @property
    def has_wallet(self) -> bool:
        return self._wallet is not None

    # --- trades

    async def start_trade(self, record: TradeRecord) -> TradeRunner:
        """Kept first, then begun. Raises `ObjectClosed` after `stop`."""
        if self._stopped:
            raise ObjectClosed("the node")
        run = TradeRunner(record, self, self._limits.trade_inbox, self._report)
        self.runs[run.id] = run
        try:
            await run.start()
        except BaseException:
            del self.runs[run.id]
            await self._records.delete(run.id)
            raise
        self.require_stream(run)
        return run

    async def make_room(self) -> None:
        """The oldest trade that is over goes when there are too many: first of what strangers asked for and got nothing
        shown for, so that they cannot wash out what was traded. Raises `TooManyRequests`.
        """
        live = [run for run in self.runs.values() if run.needs_peer]
        if len(live) >= self._limits.active_trades:
            raise TooManyRequests("trades at once", self._limits.active_trades)
        over = [run for run in self.runs.values() if run.is_over and run.record.released]
        if len(self.runs) >= MAX_TRADES and over:
            oldest = min(over, key=lambda run: (not _is_bogus(run.state.trade), run.record.updated_at))
            await self._records.delete(oldest.id)
            del self.runs[oldest.id]
            self._told.pop(oldest.id, None)

    def run(self, trade_id: str) -> TradeRunner:
        """Raises `TradeNotFound`."""
        run = self.runs.get(trade_id)
        if run is None:
            raise TradeNotFound(trade_id)
        return run

    def require_stream(self, run: TradeRunner) -> None:
        peer = run.state.trade.peer
        if run.needs_peer:
            self._links.require(PeerId.parse(peer), run.record.relays)
        elif not any(each.needs_peer and each.state.trade.peer == peer for each in self.runs.values()):
            self._links.release(PeerId.parse(peer))

    # --- what a trade needs (TradeContext)

    def now(self) -> int:
        return int(self._runtime.clock.now())

    async def save(self, record: TradeRecord) -> None:
        await self._records.put(record.state.trade.terms.trade_id, record)
        self._has_trouble = False

    async def discard(self, record: TradeRecord) -> None:
        await self._records.delete(record.state.trade.terms.trade_id)

    def store_failed(self, error: DarkSwapError) -> None:
        """Told once, until something could be saved again."""
        if not self._has_trouble:
            self._has_trouble = True
            self._store_trouble(error)

    async def send(self, record: TradeRecord, message: Send) -> None:
        trade = record.state.trade
        body = self.admission.redact_cancel(message.body)
        sealed = await envelopes.sign_message(self._identity, trade.role, trade.terms.trade_id, message.seq, body)
        await self._links.send(PeerId.parse(trade.peer), sealed)

    async def perform(self, record: TradeRecord, effect: Work) -> Event:
        trade = record.state.trade
        match effect:
            case Validate():
                return await self.operations.validate(trade, record.request.proofs if record.request else ())
            case Verify():
                return await self.operations.verify(trade)
            case Sign():
                return await self.operations.sign(trade)
            case Countersign(witnesses):
                try:
                    self.admission.check_still_offered(record, self.now())
                except TradeRefused as refusal:
                    return SigningFailed(refusal.reason, refusal.detail)
                return await self.operations.countersign(trade, witnesses)
            case SelfSpend():
                return await self.operations.self_spend(trade)
            case Broadcast(txid, raw):
                return await self.operations.broadcast(txid, raw)

    def perform_now(self, run: TradeRunner, effect: Effect) -> None:
        match effect:
            case Watch():
                self._watcher.watch(run.id, effect)
            case Release():
                self._watcher.forget(run.id)
                self._tasks.spawn(self._until_done(lambda: self._release(run)), "trade release")
            case PublishChange():
                self.require_stream(run)
                if isinstance(run.state, Completed):
                    order_id = run.state.trade.terms.order_id
                    self._tasks.spawn(
                        self._until_done(lambda: self._orders.complete_fill(order_id, run.id)), "order fill"
                    )
                self._tell(run)

    async def _release(self, run: TradeRunner) -> None:
        terms = run.state.trade.terms
        await self._coins.release(run.id)
        if isinstance(run.state, Settled):
            await self._orders.complete_fill(terms.order_id, run.id)
        else:
            await self._orders.release_fill(terms.order_id, run.id)
        if not run.record.released:
            self.admission.record_outcome(run.record, self.now())
            run.record = replace(run.record, released=True)
            await self.save(run.record)
        self.operations.forget(run.id)
        self._blind.pop(run.id, None)

    # --- chain and wallet

    def _seen(self, trade_id: str, observation: ChainObservation) -> None:
        run = self.runs.get(trade_id)
        if run is None:
            return
        blind = observation.reason if isinstance(observation, ChainUnavailable) else ""
        if blind != self._blind.get(trade_id, ""):
            self._blind[trade_id] = blind
            self._tell(run)
        event, trade = event_of(observation), run.state.trade
        is_settlement = isinstance(observation, InMempool | InBlock) and observation.txid == trade.txid
        if is_settlement and not trade.raw and not run.is_over:
            if isinstance(observation, InMempool):
                # One server's word, until the whole transaction is here.
                self._tasks.spawn(self._prove(run, SeenInMempool(observation.txid)), "trade fetch")
                return
            self._tasks.spawn(self._fetch(run), "trade fetch")
        if event is not None:
            run.enqueue(event)

    async def _prove(self, run: TradeRunner, event: SeenInMempool) -> None:
        """Enqueue `event` if the whole settlement is to be had, with signatures that hold, or enough servers say so."""
        if not await self._fetch(run):
            try:
                if await self._chain.status(event.txid, verify=True) is None:
                    return
            except ChainError:
                return  # looked at again soon
        run.enqueue(event)

    async def _fetch(self, run: TradeRunner) -> bool:
        """Kept by both sides until it is deep in the chain: whoever has it can broadcast it again."""
        trade = run.state.trade
        try:
            raw = await self._chain.transaction(trade.txid)
            self.operations.verify_final_transaction(trade, raw)
        except DarkSwapError:
            return False  # seen again soon
        run.enqueue(FinalTransactionFetched(raw))
        return True

    async def _connected(self) -> ConnectedWallet:
        """Waits for a wallet: a trade taken up after a reload may need it before it is opened."""
        while self._wallet is None:
            await self._wallet_there.wait()
        return ConnectedWallet(self._wallet, self._coins)

    def _busy(self, trade_id: str) -> frozenset[OutPoint]:
        """Coins of ours in other trades."""
        others = (run.state.trade.own for run in self.runs.values() if run.id != trade_id and not run.is_over)
        return frozenset(coin.outpoint for own in others if own is not None for coin in own.coins)

    # --- telling

    def subscribe(self, callback: Callable[[TradeEvent], None]) -> Callable[[], None]:
        return self._subscribers.subscribe(callback)

    def view(self, run: TradeRunner) -> TradeView:
        return build_trade_view(run.record, self._local, self._blind.get(run.id, ""))

    def _tell(self, run: TradeRunner) -> None:
        view = self.view(run)
        before = self._told.get(run.id)
        self._told[run.id] = view.status
        kind = "created" if before is None else view.status.value
        if before is not None and (before is view.status or not view.status.is_over):
            kind = "updated"
        self._subscribers.publish(TradeEvent(kind, view))

    async def run_with_retry(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do `perform`, which frees what must not stay reserved: at once, or as soon as the store does not fail.

        Cancellation: The work goes on.
        """
        if self._stopped:
            await self._attempt(work)
        else:
            await wait_ended((self._tasks.spawn(self._attempt(work), "trade clearing"),))

    async def _attempt(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except DarkSwapError as error:
            if isinstance(error, StorageError):
                self.store_failed(error)
            if not self._stopped:
                self._tasks.spawn(self._until_done(work), "trade clearing")

    async def _until_done(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                return await work()
            except DarkSwapError as error:
                if isinstance(error, StorageError):
                    self.store_failed(error)
                await asyncio.sleep(STORE_RETRY_SECONDS)


def _is_bogus(trade: Trade) -> bool:
    """A stranger's request that ended before a coin of ours was shown for it."""
    return trade.role is Role.MAKER and trade.own is None
