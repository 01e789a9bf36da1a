"""The trading half of a node: wallet, orders and trades in the words of darkswap.d.ts, over the engine.

Everything is brought up by the first call that needs it, and goes down with the node; what was going on is kept and
taken up again. Events come with the node's own, by `subscribe`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack

from darkswap_browser.api.network import Network
from darkswap_browser.api.trading import drafts, lost_coins, stored
from darkswap_browser.api.trading.arguments import FLAG, PASSPHRASE, PURPOSE, TEXT, checked
from darkswap_browser.api.trading.assets import AssetRegistry, described
from darkswap_browser.api.trading.coin_recovery import CoinRecovery
from darkswap_browser.api.trading.engine import Engine, Event, hold_identity
from darkswap_browser.api.trading.info import order_info, trade_info
from darkswap_browser.api.trading.order_check import check_order
from darkswap_browser.api.trading.record_trouble import RecordTrouble
from darkswap_browser.api.trading.records import (
    AssetInfo,
    BalanceInfo,
    CoinInfo,
    OrderCheck,
    OrderInfo,
    TradeInfo,
    WalletInfo,
)
from darkswap_browser.api.trading.wallet_manager import WalletManager
from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.chain.base import Chain, ChainConfig
from darkswap_browser.chain.quorum import open_chain
from darkswap_browser.concurrency.shared_call import SharedCall
from darkswap_browser.concurrency.tasks import Tasks
from darkswap_browser.errors import ChainError, DarkSwapError, InvalidArgument
from darkswap_browser.market.amounts import parse_amount
from darkswap_browser.market.assets import AssetKind
from darkswap_browser.node.identity import load_identity
from darkswap_browser.node.node import Node
from darkswap_browser.orders.order_manager import OrderManager
from darkswap_browser.orders.views import OrderEvent, OrderView
from darkswap_browser.settlement.checks import TradePolicy
from darkswap_browser.trades.trade_manager import TradeManager
from darkswap_browser.trades.views import TradeView


class Trading:
    """Assets are texts ("BTC", "RUNE:840000:1", "ALKANE:2:0"), amounts decimal texts in display units."""

    def __init__(self, network: Network) -> None:
        config = network.config
        self._network = network
        self._bitcoin_network = config.bitcoin_network
        self._terms = config.trading.with_public_servers(config.bitcoin_network)
        terms, runtime = self._terms, network.runtime
        servers = ChainConfig(
            esplora=terms.esplora,
            ord=terms.ord,
            alkanes=terms.alkanes,
            quorum=terms.quorum or (2 if len(terms.esplora) > 1 else 1),
        )
        self._chain: Chain = open_chain(
            servers,
            fetch=runtime.fetch,
            store=runtime.store,
            entropy=runtime.entropy,
            max_fee_rate=terms.max_fee_rate,
        )
        bitcoin = self._bitcoin_network
        self._trouble = trouble = RecordTrouble(
            network.publish, lambda key: lost_coins.of_record(self._wallet_manager.coins, key)
        )
        recovery = CoinRecovery(runtime.store, bitcoin, trouble.left, trouble.coins_recovered)
        self._wallet_manager = WalletManager(
            runtime, bitcoin, terms, self._chain, recovery.recover, self._wallet_gone, trouble.set_aside
        )
        self._book = AssetRegistry(lambda: self._chain, runtime.store, self._bitcoin_network)
        self._open: Engine | None = None
        self._bringing_up = SharedCall[Engine]("trading start")
        self._wallet_tasks = Tasks()
        network.add_stop_hook(self._close)

    # --- life

    async def resume_trades(self) -> None:
        """Takes up what was going on, as every other call does. Raises `IdentityInUse`."""
        await self._engine()

    async def _engine(self) -> Engine:
        """Callers at once share one start; it is given up when all of them were cancelled."""
        node = await self._network.running_node()
        self._forget_lost()
        if self._open is not None and self._open.node is node:
            return self._open
        if not self._bringing_up.is_running:
            self._bringing_up.begin(self._bring_up(node))
        return await self._bringing_up.join()

    async def _bring_up(self, node: Node) -> Engine:
        runtime, network, peer = self._network.runtime, self._bitcoin_network, str(node.swarm.local_peer)
        engine = self._make_engine(node, await hold_identity(runtime, network, peer))
        try:
            await engine.start()
        except BaseException:
            await engine.close()
            raise
        self._open = engine
        return engine

    def _make_engine(self, node: Node, lock: AsyncExitStack) -> Engine:
        runtime, network = self._network.runtime, self._bitcoin_network
        terms = self._terms
        orders = OrderManager(
            runtime,
            node.swarm.identity,
            network,
            self._chain,
            node.relay_addresses,
            self._trouble.set_aside,
            private_sales=terms.private_sales,
            report=node.swarm.faults.report,
        )
        policy = TradePolicy(fee_cap=terms.max_fee_rate, private_sales=terms.private_sales)
        trades = TradeManager(
            runtime,
            node.swarm,
            network,
            self._chain,
            self._wallet_manager.coins,
            orders,
            node.circuits.reach_via,
            policy,
            terms.confirmations,
            self._trouble.set_aside,
            self._trouble.store_failed,
        )
        # Before they start: the first look at our orders may have to renew one.
        self._give_wallet(orders, trades)
        return Engine(node, orders, trades, lock, self._publish)

    async def _close(self) -> None:
        """Cancellation: Safe; everything was told to end, and another start may follow."""
        self._forget_lost()
        opened, self._open = self._open, None
        self._wallet_manager.end_discovery()
        self._bringing_up.cancel()
        try:
            await self._bringing_up.close()
        finally:
            if opened is not None:
                await opened.close()

    def _forget_lost(self) -> None:
        if self._open is not None and self._open.is_lost:
            self._open.forget()
            self._open = None

    # --- events

    async def _publish(self, trades: TradeManager, event: Event) -> None:
        if isinstance(event, OrderEvent):
            sheet = await order_info(event.order, self._book)
            self._network.publish(f"order_{event.kind}", {"order_id": sheet.id, "order": sheet})
            return
        trade = await self._sheet(trades, event.trade)
        self._network.publish(f"trade_{event.kind}", {"trade_id": trade.id, "trade": trade})
        if event.kind != "updated":
            self._network.publish("balance_updated", {})

    # --- wallet

    async def get_available_wallets(self) -> Sequence[str]:
        """Kinds of wallets that `connect_wallet` takes now: "seed", and the extensions found in the page.

        An extension that puts itself into the page later is told by a `wallet_available` event, until the node stops.
        """
        self._wallet_manager.begin_discovery(self._wallet_available)
        return await self._wallet_manager.available()

    async def connect_wallet(self, config: Mapping[str, object]) -> WalletInfo:
        """`WalletConfig` of darkswap.d.ts. Raises `InvalidArgument`, `WalletRejected`, `WalletFailed`."""
        opened = await self._engine()
        info = await self._wallet_manager.open(config)
        self._give_wallet(opened.orders, opened.trades)
        self._network.publish("wallet_connected", {"wallet": info})
        return info

    async def open_wallet(self, config: Mapping[str, object]) -> WalletInfo:
        """As `connect_wallet`, without starting the node: to look at a wallet, or to have it there from the start."""
        return await self._wallet_manager.open(config)

    async def disconnect_wallet(self) -> None:
        await self._let_go("You disconnected it.")

    async def _let_go(self, reason: str) -> None:
        if await self._wallet_manager.close():
            if self._open is not None:
                self._give_wallet(self._open.orders, self._open.trades)
            self._network.publish("wallet_disconnected", {"reason": reason})

    def _wallet_available(self, kind: str) -> None:
        self._network.publish("wallet_available", {"kind": kind})

    def _wallet_gone(self, reason: str) -> None:
        self._wallet_tasks.spawn(self._let_go(reason), "wallet gone")

    def _give_wallet(self, orders: OrderManager, trades: TradeManager) -> None:
        wallet = self._wallet_manager.wallet if self._wallet_manager.is_connected else None
        orders.set_wallet(wallet, self._wallet_manager.coins if wallet is not None else None)
        trades.set_wallet(wallet)

    async def is_wallet_connected(self) -> bool:
        return self._wallet_manager.is_connected

    async def get_wallet_info(self) -> WalletInfo | None:
        return self._wallet_manager.info() if self._wallet_manager.is_connected else None

    @checked(passphrase=PASSPHRASE)
    async def export_mnemonic(self, passphrase: str | None = None) -> str:
        return await self._wallet_manager.words(passphrase or "")

    @checked(purpose=PURPOSE)
    async def get_address(self, purpose: str | None = None) -> str:
        return self._wallet_manager.address(purpose)

    async def get_balances(self) -> Sequence[BalanceInfo]:
        """Bitcoin first; asks the chain."""
        return await self._wallet_manager.balances(self._book)

    async def get_coins(self) -> Sequence[CoinInfo]:
        return await self._wallet_manager.sheets(self._book)

    @checked(outpoint=TEXT, on=FLAG)
    async def freeze_coin(self, outpoint: str, on: bool) -> None:
        await self._wallet_manager.freeze(outpoint, on)
        self._network.publish("balance_updated", {})

    @checked(outpoint=TEXT)
    async def release_coin(self, outpoint: str) -> None:
        """Free a coin reserved for a trade or an order whose record is lost or unreadable.

        A signature for it may still be out: then whoever has that may spend the coin before you do.

        Raises:
            InvalidArgument: It is frozen, or held by a trade or an order that is known here.
        """
        store = self._network.runtime.store
        at = OutPoint.parse(outpoint)
        if await lost_coins.release(self._wallet_manager.coins, store, self._bitcoin_network, at):
            self._network.publish("balance_updated", {})

    @checked(message=TEXT)
    async def sign_message(self, message: str) -> str:
        """BIP322 "simple", base64."""
        return await self._wallet_manager.sign(message)

    # --- orders

    async def check_order(self, draft: Mapping[str, object]) -> OrderCheck:
        """What an order to be would be, and what is wrong with it. Nothing is kept or reserved."""
        opened = await self._engine()
        try:
            read = await drafts.read_draft(draft, self._book, self._terms.fee_rule)
            order, rate = opened.orders.build_order(read.draft), await self._chain.fee_rate(1)
            return await check_order(read, order, self._wallet_manager, rate, private_sales=self._terms.private_sales)
        except (InvalidArgument, ChainError) as error:
            return drafts.refused(error)

    async def create_order(self, draft: Mapping[str, object]) -> OrderInfo:
        """Raises `InvalidArgument`, `InvalidOrder`, `InsufficientFunds`, `WalletNotConnected`, `ChainError` …, and
        `Unsupported` for a private sale where those are switched off.
        """
        opened = await self._engine()
        read = await drafts.read_draft(draft, self._book, self._terms.fee_rule)
        return await self._order(await opened.orders.create(read.draft))

    @checked(order_id=TEXT)
    async def update_order(self, order_id: str, change: Mapping[str, object]) -> OrderInfo:
        """`price` or `total`, `expires_in` (seconds from now), `paused`."""
        given = drafts.read_settings(drafts.CHANGE, "change", change)
        opened = await self._engine()
        quote_atoms = await drafts.read_total(given, lambda: opened.orders.order(order_id), self._book)
        expires_in, paused = given.get("expires_in"), given.get("paused")
        return await self._order(
            await opened.orders.update(order_id, quote_atoms=quote_atoms, expires_in=expires_in, paused=paused)
        )

    @checked(order_id=TEXT)
    async def cancel_order(self, order_id: str) -> OrderInfo:
        """Of a private sale the coin is spent to ourselves: it can be completed until that is in a block."""
        return await self._order(await (await self._engine()).orders.cancel(order_id))

    @checked(order_id=TEXT)
    async def get_order(self, order_id: str) -> OrderInfo | None:
        view = (await self._engine()).orders.get(order_id)
        return None if view is None else await self._order(view)

    async def get_orders(self) -> Sequence[OrderInfo]:
        """Newest change first."""
        return [await self._order(view) for view in (await self._engine()).orders.all()]

    async def kept_orders(self) -> Sequence[OrderInfo]:
        """As `get_orders`, without starting the node: what the program that trades has kept by now."""
        views = await stored.orders(self._network.runtime, *await self._whose(), self._trouble.left)
        return [await self._order(view) for view in views]

    @checked(text=TEXT)
    async def import_order(self, text: str) -> OrderInfo:
        """From its text or link; signature and coins are checked. Raises `InvalidOrder`."""
        return await self._order(await (await self._engine()).orders.import_text(text))

    async def _order(self, view: OrderView) -> OrderInfo:
        return await order_info(view, self._book)

    # --- trades

    @checked(order_id=TEXT)
    async def take_order(
        self, order_id: str, amount: str | None = None, review: bool = False, fee_rate: float | None = None
    ) -> TradeInfo:
        """`amount` of base, all of it by default; `fee_rate` in sats per vbyte. See `TradeManager.take`."""
        if not isinstance(review, bool):
            raise InvalidArgument("review", "is neither true nor false")
        opened = await self._engine()
        fill: int | None = None
        if amount is not None:
            if not isinstance(amount, str):
                raise InvalidArgument("amount", f"is {type(amount).__name__} and not a decimal text in display units")
            base = await self._book.info(opened.orders.order(order_id).base)
            fill = parse_amount(amount, base.decimals)
        is_number = isinstance(fee_rate, int | float) and not isinstance(fee_rate, bool)
        if fee_rate is not None and not (is_number and 0 < fee_rate < 1_000_000):
            raise InvalidArgument("fee_rate", "is not a number of sats per vbyte")
        rate = None if fee_rate is None else int(fee_rate * 1000)
        return await self._trade(await opened.trades.take(order_id, fill, rate, review=review))

    @checked(trade_id=TEXT)
    async def confirm_trade(self, trade_id: str) -> TradeInfo:
        return await self._trade(await (await self._engine()).trades.confirm(trade_id))

    @checked(trade_id=TEXT, reason=TEXT)
    async def cancel_trade(self, trade_id: str, reason: str | None = None) -> TradeInfo:
        return await self._trade(await (await self._engine()).trades.cancel(trade_id, reason or ""))

    @checked(trade_id=TEXT)
    async def revoke_trade(self, trade_id: str) -> TradeInfo:
        return await self._trade(await (await self._engine()).trades.revoke(trade_id))

    @checked(trade_id=TEXT)
    async def wait_for_trade(self, trade_id: str) -> TradeInfo:
        """Until it is completed, failed or canceled."""
        return await self._trade(await (await self._engine()).trades.wait(trade_id))

    @checked(trade_id=TEXT)
    async def get_trade(self, trade_id: str) -> TradeInfo | None:
        view = (await self._engine()).trades.get(trade_id)
        return None if view is None else await self._trade(view)

    async def get_trades(self) -> Sequence[TradeInfo]:
        """Newest first."""
        return [await self._trade(view) for view in (await self._engine()).trades.all()]

    async def kept_trades(self) -> Sequence[TradeInfo]:
        """As `get_trades`, without starting the node; what their transactions do is not computed."""
        views = await stored.trades(self._network.runtime, *await self._whose(), self._trouble.left)
        return [await trade_info(view, None, self._book) for view in views]

    async def _whose(self) -> tuple[str, str]:
        identity = await load_identity(self._network.config, self._network.runtime)
        return self._bitcoin_network, str(identity.peer_id)

    async def _trade(self, view: TradeView) -> TradeInfo:
        return await self._sheet((await self._engine()).trades, view)

    async def _sheet(self, trades: TradeManager, view: TradeView) -> TradeInfo:
        try:
            effect = trades.effect(view.id)
        except DarkSwapError:
            effect = None  # terms that no transaction can be built of: the trade itself says why
        return await trade_info(view, effect, self._book)

    # --- assets

    @checked(text=TEXT)
    async def get_rune_info(self, text: str) -> AssetInfo | None:
        return await self._asset(AssetKind.RUNE, text)

    @checked(text=TEXT)
    async def get_alkane_info(self, text: str) -> AssetInfo | None:
        return await self._asset(AssetKind.ALKANE, text)

    async def _asset(self, kind: AssetKind, text: str) -> AssetInfo | None:
        """By id ("840000:1") or name."""
        found = await self._book.find(kind, text.strip())
        return None if found is None else described(found)
