"""What trading_loader.mjs loads: teaches a `NodeBridge` the methods that trade. Its events are the node's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from darkswap_browser.api.trading.records import WalletInfo
from darkswap_browser.api.trading.trading import Trading
from darkswap_browser.bridge.node import NodeBridge
from darkswap_browser.bridge.tab_wallets import WalletTabs

METHODS = (
    "disconnect_wallet",
    "is_wallet_connected",
    "get_wallet_info",
    "export_mnemonic",
    "get_address",
    "get_balances",
    "get_coins",
    "freeze_coin",
    "release_coin",
    "sign_message",
    "check_order",
    "create_order",
    "update_order",
    "cancel_order",
    "get_order",
    "get_orders",
    "import_order",
    "take_order",
    "confirm_trade",
    "get_trade",
    "get_trades",
    "cancel_trade",
    "revoke_trade",
    "bump_trade_fee",
    "estimate_revoke_fee",
    "wait_for_trade",
    "get_rune_info",
    "get_alkane_info",
)


def attach(node: NodeBridge) -> None:
    trading = Trading(node.network)
    tabs = WalletTabs(node.ask_tab)
    node.tab_listener = tabs

    async def connect_wallet(config: Mapping[str, object], tab: str = "") -> WalletInfo:
        """`tab`: which of the other tabs asks for its own wallet."""
        return await trading.connect_wallet(config, tabs.of(tab) if tab else None)

    async def get_available_wallets(tab: str = "") -> Sequence[str]:
        return await trading.get_available_wallets(tabs.of(tab) if tab else None)

    node.extend({name: getattr(trading, name) for name in METHODS})
    node.extend({"connect_wallet": connect_wallet, "get_available_wallets": get_available_wallets})
