from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.errors import MalformedMessage
from darkswap_browser.settlement.messages import (
    MAX_MESSAGE,
    Body,
    Cancel,
    FinalTransaction,
    OwnershipProof,
    TakeAccept,
    TakeRequest,
    TakerSignatures,
    TradeEnvelope,
    body_of,
    decode,
    encode,
    envelope,
)
from darkswap_browser.settlement.terms import Contribution, Role, TradeInput
from tests.soak.world import COINS, RAW, SETTLED, SIGNED
from tests.support.hostile import assert_only_malformed, damaged

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
            body_of(TradeEnvelope(type=whole.type, trade_id=TRADE, seq=3, body=whole.body[:cut]))


@each_body
def test_a_body_without_one_of_its_fields_is_malformed(body: Body) -> None:
    whole = envelope(TRADE, 3, body)
    fields = msgpack.unpackb(whole.body)
    for missing in fields:
        rest = msgpack.packb({key: value for key, value in fields.items() if key != missing})
        with pytest.raises(MalformedMessage):
            body_of(TradeEnvelope(type=whole.type, trade_id=TRADE, seq=3, body=rest))


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
        TradeEnvelope(type="final_transaction", trade_id=TRADE, seq=1, body=one.body).signing_bytes(Role.MAKER),
    )
    assert len(set(others)) == len(others)


def test_too_much_of_anything_is_refused() -> None:
    coins = COINS[Role.MAKER]
    many = Contribution(
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


def test_as_much_as_is_allowed_is_read() -> None:
    coin = TradeInput(OutPoint("ff" * 32, 2**32 - 1), 21 * 10**14, bytes(34), 2**128 - 1)
    most = Contribution(
        asset_coins=(coin,) * 10,
        bitcoin_coins=(coin,) * 10,
        receive_script=bytes(34),
        asset_change_script=bytes(34),
        bitcoin_change_script=bytes(34),
    )
    witness = (bytes(256),) * 4
    bodies: tuple[Body, ...] = (
        TakeRequest(
            order_id="00" * 32,
            order_hash="ff" * 32,
            fill=0,
            fee_rate=2**32 - 1,
            deadline=2**40,
            declaration=most,
            proofs=(OwnershipProof(bytes(34), witness),) * 40,
        ),
        TakerSignatures(tuple((index, witness) for index in range(20, 40))),
        Cancel("x" * 32, "x" * 200),
    )
    for body in bodies:
        message = envelope(TRADE, 2**32 - 1, body)
        assert len(encode(message)) <= MAX_MESSAGE and body_of(decode(encode(message))) == body
    padded = envelope(TRADE, 1, FinalTransaction(b""))
    fields = msgpack.unpackb(encode(padded))
    room = MAX_MESSAGE - len(msgpack.packb({**fields, "later": bytes(60_000)})) + 60_000
    assert decode(msgpack.packb({**fields, "later": bytes(room)})) == padded


Fields = dict[str, Any]
Change = Callable[[Fields], object]


def with_envelope(change: Change) -> bytes:
    fields: Fields = msgpack.unpackb(encode(envelope(TRADE, 3, BODIES[4])))
    change(fields)
    return bytes(msgpack.packb(fields))


def with_body(body: Body, change: Change) -> TradeEnvelope:
    whole = envelope(TRADE, 3, body)
    fields: Fields = msgpack.unpackb(whole.body)
    change(fields)
    return TradeEnvelope(type=whole.type, trade_id=TRADE, seq=3, body=bytes(msgpack.packb(fields)))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"v": 2}, "v is not 1"),
        ({"v": True}, "v is not 1"),
        ({"type": b"cancel"}, "type is not a text"),
        ({"type": "x" * 33}, "type has 33 characters, not at most 32"),
        ({"trade_id": "AB" * 16}, "trade_id is not 16 bytes in lower-case hex"),
        ({"trade_id": "ab" * 15}, "trade_id is not 16 bytes"),
        ({"trade_id": bytes(16)}, "trade_id is not 16 bytes"),
        ({"seq": 0}, "seq is not a whole number from 1"),
        ({"seq": 2**32}, "seq is not a whole number from 1"),
        ({"body": "text"}, "body is not at most"),
        ({"signature": bytes(129)}, "signature is not at most 128 bytes"),
    ],
)
def test_an_envelope_with_a_wrong_field_is_malformed(changes: Fields, reason: str) -> None:
    with pytest.raises(MalformedMessage, match=reason):
        decode(with_envelope(lambda fields: fields.update(changes)))


COIN = ["11" * 32, 0, 1000, b"\x51\x20" + bytes(32), "0"]


