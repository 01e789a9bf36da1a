"""The orders of this node: made, changed and cancelled by their owner; taken in from others; watched on chain."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from darkswap_browser.chain.base import Chain
from darkswap_browser.concurrency.faults import ReportFault, log_fault
from darkswap_browser.concurrency.tasks import Tasks
from darkswap_browser.errors import (
    ChainError,
    DarkSwapError,
    InsufficientFunds,
    InvalidOrder,
    WalletNotConnected,
)
from darkswap_browser.identity.keys import Identity
from darkswap_browser.market import order_codec, orders
from darkswap_browser.market.order_codec import SignedOrder
from darkswap_browser.market.orders import Order, Side
from darkswap_browser.orders import funding, order_import, views
from darkswap_browser.orders.book import OrderBook
from darkswap_browser.orders.draft import OrderDraft, create_order
from darkswap_browser.orders.private_sales import PrivateSales
from darkswap_browser.orders.views import OrderEvent, OrderView
from darkswap_browser.runtime.base.host import Runtime
from darkswap_browser.settlement import fees
from darkswap_browser.settlement.private_sale import private_sales_disabled
from darkswap_browser.storage.orders import Fill, OrderRecord, OrderStatus, order_records, pending_sales
from darkswap_browser.storage.records import QuarantineListener
from darkswap_browser.wallets.base import CoinStore, Wallet

MAX_OLD_REVISIONS = 32
"""Older revisions of ours that are still honoured, one per renewal of the coins behind a partly filled order: the
first, whose link went round, and the latest.
"""
CHECK_SECONDS = 30.0
"""Between two looks at the coins behind our own orders …"""
FOREIGN_ROUNDS = 4
"""… and so many rounds between two looks at those behind the others'."""


