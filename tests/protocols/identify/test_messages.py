"""The identify message: bytes both ways, merging, trimming, hostile input."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.errors import MalformedMessage
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.protocols.identify.messages import (
    IdentifyMessage,
    decode_identify,
    encode_identify,
    encode_within,
    merge,
)
from darkswap_browser.wire.varint import decode_varint
from tests.support.examples import examples
from tests.support.hostile import assert_only_malformed, damaged

ADDRESS = Multiaddr.parse("/ip4/127.0.0.1/tcp/9001/ws")
OTHER = Multiaddr.parse("/dns4/relay.example/tcp/443/wss")
WHOLE = IdentifyMessage(
    public_key=b"k",
    addresses=(ADDRESS,),
    protocols=("/a", "/b"),
    observed=ADDRESS,
    protocol_version="ipfs/0.1.0",
    agent="x/1",
    signed_record=b"r",
)
WHOLE_HEX = (
    "0a016b" + "120a047f000001062329dd03" + "1a022f61" + "1a022f62" + "220a047f000001062329dd03"
    "2a0a697066732f302e312e30" + "3203782f31" + "420172"
)


def decode(data: bytes) -> IdentifyMessage:
    return decode_identify(data, 8192, 64, 256)


def test_every_field_stands_where_the_specification_has_it() -> None:
    assert encode_identify(WHOLE).hex() == WHOLE_HEX
    assert decode(bytes.fromhex(WHOLE_HEX)) == WHOLE


def test_an_empty_message_says_nothing() -> None:
    assert decode(b"") == IdentifyMessage()


def test_addresses_of_unknown_kinds_and_ids_that_are_no_text_are_skipped() -> None:
    message = decode(bytes.fromhex("1203ffff01" + "120a047f000001062329dd03" + "1a02fffe" + "1a022f61"))
    assert message.addresses == (ADDRESS,)
    assert message.protocols == ("/a",)


def test_text_for_people_has_no_control_characters_and_an_end() -> None:
    message = decode(encode_identify(IdentifyMessage(agent="evil\x1b[31m\n" + "x" * 1000)))
    assert message.agent is not None
    assert message.agent.startswith("evil[31mx")
    assert len(message.agent) == 256


def test_surplus_addresses_and_protocols_are_dropped() -> None:
    message = IdentifyMessage(
        addresses=tuple(Multiaddr.parse(f"/ip4/10.0.0.1/tcp/{port}") for port in range(1, 200)),
        protocols=tuple(f"/p/{n}" for n in range(300)),
    )
    read = decode_identify(encode_identify(message), 16384, 64, 256)
    assert (len(read.addresses), len(read.protocols)) == (64, 256)
    flood = replace(message, protocols=tuple(f"/p/{n}" for n in range(400)))
    with pytest.raises(MalformedMessage):
        decode_identify(encode_identify(flood), 16384, 64, 256)


def test_later_messages_add_to_lists_and_replace_scalars() -> None:
    first = IdentifyMessage(public_key=b"k", addresses=(ADDRESS,), protocols=("/a",), agent="old")
    second = IdentifyMessage(addresses=(ADDRESS, OTHER), protocols=("/b",), agent="new", signed_record=b"r")
    assert merge([first, second], 64, 256) == IdentifyMessage(
        public_key=b"k", addresses=(ADDRESS, OTHER), protocols=("/a", "/b"), agent="new", signed_record=b"r"
    )


@pytest.mark.parametrize("room", [4096, 600, 120])
def test_a_message_is_trimmed_to_its_room(room: int) -> None:
    message = IdentifyMessage(
        public_key=b"k" * 36,
        addresses=tuple(Multiaddr.parse(f"/dns4/relay{n}.example/tcp/443/wss") for n in range(200)),
        protocols=("/ipfs/id/1.0.0", "/ipfs/ping/1.0.0"),
        signed_record=bytes(1000),
    )
    framed = encode_within(message, room)
    assert len(framed) <= room
    size, start = decode_varint(framed)
    assert size == len(framed) - start
    kept = decode_identify(framed[start:], 8192, 500, 256)
    assert kept.public_key == b"k" * 36
    assert kept.protocols == message.protocols


def test_every_damage_is_malformed_or_another_message() -> None:
    for data in damaged(bytes.fromhex(WHOLE_HEX)):
        assert_only_malformed(decode, data)


@settings(max_examples=examples(100), deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes_are_malformed_or_a_message(data: bytes) -> None:
    assert_only_malformed(decode, data)


def test_a_message_over_its_size_is_malformed() -> None:
    with pytest.raises(MalformedMessage):
        decode_identify(bytes(9000), 8192, 64, 256)
