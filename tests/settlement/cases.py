"""Which deals are tried, and what they must cost: reckoned from the bytes of the transaction, not by its builder."""

from __future__ import annotations

from darkswap_browser.bitcoin.script import ScriptKind
from darkswap_browser.market.assets import BTC, Asset
from darkswap_browser.market.orders import FeeRule
from darkswap_browser.settlement.terms import Role
from darkswap_browser.settlement.transaction import Settlement
from tests.support.trade_fixture import Style, TradeFixture

RUNE, OTHER_RUNE = Asset.rune(840_000, 1), Asset.rune(845_000, 7)
ALKANE, OTHER_ALKANE = Asset.alkane(2, 0), Asset.alkane(4, 65_530)
PAIRS = (
    (RUNE, BTC), (BTC, RUNE), (RUNE, OTHER_RUNE), (OTHER_RUNE, RUNE), (ALKANE, BTC), (BTC, ALKANE), (RUNE, ALKANE),
    (ALKANE, RUNE), (ALKANE, OTHER_ALKANE), (OTHER_ALKANE, ALKANE),
)  # fmt: skip
STYLES = {
    "taproot": Style(bitcoin=ScriptKind.P2TR),
    "segwit": Style(assets=ScriptKind.P2WPKH, outputs=ScriptKind.P2WPKH),
    "paid to nested": Style(outputs=ScriptKind.P2SH),
}
WITNESS = {ScriptKind.P2TR: 1 + 1 + 65, ScriptKind.P2WPKH: 1 + 1 + 72 + 1 + 33}
"""Bytes: number of items, and each behind its length."""
LARGEST = 2**128 - 1
MAKER, TAKER = Role.MAKER, Role.TAKER


def named(value: object) -> str:
    """An id of a test: assets by their kinds."""
    return "-".join(each.kind for each in value) if isinstance(value, tuple) else str(value)


def weight_of(done: TradeFixture, settlement: Settlement, role: Role) -> int:
    """Weight units that are `role`'s to pay for, from the bytes of the transaction."""
    of_outputs = [4 * len(output.serialize()) for output in settlement.tx.outputs]
    of_inputs = [4 * 41 + WITNESS[ScriptKind(_kind(each.script))] for each in settlement.prevouts]
    shared = 4 * (4 + 1 + 1 + 4) + 2 + of_outputs[-1]
    if done.terms.fee_rule is FeeRule.TAKER_PAYS:
        makers = sorted((of_inputs[index] for index in settlement.inputs_of(MAKER)), reverse=True)
        surplus = sum(makers[2:])
        return surplus if role is MAKER else shared + sum(of_inputs) - surplus + sum(of_outputs[:-1])
    half = shared // 2 if role is MAKER else shared - shared // 2
    inputs = sum(of_inputs[index] for index in settlement.inputs_of(role))
    return half + inputs + sum(of_outputs[index] for index in settlement.outputs_of(role))


def _kind(script: bytes) -> str:
    return "p2tr" if script[0] == 0x51 else "p2wpkh"


def fee_for(done: TradeFixture, weight: int) -> int:
    return -(-weight * done.terms.fee_rate // 4000)
