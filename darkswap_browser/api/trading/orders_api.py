"""Orders, our own and imported ones: the methods of darkswap.d.ts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from darkswap_browser.api.trading import drafts, stored
from darkswap_browser.api.trading.arguments import TEXT, checked
from darkswap_browser.api.trading.order_check import check_order
from darkswap_browser.api.trading.records import OrderCheck, OrderInfo
from darkswap_browser.api.trading.service import TradingService
from darkswap_browser.errors import ChainError, InvalidArgument
from darkswap_browser.market import order_codec


class OrdersApi(TradingService):
    """Orders by id."""

    async def check_order(self, draft: Mapping[str, object]) -> OrderCheck:
        """What an order to be would be, and what is wrong with it. Nothing is kept or reserved.

        Args:
            draft: `OrderDraft` of darkswap.d.ts.

        Cancellation: Safe; it only reads.
        """
        opened = await self._engine()
        try:
            read = await drafts.read_draft(draft, self._book, self._terms.fee_rule)
            rate = await self._chain.fee_rate(1)
            order = opened.orders.build_order(read.draft, rate)
            return await check_order(read, order, self._wallet_manager, rate, private_sales=self._terms.private_sales)
        except (InvalidArgument, ChainError) as error:
            return drafts.refused(error)

    async def create_order(self, draft: Mapping[str, object]) -> OrderInfo:
        """Prove the coins behind an order, sign it and keep it. Its coins stay free, but for a private sale's lot.

        Args:
            draft: `OrderDraft` of darkswap.d.ts.
        Raises:
            InvalidArgument, InvalidOrder: The draft is wrong, or there are too many orders.
            InsufficientFunds, WalletNotConnected, WalletRejected, WalletFailed: The wallet cannot or may not.
            ChainError: Too few chain servers answer.
            Unsupported: Private sales are switched off, or not for this wallet.

        Cancellation: The order is made, or no coin is reserved for it. Given up while it is stored, it may be there
        after the next start: `get_orders` tells then. An extension may go on asking its user, in vain.
        """
        opened = await self._engine()
        read = await drafts.read_draft(draft, self._book, self._terms.fee_rule)
        return await self._order(await opened.orders.create(read.draft))

    @checked(order_id=TEXT)
    async def update_order(self, order_id: str, change: Mapping[str, object]) -> OrderInfo:
        """Sign and keep the next revision of an order of ours.

        Args:
            change: `price` or `total`, `expires_in` (seconds from now), `paused`.
        Raises:
            InvalidArgument, OrderNotFound, InvalidOrder: The change is wrong, or the order is over or not ours.
            ChainError: Decimals of its assets are not known here, and no index tells them.

        Cancellation: The order is changed, or as it was: `get_order` tells. Calling again is safe.
        """
        given = drafts.read_settings(drafts.CHANGE, "change", change)
        opened = await self._engine()
        quote_atoms = await drafts.read_total(given, lambda: opened.orders.order(order_id), self._book)
        expires_in, paused = given.get("expires_in"), given.get("paused")
        return await self._order(
            await opened.orders.update(order_id, quote_atoms=quote_atoms, expires_in=expires_in, paused=paused)
        )

    @checked(order_id=TEXT)
    async def cancel_order(self, order_id: str) -> OrderInfo:
        """End an order of ours for good.

        Of a private sale the coin is spent to ourselves, with a fee: it can be completed until that is in a block.

        Raises:
            OrderNotFound, InvalidOrder: It is not known, over or not ours; a private sale is being bought.
            InsufficientFunds, WalletNotConnected, WalletRejected, ChainError: Of a private sale.

        Cancellation: The order is canceled, or as it was: `get_order` tells, and calling again is safe. Another call
        for the same private sale goes on; once that is kept as canceled, its transaction is sent all the same.
        """
        return await self._order(await (await self._engine()).orders.cancel(order_id))

    @checked(order_id=TEXT)
    async def get_order(self, order_id: str) -> OrderInfo | None:
        """An order that is known here, or None.

        Cancellation: Safe; it only reads.
        """
        view = (await self._engine()).orders.get(order_id)
        return None if view is None else await self._order(view)

    async def get_orders(self) -> Sequence[OrderInfo]:
        """Every order that is known here, newest change first.

        Cancellation: Safe; it only reads.
        """
        return [await self._order(view) for view in (await self._engine()).orders.all()]

    async def kept_orders(self) -> Sequence[OrderInfo]:
        """As `get_orders`, without starting the node: what the program that trades has kept by now.

        Cancellation: Safe; it only reads.
        """
        views = await stored.orders(self._network.runtime, *await self._whose(), self._trouble.left)
        return [await self._order(view) for view in views]

    @checked(text=TEXT)
    async def import_order(self, text: str) -> OrderInfo:
        """Keep another maker's order, whose signature and coins are checked.

        Args:
            text: The order, or a link that holds it.
        Raises:
            InvalidOrder: Unreadable, not signed by its maker, of another network, over, one too many, or of other
                decimals than our indexes tell.

        Cancellation: Safe. The order may be kept by then; importing it again is harmless.
        """
        order = order_codec.decode_text(text).order
        with suppress(ChainError):  # taking it asks again
            await self._book.agreed(order.base, order.base_decimals, "base_asset")
            await self._book.agreed(order.quote, order.quote_decimals, "quote_asset")
        return await self._order(await (await self._engine()).orders.import_text(text))
