"""Which private sales are tried, completed or changed on their way."""

from __future__ import annotations

from dataclasses import replace

import pytest

from darkswap_browser.bitcoin.transaction import Transaction, TxOutput
from darkswap_browser.settlement import private_sale as sales
from darkswap_browser.settlement.signature_checks import complete
from tests.settlement.cases import ALKANE, MAKER, RUNE, STYLES, TAKER
from tests.support.trade_fixture import Style, TradeFixture, keys_of, sale

LOT = sales.LOT
DONE = sale(RUNE)
SETTLEMENT = DONE.settlement()
SIGNED = DONE.witnesses(MAKER)
SEGWIT = sale(RUNE, style=STYLES["segwit"])
KINDS = (Style(), STYLES["taproot"], STYLES["segwit"])
each_kind = pytest.mark.parametrize("style", KINDS, ids=["mixed", "taproot", "segwit"])
each_asset = pytest.mark.parametrize("asset", [RUNE, ALKANE], ids=["rune", "alkane"])


def finished(done: TradeFixture = DONE) -> Transaction:
    return complete(done.settlement(), done.witnesses(MAKER), done.witnesses(TAKER))


def own_key(done: TradeFixture, index: int = LOT) -> bytes:
    return keys_of(MAKER)[done.settlement().prevouts[index].script]


def swapped(tx: Transaction, first: int, second: int, *, inputs: bool = True, outputs: bool = True) -> Transaction:
    ins, outs = list(tx.inputs), list(tx.outputs)
    if inputs:
        ins[first], ins[second] = ins[second], ins[first]
    if outputs:
        outs[first], outs[second] = outs[second], outs[first]
    return replace(tx, inputs=tuple(ins), outputs=tuple(outs))


def at_lot(tx: Transaction, output: TxOutput) -> Transaction:
    return replace(tx, outputs=(*tx.outputs[:LOT], output, *tx.outputs[LOT + 1 :]))
