"""The connected wallet as the faces show it: one at a time, its addresses, balances and coins."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence

from darkswap_browser.api.trading.assets import AssetRegistry
from darkswap_browser.api.trading.drafts import read_settings
from darkswap_browser.api.trading.records import AssetAmount, BalanceInfo, CoinInfo, WalletInfo
from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.chain.base import Chain
from darkswap_browser.errors import InvalidArgument, WalletNotConnected
from darkswap_browser.market.amounts import format_amount
from darkswap_browser.node.config import TradingConfig
from darkswap_browser.runtime.base.host import Runtime
from darkswap_browser.runtime.base.storage import QUARANTINE_PREFIX
from darkswap_browser.runtime.base.wallet_extensions import TAB_GONE, WalletProviders
from darkswap_browser.storage.records import QuarantineListener
from darkswap_browser.wallets import connect
from darkswap_browser.wallets.base import Account, AccountPurpose, Balance, Wallet, WalletCoin
from darkswap_browser.wallets.coins import IndexedCoinStore
from darkswap_browser.wallets.reservations import CoinReservations, Recover
from darkswap_browser.wallets.seed import KIND, SeedWalletStore
from darkswap_browser.wallets.seed_record import MAX_PASSPHRASE
from darkswap_browser.wire.fields import Text
from darkswap_browser.wire.records import Settings

GONE = {"disconnect": "The wallet was disconnected.", TAB_GONE: "The tab with the wallet is gone."}
SETTINGS = Settings(
    {"type": Text(100, 1), "mnemonic": Text(1000, 1), "passphrase": Text(MAX_PASSPHRASE), "name": Text(100, 1)},
    "is not a setting of a wallet",
)


class WalletManager:
    """`gone(reason)` is called when an extension's wallet is not what was connected any more, `aside` with a record
    that its words replaced.
    """

    def __init__(
        self,
        runtime: Runtime,
        network: str,
        config: TradingConfig,
        chain: Chain,
        recover: Recover,
        gone: Callable[[str], None],
        aside: QuarantineListener,
    ) -> None:
        self._runtime = runtime
        self._network = network
        self._config = config
        self._gone = gone
        self._aside = aside
        self._vault = SeedWalletStore(runtime.store, runtime.crypto, runtime.entropy, runtime.locks)
        self._wallet: Wallet | None = None
        self._name = ""
        self._is_new = False
        self._end: Callable[[], None] = lambda: None
        self._end_discovery: Callable[[], None] | None = None
        reservations = CoinReservations(runtime.store, runtime.locks, network, recover)
        self.coins = IndexedCoinStore(chain, reservations, self._accounts)

    # --- life

    async def available(self, providers: WalletProviders | None = None) -> Sequence[str]:
        """Kinds that `open` takes now. Cancellation: Safe; it only reads."""
        return [KIND, *await connect.available(providers or self._runtime.wallet_providers)]

    def begin_discovery(self, callback: Callable[[str], None]) -> None:
        """Call `callback` with each kind that was not there at the first `available`, until `end_discovery`."""
        if self._end_discovery is None:
            self._end_discovery = connect.subscribe_available(self._runtime.wallet_providers, callback)

    def end_discovery(self) -> None:
        """Idempotent."""
        if self._end_discovery is not None:
            self._end_discovery()
            self._end_discovery = None

    @property
    def wallet(self) -> Wallet:
        """Raises `WalletNotConnected`."""
        if self._wallet is None:
            raise WalletNotConnected
        return self._wallet

    @property
    def is_connected(self) -> bool:
        return self._wallet is not None

    async def open(self, config: Mapping[str, object], providers: WalletProviders | None = None) -> WalletInfo:
        """Open the wallet of `config` (`WalletConfig` of darkswap.d.ts), then let go of the one that was connected.

        Args:
            providers: Where extensions are; None: in this page.
        Raises:
            InvalidArgument, WalletRejected, WalletFailed, Unsupported: There is no such wallet, or it says no. The one
                that was connected stays so.
            WalletNotConnected: `providers` are of another tab, which is gone.

        Cancellation: Safe; the wallet that was connected stays so. A seed wallet that was made by then is kept.
        """
        settings = _settings(config)
        kind = settings.get("type")
        if kind is None:
            raise InvalidArgument("type", "is missing", "Say seed, or the kind of an extension's wallet.")
        if kind != KIND and len(settings) > 1:
            raise InvalidArgument("config", f"{kind} takes nothing but type: the extension asks its owner")
        there = providers or self._runtime.wallet_providers
        wallet, is_new = await (self._seed(settings) if kind == KIND else self._extension(kind, there))
        await self.close()
        self._wallet, self._is_new, self._name = wallet, is_new, settings.get("name", "default")
        self._end = wallet.subscribe(self._changed)
        return self.info()

    async def _extension(self, kind: str, providers: WalletProviders) -> tuple[Wallet, bool]:
        return await connect.connect(kind, self._network, providers), False

    async def _seed(self, settings: Mapping[str, str]) -> tuple[Wallet, bool]:
        """The wallet, and whether it was made just now."""
        name, passphrase = settings.get("name", "default"), settings.get("passphrase", "")
        words = settings.get("mnemonic")
        if words is None:
            return await self._vault.unlock_or_create(self._network, name, passphrase)
        wallet = await self._vault.unlock_or_restore(self._network, name, passphrase, words, self._set_aside)
        return wallet, False

    async def _set_aside(self, key: str, data: bytes, reason: str) -> None:
        await self._runtime.store.put(QUARANTINE_PREFIX + key, data)
        self._aside(key, reason)

    async def close(self) -> bool:
        """Let go of the wallet; returns whether there was one. Cancellation: Safe; it waits for nothing."""
        wallet, self._wallet = self._wallet, None
        self._end()
        self._end = lambda: None
        if wallet is not None:
            await wallet.disconnect()
        return wallet is not None

    def _changed(self, what: str) -> None:
        self._gone(GONE.get(what, f"The wallet's {what} changed."))

    # --- what it is

    def info(self) -> WalletInfo:
        return WalletInfo(
            type=self.wallet.kind,
            network=self._network,
            address=self.account(AccountPurpose.ASSETS).address,
            payment_address=self.account(AccountPurpose.PAYMENT).address,
            supports_runes=bool(self._config.ord),
            supports_alkanes=bool(self._config.alkanes),
            is_new=self._is_new,
        )

    def address(self, purpose: str | None) -> str:
        try:
            return self.account(AccountPurpose(AccountPurpose.ASSETS if purpose is None else purpose)).address
        except ValueError:
            raise InvalidArgument("purpose", f"is {purpose!r}", "Say assets or payment.") from None

    async def words(self, passphrase: str) -> str:
        """The seed wallet's words. Raises as `export_mnemonic` does. Cancellation: Safe; it only reads."""
        if self.wallet.kind != KIND:
            raise InvalidArgument("wallet", f"{self.wallet.kind} keeps its words to itself")
        return await self._vault.words(self._network, self._name, passphrase)

    async def sign(self, message: str) -> str:
        """Sign `message` by the account that keeps assets: BIP322 "simple", base64.

        Cancellation: Safe; an extension may go on asking its user, in vain.
        """
        witness = await self.wallet.sign_message(self.account(AccountPurpose.ASSETS), message)
        return base64.b64encode(witness).decode()

    def account(self, purpose: AccountPurpose) -> Account:
        """Raises `WalletNotConnected`."""
        return next(each for each in self.wallet.accounts if each.purpose is purpose)

    def _accounts(self) -> Sequence[Account]:
        return self.wallet.accounts

    # --- what it holds

    async def balances(self, book: AssetRegistry) -> tuple[BalanceInfo, ...]:
        """Bitcoin first, as the chain says now. Cancellation: Safe; it only reads."""
        await self.coins.refresh()
        return tuple([await _sheet(each, book) for each in await self.coins.balances()])

    async def sheets(self, book: AssetRegistry) -> tuple[CoinInfo, ...]:
        """Every coin, as the chain says now. Cancellation: Safe; it only reads."""
        return tuple([await _coin(each, book) for each in await self.coins.refresh()])

    async def freeze(self, outpoint: str, on: bool) -> None:
        """Freeze or free a coin. Idempotent. Cancellation: It is done, or nothing has changed."""
        await self.coins.freeze(OutPoint.parse(outpoint), on)


