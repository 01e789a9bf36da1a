"""What two traders tell each other: orders, cancellations, trade messages, and what they sign."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from darkswap_browser.market import order_codec
from darkswap_browser.market.orders import Side, cancel_order, ownership_message
from darkswap_browser.settlement import messages
from darkswap_browser.settlement.messages import (
    Body,
    Cancel,
    FinalTransaction,
    OwnershipProof,
    TakeAccept,
    TakeRequest,
    TakerSignatures,
    TradeEnvelope,
)
from darkswap_browser.settlement.terms import Role, proof_message
from tests.golden.case import Case
from tests.market.cases import ALKANE, COINS, CREATED, RUNE, SIGNATURE, funded, order, signed, sold
from tests.soak import world
from tests.soak.world import RAW, SETTLED, SIGNED, TERMS

TRADE_ID = "ab" * 16
DECLARED = world.COINS

BODIES: tuple[Body, ...] = (
    TakeRequest(
        order_id="01" * 32,
        order_hash="02" * 32,
        fill=2**128 - 1,
        fee_rate=1500,
        deadline=CREATED + 300,
        declaration=DECLARED[Role.TAKER],
        proofs=(OwnershipProof(DECLARED[Role.TAKER].coins[0].script, (bytes(64),)),),
    ),
    TakeAccept(DECLARED[Role.MAKER], SETTLED),
    TakerSignatures(SIGNED),
    FinalTransaction(RAW),
    Cancel("PRICE_CHANGED", "too late"),
)
_CANCELED = signed(cancel_order(funded(), CREATED + 4))
CANCELLATION = order_codec.encode_order(_CANCELED)

ORDERS = {
    "sell a rune": signed(funded()),
    "buy an alkane, revised and paused": signed(
        order(
            base=ALKANE,
            side=Side.BUY,
            base_atoms=2**100,
            min_fill=2**99,
            seq=CREATED + 7,
            paused=True,
            network="regtest",
        )
    ),
    "two coins": signed(funded(COINS)),
    "alkane for rune": signed(order(base=ALKANE, quote=RUNE)),
    "private sale": signed(sold()),
    "taken in part, with all conditions": signed(
        funded(
            open_atoms=400_000,
            max_fill=300_000,
            max_fee_sats=700,
            postage=330,
            signing_seconds=45,
            tx_version=2,
            extras=((1, b"later"),),
        )
    ),
    "canceled": _CANCELED,
}


def _cases() -> list[Case]:
    cases = []
    for seq, body in enumerate(BODIES, 1):
        sent = messages.envelope(TRADE_ID, seq, body)
        name = sent.type
        whole = TradeEnvelope(type=name, trade_id=TRADE_ID, seq=seq, body=sent.body, signature=SIGNATURE)
        cases += [
            Case(
                name=f"trade message, {name}: body",
                value=body,
                encode=lambda value: messages.envelope(TRADE_ID, 1, value).body,
                decode=partial(_read, name),
            ),
            Case(name=f"trade message, {name}", value=whole, encode=messages.encode, decode=messages.decode),
            Case(name=f"trade message, {name}: signed by a maker", value=whole, encode=_signed(Role.MAKER)),
            Case(name=f"trade message, {name}: signed by a taker", value=whole, encode=_signed(Role.TAKER)),
        ]
    for name, item in ORDERS.items():
        cases += [
            Case(name=f"order, {name}", value=item, encode=order_codec.encode_order, decode=order_codec.decode_order),
            Case(
                name=f"order, {name}: text",
                value=item,
                encode=lambda value: order_codec.encode_text(value).encode(),
                decode=lambda data: order_codec.decode_text(data.decode()),
            ),
            Case(name=f"order, {name}: signed", value=item.order, encode=order_codec.signing_bytes),
            Case(name=f"order, {name}: id", value=item.order, encode=lambda value: value.order_id.encode()),
            Case(
                name=f"order, {name}: hash",
                value=item.order,
                encode=lambda value: order_codec.order_hash(value).encode(),
            ),
            Case(
                name=f"order, {name}: ownership message",
                value=item.order,
                encode=lambda value: ownership_message(value.order_id, value.funding).encode(),
            ),
        ]
    cases += [
        Case(
            name="ownership message of a trade",
            value=DECLARED[Role.TAKER],
            encode=lambda value: proof_message(TERMS, value).encode(),
        ),
    ]
    return cases


def _read(kind: str, data: bytes) -> Body | None:
    return messages.body_of(TradeEnvelope(type=kind, trade_id=TRADE_ID, seq=1, body=data))


def _signed(role: Role) -> Callable[[TradeEnvelope], bytes]:
    return lambda value: value.signing_bytes(role)


CASES = _cases()
