"""A wallet with two keys and the coins of a simulated chain: real keys and signatures, and faults to switch on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256

from darkswap_browser.bitcoin import bip322, curve
from darkswap_browser.bitcoin.address import address_of
from darkswap_browser.bitcoin.psbt import Psbt, with_witness
from darkswap_browser.bitcoin.script import ScriptKind
from darkswap_browser.bitcoin.signing import script_for, sign_input, witness_of
from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.chain.base import UNKNOWN, Chain
from darkswap_browser.errors import InsufficientFunds, WalletFailed, WalletRejected
from darkswap_browser.market.assets import BTC, Asset
from darkswap_browser.wallets.base import Account, Balance, CoinState, OwnedCoin, Purpose

AUX = bytes(32)


class SimWallet:
    """Assets on P2TR, payments on P2WPKH."""

    def __init__(self, name: str, network: str = "regtest") -> None:
        self.kind = "simulated"
        self.network = network
        self.sign_seconds = 60.0
        self.refuses = False
        self.broken = False
        self.delay = 0.0
        self.signed: list[str] = []
        """Ids of the transactions that it signed inputs of."""
        self.forge: Callable[[Psbt], Psbt] | None = None
        """What is done to a PSBT before it is returned."""
        self._keys: dict[bytes, bytes] = {}
        self.accounts: Sequence[Account] = (
            self._account(name, Purpose.ASSETS, ScriptKind.P2TR),
            self._account(name, Purpose.PAYMENT, ScriptKind.P2WPKH),
        )

    def _account(self, name: str, purpose: Purpose, kind: ScriptKind) -> Account:
        private = sha256(f"{name}/{purpose}".encode()).digest()
        public = curve.public_key(private)
        script = script_for(kind, public)
        self._keys[script] = private
        return Account(purpose, address_of(script, self.network) or "", script, public)

    @property
    def assets(self) -> Account:
        return self.accounts[0]

    @property
    def payment(self) -> Account:
        return self.accounts[1]

    def key(self, script: bytes) -> bytes:
        return self._keys[script]

    async def sign_psbt(self, psbt: bytes, inputs: Mapping[int, Account]) -> bytes:
        if self.delay:
            await asyncio.sleep(self.delay)
        if self.refuses:
            raise WalletRejected(self.kind)
        if self.broken:
            raise WalletFailed(self.kind, "out of order")
        asked = Psbt.parse(psbt)
        prevouts = [asked.spent(index) for index in range(len(asked.inputs))]
        known = [each for each in prevouts if each is not None]
        signed = asked
        for index, account in inputs.items():
            signature = sign_input(asked.unsigned, index, known, self._keys[account.script], AUX)
            signed = with_witness(signed, index, witness_of(account.script, account.public_key, signature))
        self.signed.append(asked.unsigned.txid)
        return (self.forge(signed) if self.forge else signed).serialize()

    async def sign_message(self, account: Account, message: str) -> bytes:
        return bip322.sign_simple(account.script, self._keys[account.script], message, AUX)

    def subscribe(self, callback: Callable[[str], None]) -> Callable[[], None]:
        return lambda: None

    async def disconnect(self) -> None: ...


class SimCoins:
    """`Coins` of one wallet, by what its servers say. `held` outlives reloads when it is given again."""

    def __init__(self, wallet: SimWallet, chain: Chain, held: dict[OutPoint, str] | None = None) -> None:
        self._wallet = wallet
        self._chain = chain
        self.held = {} if held is None else held

    async def refresh(self) -> Sequence[OwnedCoin]:
        coins = []
        for account in self._wallet.accounts:
            utxos = await self._chain.utxos(account.script)
            holdings = await self._chain.holdings([each.outpoint for each in utxos])
            for utxo in utxos:
                owner = self.held.get(utxo.outpoint, "")
                state = CoinState.CONFIRMED if utxo.height is not None else CoinState.PENDING
                state = CoinState.RESERVED if owner else state
                coins.append(OwnedCoin(utxo, account, holdings.get(utxo.outpoint, UNKNOWN), state, owner))
        return coins

    async def balances(self) -> Sequence[Balance]:
        sums: dict[Asset, dict[CoinState, int]] = {BTC: {}}
        for coin in await self.refresh():
            amounts = {BTC: coin.utxo.sats} if coin.holdings.is_clean else dict(coin.holdings.assets)
            for asset, atoms in amounts.items():
                states = sums.setdefault(asset, {})
                states[coin.state] = states.get(coin.state, 0) + atoms
        kinds = (CoinState.CONFIRMED, CoinState.PENDING, CoinState.RESERVED)
        return [Balance(asset, *(states.get(kind, 0) for kind in kinds)) for asset, states in sums.items()]

    async def select_asset(self, asset: Asset, atoms: int, owner: str) -> Sequence[OwnedCoin]:
        free = [each for each in await self.refresh() if each.state is CoinState.CONFIRMED]
        own = [each for each in free if set(each.holdings.assets) == {asset} and not each.holdings.inscriptions]
        own.sort(key=lambda coin: (-coin.holdings.assets[asset], coin.utxo.outpoint))
        chosen: list[OwnedCoin] = []
        for coin in own:
            if sum(each.holdings.assets[asset] for each in chosen) >= atoms:
                break
            chosen.append(coin)
        available = sum(each.holdings.assets[asset] for each in own)
        if available < atoms:
            raise InsufficientFunds(str(asset), atoms, available)
        return self._hold(chosen, owner)

    async def select_bitcoin(self, sats: Callable[[Sequence[OwnedCoin]], int], owner: str) -> Sequence[OwnedCoin]:
        clean = [each for each in await self.refresh() if each.state is CoinState.CONFIRMED and each.holdings.is_clean]
        clean.sort(key=lambda coin: (-coin.utxo.sats, coin.utxo.outpoint))
        chosen: list[OwnedCoin] = []
        for coin in clean:
            chosen.append(coin)
            if sum(each.utxo.sats for each in chosen) >= sats(chosen):
                return self._hold(chosen, owner)
        raise InsufficientFunds("BTC", sats(clean), sum(each.utxo.sats for each in clean))

    def _hold(self, coins: Sequence[OwnedCoin], owner: str) -> Sequence[OwnedCoin]:
        for coin in coins:
            self.held[coin.utxo.outpoint] = owner
        return coins

    async def release(self, owner: str) -> None:
        for outpoint in [each for each, holder in self.held.items() if holder == owner]:
            del self.held[outpoint]

    async def reserved(self, owner: str) -> Sequence[OutPoint]:
        return sorted(outpoint for outpoint, holder in self.held.items() if holder == owner)

    async def freeze(self, outpoint: OutPoint, on: bool) -> None:
        if on:
            self.held[outpoint] = "frozen"
        else:
            self.held.pop(outpoint, None)
