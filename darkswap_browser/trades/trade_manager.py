"""The trades of this node: begun by us or asked of us, driven to their ends, taken up again after a restart.

Rules are in `settlement.machine`; `runner` and `driver` keep one going; what needs chain or wallet is in `operations`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from darkswap_browser.chain.base import Chain
from darkswap_browser.errors import InvalidArgument, InvalidOrder, LocalError, ProtocolViolation, TradeRefused
from darkswap_browser.errors.base import NO_UNICODE, NO_UNICODE_HINT, encodable
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.market import order_codec
from darkswap_browser.market.orders import Order
from darkswap_browser.net.swarm import Swarm
from darkswap_browser.orders.order_manager import OrderManager
from darkswap_browser.protocols.trade_streams import ConnectToPeer, TradeStreams
from darkswap_browser.runtime.base.host import Runtime
from darkswap_browser.settlement import fees, machine, messages
from darkswap_browser.settlement.balance_change import BalanceChange
from darkswap_browser.settlement.checks import TradePolicy
from darkswap_browser.settlement.effects import Send
from darkswap_browser.settlement.events import Approved, CancelRequested, MessageReceived, Reconnected, RevokeRequested
from darkswap_browser.settlement.messages import Cancel, FinalTransaction, TakeRequest, TradeEnvelope
from darkswap_browser.settlement.private_sale import private_sales_disabled
from darkswap_browser.settlement.states import State, Trade
from darkswap_browser.settlement.step import StepOutcome
from darkswap_browser.settlement.terms import Role, TradeTerms, derive_terms
from darkswap_browser.storage.records import QuarantineListener
from darkswap_browser.storage.trades import PendingTake, TradeRecord, pending_takes
from darkswap_browser.trades import envelopes, taking
from darkswap_browser.trades.driver import Driver, StoreTrouble
from darkswap_browser.trades.views import TradeEvent, TradeView
from darkswap_browser.wallets.base import CoinStore, Wallet


class TradeManager:
    """Also the `TradeStreamListener` of every link. `confirmations`: until a trade is completed."""

    def __init__(
        self,
        runtime: Runtime,
        swarm: Swarm,
        network: str,
        chain: Chain,
        coins: CoinStore,
        orders: OrderManager,
        reach: ConnectToPeer,
        policy: TradePolicy,
        confirmations: int,
        aside: QuarantineListener,
        store_trouble: StoreTrouble,
    ) -> None:
        self._runtime = runtime
        self._identity = swarm.identity
        self._local = str(swarm.local_peer)
        self._chain = chain
        self._coins = coins
        self._orders = orders
        self._reach = reach
        self._policy = policy
        self._confirmations = confirmations
        self._begun = pending_takes(runtime.store, network, self._local, aside)
        self._links = TradeStreams(swarm, reach, self)
        self._driver = Driver(
            runtime,
            swarm.identity,
            network,
            chain,
            coins,
            orders,
            self._links,
            policy,
            swarm.limits,
            aside,
            store_trouble,
            swarm.faults.report,
        )
        self._admitting: dict[str, str] = {}
        """Trade ids that are being looked at → peers who asked."""

    # --- life

    async def start(self) -> None:
        """Loads what is kept and goes on with it."""
        await self._driver.load()
        await self._free_what_crashed()
        self._links.start()
        self._driver.resume()

    async def _free_what_crashed(self) -> None:
        """Coins and parts of orders that were held for trades which were never kept."""
        for trade_id in await self._begun.names():
            if trade_id not in self._driver.runs:
                await self._coins.release(trade_id)
            await self._begun.delete(trade_id)
        for order_id, trade_id in self._orders.open_fills():
            if trade_id not in self._driver.runs:
                await self._orders.release_fill(order_id, trade_id)

    def stop_nowait(self) -> None:
        """End everything at once, without waiting; everything is saved already. Idempotent."""
        self._links.close_nowait()
        self._driver.stop_nowait()

    async def stop(self) -> None:
        """Send what trades still have to say, which takes `trade_farewell` at most, then end everything. Idempotent.

        A peer that is not told that a trade was canceled keeps its coins reserved until the trade's deadline.

        Cancellation: Safe; then everything ends as by `stop_nowait`.
        """
        try:
            await self._driver.wait_sent()
            await self._links.close()
        finally:
            self.stop_nowait()
        await self._driver.stop()

    def set_wallet(self, wallet: Wallet | None) -> None:
        self._driver.set_wallet(wallet)

    def subscribe(self, callback: Callable[[TradeEvent], None]) -> Callable[[], None]:
        """Call `callback` with every change; returns how to stop it."""
        return self._driver.subscribe(callback)

    # --- what people ask for

    async def take(
        self,
        order_id: str,
        fill: int | None = None,
        fee_rate: int | None = None,
        max_fee: int | None = None,
        *,
        review: bool = False,
    ) -> TradeView:
        """Begins a trade: the maker is reached, coins are reserved and proved, the request is on its way. Of a private
        sale nobody is asked: its text is all there is to it.

        `fill`: base atoms, all that is left by default. `fee_rate`: sats per 1000 vB, today's by default. `max_fee`:
        sats that the miners get of us at most; by default in proportion to the trade. `review`: nothing is signed
        before `confirm`. Raises `OrderNotFound`, `InvalidOrder`, `WalletNotConnected`,
        `InsufficientFunds`, `WalletRejected`, `ChainError`, `DialFailed` or `NoAddress` when the maker is away, and
        `Unsupported` for a private sale where those are switched off.
        """
        wallet = self._driver.wallet
        order = self._orders.order(order_id)
        if order.maker == self._local:
            raise InvalidOrder("order_id", "is an order of your own", "Orders are for others to take.")
        view = self._orders.get(order_id)
        amount = order.open_atoms if fill is None else fill
        taking.check_takeable(order, view, amount, self._now())
        self._check_sale(order)
        rate = taking.checked_rate(await self._chain.fee_rate(1) if fee_rate is None else fee_rate, self._policy)
        await self._driver.make_room()
        if order.sale is None:
            await self._reach(PeerId.parse(order.maker), order.relays)
        trade_id = self._runtime.entropy.bytes(16).hex()
        seconds = taking.seconds_for(order, wallet)

        def deadline() -> int:
            return min(self._now() + seconds, order.expires_at)

        terms = derive_terms(order, trade_id, fill=amount, fee_rate=rate, deadline=deadline())
        most = fees.default_taker_fee(terms) if max_fee is None else max_fee
        await self._begun.put(trade_id, PendingTake(self._now()))
        try:
            trade = self._trade(Role.TAKER, terms, order.maker, wallet, most, auto=not review)
            state = await self._first(trade, order, wallet, deadline)
            text = view.text if view is not None else ""
            run = await self._driver.start_trade(
                TradeRecord(state=state, order=text, relays=order.relays, updated_at=self._now())
            )
        except BaseException:
            await self._driver.run_with_retry(lambda: self._undo(trade_id))
            raise
        await self._driver.run_with_retry(lambda: self._begun.delete(trade_id))
        return self._driver.view(run)

    async def _undo(self, trade_id: str) -> None:
        await self._coins.release(trade_id)
        await self._begun.delete(trade_id)

    async def _first(self, trade: Trade, order: Order, wallet: Wallet, deadline: Callable[[], int]) -> State:
        if order.sale is not None:
            bought = await taking.prepare_purchase(trade, order, wallet, self._coins, self._chain, deadline)
            return machine.start_purchase(bought, self._now()).state
        agreed, own, request = await taking.prepare_request(trade, wallet, self._coins, deadline)
        return machine.start_taker(replace(trade, terms=agreed, own=own), request, self._now()).state

    def _check_sale(self, order: Order) -> None:
        if order.sale is None:
            return
        if not self._policy.private_sales:
            raise private_sales_disabled()
        bought = (run for run in self._driver.runs.values() if run.state.trade.terms.order_id == order.order_id)
        if any(run.state.trade.sale and not run.is_over for run in bought):
            raise InvalidOrder("order_id", "is being bought by you already")

    async def confirm(self, trade_id: str) -> TradeView:
        """After `start_taker(review=True)`: sign what was shown. Again: does nothing."""
        run = self._driver.run(trade_id)
        if run.is_over:
            raise InvalidArgument("trade_id", "this trade is over", "Take the order again.")
        if self._driver.view(run).can_confirm:
            await run.request(Approved())
        return self._driver.view(run)

    async def cancel(self, trade_id: str, reason: str = "") -> TradeView:
        """Possible until our signature has left; of a trade that is over, nothing happens.

        Raises:
            InvalidArgument: The signature has left, or `reason` is no Unicode text.
        """
        run = self._driver.run(trade_id)
        if encodable(reason) != reason:
            raise InvalidArgument("reason", NO_UNICODE, NO_UNICODE_HINT)
        said = await run.request(CancelRequested(reason[: messages.MAX_TEXT]))
        if said is StepOutcome.REFUSED and not run.is_over:
            raise InvalidArgument("trade_id", "your signature has left already", "revoke_trade takes it back.")
        return self._driver.view(run)

    async def revoke(self, trade_id: str, fee: int = 0, max_fee: int = 0) -> TradeView:
        """Spends a coin of the trade to ourselves, so that the signature given away is worth nothing. `fee`: sats that
        it shall cost, `max_fee`: that it may; 0: what it needs to, within a bound in proportion to the trade's fee.
        """
        run = self._driver.run(trade_id)
        _ = self._driver.wallet
        if await run.request(RevokeRequested(fee, max_fee)) is StepOutcome.REFUSED and not run.is_over:
            raise InvalidArgument("trade_id", "has no signature to take back now", self._driver.view(run).advice)
        return self._driver.view(run)

    async def bump_fee(self, trade_id: str, fee_rate: int | None = None, max_fee: int | None = None) -> tuple[str, int]:
        """Txid and sats of a child that speeds up a settlement which waits for a block.

        Raises `TradeNotFound`, and what `FeeBumper.bump` raises.

        Cancellation: As there.
        """
        run = self._driver.run(trade_id)
        view = self._driver.view(run)
        if not view.can_bump_fee:
            raise InvalidArgument("trade_id", "has nothing to speed up, or no bitcoin output of yours", view.advice)
        _ = self._driver.wallet
        rate = None if fee_rate is None else taking.checked_rate(fee_rate, self._policy)
        return await self._driver.fee_bumper.bump(run.state.trade, rate, max_fee)

    async def estimate_revoke_fee(self, trade_id: str) -> tuple[int, int]:
        """Sats that `revoke` would cost now, and that it may cost where nothing else is said.

        Raises:
            TradeNotFound, InvalidArgument: It is not known, or has no signature to take back now.
            ChainError: Too few servers tell.

        Cancellation: Safe; it only reads.
        """
        run = self._driver.run(trade_id)
        if not self._driver.view(run).can_revoke:
            raise InvalidArgument("trade_id", "has no signature to take back now", self._driver.view(run).advice)
        return await self._driver.operations.estimate_revoke_fee(run.state.trade)

    async def wait(self, trade_id: str) -> TradeView:
        """Until it is completed, failed or canceled."""
        run = self._driver.run(trade_id)
        while not self._driver.view(run).status.is_over:
            await run.wait_change()
        return self._driver.view(run)

    def get(self, trade_id: str) -> TradeView | None:
        run = self._driver.runs.get(trade_id)
        return None if run is None else self._driver.view(run)

    def all(self) -> Sequence[TradeView]:
        """Newest first."""
        return sorted(map(self._driver.view, self._driver.runs.values()), key=lambda view: (-view.created_at, view.id))

    def effect(self, trade_id: str) -> BalanceChange | None:
        """What the transaction does to us; None before it is known. Raises `TradeNotFound`."""
        trade = self._driver.run(trade_id).state.trade
        if trade.own is None or trade.theirs is None:
            return None
        return self._driver.operations.preview(trade)

    # --- beginnings

    def _trade(self, role: Role, terms: TradeTerms, peer: str, wallet: Wallet, max_fee: int, *, auto: bool) -> Trade:
        return Trade(
            role=role,
            terms=terms,
            peer=peer,
            auto_sign=auto,
            sign_seconds=int(wallet.sign_seconds),
            confirmations=self._confirmations,
            created_at=self._now(),
            max_fee=max_fee,
        )

    # --- messages (TradeStreamListener)

    async def received(self, peer: PeerId, message: bytes) -> None:
        """Raises `RemoteError` for what no honest peer sends."""
        envelope = messages.decode(message)
        run = self._driver.runs.get(envelope.trade_id)
        if run is None:
            await self._stranger(peer, envelope)
            return
        trade = run.state.trade
        if trade.peer != str(peer):
            raise ProtocolViolation(envelopes.WHAT, "is about a trade with somebody else")
        await envelopes.verify_message(self._runtime.crypto, peer, trade.role.other, envelope)
        body = messages.body_of(envelope)
        if body is None:
            return
        if isinstance(body, FinalTransaction) and not trade.raw and envelope.seq > trade.received:
            self._driver.operations.verify_final_transaction(trade, body.raw)
        if run.is_over and isinstance(trade.last_sent, Cancel) and not isinstance(body, Cancel):
            await self._driver.send(run.record, Send(trade.sent, trade.last_sent))
        run.enqueue(MessageReceived(envelope.seq, body))

    def connected(self, peer: PeerId) -> None:
        for run in self._driver.runs.values():
            if run.state.trade.peer == str(peer) and not run.is_over:
                run.enqueue(Reconnected())

    async def _stranger(self, peer: PeerId, envelope: TradeEnvelope) -> None:
        """Of a trade that is not known here: a request is looked at, anything else is late or lost."""
        request = messages.body_of(envelope)
        if not isinstance(request, TakeRequest) or envelope.trade_id in self._admitting:
            return
        await envelopes.verify_message(self._runtime.crypto, peer, Role.TAKER, envelope)
        self._admitting[envelope.trade_id] = str(peer)
        try:
            await self._admit(peer, envelope, request)
        except (TradeRefused, LocalError) as refusal:
            code, detail = (
                (refusal.reason, refusal.detail) if isinstance(refusal, TradeRefused) else ("BUSY", refusal.code)
            )
            body = Cancel(code, detail[: messages.MAX_TEXT])
            sealed = await envelopes.sign_message(self._identity, Role.MAKER, envelope.trade_id, 1, body)
            await self._links.send(peer, sealed)
        finally:
            del self._admitting[envelope.trade_id]

    async def _admit(self, peer: PeerId, envelope: TradeEnvelope, request: TakeRequest) -> None:
        if not self._driver.has_wallet:
            raise TradeRefused("WALLET_NOT_CONNECTED", "")
        wallet, trade_id = self._driver.wallet, envelope.trade_id
        live = [run.state.trade.peer for run in self._driver.runs.values() if run.is_being_agreed]
        busy = [*live, *(asker for other, asker in self._admitting.items() if other != trade_id)]
        text = await self._driver.admission.admit(str(peer), trade_id, request, busy, self._now())
        order = order_codec.decode_text(text).order
        try:
            await self._driver.make_room()
            terms = derive_terms(
                order, trade_id, fill=request.fill, fee_rate=request.fee_rate, deadline=request.deadline
            )
            made = self._trade(Role.MAKER, terms, str(peer), wallet, order.max_fee_sats, auto=True)
            trade = replace(made, theirs=request.declaration)
            state = machine.start_maker(trade, envelope.seq, self._now()).state
            await self._driver.start_trade(
                TradeRecord(state=state, order=text, request=request, updated_at=self._now())
            )
        except BaseException:
            await self._driver.run_with_retry(lambda: self._orders.release_fill(order.order_id, trade_id))
            raise

    def _now(self) -> int:
        return self._driver.now()
