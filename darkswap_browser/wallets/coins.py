"""The coins of the connected wallet: found by its scripts, classified one by one, reserved before they are used.

What a coin carries is told by the indexes, outpoint by outpoint: one-address wallets keep runes and plain bitcoin
under the same script (facts P11). A coin that no index vouches for cannot be spent (D4).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.chain.base import UNKNOWN, Chain, Utxo
from darkswap_browser.concurrency.tasks import Tasks, wait_ended
from darkswap_browser.errors import DarkSwapError, InsufficientFunds, StorageError
from darkswap_browser.market.assets import BTC, Asset
from darkswap_browser.wallets.base import Account, AccountPurpose, Balance, CoinState, WalletCoin
from darkswap_browser.wallets.reservations import CoinReservations, ReservationTable, check_owner
from darkswap_browser.wallets.selection import MAX_COINS, Needed, Value, select

FRESH_SECONDS = 2.0
"""How long a look at all coins is good for another choice: a trade chooses twice. Each coin chosen is asked about."""
RELEASE_SECONDS = 10.0
"""A store that has not freed coins by then has hung."""
COINBASE_MATURITY = 100
"""Blocks, the coinbase's own included, before its coins can be spent (consensus)."""


class IndexedCoinStore:
    """A `wallets.base.Coins`. `accounts` are asked for anew each time: the user may change them in the wallet."""

    def __init__(self, chain: Chain, reservations: CoinReservations, accounts: Callable[[], Sequence[Account]]) -> None:
        self._chain = chain
        self._reservations = reservations
        self._accounts = accounts
        self._tasks = Tasks()
        """Never closed: each is one short write, which ends by itself."""
        self._found: Sequence[WalletCoin] = ()
        self._looked: tuple[float, tuple[Account, ...]] = (-FRESH_SECONDS, ())
        """When `_found` was looked up (the loop's time), and for which accounts."""

    async def refresh(self) -> Sequence[WalletCoin]:
        await self._look(verify=False)
        return _claimed(self._found, await self._reservations.read())

    async def balances(self) -> Sequence[Balance]:
        """Of the coins of the last `refresh`, as they are reserved now."""
        coins = _claimed(self._found, await self._reservations.read())
        assets = sorted({asset for coin in coins for asset in coin.holdings.assets})
        return [_bitcoin_balance(coins), *(_asset_balance(coins, asset) for asset in assets)]

    async def select_asset(self, asset: Asset, atoms: int, owner: str) -> Sequence[WalletCoin]:
        def fits(coin: WalletCoin) -> bool:
            return holds_only(coin, asset)

        def value(coin: WalletCoin) -> int:
            return coin.holdings.assets.get(asset, 0)

        return await self._select(_Wish(asset, fits, value, lambda _: atoms), owner)

    async def select_exact(self, asset: Asset, atoms: int, owner: str) -> WalletCoin:
        def fits(coin: WalletCoin) -> bool:
            return holds_only(coin, asset) and coin.holdings.assets[asset] == atoms

        try:
            (coin,) = await self._select(_Wish(asset, fits, lambda _: atoms, lambda _: atoms), owner)
        except InsufficientFunds as error:
            coins = _claimed(self._found, await self._reservations.read())
            free = [each for each in coins if is_free(each) and holds_only(each, asset)]
            held = sorted((each.holdings.assets[asset] for each in free), reverse=True)
            told = ", ".join(map(str, held[:5]))
            lots = (
                f"Coins of yours that hold it alone have {told} atoms." if held else "No coin of yours holds it alone."
            )
            hint = f"One coin must hold exactly what is sold. {lots}"
            raise InsufficientFunds(error.asset, error.needed, error.available, hint) from None
        return coin

    async def select_bitcoin(self, sats: Needed, owner: str) -> Sequence[WalletCoin]:
        return await self._select(_Wish(BTC, is_plain, lambda coin: coin.utxo.sats, sats), owner)

    async def release(self, owner: str) -> None:
        """Raises `StorageError` after `RELEASE_SECONDS`.

        Cancellation: The release goes on: it is what callers do that were cancelled themselves.
        """
        releasing = self._tasks.spawn(self._release(owner), "coin release", expected=DarkSwapError)
        await wait_ended((releasing,))
        releasing.result()

    async def _release(self, owner: str) -> None:
        try:
            async with asyncio.timeout(RELEASE_SECONDS), self._reservations.change() as claims:
                claims.held = {outpoint: who for outpoint, who in claims.held.items() if who != owner}
        except TimeoutError:
            raise StorageError("the store", f"frees no coins within {RELEASE_SECONDS:.0f} seconds") from None

    async def reserved(self, owner: str) -> Sequence[OutPoint]:
        held = (await self._reservations.read()).held
        return sorted(outpoint for outpoint, who in held.items() if who == owner)

    async def owner(self, outpoint: OutPoint) -> str:
        """Who reserved it: a trade id, "order <id>", "cancel <id>", `FROZEN`, or "" when nobody did."""
        return (await self._reservations.read()).owner(outpoint)

    async def release_coin(self, outpoint: OutPoint, owner: str) -> None:
        """Free one coin if `owner` holds it."""
        async with self._reservations.change() as claims:
            if claims.held.get(outpoint) == owner:
                del claims.held[outpoint]

    async def freeze(self, outpoint: OutPoint, on: bool) -> None:
        async with self._reservations.change() as claims:
            (claims.frozen.add if on else claims.frozen.discard)(outpoint)

    async def _select(self, wish: _Wish, owner: str) -> Sequence[WalletCoin]:
        """The chain is asked before the lock is taken: other tabs wait for the choice only. What is chosen is verified;
        before anything is refused, everything is.
        """
        check_owner(owner)
        if not self._is_recent():
            await self._look(verify=False)
        is_verified = False
        while True:
            chosen = await self._claim(wish, owner)
            if chosen is None and is_verified:
                raise _insufficient(wish, _claimed(self._found, await self._reservations.read()))
            if chosen is None:
                await self._look(verify=True)
                is_verified = True
            elif await self._are_good(chosen, wish, owner):
                return [replace(coin, state=CoinState.RESERVED, reserved_by=owner) for coin in chosen]

    def _is_recent(self) -> bool:
        at, accounts = self._looked
        return asyncio.get_running_loop().time() - at < FRESH_SECONDS and accounts == tuple(self._accounts())

    async def _look(self, *, verify: bool) -> None:
        accounts = tuple(self._accounts())
        self._found = await self._find(verify=verify)
        self._looked = asyncio.get_running_loop().time(), accounts

    async def _claim(self, wish: _Wish, owner: str) -> Sequence[WalletCoin] | None:
        """Chosen among those found, and reserved. None: they do not suffice."""
        async with self._reservations.change() as claims:
            free = [coin for coin in _claimed(self._found, claims) if is_free(coin) and wish.fits(coin)]
            chosen = select(free, wish.value, wish.needed)
            claims.held |= {coin.utxo.outpoint: owner for coin in chosen or ()}
            return chosen

    async def _are_good(self, chosen: Sequence[WalletCoin], wish: _Wish, owner: str) -> bool:
        """Whether enough servers say of all the chosen that they are unspent and hold what is wished; if not, none
        stays reserved, and what was learned is remembered.
        """
        outpoints = [coin.utxo.outpoint for coin in chosen]
        good = False
        try:
            holdings, spends = await asyncio.gather(
                self._chain.holdings(outpoints, verify=True),
                asyncio.gather(*(self._chain.spend(each, verify=True) for each in outpoints)),
            )
            verified = {coin.utxo.outpoint: replace(coin, holdings=holdings[coin.utxo.outpoint]) for coin in chosen}
            gone = {each for each, spend in zip(outpoints, spends, strict=True) if spend is not None}
            good = not gone and all(map(wish.fits, verified.values()))
            if not good:
                left = [coin for coin in self._found if coin.utxo.outpoint not in gone]
                self._found = [verified.get(coin.utxo.outpoint, coin) for coin in left]
            return good
        finally:
            if not good:
                async with self._reservations.change() as claims:
                    for outpoint in outpoints:
                        if claims.held.get(outpoint) == owner:
                            del claims.held[outpoint]

    async def _find(self, *, verify: bool) -> Sequence[WalletCoin]:
        """Every coin once, free or not, in the order of outpoints."""
        accounts = self._accounts()
        scripts = list(dict.fromkeys(account.script for account in accounts))
        tip, found = await asyncio.gather(
            self._chain.tip(verify=verify), asyncio.gather(*map(self._chain.utxos, scripts))
        )
        by_outpoint = {
            utxo.outpoint: utxo
            for script, utxos in zip(scripts, found, strict=True)
            for utxo in utxos
            if utxo.script == script
        }
        outpoints = sorted(by_outpoint)
        holdings = await self._chain.holdings(outpoints, verify=verify) if outpoints else {}
        coins = []
        for outpoint in outpoints:
            utxo, holds = by_outpoint[outpoint], holdings.get(outpoint, UNKNOWN)
            purpose = AccountPurpose.ASSETS if holds.assets or holds.inscriptions else AccountPurpose.PAYMENT
            state = CoinState.CONFIRMED if _is_mature(utxo, tip.height) else CoinState.PENDING
            coins.append(WalletCoin(utxo, _account(accounts, utxo.script, purpose), holds, state))
        return coins


