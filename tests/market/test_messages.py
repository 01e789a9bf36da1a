from __future__ import annotations

import msgpack
import pytest

from darkswap_browser.errors import MalformedMessage
from darkswap_browser.market.messages import (
    MAX_MESSAGE,
    Body,
    Cancel,
    Envelope,
    FinalTransaction,
    OwnershipProof,
    TakeAccept,
    TakeRequest,
    TakerSignatures,
    body_of,
    decode,
    encode,
    envelope,
)
from darkswap_browser.market.trade.terms import Declaration, Role
from tests.soak.world import COINS, RAW, SETTLED, SIGNED

TRADE = "ab" * 16
REQUEST = TakeRequest(
    order_id="01" * 32,
    order_hash="02" * 32,
    fill=2**128 - 1,
    fee_rate=1500,
    deadline=1_800_000_000,
    declaration=COINS[Role.TAKER],
    proofs=(OwnershipProof(COINS[Role.TAKER].coins[0].script, (bytes(64),)),),
)
BODIES = (
    REQUEST,
    TakeAccept(COINS[Role.MAKER], SETTLED),
    TakerSignatures(SIGNED),
    FinalTransaction(RAW),
    Cancel("PRICE_CHANGED", "too late"),
)
each_body = pytest.mark.parametrize("body", BODIES, ids=lambda body: type(body).__name__)


@each_body
def test_a_message_is_read_as_it_was_written(body: Body) -> None:
    message = decode(encode(envelope(TRADE, 3, body)))
    assert (message.trade_id, message.seq, body_of(message)) == (TRADE, 3, body)


@each_body
def test_a_message_cut_anywhere_is_malformed(body: Body) -> None:
    whole = envelope(TRADE, 3, body)
    for cut in range(len(encode(whole))):
        with pytest.raises(MalformedMessage):
            decode(encode(whole)[:cut])
    for cut in range(len(whole.body)):
        with pytest.raises(MalformedMessage):
            body_of(Envelope(type=whole.type, trade_id=TRADE, seq=3, body=whole.body[:cut]))


@each_body
def test_a_body_without_one_of_its_fields_is_malformed(body: Body) -> None:
    whole = envelope(TRADE, 3, body)
    fields = msgpack.unpackb(whole.body)
    for missing in fields:
        rest = msgpack.packb({key: value for key, value in fields.items() if key != missing})
        with pytest.raises(MalformedMessage):
            body_of(Envelope(type=whole.type, trade_id=TRADE, seq=3, body=rest))


def test_unknown_keys_are_ignored_and_unknown_types_told_apart() -> None:
    fields = msgpack.unpackb(encode(envelope(TRADE, 1, BODIES[4]))) | {"later": 1}
    assert body_of(decode(msgpack.packb(fields))) == BODIES[4]
    assert body_of(decode(msgpack.packb(fields | {"type": "wink"}))) is None


def test_the_signature_binds_trade_number_sender_kind_and_body() -> None:
    one = envelope(TRADE, 1, BODIES[4])
    others = (
        one.signing_bytes(Role.MAKER),
        one.signing_bytes(Role.TAKER),
        envelope("ac" * 16, 1, BODIES[4]).signing_bytes(Role.MAKER),
        envelope(TRADE, 2, BODIES[4]).signing_bytes(Role.MAKER),
        envelope(TRADE, 1, Cancel("PRICE_CHANGED", "")).signing_bytes(Role.MAKER),
        Envelope(type="final_transaction", trade_id=TRADE, seq=1, body=one.body).signing_bytes(Role.MAKER),
    )
    assert len(set(others)) == len(others)


def test_too_much_of_anything_is_refused() -> None:
    coins = COINS[Role.MAKER]
    many = Declaration(
        asset_coins=coins.asset_coins * 11,
        bitcoin_coins=coins.asset_coins * 10,
        receive_script=coins.receive_script,
        asset_change_script=coins.asset_change_script,
        bitcoin_change_script=coins.bitcoin_change_script,
    )
    for body in (TakeAccept(many, SETTLED), TakerSignatures(SIGNED * 2), TakerSignatures(((0, (b"x" * 300,)),))):
        with pytest.raises(MalformedMessage):
            body_of(envelope(TRADE, 1, body))
    with pytest.raises(MalformedMessage):
        decode(bytes(MAX_MESSAGE + 1))
    with pytest.raises(MalformedMessage):
        decode(b"\x91" * 5000)
