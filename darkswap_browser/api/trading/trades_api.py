"""Trades, and the assets they are of: the methods of darkswap.d.ts."""

from __future__ import annotations

from collections.abc import Sequence

from darkswap_browser.api.trading import stored
from darkswap_browser.api.trading.arguments import TEXT, checked
from darkswap_browser.api.trading.assets import described
from darkswap_browser.api.trading.info import trade_info
from darkswap_browser.api.trading.records import AssetInfo, FeeBump, RevokeFee, TradeInfo
from darkswap_browser.api.trading.service import TradingService
from darkswap_browser.bitcoin.transaction import MAX_SATS
from darkswap_browser.errors import InvalidArgument
from darkswap_browser.market.amounts import parse_amount
from darkswap_browser.market.assets import AssetKind
from darkswap_browser.wire.fields import Whole
from darkswap_browser.wire.records import read_argument


class TradesApi(TradingService):
    """Trades by id."""

    @checked(order_id=TEXT)
    async def take_order(
        self,
        order_id: str,
        amount: str | None = None,
        review: bool = False,
        fee_rate: float | None = None,
        max_fee_sats: int | None = None,
    ) -> TradeInfo:
        """Start a trade on an order as its taker.

        Connects to the maker, reserves coins and sends the request. A private sale needs no connection.

        Args:
            amount: Of base; None takes all that is left.
            review: Wait for `confirm_trade` before anything is signed.
            fee_rate: Sats per vbyte; None asks the chain servers for the next block's.
            max_fee_sats: Most that the miners get of this wallet; None: a quarter of the trade's bitcoin side, or where
                there is none twice the usual at that rate, and 2,000 at least.
        Raises:
            InvalidArgument, OrderNotFound, InvalidOrder: An argument is wrong, or the order cannot be taken.
            InsufficientFunds, WalletNotConnected, WalletRejected, WalletFailed: The wallet cannot or may not pay.
            NoAddress, DialFailed, ChainError: The maker, or too few chain servers, can be reached.
            TooManyRequests: Too many trades are under way.
            Unsupported: It is a private sale, and those are switched off.

        Cancellation: Safe. Before the trade is stored its coins are released; afterwards it goes on, and `get_trades`
        and the events tell of it.
        """
        if not isinstance(review, bool):
            raise InvalidArgument("review", "is neither true nor false")
        if amount is not None and not isinstance(amount, str):
            raise InvalidArgument("amount", f"is {type(amount).__name__} and not a decimal text in display units")
        rate = _rate(fee_rate)
        if max_fee_sats is not None:
            read_argument(Whole(MAX_SATS), "max_fee_sats", max_fee_sats)
        opened = await self._engine()
        order = opened.orders.order(order_id)
        base = await self._book.agreed(order.base, order.base_decimals, "base_asset")
        await self._book.agreed(order.quote, order.quote_decimals, "quote_asset")
        fill = None if amount is None else parse_amount(amount, base.decimals)
        return await self._trade(await opened.trades.take(order_id, fill, rate, max_fee_sats, review=review))

    @checked(trade_id=TEXT)
    async def confirm_trade(self, trade_id: str) -> TradeInfo:
        """Sign what was shown, after `take_order` with `review`. Does nothing where it is confirmed already.

        Raises:
            TradeNotFound, InvalidArgument: It is not known, or over.
            StorageError: The step cannot be kept; nothing was signed.

        Cancellation: What was asked for goes on; the events tell what becomes of it. Calling again is safe.
        """
        return await self._trade(await (await self._engine()).trades.confirm(trade_id))

    @checked(trade_id=TEXT, reason=TEXT)
    async def cancel_trade(self, trade_id: str, reason: str | None = None) -> TradeInfo:
        """End a trade whose signature of ours has not left. Of one that is over, nothing happens.

        Args:
            reason: For the peer to read.
        Raises:
            TradeNotFound, InvalidArgument: It is not known, or our signature has left: see `revoke_trade`.

        Cancellation: What was asked for goes on; the events tell what becomes of it. Calling again is safe.
        """
        return await self._trade(await (await self._engine()).trades.cancel(trade_id, reason or ""))

    @checked(trade_id=TEXT)
    async def revoke_trade(
        self, trade_id: str, fee_sats: int | None = None, max_fee_sats: int | None = None
    ) -> TradeInfo:
        """Spend a coin of the trade to ourselves, so that the signature given away cannot be used. Costs a fee.

        Possible until the settlement is in a block. A refusal that names the fee it needs is followed within the bound.

        Args:
            fee_sats: What it shall cost; None: what it needs to, more than all that stands against it.
            max_fee_sats: What it may cost; None: five times what the settlement pays, or 10,000 if that is more.
        Raises:
            TradeNotFound, InvalidArgument: It is not known, or no signature of ours is out.
            WalletNotConnected: There is no wallet to sign with.
            StorageError: The step cannot be kept; nothing was signed.

        Cancellation: What was asked for goes on; the events tell what becomes of it. Calling again is safe.
        """
        for name, sats in (("fee_sats", fee_sats), ("max_fee_sats", max_fee_sats)):
            if sats is not None:
                read_argument(Whole(MAX_SATS, 1), name, sats)
        if fee_sats and max_fee_sats and fee_sats > max_fee_sats:
            raise InvalidArgument("fee_sats", "is more than max_fee_sats")
        trades = (await self._engine()).trades
        return await self._trade(await trades.revoke(trade_id, fee_sats or 0, max_fee_sats or 0))

    @checked(trade_id=TEXT)
    async def bump_trade_fee(
        self, trade_id: str, fee_rate: float | None = None, max_fee_sats: int | None = None
    ) -> FeeBump:
        """Speed up a settlement that waits for a block: a child of our bitcoin output in it pays for both (CPFP).

        Again, with a higher rate, it replaces the child.

        Args:
            fee_rate: Sats per vbyte that both together pay; None: the next block's.
            max_fee_sats: What it may cost; None: five times what the settlement pays, or 10,000 if that is more.
        Raises:
            TradeNotFound, InvalidArgument: It is not known, does not wait, pays as much already, has no output of ours
                that could pay (`can_bump_fee`), or it would cost more than the bound.
            InsufficientFunds, WalletNotConnected, WalletRejected, WalletFailed: The output or the wallet cannot.
            ChainError: Servers do not answer, or do not take the child.

        Cancellation: Safe; the child is sent, or not, and another one replaces it.
        """
        if max_fee_sats is not None:
            read_argument(Whole(MAX_SATS, 1), "max_fee_sats", max_fee_sats)
        rate = _rate(fee_rate)
        return FeeBump(*await (await self._engine()).trades.bump_fee(trade_id, rate, max_fee_sats))

    @checked(trade_id=TEXT)
    async def estimate_revoke_fee(self, trade_id: str) -> RevokeFee:
        """What `revoke_trade` would cost now.

        Raises:
            TradeNotFound, InvalidArgument: It is not known, or no signature of ours is out.
            ChainError: Too few chain servers answer.

        Cancellation: Safe; it only reads.
        """
        return RevokeFee(*await (await self._engine()).trades.estimate_revoke_fee(trade_id))

    @checked(trade_id=TEXT)
    async def wait_for_trade(self, trade_id: str) -> TradeInfo:
        """The trade, once it is completed, failed or canceled.

        Raises:
            TradeNotFound: It is not known.
            ObjectClosed: The node stops.

        Cancellation: Safe; the trade goes on.
        """
        return await self._trade(await (await self._engine()).trades.wait(trade_id))

    @checked(trade_id=TEXT)
    async def get_trade(self, trade_id: str) -> TradeInfo | None:
        """A trade that is known here, or None.

        Cancellation: Safe; it only reads.
        """
        view = (await self._engine()).trades.get(trade_id)
        return None if view is None else await self._trade(view)

    async def get_trades(self) -> Sequence[TradeInfo]:
        """Every trade that is known here, newest first.

        Cancellation: Safe; it only reads.
        """
        return [await self._trade(view) for view in (await self._engine()).trades.all()]

    async def kept_trades(self) -> Sequence[TradeInfo]:
        """As `get_trades`, without starting the node; what their transactions do is not computed.

        Cancellation: Safe; it only reads.
        """
        views = await stored.trades(self._network.runtime, *await self._whose(), self._trouble.left)
        return [await trade_info(view, None, self._book, self._chain) for view in views]

    # --- assets

    @checked(text=TEXT)
    async def get_rune_info(self, text: str) -> AssetInfo | None:
        """A rune by id ("840000:1") or name, as the index says now; None where there is none.

        Raises:
            ChainError: No index tells.

        Cancellation: Safe; it only reads.
        """
        return await self._asset(AssetKind.RUNE, text)

    @checked(text=TEXT)
    async def get_alkane_info(self, text: str) -> AssetInfo | None:
        """An alkane by id ("2:0") or name, as the index says now; None where there is none.

        Raises:
            ChainError: No index tells.

        Cancellation: Safe; it only reads.
        """
        return await self._asset(AssetKind.ALKANE, text)

    async def _asset(self, kind: AssetKind, text: str) -> AssetInfo | None:
        found = await self._book.find(kind, text.strip())
        return None if found is None else described(found)


def _rate(given: object) -> int | None:
    """Sats per 1000 vB of a number of sats per vbyte. Raises `InvalidArgument`."""
    if given is None:
        return None
    if not isinstance(given, int | float) or isinstance(given, bool) or not 0 < given < 1_000_000:
        raise InvalidArgument("fee_rate", "is not a number of sats per vbyte")
    return int(given * 1000)
