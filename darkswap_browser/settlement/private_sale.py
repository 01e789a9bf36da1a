"""A private sale: a whole lot of one rune or alkane for bitcoin, of which the maker signed its part beforehand.

SIGHASH_SINGLE|ANYONECANPAY binds the lot's coin to the output at the same place, which pays the maker, and to nothing
else. Whoever has that signature can put his own coins beside it and broadcast; nobody is asked. What is safe in it is
the payment alone, so that only lots for bitcoin are sold so: a runestone lies in an output that is not signed.

Layout. Inputs: a coin of the buyer, the lot, the buyer's other coins. Outputs: the lot's asset to the buyer, the price
and the lot's own sats to the maker, the OP_RETURN, the buyer's change. The pair stands at 1, since whatever no edict
names falls to output 0, and that is the buyer's. The buyer pays the miners.
"""

from __future__ import annotations

from collections.abc import Sequence

from darkswap_browser.bitcoin.alkanes.ids import AlkaneId, ProtoEdict
from darkswap_browser.bitcoin.alkanes.protostone import Protostone, encode_protostones
from darkswap_browser.bitcoin.runes.ids import Edict, RuneId
from darkswap_browser.bitcoin.runes.runestone import Runestone
from darkswap_browser.bitcoin.script import dust_limit, input_weight, output_weight
from darkswap_browser.bitcoin.signing import SINGLE_ANYONECANPAY, verify_input, with_witnesses
from darkswap_browser.bitcoin.transaction import Transaction, TxInput, TxOutput, parse_witness
from darkswap_browser.errors import InvalidOrder, TradeRefused, Unsupported
from darkswap_browser.market.assets import BTC, Asset, AssetKind
from darkswap_browser.market.orders import FeeRule, Order, PresignedSale
from darkswap_browser.settlement.messages import Witnesses
from darkswap_browser.settlement.rule import checked_by
from darkswap_browser.settlement.terms import Contribution, Role, TradeInput, TradeTerms
from darkswap_browser.settlement.transaction import (
    OVERHEAD_WEIGHT,
    SEQUENCE,
    WIDEST_OUTPUT,
    OutputPurpose,
    PlannedOutput,
    Settlement,
    check_apart,
    check_contribution,
    check_terms,
    fee_for,
)

LOT = 1
"""Where the maker's pair stands: never first, see above."""
RISKS = (
    "The signature never expires: until the coin is spent the sale stands, also after the order's own time is over.",
    "Whoever sees it can complete it, or outbid the buyer while the purchase waits in the mempool (sniping).",
    "The price is that of the moment of signing: when the market moves, whoever holds the sale may choose his moment, "
    "an option that is given away for nothing.",
    "Calling it off means to spend the coin to oneself, which costs a fee, and counts only once it is in a block.",
)


# --- the maker's part


def maker_payment(lot: TradeInput, quote_atoms: int, script: bytes) -> TxOutput:
    """What the maker is paid: the price, and the sats that lie on the lot."""
    return TxOutput(lot.sats + quote_atoms, script)


def maker_template(lot: TradeInput, payment: TxOutput) -> Transaction:
    """What the maker signs: the pair alone. The signature holds wherever the two stand at one place."""
    return Transaction((TxInput(lot.outpoint, SEQUENCE),), (payment,))


def check_witness(lot: TradeInput, payment: TxOutput, witness: tuple[bytes, ...], rule: str = "V17") -> None:
    """Raises `VerificationFailed(rule)`: no good signature of exactly that type over the coin as the chain tells it."""
    prevouts = (TxOutput(lot.sats, lot.script),)
    signed = with_witnesses(maker_template(lot, payment), prevouts, {0: witness})
    with checked_by(rule):
        verify_input(signed, 0, prevouts, SINGLE_ANYONECANPAY)


def sale_of(order: Order) -> PresignedSale:
    """Raises `InvalidOrder` for an order that is none."""
    if order.sale is None:
        raise InvalidOrder("sale", "is missing: this order is no private sale")
    return order.sale


def lot_input(order: Order, output: TxOutput) -> TradeInput:
    """`output`: the one that the order's coin is, by the chain."""
    (outpoint,) = order.funding
    return TradeInput(outpoint, output.sats, output.script, order.base_atoms)


def check_lot(order: Order, lot: TradeInput) -> None:
    """Whether the order's signature sells this coin, now. Raises `VerificationFailed` (V17)."""
    sale = sale_of(order)
    check_witness(lot, maker_payment(lot, order.quote_atoms, sale.payment_script), parse_witness(sale.witness))


def maker_contribution(order: Order, lot: TradeInput) -> Contribution:
    """What the maker brings to the transaction, and where it is paid."""
    script = sale_of(order).payment_script
    return Contribution(
        asset_coins=(lot,), receive_script=script, asset_change_script=script, bitcoin_change_script=script
    )


def witnesses_of(order: Order) -> Witnesses:
    return ((LOT, parse_witness(sale_of(order).witness)),)


def pays_maker(tx: Transaction, order: Order, lot: TradeInput) -> bool:
    """Whether `tx` spends the lot and pays what was asked for it."""
    payment = maker_payment(lot, order.quote_atoms, sale_of(order).payment_script)
    places = [place for place, each in enumerate(tx.inputs) if each.outpoint == lot.outpoint]
    return any(tx.outputs[place : place + 1] == (payment,) for place in places)


