"""Reading and changing session descriptions."""

from __future__ import annotations

import pytest

from darkswap_browser.errors import MalformedMessage
from darkswap_browser.runtime.base.webrtc import IceCandidate, SessionDescription
from darkswap_browser.transports.webrtc.fingerprint import Fingerprint
from darkswap_browser.transports.webrtc.sdp import (
    UFRAG_V1,
    UFRAG_V2,
    IceCredentials,
    candidate_key,
    candidate_keys,
    direct_answer,
    fingerprint,
    ice_credentials,
    max_payload,
    munge_credentials,
    only_relay_candidates,
    relay_candidate,
    server_credentials_v2,
)

CERTIFICATE = Fingerprint(bytes(range(32)))
HOST = "candidate:1 1 udp 2113937151 3f0e.local 50000 typ host generation 0 ufrag abcd"
PUBLIC = "candidate:2 1 udp 1677729535 203.0.113.7 50000 typ srflx raddr 192.168.1.2 rport 50000"
TURN = "candidate:3 1 udp 33562367 198.51.100.1 60000 typ relay raddr 203.0.113.7 rport 50000"
OFFER = "\r\n".join(
    (
        "v=0",
        "o=- 1 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "m=application 50000 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 203.0.113.7",
        f"a={HOST}",
        f"a={PUBLIC}",
        f"a={TURN}",
        "a=ice-ufrag:abcd",
        "a=ice-pwd:0123456789012345678901",
        f"a=fingerprint:{CERTIFICATE}",
        "a=setup:actpass",
        "a=mid:0",
        "a=sctp-port:5000",
        "",
    )
)


def test_credentials_and_fingerprint_are_found() -> None:
    assert ice_credentials(OFFER) == IceCredentials("abcd", "0123456789012345678901")
    assert fingerprint(OFFER) == CERTIFICATE


def test_a_description_without_them_is_malformed() -> None:
    with pytest.raises(MalformedMessage):
        fingerprint("v=0\r\n")
    with pytest.raises(MalformedMessage):
        ice_credentials("v=0\r\na=ice-ufrag:x\r\n")


def test_relay_only_lets_no_own_address_leave() -> None:
    filtered = only_relay_candidates(SessionDescription("offer", OFFER))
    assert filtered.type == "offer"
    for secret in ("203.0.113.7", "192.168.1.2", ".local"):
        assert secret not in filtered.sdp
    assert "198.51.100.1 60000 typ relay" in filtered.sdp
    assert fingerprint(filtered.sdp) == CERTIFICATE
    assert relay_candidate(IceCandidate(HOST)) is None
    assert relay_candidate(IceCandidate(PUBLIC)) is None
    kept = relay_candidate(IceCandidate(TURN, "0", 0))
    assert kept is not None
    assert "203.0.113.7" not in kept.candidate
    assert kept.sdp_mid == "0"
    assert relay_candidate(IceCandidate("")) == IceCandidate("")


def test_a_candidate_is_not_of_type_relay_because_some_other_word_is() -> None:
    assert relay_candidate(IceCandidate("candidate:relay 1 udp 1 10.0.0.1 1 typ host ufrag relay")) is None


def test_version_one_of_webrtc_direct_munges_both_credentials() -> None:
    munged = munge_credentials(OFFER, UFRAG_V1 + "A" * 32)
    assert ice_credentials(munged) == IceCredentials(UFRAG_V1 + "A" * 32, UFRAG_V1 + "A" * 32)
    assert munged.count("\r\n") == OFFER.count("\r\n")


def test_version_two_derives_the_servers_credentials_from_our_password() -> None:
    expected = UFRAG_V2 + "0123456789012345678901"
    assert server_credentials_v2(OFFER) == IceCredentials(expected, expected)


@pytest.mark.parametrize(("host", "family"), [("192.0.2.1", "IP4"), ("2001:db8::1", "IP6")])
def test_the_answer_of_a_webrtc_direct_server_is_made_up_whole(host: str, family: str) -> None:
    answer = direct_answer(host, 4001, IceCredentials("u", "p"), CERTIFICATE)
    assert f"c=IN {family} {host}\r\n" in answer
    assert f" {host} 4001 typ host\r\n" in answer
    assert "a=ice-lite\r\n" in answer
    assert "a=setup:passive\r\n" in answer
    assert fingerprint(answer) == CERTIFICATE
    assert ice_credentials(answer) == IceCredentials("u", "p")


def test_candidate_keys_match_texts_of_one_candidate_with_other_extensions() -> None:
    in_event = "candidate:1 1 udp 2122260223 192.0.2.7 5000 typ host generation 0 ufrag 9kcD network-cost 999"
    sdp = "v=0\r\na=candidate:1 1 udp 2122260223 192.0.2.7 5000 typ host generation 0 network-id 1\r\n"
    assert candidate_keys(sdp) == {candidate_key(in_event)}
    assert candidate_key(in_event.replace(" 5000 ", " 5001 ")) not in candidate_keys(sdp)


@pytest.mark.parametrize(
    ("line", "payload"),
    [
        ("", 16368),
        ("a=max-message-size:0\r\n", 16368),
        ("a=max-message-size:262144\r\n", 16368),
        ("a=max-message-size:16384\r\n", 16368),
        ("a=max-message-size:1200\r\n", 1184),
        ("a=max-message-size:3\r\n", 1),
        ("a=max-message-size:many\r\n", 16368),
        ("a=max-message-size:" + "9" * 5000 + "\r\n", 16368),
    ],
    ids=["absent", "any", "Chrome", "16384", "1200", "3", "no number", "many digits"],
)
def test_the_largest_payload_of_a_peer_is_read(line: str, payload: int) -> None:
    assert max_payload(f"v=0\r\n{line}") == payload