async def _sheet(balance: Balance, book: AssetRegistry) -> BalanceInfo:
    info = await book.shown(balance.asset)

    def text(atoms: int) -> str:
        return format_amount(atoms, info.decimals)

    total = balance.confirmed + balance.pending + balance.reserved
    return BalanceInfo(
        asset=str(balance.asset),
        type=balance.asset.kind.value,
        name=info.name,
        symbol=info.symbol,
        decimals=info.decimals,
        amount=text(total),
        atoms=total,
        available=text(balance.confirmed),
        available_atoms=balance.confirmed,
        pending=text(balance.pending),
        pending_atoms=balance.pending,
        locked=text(balance.reserved),
        locked_atoms=balance.reserved,
        unknown_atoms=balance.unknown,
    )


async def _coin(coin: WalletCoin, book: AssetRegistry) -> CoinInfo:
    assets: list[AssetAmount] = [await book.amount(each, atoms) for each, atoms in sorted(coin.holdings.assets.items())]
    return CoinInfo(
        outpoint=str(coin.utxo.outpoint),
        sats=coin.utxo.sats,
        address=coin.account.address,
        state=coin.state.value,
        reserved_by=coin.reserved_by,
        assets=tuple(assets),
        inscriptions=tuple(coin.holdings.inscriptions or ()),
        known=coin.holdings.complete,
    )


def _settings(config: Mapping[str, object]) -> Mapping[str, str]:
    """Those that are given, all texts."""
    return read_settings(SETTINGS, "config", config)