# --- the transaction


def build(terms: TradeTerms, maker: Contribution, taker: Contribution) -> Settlement:
    """Build the one transaction that these arguments have. Raises `TradeRefused` with a cancel code."""
    check_terms(terms)
    _check_shape(terms, maker)
    check_contribution(terms, Role.MAKER, maker)
    check_contribution(terms, Role.TAKER, taker)
    check_apart(maker, taker)
    _demand(bool(taker.bitcoin_coins), "INSUFFICIENT_FUNDS", "the taker brings no coin")
    (lot,) = maker.asset_coins
    first, *others = sorted(taker.bitcoin_coins, key=lambda each: each.outpoint)
    coins = [(Role.TAKER, first), (Role.MAKER, lot), *((Role.TAKER, each) for each in others)]
    runestone = _runestone(terms.base)
    payment = maker_payment(lot, terms.quote_atoms, maker.receive_script)
    outputs = [
        PlannedOutput(
            Role.TAKER, OutputPurpose.BASE, terms.postage, taker.receive_script, {terms.base: terms.base_atoms}
        ),
        PlannedOutput(Role.MAKER, OutputPurpose.QUOTE, payment.sats, payment.script),
        PlannedOutput(None, OutputPurpose.DATA, 0, runestone.encipher()),
    ]
    scripts = [each.script for each in taker.bitcoin_coins]
    weight = _weight(lot, scripts, [each.script for each in outputs])
    rest = sum(each.sats for each in taker.bitcoin_coins) - terms.postage - terms.quote_atoms
    fee = fee_for(terms, weight + output_weight(taker.bitcoin_change_script))
    if rest - fee >= dust_limit(taker.bitcoin_change_script):
        change = rest - fee
        outputs.append(PlannedOutput(Role.TAKER, OutputPurpose.BITCOIN_CHANGE, change, taker.bitcoin_change_script))
    else:
        fee, least = rest, fee_for(terms, weight)
        _demand(rest >= least, "INSUFFICIENT_FUNDS", f"the taker lacks {least - rest} sats")
    tx = Transaction(
        tuple(TxInput(coin.outpoint, SEQUENCE) for _, coin in coins),
        tuple(TxOutput(output.sats, output.script) for output in outputs),
        terms.tx_version,
    )
    return Settlement(
        terms=terms,
        tx=tx,
        prevouts=tuple(TxOutput(coin.sats, coin.script) for _, coin in coins),
        input_owners=tuple(role for role, _ in coins),
        outputs=tuple(outputs),
        fees={Role.MAKER: 0, Role.TAKER: fee},
        runestone=runestone,
    )


def required_sats(terms: TradeTerms, lot: TradeInput, scripts: Sequence[bytes]) -> int:
    """Sats that coins with these `scripts` must hold together to buy it (what is too much comes back as change)."""
    weight = _weight(lot, scripts, [_runestone(terms.base).encipher()]) + 3 * WIDEST_OUTPUT
    return terms.quote_atoms + terms.postage + fee_for(terms, weight)


def _check_shape(terms: TradeTerms, maker: Contribution) -> None:
    _demand(terms.private_sale, "TERMS", "it is no private sale")
    _demand(terms.tx_version == 2, "TERMS", "the maker signed for a transaction of version 2")
    _demand(terms.base != BTC and terms.quote == BTC, "TERMS", "only assets are sold by a signature, and for bitcoin")
    _demand(terms.base_giver is Role.MAKER, "TERMS", "only a maker sells by a signature")
    _demand(terms.fee_rule is FeeRule.TAKER_PAYS, "TERMS", "the buyer pays the miners")
    _demand(len(maker.coins) == len(maker.asset_coins) == 1, "TERMS", "the maker brings other coins than the lot")
    _demand(maker.asset_coins[0].atoms == terms.base_atoms, "TERMS", "the lot is not what was agreed")


def _weight(lot: TradeInput, scripts: Sequence[bytes], outputs: Sequence[bytes]) -> int:
    """Weight units."""
    return OVERHEAD_WEIGHT + sum(map(input_weight, (lot.script, *scripts))) + sum(map(output_weight, outputs))


def _runestone(asset: Asset) -> Runestone:
    """All of the lot, and whatever else lies on the inputs, to the buyer's output."""
    if asset.kind is AssetKind.RUNE:
        return Runestone(edicts=(Edict(RuneId(asset.block, asset.tx), 0, 0),), pointer=0)
    edict = ProtoEdict(AlkaneId(asset.block, asset.tx), 0, 0)
    return Runestone(pointer=0, protocol=encode_protostones([Protostone(edicts=(edict,), pointer=0, refund=0)]))


def _demand(holds: bool, code: str, detail: str) -> None:
    if not holds:
        raise TradeRefused(code, detail)


def private_sales_disabled() -> Unsupported:
    """What making and taking private sales is answered with by default."""
    return Unsupported("a private sale", " ".join(("trade.private_sales switches it on, if you accept this:", *RISKS)))