@dataclass(frozen=True, slots=True)
class _Wish:
    asset: Asset
    fits: Callable[[WalletCoin], bool]
    value: Value
    needed: Needed


def is_free(coin: WalletCoin) -> bool:
    return coin.state is CoinState.CONFIRMED


def is_plain(coin: WalletCoin) -> bool:
    """Known to be nothing but sats."""
    return coin.holdings.is_clean


def holds_only(coin: WalletCoin, asset: Asset) -> bool:
    """Known to hold `asset`, no other and no inscription."""
    holdings = coin.holdings
    return holdings.complete and set(holdings.assets) == {asset} and not holdings.inscriptions


def _claimed(found: Iterable[WalletCoin], claims: ReservationTable) -> Sequence[WalletCoin]:
    """With the reservations of now."""
    owned = ((coin, claims.owner(coin.utxo.outpoint)) for coin in found)
    return [replace(coin, state=CoinState.RESERVED, reserved_by=owner) if owner else coin for coin, owner in owned]


def _is_mature(utxo: Utxo, tip: int) -> bool:
    return utxo.height is not None and (not utxo.is_coinbase or tip - utxo.height + 1 >= COINBASE_MATURITY)


def _account(accounts: Sequence[Account], script: bytes, purpose: AccountPurpose) -> Account:
    """Of that script; of two with one address the one of that purpose."""
    own = [account for account in accounts if account.script == script]
    return next((account for account in own if account.purpose is purpose), own[0])


