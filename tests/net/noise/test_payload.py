"""The handshake payload both ways, by hand-written bytes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.errors import MalformedMessage
from darkswap_browser.net.noise.payload import HandshakePayload, decode_payload, encode_payload, signed_text
from tests.support.examples import examples
from tests.support.hostile import assert_only_malformed, damaged, mutations

PAYLOADS = [
    (HandshakePayload(b"\x01\x02", b"\x03"), "0a020102" + "120103"),
    (
        HandshakePayload(b"\x01", b"\x03", ("/yamux/1.0.0",)),
        "0a0101" + "120103" + "220e" + "120c" + b"/yamux/1.0.0".hex(),
    ),
    (HandshakePayload(b"\x01", b"\x03", ("a", "b")), "0a0101" + "120103" + "2206" + "120161" + "120162"),
]


@pytest.mark.parametrize(("payload", "data"), PAYLOADS, ids=["plain", "one muxer", "two muxers"])
def test_payload_both_ways(payload: HandshakePayload, data: str):
    assert encode_payload(payload).hex() == data
    assert decode_payload(bytes.fromhex(data), 4096) == payload


def test_what_is_signed_has_nothing_between_prefix_and_key():
    assert signed_text(b"\xff" * 32) == b"noise-libp2p-static-key:" + b"\xff" * 32


def test_legacy_data_certificate_hashes_and_unknown_fields_are_skipped():
    data = bytes.fromhex("0a0101" + "120103" + "1a0100" + "2205" + "0a0100" + "1800" + "7801")
    assert decode_payload(data, 4096) == HandshakePayload(b"\x01", b"\x03")


def test_an_empty_payload_decodes_to_empty_fields():
    assert decode_payload(b"", 4096) == HandshakePayload(b"", b"")


def test_a_payload_over_the_cap_is_refused():
    with pytest.raises(MalformedMessage):
        decode_payload(bytes.fromhex("0a0101") * 100, 299)


def test_damage_gives_another_payload_or_malformed_message():
    valid = bytes.fromhex(PAYLOADS[1][1])
    for bad in damaged(valid):
        assert_only_malformed(lambda data: decode_payload(data, 4096), bad)


@settings(max_examples=examples(80))
@given(st.binary(max_size=80) | mutations(bytes.fromhex(PAYLOADS[1][1])))
def test_random_bytes_give_a_payload_or_malformed_message(data: bytes):
    assert_only_malformed(lambda each: decode_payload(each, 4096), data)
