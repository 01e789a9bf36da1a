"""The trading half of a node: wallet, orders and trades in the words of darkswap.d.ts, over the engine.

Everything is brought up by the first call that needs it, and goes down with the node; what was going on is kept and
taken up again. Events come with the node's own, by `subscribe`.
"""

from __future__ import annotations

from darkswap_browser.api.trading.orders_api import OrdersApi
from darkswap_browser.api.trading.trades_api import TradesApi
from darkswap_browser.api.trading.wallet_api import WalletApi


class Trading(WalletApi, OrdersApi, TradesApi):
    """Assets are texts ("BTC", "RUNE:840000:1", "ALKANE:2:0"), amounts decimal texts in display units.

    Raises of every call that needs the node: those of `resume_trades`. What a call says of its cancellation holds from
    when the node and its trades are up; before that it is as that of `resume_trades`.
    """