def _bitcoin_balance(coins: Sequence[WalletCoin]) -> Balance:
    """Sats of coins that hold nothing else; unconfirmed coins are pending until known to hold more."""
    waiting = [coin for coin in coins if coin.state is CoinState.PENDING]
    pending = [coin for coin in waiting if not coin.holdings.assets and not coin.holdings.inscriptions]
    settled = [coin for coin in coins if coin.state is not CoinState.PENDING]
    return Balance(
        BTC,
        confirmed=sum(coin.utxo.sats for coin in settled if is_plain(coin) and is_free(coin)),
        pending=sum(coin.utxo.sats for coin in pending),
        reserved=sum(coin.utxo.sats for coin in settled if is_plain(coin) and not is_free(coin)),
        unknown=sum(coin.utxo.sats for coin in settled if not coin.holdings.complete),
    )


def _asset_balance(coins: Sequence[WalletCoin], asset: Asset) -> Balance:
    """Atoms in a coin with other things in it count as reserved: no trade takes such a coin."""
    confirmed = pending = reserved = 0
    for coin in coins:
        atoms = coin.holdings.assets.get(asset, 0)
        if coin.state is CoinState.PENDING:
            pending += atoms
        elif is_free(coin) and holds_only(coin, asset):
            confirmed += atoms
        else:
            reserved += atoms
    return Balance(asset, confirmed, pending, reserved)


def _insufficient(wish: _Wish, coins: Sequence[WalletCoin]) -> InsufficientFunds:
    """Says what would have sufficed, if anything: coins that wait, are held, or whose contents nobody vouches for."""
    fitting = [coin for coin in coins if wish.fits(coin)]
    free = [coin for coin in fitting if is_free(coin)]
    best = sorted(free, key=lambda coin: (-wish.value(coin), coin.utxo.outpoint))[:MAX_COINS]
    available, needed = sum(map(wish.value, best)), wish.needed(best)
    balance = _bitcoin_balance(coins) if wish.asset == BTC else _asset_balance(coins, wish.asset)
    unknown = sum(not coin.holdings.complete for coin in coins if coin.state is CoinState.CONFIRMED)
    hints = []
    if len(free) > MAX_COINS:
        hints.append(f"It is spread over {len(free)} coins, of which a trade takes {MAX_COINS}: join some of them.")
    if balance.pending:
        hints.append(f"{balance.pending} more wait for a confirmation.")
    if balance.reserved:
        hints.append(f"{balance.reserved} more are reserved by trades or orders, frozen, or mixed with other assets.")
    if unknown:
        hints.append(f"No index vouches for the contents of {unknown} more coins: it may lag, or none is configured.")
    return InsufficientFunds(str(wish.asset), needed, available, " ".join(hints))
