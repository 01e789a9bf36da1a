"""Coins for whoever asks. What the faucet owns is locked with scripts that everyone may open, so it keeps no keys."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from darkswap_browser.errors import InsufficientFunds, InvalidArgument
from darkswap_browser.market.assets import BITCOIN_INFO, BTC, Asset, AssetKind, AssetMetadata
from darkswap_browser.regtest.chain.mempool import MATURITY
from darkswap_browser.regtest.chain.node import RegtestNode
from darkswap_browser.regtest.indexes.alkanes import DECIMALS, SEEDS, AlkaneIndex, transfer
from darkswap_browser.regtest.indexes.runes import RuneIndex
from darkswap_browser.regtest.indexes.runestones import POINTER, write

DEFAULT_SATS = 100_000
DEFAULT_UNITS = 1_000
"""Of a rune or an alkane, in display units."""
MAX_SATS = 100 * 100_000_000
"""One call's most: two blocks' rewards."""
FEE = 1_000
"""Sats: above one per virtual byte for every transaction made here."""
POSTAGE = 546
"""Sats beside an asset, and the least that is paid out."""


def open_script(label: str) -> tuple[bytes, bytes]:
    """A P2WSH that anyone can spend, and its witness script: `label OP_DROP OP_1`. Labels keep purposes apart."""
    word = label.encode()
    witness = bytes([len(word)]) + word + b"\x75\x51"
    return b"\x00\x20" + sha256(witness).digest(), witness


BITCOIN, BITCOIN_WITNESS = open_script("faucet: bitcoin")
RUNES, RUNES_WITNESS = open_script("faucet: runes")
ALKANES, ALKANES_WITNESS = open_script("faucet: alkanes")


def unlocked(outpoint: OutPoint, witness: bytes) -> TxInput:
    return TxInput(outpoint, witness=(witness,))


class FaucetFunds:
    """The bitcoin of the faucet."""

    def __init__(self, node: RegtestNode) -> None:
        self._node = node

    def coin(self, sats: int) -> tuple[OutPoint, int]:
        """The smallest free coin of at least `sats`, and what it holds."""
        found = [(held, outpoint) for outpoint, held in self._free().items() if held >= sats]
        if not found:
            raise InsufficientFunds("BTC", sats, max(self._free().values(), default=0), "Mine some blocks first.")
        held, outpoint = min(found)
        return outpoint, held

    def _free(self) -> dict[OutPoint, int]:
        ledger = self._node.ledger
        free = {}
        for txid in ledger.by_script.get(BITCOIN, {}):
            for vout, output in enumerate(ledger.transactions[txid].transaction.outputs):
                outpoint = OutPoint(txid, vout)
                coin = ledger.coins.get(outpoint)
                if output.script != BITCOIN or coin is None or outpoint in self._node.mempool.spent:
                    continue
                if not coin.is_coinbase or ledger.height + 1 - coin.height >= MATURITY:
                    free[outpoint] = output.sats
        return free

    def pay(self, script: bytes, sats: int) -> str:
        """Sends bitcoin; returns the txid, which waits for a block."""
        if not POSTAGE <= sats <= MAX_SATS:
            raise InvalidArgument("atoms", f"must be {POSTAGE} to {MAX_SATS}")
        outpoint, held = self.coin(sats + FEE + POSTAGE)
        outputs = (TxOutput(sats, script), TxOutput(held - sats - FEE, BITCOIN))
        return self._node.submit(Transaction((unlocked(outpoint, BITCOIN_WITNESS),), outputs).serialize()).txid


class Faucet:
    """Bitcoin, and runes and alkanes out of stocks that `genesis` laid down."""

    def __init__(self, node: RegtestNode, runes: RuneIndex, alkanes: AlkaneIndex) -> None:
        self._node = node
        self._runes = runes
        self._alkanes = alkanes
        self.funds = FaucetFunds(node)

    def assets(self) -> list[AssetMetadata]:
        """What there is to be had."""
        found = [BITCOIN_INFO]
        for each in self._runes.entries.values():
            found.append(
                AssetMetadata(
                    asset=Asset.rune(*each.id), name=each.name, symbol=each.symbol or "", decimals=each.divisibility
                )
            )
        for alkane, seed in SEEDS.items():
            found.append(
                AssetMetadata(asset=Asset.alkane(*alkane), name=seed.name, symbol=seed.symbol, decimals=DECIMALS)
            )
        return found

    def give(self, script: bytes, asset: Asset, atoms: int | None = None) -> str:
        """Sends to a script; returns the txid, which waits for a block."""
        if atoms is None:
            decimals = next((each.decimals for each in self.assets() if each.asset == asset), 0)
            atoms = DEFAULT_SATS if asset == BTC else DEFAULT_UNITS * 10**decimals
        if asset.kind is AssetKind.BTC:
            return self.funds.pay(script, atoms)
        if atoms < 1:
            raise InvalidArgument("atoms", "must be at least 1")
        identity = asset.block, asset.tx
        edict = (*identity, atoms, 0)
        if asset.kind is AssetKind.RUNE:
            stock = self._stock(asset, RUNES, self._runes.balances, atoms)
            message = write([(POINTER, 1)], [edict])
            return self._transfer(script, RUNES, unlocked(stock, RUNES_WITNESS), message)
        stock = self._stock(asset, ALKANES, self._alkanes.balances, atoms)
        message = write([(POINTER, 1), *transfer(edict, 1)])
        return self._transfer(script, ALKANES, unlocked(stock, ALKANES_WITNESS), message)

    def _stock(
        self, asset: Asset, script: bytes, balances: Mapping[OutPoint, Mapping[tuple[int, int], int]], atoms: int
    ) -> OutPoint:
        """A free coin of the faucet that holds enough."""
        ledger, most = self._node.ledger, 0
        for outpoint, held in balances.items():
            coin = ledger.coins.get(outpoint)
            if coin is None or coin.output.script != script or outpoint in self._node.mempool.spent:
                continue
            most = max(most, held.get((asset.block, asset.tx), 0))
            if held.get((asset.block, asset.tx), 0) >= atoms:
                return outpoint
        raise InsufficientFunds(str(asset), atoms, most, "Mine a block, or ask for less or for another asset.")

    def _transfer(self, script: bytes, home: bytes, stock: TxInput, message: bytes) -> str:
        """The edict's share to `script` at output 0, the rest back home at output 1."""
        outpoint, held = self.funds.coin(2 * POSTAGE + FEE + POSTAGE)
        stocked = self._node.ledger.coins[stock.outpoint].output.sats
        outputs = [TxOutput(POSTAGE, script), TxOutput(POSTAGE, home), TxOutput(0, message)]
        outputs.append(TxOutput(held + stocked - 2 * POSTAGE - FEE, BITCOIN))
        inputs = (stock, unlocked(outpoint, BITCOIN_WITNESS))
        return self._node.submit(Transaction(inputs, tuple(outputs)).serialize()).txid