def coin(at: int, value: object) -> Change:
    row = [*COIN[:at], value, *COIN[at + 1 :]]
    return lambda fields: fields["declaration"].update(bitcoin_coins=[row])


@pytest.mark.parametrize(
    ("body", "change", "reason"),
    [
        (REQUEST, lambda fields: fields.update(fill=7), "fill is not a text of digits"),
        (REQUEST, lambda fields: fields.update(fill="-7"), "fill is not a text of digits"),
        (REQUEST, lambda fields: fields.update(fill="\u0667"), "fill is not a text of digits"),
        (REQUEST, lambda fields: fields.update(fill="07"), "fill is not a text of digits up to"),
        (REQUEST, lambda fields: fields.update(fill=str(2**128)), "fill is not a text of digits up to"),
        (REQUEST, lambda fields: fields.update(fee_rate=0), "fee_rate is not a whole number from 1"),
        (REQUEST, lambda fields: fields.update(deadline=2**40 + 1), "deadline is not a whole number"),
        (REQUEST, lambda fields: fields.update(order_hash="02" * 31), "order_hash is not 32 bytes"),
        (REQUEST, lambda fields: fields.update(proofs=[[b"", []]] * 41), "proofs has 41 entries, not at most 40"),
        (REQUEST, lambda fields: fields.update(proofs=[[b""]]), "proofs.0. is not a list of 2"),
        (REQUEST, lambda fields: fields.update(proofs=[[bytes(35), []]]), "script is not at most 34 bytes"),
        (REQUEST, lambda fields: fields.update(proofs=[[b"", [b""] * 5]]), "witness has 5 entries, not at most 4"),
        (REQUEST, lambda fields: fields.update(declaration=[]), "declaration is not an object"),
        (REQUEST, lambda fields: fields["declaration"].update(receive=bytes(35)), "receive is not at most 34 bytes"),
        (
            REQUEST,
            lambda fields: fields["declaration"].update(asset_coins=[COIN[:4]]),
            "coins.0. is not a list of 5",
        ),
        (REQUEST, lambda fields: fields["declaration"].update(asset_coins=[COIN] * 20), "more than 20 coins"),
        (REQUEST, coin(0, "AA" * 32), "txid is not 32 bytes in lower-case hex"),
        (REQUEST, coin(1, 2**32), "vout is not a whole number"),
        (REQUEST, coin(2, 21 * 10**14 + 1), "sats is not a whole number"),
        (REQUEST, coin(2, -1), "sats is not a whole number"),
        (REQUEST, coin(3, bytes(35)), "script is not at most 34 bytes"),
        (REQUEST, coin(4, "1.0"), "atoms is not a text of digits"),
        (BODIES[1], lambda fields: fields.update(txid="ab"), "txid is not 32 bytes"),
        (BODIES[2], lambda fields: fields.update(witnesses=[[40, []]]), "index is not a whole number from 0 to 39"),
        (BODIES[2], lambda fields: fields.update(witnesses=[[1, []], [0, []]]), "not in ascending order"),
        (BODIES[2], lambda fields: fields.update(witnesses=[[1, []], [1, []]]), "not in ascending order"),
        (BODIES[2], lambda fields: fields.update(witnesses=[[0, ["text"]]]), "witness.0. is not at most 256 bytes"),
        (BODIES[3], lambda fields: fields.update(raw="00"), "raw is not at most"),
        (BODIES[4], lambda fields: fields.update(reason="x" * 201), "reason has 201 characters, not at most 200"),
    ],
)
def test_a_body_with_a_wrong_field_is_malformed(body: Body, change: Change, reason: str) -> None:
    with pytest.raises(MalformedMessage, match=reason):
        body_of(with_body(body, change))


def test_damaged_messages_are_malformed_or_others() -> None:
    for body in (BODIES[2], BODIES[4]):
        whole = envelope(TRADE, 3, body)
        for data in damaged(encode(whole)):
            assert_only_malformed(decode, data)
        for data in damaged(whole.body):
            changed = TradeEnvelope(type=whole.type, trade_id=TRADE, seq=3, body=data)
            assert_only_malformed(lambda _, message=changed: body_of(message), data)


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=9)
    | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(BODIES), st.data(), plain)
@settings(max_examples=100)
def test_a_field_of_any_other_kind_is_malformed_or_a_message(body: Body, data: st.DataObject, value: Any) -> None:
    fields: Fields = msgpack.unpackb(envelope(TRADE, 3, body).body)
    at = data.draw(st.sampled_from(sorted(fields)))
    changed = with_body(body, lambda each: each.update({at: value}))
    assert_only_malformed(lambda _: body_of(changed), changed.body)
