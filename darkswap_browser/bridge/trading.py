"""What trading_loader.mjs loads: teaches a `NodeBridge` the methods that trade. Its events are the node's own."""

from __future__ import annotations

from darkswap_browser.api.trading.trading import Trading
from darkswap_browser.bridge.node import NodeBridge

METHODS = (
    "get_available_wallets",
    "connect_wallet",
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
    "wait_for_trade",
    "get_rune_info",
    "get_alkane_info",
)


def attach(node: NodeBridge) -> None:
    trading = Trading(node.network)
    node.extend({name: getattr(trading, name) for name in METHODS})
