"""Certificate fingerprints in their three forms."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.errors import MalformedMessage
from darkswap_browser.transports.webrtc.fingerprint import Fingerprint, noise_prologue

CERTHASH = "uEiDikp5KVUgkLta1EjUN-IKbHk-dUBg8VzKgf5nXxLK46w"
"""Published by rust-libp2p's tests."""


def test_a_certhash_both_ways() -> None:
    fingerprint = Fingerprint.from_certhash(CERTHASH)
    assert fingerprint.digest.hex().startswith("e2929e4a")
    assert fingerprint.digest.hex().endswith("b8eb")
    assert fingerprint.to_certhash() == CERTHASH


@given(st.binary(min_size=32, max_size=32))
@settings(max_examples=50, deadline=None)
def test_sdp_text_both_ways_in_either_case(digest: bytes) -> None:
    fingerprint = Fingerprint(digest)
    assert str(fingerprint).startswith("sha-256 ")
    assert Fingerprint.parse(str(fingerprint)) == fingerprint
    assert Fingerprint.parse(str(fingerprint).lower()) == fingerprint


def test_the_noise_prologue_of_the_specification() -> None:
    client = Fingerprint(bytes.fromhex("3e79af40d6059617a0d83b83a52ce73b0c1f37a72c6043ad2969e2351bdca870"))
    server = Fingerprint(bytes.fromhex("30fc9f469c207419dfdd0aab5f27a86c973c94e40548db9375cca2e915973b99"))
    assert noise_prologue(client, server).hex() == (
        "6c69627032702d7765627274632d6e6f6973653a"
        "12203e79af40d6059617a0d83b83a52ce73b0c1f37a72c6043ad2969e2351bdca870"
        "122030fc9f469c207419dfdd0aab5f27a86c973c94e40548db9375cca2e915973b99"
    )


@pytest.mark.parametrize(
    "text", ["", "sha-1 00", "sha-256", "sha-256 " + "00:" * 31, "sha-256 " + ":".join(["zz"] * 32), "sha-256 é"]
)
def test_what_is_no_fingerprint_is_refused(text: str) -> None:
    with pytest.raises(MalformedMessage):
        Fingerprint.parse(text)


@pytest.mark.parametrize("text", ["", "u", "uEiA", "zQm", "uFSDikp5KVUgkLta1EjUN-IKbHk-dUBg8VzKgf5nXxLK46w"])
def test_what_is_no_certhash_is_refused(text: str) -> None:
    with pytest.raises(MalformedMessage):
        Fingerprint.from_certhash(text)
