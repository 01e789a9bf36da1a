"""Hop, stop and voucher bytes: vectors checked against js, round trips, hostile input."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.errors import MalformedMessage
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.net.connection import CircuitLimit
from darkswap_browser.protocols.relay.messages import (
    CircuitPeer,
    HopMessage,
    HopType,
    ReservationInfo,
    Status,
    StopMessage,
    StopType,
    Voucher,
    decode_hop,
    decode_stop,
    decode_voucher,
    encode_hop,
    encode_stop,
    encode_voucher,
    status_name,
)
from tests.support.examples import examples

PEER = PeerId.parse("12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq")
ADDRESS = Multiaddr.parse("/ip4/127.0.0.1/tcp/9001/ws")

HOP = [
    (HopMessage(HopType.RESERVE), "0800"),
    (HopMessage(HopType.STATUS, status=Status.OK), "08022864"),
    (HopMessage(HopType.CONNECT, CircuitPeer(PEER)), "080112280a26" + PEER.to_bytes().hex()),
    (
        HopMessage(
            HopType.STATUS,
            reservation=ReservationInfo(1, (ADDRESS,), b"v"),
            limit=CircuitLimit(120, 131072),
            status=Status.OK,
        ),
        "0802" + "1a110801120a047f000001062329dd031a0176" + "22060878" + "10808008" + "2864",
    ),
    (
        HopMessage(HopType.STATUS, status=Status.RESERVATION_REFUSED, reason="ip-rate", retry_after=60),
        "0802" + "28c801" + "c23e07" + b"ip-rate".hex() + "c83e3c",
    ),
]
STOP = [
    (StopMessage(StopType.STATUS, status=Status.OK), "08012064"),
    (StopMessage(StopType.CONNECT, CircuitPeer(PEER)), "080012280a26" + PEER.to_bytes().hex()),
    (StopMessage(StopType.CONNECT, limit=CircuitLimit(data=5)), "08001a021005"),
]


@pytest.mark.parametrize(("message", "wire"), HOP)
def test_hop_messages_read_and_write_as_js_does(message: HopMessage, wire: str) -> None:
    assert encode_hop(message).hex() == wire
    assert decode_hop(bytes.fromhex(wire)) == message


@pytest.mark.parametrize("reason", [b"\xff\xfe", b"<b>", b"a b", "größe".encode(), b"1", b""])
def test_a_reason_that_is_no_word_is_none(reason: bytes) -> None:
    wire = bytes.fromhex("080228c801c23e") + bytes((len(reason),)) + reason
    assert decode_hop(wire).reason == ""


def test_no_relay_may_send_us_away_for_days() -> None:
    assert decode_hop(bytes.fromhex("080228c801c83e") + b"\xff" * 8 + b"\x7f").retry_after == 3600


@pytest.mark.parametrize(("message", "wire"), STOP)
def test_stop_messages_read_and_write_as_js_does(message: StopMessage, wire: str) -> None:
    assert encode_stop(message).hex() == wire
    assert decode_stop(bytes.fromhex(wire)) == message


def test_a_type_that_is_left_out_is_zero() -> None:
    assert decode_hop(b"").type == HopType.RESERVE
    assert decode_stop(b"").type == StopType.CONNECT


def test_a_voucher_survives_the_wire() -> None:
    voucher = Voucher(PEER, PEER, 1_800_000_000)
    assert decode_voucher(encode_voucher(voucher)) == voucher


def test_a_limit_without_numbers_is_none() -> None:
    assert decode_hop(bytes.fromhex("0802" + "2200")).limit is None
    assert decode_hop(bytes.fromhex("0802" + "220408001000")).limit is None
    assert encode_hop(HopMessage(HopType.STATUS, limit=CircuitLimit())).hex() == "0802"


def test_an_address_of_an_unknown_kind_is_skipped() -> None:
    wire = bytes.fromhex("1a11" + "0801" + "1203ffff01" + "120a047f000001062329dd03")[:2] + bytes.fromhex(
        "0801" + "1203ffff01" + "120a047f000001062329dd03"
    )
    fields = bytes((0x1A, len(wire) - 2)) + wire[2:]
    reservation = decode_hop(fields).reservation
    assert reservation is not None
    assert reservation.addresses == (ADDRESS,)


def test_unknown_fields_and_statuses_are_kept_or_skipped() -> None:
    message = decode_hop(bytes.fromhex("0802" + "28e707" + "fa0701ff"))
    assert message.status == 999
    assert status_name(999) == "STATUS_999"
    assert status_name(204) == "NO_RESERVATION"


@pytest.mark.parametrize("wire", ["0801120411", "0801" + "12020a00", "0801" + "12050a03616263", "08ffffffffffffffff7f"])
def test_a_peer_or_number_that_is_none_is_malformed(wire: str) -> None:
    with pytest.raises(MalformedMessage):
        decode_hop(bytes.fromhex(wire))


def test_a_message_over_4096_bytes_is_malformed() -> None:
    with pytest.raises(MalformedMessage):
        decode_hop(bytes.fromhex("0802") + b"\x7a\xfe\x1f" + b"x" * 4094)


@settings(max_examples=examples(100), deadline=None)
@given(st.binary(max_size=300))
def test_hostile_bytes_are_malformed_and_nothing_else(data: bytes) -> None:
    for decode in (decode_hop, decode_stop, decode_voucher):
        try:
            decode(data)
        except MalformedMessage:
            continue


@settings(max_examples=examples(60), deadline=None)
@given(st.data())
def test_every_damage_to_one_byte_is_malformed_or_another_message(data: st.DataObject) -> None:
    wire = bytearray(bytes.fromhex(HOP[data.draw(st.integers(0, 3))][1]))
    wire[data.draw(st.integers(0, len(wire) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        decode_hop(bytes(wire))
    except MalformedMessage:
        return
