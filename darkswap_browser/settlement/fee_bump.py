"""Speeding up a settlement that waits: a child of one's own bitcoin output pays for both (CPFP).

Never from an output that carries an asset. The child of a transaction of version 3 is of version 3 as well and alone
(BIP431): whoever comes second replaces it or is refused.
"""

from __future__ import annotations

from darkswap_browser.bitcoin.script import dust_limit
from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput
from darkswap_browser.errors import InsufficientFunds
from darkswap_browser.settlement.self_spend import STEP, vsize_of
from darkswap_browser.settlement.terms import Role, TradeInput
from darkswap_browser.settlement.transaction import SEQUENCE, Settlement

RELAY_FLOOR = 1000
"""Sats per 1000 vB that the child pays at least for itself."""


def bitcoin_output(settlement: Settlement, role: Role) -> int | None:
    """Place of the largest output of `role` that holds bitcoin and nothing else; None: it has none."""
    plain = [place for place in settlement.outputs_of(role) if not settlement.outputs[place].assets]
    return max(plain, key=lambda place: settlement.outputs[place].sats, default=None)


def child_fee(settlement: Settlement, vsize: int, child_vsize: int, rate: int, replaced: int) -> int:
    """Sats with which both together pay `rate` (per 1000 vB). `vsize`: of the signed settlement; `replaced`: sats that
    a child which is there already pays.
    """
    both = -(-rate * (vsize + child_vsize) // 1000) - sum(settlement.fees.values())
    least = -(-RELAY_FLOOR * child_vsize // 1000)
    return max(both, least, replaced + STEP * child_vsize if replaced else 0)


def child_vsize(settlement: Settlement, place: int, script: bytes) -> int:
    """Virtual bytes of a child that pays to `script`."""
    return vsize_of((_coin(settlement, place),), (TxOutput(0, script),))


def build_child(settlement: Settlement, place: int, script: bytes, fee: int) -> Transaction:
    """Raises `InsufficientFunds` when the output does not bear the fee."""
    coin = _coin(settlement, place)
    least = fee + dust_limit(script)
    if coin.sats < least:
        hint = "Your bitcoin output of this trade pays for it; name a lower fee_rate."
        raise InsufficientFunds("BTC", least, coin.sats, hint)
    return Transaction(
        (TxInput(coin.outpoint, SEQUENCE),), (TxOutput(coin.sats - fee, script),), settlement.terms.tx_version
    )


def _coin(settlement: Settlement, place: int) -> TradeInput:
    output = settlement.outputs[place]
    return TradeInput(OutPoint(settlement.txid, place), output.sats, output.script)
