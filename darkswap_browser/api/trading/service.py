"""Start and stop of the trading half of a node, its events, and what its methods share."""

from __future__ import annotations

from contextlib import AsyncExitStack

from darkswap_browser.api.network import Network
from darkswap_browser.api.trading import lost_coins
from darkswap_browser.api.trading.assets import AssetRegistry
from darkswap_browser.api.trading.chain_check import chain_check
from darkswap_browser.api.trading.coin_recovery import CoinRecovery
from darkswap_browser.api.trading.engine import Engine, Event, hold_identity
from darkswap_browser.api.trading.info import order_info, trade_info
from darkswap_browser.api.trading.record_trouble import RecordTrouble
from darkswap_browser.api.trading.records import (
    OrderInfo,
    TradeInfo,
)
from darkswap_browser.api.trading.wallet_manager import WalletManager
from darkswap_browser.chain.base import Chain, ChainConfig
from darkswap_browser.chain.quorum import open_chain
from darkswap_browser.concurrency.shared_call import SharedCall
from darkswap_browser.concurrency.tasks import Tasks
from darkswap_browser.errors import DarkSwapError
from darkswap_browser.node.identity import load_identity
from darkswap_browser.node.node import Node
from darkswap_browser.orders.order_manager import OrderManager
from darkswap_browser.orders.views import OrderEvent, OrderView
from darkswap_browser.settlement.checks import TradePolicy
from darkswap_browser.trades.trade_manager import TradeManager
from darkswap_browser.trades.views import TradeView


class TradingService:
    """Brought up by the first call that needs it; goes down with the node, with everything kept."""

    def __init__(self, network: Network) -> None:
        config = network.config
        self._network = network
        self._bitcoin_network = config.bitcoin_network
        self._terms = config.trading.with_public_servers(config.bitcoin_network)
        terms, runtime = self._terms, network.runtime
        servers = ChainConfig(
            network=config.bitcoin_network,
            esplora=terms.esplora,
            ord=terms.ord,
            alkanes=terms.alkanes,
            quorum=terms.quorum or (2 if len(terms.esplora) > 1 else 1),
        )
        quorum = open_chain(
            servers,
            fetch=runtime.fetch,
            store=runtime.store,
            entropy=runtime.entropy,
            max_fee_rate=terms.max_fee_rate,
        )
        self._chain: Chain = quorum
        network.add_checks({"chain_servers": lambda: chain_check(quorum)}, terms.esplora)
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
        """Take up the orders and trades that were going on, as every other call does.

        Raises:
            IdentityInUse: Another tab or program trades with this identity.
            StorageError: What is kept cannot be loaded now.

        Cancellation: Safe. A start under way, of the node or of its trades, goes on while another call waits for it and
        is undone otherwise; a node that is up stays up.
        """
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

    async def _let_go(self, reason: str) -> None:
        if await self._wallet_manager.close():
            if self._open is not None:
                self._give_wallet(self._open.orders, self._open.trades)
            self._network.publish("wallet_disconnected", {"reason": reason})

    def _wallet_gone(self, reason: str) -> None:
        self._wallet_tasks.spawn(self._let_go(reason), "wallet gone")

    def _give_wallet(self, orders: OrderManager, trades: TradeManager) -> None:
        wallet = self._wallet_manager.wallet if self._wallet_manager.is_connected else None
        orders.set_wallet(wallet, self._wallet_manager.coins if wallet is not None else None)
        trades.set_wallet(wallet)

    # --- records

    async def _order(self, view: OrderView) -> OrderInfo:
        return await order_info(view, self._book)

    async def _trade(self, view: TradeView) -> TradeInfo:
        return await self._sheet((await self._engine()).trades, view)

    async def _sheet(self, trades: TradeManager, view: TradeView) -> TradeInfo:
        try:
            effect = trades.effect(view.id)
        except DarkSwapError:
            effect = None  # terms that no transaction can be built of: the trade itself says why
        return await trade_info(view, effect, self._book, self._chain)

    async def _whose(self) -> tuple[str, str]:
        """Network and peer id under which orders and trades are kept, known without starting the node."""
        identity = await load_identity(self._network.config, self._network.runtime)
        return self._bitcoin_network, str(identity.peer_id)
