"""The connected wallet, its balances and its coins: the methods of darkswap.d.ts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from darkswap_browser.api.trading import lost_coins
from darkswap_browser.api.trading.arguments import FLAG, PASSPHRASE, PURPOSE, TEXT, checked
from darkswap_browser.api.trading.records import BalanceInfo, CoinInfo, WalletInfo
from darkswap_browser.api.trading.service import TradingService
from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.runtime.base.wallet_extensions import WalletProviders


class WalletApi(TradingService):
    """One wallet at a time."""

    async def get_available_wallets(self, providers: WalletProviders | None = None) -> Sequence[str]:
        """Kinds of wallets that `connect_wallet` takes now: "seed", and the extensions found in the page.

        An extension that puts itself into the page later is told by a `wallet_available` event, until the node stops.

        Args:
            providers: Where else extensions are looked for: in another tab, which tells of late ones by itself.
        Raises:
            WalletNotConnected: That tab is gone.

        Cancellation: Safe. `wallet_available` events come all the same.
        """
        if providers is None:
            self._wallet_manager.begin_discovery(self._wallet_available)
        return await self._wallet_manager.available(providers)

    def _wallet_available(self, kind: str) -> None:
        self._network.publish("wallet_available", {"kind": kind})

    async def connect_wallet(
        self, config: Mapping[str, object], providers: WalletProviders | None = None
    ) -> WalletInfo:
        """Connect a wallet in the place of the one that is connected.

        Args:
            config: `WalletConfig` of darkswap.d.ts.
            providers: Where extensions are looked for, and asked; None: in this page.
        Raises:
            InvalidArgument: A setting is wrong, or `name` is another wallet's.
            WalletNotConnected: `providers` are of another tab, which is gone.
            WalletRejected, WalletFailed: The wallet's user or the wallet says no; a wrong passphrase too.
            Unsupported: The page has no such wallet.

        Cancellation: Safe. The wallet that was connected stays so; a seed wallet that was made by then is kept, and
        an extension may go on asking its user, in vain.
        """
        opened = await self._engine()
        info = await self._wallet_manager.open(config, providers)
        self._give_wallet(opened.orders, opened.trades)
        self._network.publish("wallet_connected", {"wallet": info})
        return info

    async def open_wallet(self, config: Mapping[str, object]) -> WalletInfo:
        """Connect a wallet without starting the node: to look at it, or to have it there from the start.

        Args and Raises as `connect_wallet`.

        Cancellation: As `connect_wallet`.
        """
        return await self._wallet_manager.open(config)

    async def disconnect_wallet(self) -> None:
        """Let go of the wallet; trades that need it wait for the next one. Idempotent.

        Cancellation: Safe; it waits for nothing.
        """
        await self._let_go("You disconnected it.")

    async def is_wallet_connected(self) -> bool:
        """Whether there is a wallet.

        Cancellation: Safe; it waits for nothing.
        """
        return self._wallet_manager.is_connected

    async def get_wallet_info(self) -> WalletInfo | None:
        """The connected wallet, or None.

        Cancellation: Safe; it waits for nothing.
        """
        return self._wallet_manager.info() if self._wallet_manager.is_connected else None

    @checked(passphrase=PASSPHRASE)
    async def export_mnemonic(self, passphrase: str | None = None) -> str:
        """The words of the seed wallet, for its user to write down.

        Raises:
            InvalidArgument: The wallet is an extension's.
            WalletFailed: The passphrase is wrong, or the record is damaged.
            WalletNotConnected: There is no wallet.

        Cancellation: Safe; it only reads.
        """
        return await self._wallet_manager.words(passphrase or "")

    @checked(purpose=PURPOSE)
    async def get_address(self, purpose: str | None = None) -> str:
        """The wallet's address.

        Args:
            purpose: "assets", which is the default, or "payment".
        Raises:
            WalletNotConnected: There is no wallet.

        Cancellation: Safe; it waits for nothing.
        """
        return self._wallet_manager.address(purpose)

    async def get_balances(self) -> Sequence[BalanceInfo]:
        """What the wallet holds, bitcoin first, as the chain servers say now.

        Raises:
            WalletNotConnected, ChainError: There is no wallet, or the servers do not tell.

        Cancellation: Safe; it only reads.
        """
        return await self._wallet_manager.balances(self._book)

    async def get_coins(self) -> Sequence[CoinInfo]:
        """The wallet's coins, each with what it carries and what it is reserved for.

        Raises:
            WalletNotConnected, ChainError: There is no wallet, or the servers do not tell.

        Cancellation: Safe; it only reads.
        """
        return await self._wallet_manager.sheets(self._book)

    @checked(outpoint=TEXT, on=FLAG)
    async def freeze_coin(self, outpoint: str, on: bool) -> None:
        """Set a coin aside, so that no trade or order takes it, or let it be taken again. Idempotent.

        Cancellation: It is done, or nothing has changed: `get_coins` tells. Calling again is safe.
        """
        await self._wallet_manager.freeze(outpoint, on)
        self._network.publish("balance_updated", {})

    @checked(outpoint=TEXT)
    async def release_coin(self, outpoint: str) -> None:
        """Free a coin reserved for a trade or an order whose record is lost or unreadable.

        A signature for it may still be out: then whoever has that may spend the coin before you do.

        Raises:
            InvalidArgument: It is frozen, or held by a trade or an order that is known here.

        Cancellation: It is free, or nothing has changed: `get_coins` tells. Calling again is safe.
        """
        store = self._network.runtime.store
        at = OutPoint.parse(outpoint)
        if await lost_coins.release(self._wallet_manager.coins, store, self._bitcoin_network, at):
            self._network.publish("balance_updated", {})

    @checked(message=TEXT)
    async def sign_message(self, message: str) -> str:
        """Sign a text with the key of the address for assets.

        Returns:
            A BIP322 "simple" signature in base64.
        Raises:
            WalletNotConnected, WalletRejected, WalletFailed: There is no wallet, or it did not sign.

        Cancellation: Safe; an extension may go on asking its user, in vain.
        """
        return await self._wallet_manager.sign(message)