class OrderManager:
    """`relays()` tells the full multiaddrs of relays where we can be met now. `aside` is told of broken records.
    `private_sales`: they may be made, knowing their risks.
    """

    def __init__(
        self,
        runtime: Runtime,
        identity: Identity,
        network: str,
        chain: Chain,
        relays: Callable[[], Sequence[str]],
        aside: QuarantineListener,
        *,
        private_sales: bool = False,
        report: ReportFault = log_fault,
    ) -> None:
        self._runtime = runtime
        self._identity = identity
        self._network = network
        self._chain = chain
        self._relays = relays
        records = order_records(runtime.store, network, str(identity.peer_id), aside)
        self._book = OrderBook(records, str(identity.peer_id), self._now, report)
        begun = pending_sales(runtime.store, network, str(identity.peer_id), aside)
        self._sales = PrivateSales(chain, self._book, begun, self._connected, self._now, runtime.fence)
        self._private_sales = private_sales
        self._wallet: Wallet | None = None
        self._coins: CoinStore | None = None
        self._tasks = Tasks(report)
        self._started = False
        self._revising = asyncio.Lock()
        """Two revisions at once would bear the same number, which is what cheats do."""

    # --- life

    async def start(self) -> None:
        """Load what is kept and begin to watch. Idempotent. Cancellation: Safe; nothing was begun."""
        if not self._started:
            await self._book.load()
            self._started = True
            self._tasks.spawn(self._watch(), "order watch")

    def stop_nowait(self) -> None:
        """Stop watching, for good, without waiting. Idempotent."""
        self._tasks.cancel()

    async def stop(self) -> None:
        """As `stop_nowait`, and wait until it has ended. Idempotent. Cancellation: Safe; the watch ends by itself."""
        await self._tasks.close()

    def set_wallet(self, wallet: Wallet | None, coins: CoinStore | None) -> None:
        self._wallet, self._coins = wallet, coins

    def subscribe(self, callback: Callable[[OrderEvent], None]) -> Callable[[], None]:
        """Call `callback` with every change; returns how to stop it."""
        return self._book.subscribe(callback)

    # --- our own

    async def create(self, draft: OrderDraft) -> OrderView:
        """Raises `InvalidOrder`, `InsufficientFunds`, `WalletNotConnected`, `WalletRejected`, `ChainError`, and
        `Unsupported` for a private sale where those are switched off.
        """
        if draft.private_sale and not self._private_sales:
            raise private_sales_disabled()
        self._book.check_capacity(str(self._identity.peer_id))
        order = self.build_order(draft, await self._chain.fee_rate(1) if draft.max_fee_sats is None else 0)
        orders.check_order(order)
        if draft.private_sale:
            return await self._sell(order)
        return await self._put(await self._with_funds(order, order.gives[1]))

    async def _sell(self, order: Order) -> OrderView:
        try:
            view = await self._put(await self._sales.create(order))
        except BaseException:
            await self._sales.discard(order.order_id)
            raise
        await self._sales.commit(order.order_id)
        return view

    async def _put(self, order: Order) -> OrderView:
        record = OrderRecord(text=await self._sign(order), funded=True, seq=order.seq, updated_at=self._now())
        return await self._book.put(order.order_id, record, "created")

    def build_order(self, draft: OrderDraft, fee_rate: int) -> Order:
        """Ours, as it would be made now, without the coins behind it; not judged. `fee_rate`: today's."""
        nonce = self._runtime.entropy.bytes(orders.NONCE_SIZE)
        most = fees.default_maker_fee(draft.least_sats, fee_rate)
        return create_order(draft, str(self._identity.peer_id), self._network, self._now(), nonce, self._here(), most)

    async def update(
        self,
        order_id: str,
        *,
        quote_atoms: int | None = None,
        expires_in: int | None = None,
        paused: bool | None = None,
    ) -> OrderView:
        """The next revision of an order of ours. `quote_atoms`: for all of its base. `expires_in`: from now, within
        `MAX_LIFETIME` of when the order was made. Raises `InvalidOrder` …
        """

        def changed(order: Order) -> Order:
            now = self._now()
            if quote_atoms is not None:
                order = replace(order, quote_atoms=quote_atoms)
            if expires_in is not None:
                order = replace(order, expires_at=now + expires_in)
            return order if paused is None else replace(order, paused=paused)

        return await self._revise(order_id, changed)

    async def _revise(self, order_id: str, changed: Callable[[Order], Order], funded: bool | None = None) -> OrderView:
        """`funded` None: as it was."""
        async with self._revising:
            record, before = self._own(order_id)
            left = views.remaining_atoms(before, record.fills)
            seq = orders.next_seq(record.seq, self._now())
            order = replace(changed(before), seq=seq, open_atoms=left or before.open_atoms)
            order = replace(order, relays=self._here() or before.relays)
            orders.check_order(order)
            text = await self._sign(order)
            record, _ = self._own(order_id)  # trades may have taken of it meanwhile
            texts = (*record.earlier, record.text) if funding.same_terms(before, order) else ()
            earlier = texts[:1] + texts[1:][1 - MAX_OLD_REVISIONS :]
            status = OrderStatus.PAUSED if order.paused else OrderStatus.OPEN
            funded = record.funded if funded is None else funded
            revised = replace(record, text=text, earlier=earlier, status=status, seq=order.seq, funded=funded)
            return await self._book.put(order_id, revised, "updated")

    async def cancel(self, order_id: str) -> OrderView:
        """For good: a signed cancellation is kept until the order would have expired. Of a private sale, the coin is
        spent to ourselves, and only that ends it. Raises `InvalidOrder` …
        """
        if self._is_sale_of_ours(order := self.order(order_id)):
            return await self._sales.cancel(order.order_id, self._cancellation)
        return await self._end(order_id, OrderStatus.CANCELED)

    async def _end(self, order_id: str, status: OrderStatus) -> OrderView:
        async with self._revising:
            record, order = self._own(order_id)
            seq = orders.next_seq(record.seq, self._now())
            packed = await self._cancellation(order, seq)
            record = self._book.record(order_id)  # trades may have taken of it meanwhile
            ended = replace(record, status=status, cancellation=packed, seq=seq)
            return await self._book.put(order_id, ended, "canceled")

    async def _cancellation(self, order: Order, seq: int) -> bytes:
        ended = orders.cancel_order(order, seq)
        return order_codec.encode_order(SignedOrder(ended, await self._identity.sign(order_codec.signing_bytes(ended))))

    def _own(self, order_id: str) -> tuple[OrderRecord, Order]:
        record = self._book.record(order_id)
        order = order_codec.decode_text(record.text).order
        if order.maker != str(self._identity.peer_id):
            raise InvalidOrder("order_id", "is another maker's order")
        if record.status.is_over:
            raise InvalidOrder("order_id", f"is {record.status.value} already")
        return record, order

    def _connected(self) -> tuple[Wallet, CoinStore]:
        if self._wallet is None or self._coins is None:
            raise WalletNotConnected
        return self._wallet, self._coins

    async def _with_funds(self, order: Order, atoms: int) -> Order:
        return await funding.attach_funding(order, atoms, *self._connected())

    async def _sign(self, order: Order) -> str:
        signed = SignedOrder(order, await self._identity.sign(order_codec.signing_bytes(order)))
        order_codec.decode_order(order_codec.encode_order(signed))
        return order_codec.encode_text(signed)

    def _here(self) -> tuple[str, ...]:
        return order_import.short_relays(self._relays())

    # --- others'

    async def import_text(self, text: str) -> OrderView:
        """An order from its text or a link that holds it; its coins are looked up before this returns.

        Raises `InvalidOrder`: unreadable, not signed by its maker, of another network, or canceled.
        """
        signed = await order_import.read_order(text, self._network, self._runtime.crypto)
        order = signed.order
        known = self._book.find(order.order_id)
        if known is not None and (
            self._is_local(order) or known.cancellation or not order_import.is_newer(known, order)
        ):
            return self._book.view(order.order_id, known)
        if order.is_cancellation:
            return await self._book.put(order.order_id, order_import.canceled(known, signed), "canceled")
        orders.check_current(replace(order, paused=False), self._now())
        if known is None:
            self._book.check_capacity(order.maker)
        status = OrderStatus.PAUSED if order.paused else OrderStatus.OPEN
        record = OrderRecord(text=order_codec.encode_text(signed), status=status, seq=order.seq, updated_at=self._now())
        await self._book.put(order.order_id, record, "created" if known is None else "updated")
        return await self.refresh_funding(order.order_id)

    async def refresh_funding(self, order_id: str) -> OrderView:
        """Looks at the coins behind an order: `funded` True, False, or None when the chain did not tell."""
        record = self._book.record(order_id)
        order = order_codec.decode_text(record.text).order
        try:
            funded: bool | None = await funding.fetch_funding_status(order, self._chain)
        except ChainError:
            funded = None
        current = self._book.record(order_id)
        if current.text != record.text or current.funded is funded:
            return self._book.view(order_id, current)
        return await self._book.put(order_id, replace(current, funded=funded), "updated")

    # --- what there is

    def get(self, order_id: str) -> OrderView | None:
        record = self._book.find(order_id)
        return None if record is None else self._book.view(order_id, record)

    def all(self) -> Sequence[OrderView]:
        """Newest change first."""
        return self._book.views()

    def order(self, order_id: str) -> Order:
        """The latest revision. Raises `OrderNotFound`."""
        return order_codec.decode_text(self._book.record(order_id).text).order

    def revision(self, order_id: str, order_hash: str) -> str | None:
        """Text of an order of ours: the latest revision, or an older one on the same terms, when that is its hash."""
        record = self._book.find(order_id)
        for text in (record.text, *record.earlier) if record is not None else ():
            if order_codec.order_hash(order_codec.decode_text(text).order) == order_hash:
                return text
        return None

    # --- partial fills of our own

    async def reserve_fill(self, order_id: str, trade_id: str, atoms: int) -> None:
        """A trade takes `atoms` of base. Idempotent. Raises `InvalidOrder` when they are not left."""
        record, order = self._own(order_id)
        if any(fill.trade_id == trade_id for fill in record.fills):
            return
        orders.check_current(order, self._now())
        orders.check_fill(order, atoms, views.remaining_atoms(order, record.fills))
        await self._book.put(order_id, replace(record, fills=(*record.fills, Fill(trade_id, atoms))), "updated")

    async def release_fill(self, order_id: str, trade_id: str) -> None:
        """That trade came to nothing. Idempotent."""
        record = self._book.find(order_id)
        if record is not None and any(fill.trade_id == trade_id for fill in record.fills):
            fills = tuple(fill for fill in record.fills if fill.trade_id != trade_id)
            status = record.status
            if status is OrderStatus.FILLED:
                status = OrderStatus.PAUSED if self.order(order_id).paused else OrderStatus.OPEN
            await self._book.put(order_id, replace(record, fills=fills, status=status), "updated")

    def open_fills(self) -> Sequence[tuple[str, str]]:
        """Orders of ours and the trades that take of them now."""
        return [
            (key, fill.trade_id) for key, record in self._book.all().items() for fill in record.fills if not fill.done
        ]

    async def complete_fill(self, order_id: str, trade_id: str) -> None:
        """That trade is confirmed. Idempotent."""
        record = self._book.find(order_id)
        if record is None or not any(fill.trade_id == trade_id and not fill.done for fill in record.fills):
            return
        fills = tuple(replace(fill, done=True) if fill.trade_id == trade_id else fill for fill in record.fills)
        order = order_codec.decode_text(record.text).order
        full = sum(fill.atoms for fill in fills if fill.done) >= order.base_atoms
        # A canceled order stays so: what a reorganisation undoes must not open it again.
        status = OrderStatus.FILLED if full and not record.cancellation else record.status
        await self._book.put(order_id, replace(record, fills=fills, status=status), "filled")
        await self._look(order_id, foreign=False)
        await self._tell_rest(order_id)

    async def _tell_rest(self, order_id: str) -> None:
        """Sign a revision that says how much is left, where the latest says more."""
        record = self._book.find(order_id)
        if record is None or record.status.is_over or self._is_sale_of_ours(order := self.order(order_id)):
            return
        if 0 < views.remaining_atoms(order, record.fills) < order.open_atoms:
            await self._revise(order_id, lambda latest: latest)

    # --- watching

    async def _watch(self) -> None:
        rounds = 0
        while True:
            for order_id in self._book.all():
                await self._look(order_id, foreign=rounds % FOREIGN_ROUNDS == 0)
            await self._sales.discard_uncommitted()
            rounds += 1
            await asyncio.sleep(CHECK_SECONDS)

    async def _look(self, order_id: str, *, foreign: bool) -> None:
        try:
            await self._judge(order_id, foreign=foreign)
        except DarkSwapError:
            return  # looked at again next time; a taker's own checks hold meanwhile

    async def _judge(self, order_id: str, *, foreign: bool) -> None:
        record = self._book.find(order_id)
        if record is None:
            return
        order = order_codec.decode_text(record.text).order
        over = self._now() >= order.expires_at
        if self._is_sale_of_ours(order):
            # Its signature outlives its time, and its cancellation until that is in a block.
            await self._sales.refresh(order_id)
        elif record.status.is_over:
            if self._now() >= order.expires_at + orders.CLOCK_SKEW and not self._is_local(order):
                await self._book.drop(order_id)
        elif over:
            await self._book.put(order_id, replace(record, status=OrderStatus.EXPIRED), "expired")
        elif self._is_local(order):
            await self._look_at_own(order_id, record, order)
        elif foreign:
            await self.refresh_funding(order_id)

    async def _look_at_own(self, order_id: str, record: OrderRecord, order: Order) -> None:
        """A spent coin ends the order, unless our own trade spent it: then others take its place."""
        if not await funding.is_spent(self._chain, order.funding):
            return
        if not record.fills:
            await self._end(order_id, OrderStatus.UNFUNDED)
        elif all(fill.done for fill in record.fills) and self._wallet is not None:
            left = views.remaining_atoms(order, record.fills)
            atoms = left if order.side is Side.SELL else orders.quote_for(order, left)
            try:
                found = await self._with_funds(order, atoms)
            except InsufficientFunds:
                if record.funded is not False:
                    await self._book.put(order_id, replace(self._book.record(order_id), funded=False), "updated")
                return
            await self._revise(
                order_id, lambda latest: replace(latest, funding=found.funding, proofs=found.proofs), funded=True
            )

    # --- small

    def _is_sale_of_ours(self, order: Order) -> bool:
        return order.sale is not None and self._is_local(order)

    def _is_local(self, order: Order) -> bool:
        return order.maker == str(self._identity.peer_id)

    def _now(self) -> int:
        return int(self._runtime.clock.now())
