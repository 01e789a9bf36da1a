"""Taking a signature back: one coin of the trade is spent to ourselves, so that the settlement can never be mined.

A signature does not expire. Whoever holds ours may broadcast until an input of the settlement is spent elsewhere; the
self-spend has to win against the settlement in every mempool, so it pays more than the whole of it (BIP125, rule 4).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from darkswap_browser.bitcoin.alkanes.protostone import Protostone, encode_protostones
from darkswap_browser.bitcoin.runes.runestone import Runestone
from darkswap_browser.bitcoin.script import dust_limit, input_weight, output_weight
from darkswap_browser.bitcoin.transaction import Transaction, TxInput, TxOutput
from darkswap_browser.errors import InsufficientFunds
from darkswap_browser.market.assets import AssetKind
from darkswap_browser.settlement.terms import TradeInput

OVERHEAD = 42
"""Weight units of a segwit transaction without inputs and outputs."""
STEP = 2
"""Sats per virtual byte on top of what the settlement pays: a replacement pays for its own relay."""


def fee_to_beat(settlement_fee: int, vsize: int, rate: int) -> int:
    """Sats. `settlement_fee`: of both sides together; `rate`: today's, in sats per 1000 vB."""
    return max(settlement_fee + STEP * vsize, -(-rate * vsize // 1000))


Fee = Callable[[int], int]
"""Sats by virtual bytes."""


def needed(coins: Sequence[TradeInput], keep: Sequence[TxOutput], change_script: bytes, fee: Fee) -> int:
    """Sats that `coins` must hold together for the outputs `keep`, the fee, and change that is worth having."""
    size = vsize_of(coins, (*keep, TxOutput(0, change_script)))
    return sum(each.sats for each in keep) + fee(size) + dust_limit(change_script)


def build(coins: Sequence[TradeInput], keep: Sequence[TxOutput], change_script: bytes, fee: Fee) -> Transaction:
    """`coins` to `keep`, and the rest to `change_script`. Raises `InsufficientFunds` when they hold too little."""
    wanted = needed(coins, keep, change_script, fee)
    held = sum(each.sats for each in coins)
    if held < wanted:
        raise InsufficientFunds("BTC", wanted, held, "A self-spend pays more than the trade; add bitcoin for its fee.")
    change = TxOutput(held - wanted + dust_limit(change_script), change_script)
    return Transaction(tuple(TxInput(each.outpoint) for each in coins), (*keep, change))


def return_outputs(coin: TradeInput, kind: AssetKind) -> tuple[TxOutput, ...]:
    """Output 0 takes all assets of the coin. Alkanes need a protostone: without one no rule moves them."""
    protocol = encode_protostones([Protostone(edicts=(), pointer=0, refund=0)]) if kind is AssetKind.ALKANE else ()
    stone = Runestone(pointer=0, protocol=protocol)
    return TxOutput(coin.sats, coin.script), TxOutput(0, stone.encipher())


def vsize_of(coins: Sequence[TradeInput], outputs: Sequence[TxOutput]) -> int:
    weight = OVERHEAD + sum(input_weight(each.script) for each in coins)
    return -(-(weight + sum(output_weight(each.script) for each in outputs)) // 4)
