"""Signaling messages, both ways and against everything that older and stranger peers send."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.errors import MalformedMessage
from darkswap_browser.protocols.signaling.messages import (
    END_OF_CANDIDATES,
    SignalingEvent,
    candidate_from_json,
    candidate_to_json,
    decode_event,
    encode_event,
)
from darkswap_browser.runtime.base.webrtc import IceCandidate, SessionDescription
from tests.support.examples import examples

MAX = 32 * 1024
CANDIDATE = IceCandidate("candidate:1 1 udp 1 192.0.2.1 9 typ host", "0", 0, "abcd")
CASES: list[tuple[SignalingEvent, bytes]] = [
    (SessionDescription("offer", "v=0\r\n"), b"\x08\x00\x12\x05v=0\r\n"),
    (SessionDescription("answer", "v=0\r\n"), b"\x08\x01\x12\x05v=0\r\n"),
    (
        CANDIDATE,
        b"\x08\x02\x12\x71"
        b'{"candidate":"candidate:1 1 udp 1 192.0.2.1 9 typ host",'
        b'"sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"abcd"}',
    ),
]


@pytest.mark.parametrize(("event", "data"), CASES, ids=["offer", "answer", "candidate"])
def test_messages_both_ways(event: SignalingEvent, data: bytes) -> None:
    assert encode_event(event) == data
    assert decode_event(encode_event(event), MAX) == event


def test_an_absent_type_is_an_offer() -> None:
    assert decode_event(b"\x12\x05v=0\r\n", MAX) == SessionDescription("offer", "v=0\r\n")


@pytest.mark.parametrize("text", ["", "null", '""', '{"candidate":""}', "{}", '{"candidate":null}'])
def test_every_way_to_end_the_candidates(text: str) -> None:
    assert candidate_from_json(text) == END_OF_CANDIDATES


def test_an_unknown_type_ends_the_candidates() -> None:
    assert decode_event(b"\x08\x03", MAX) == END_OF_CANDIDATES


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "5",
        '{"candidate":5}',
        '{"candidate":"a\\r\\nb"}',
        '{"candidate":"a","sdpMLineIndex":"x"}',
        '{"candidate":"a","sdpMLineIndex":"-1"}',
        '{"candidate":"a","sdpMLineIndex":0.5}',
        '{"candidate":"a","sdpMLineIndex":65536}',
        '{"candidate":"a","sdpMLineIndex":"99999"}',
        '{"candidate":"a\\n","sdpMid":"0\\n"}',
        '{"candidate":"a\\nb\\n"}',
        '{"candidate":"a","sdpMLineIndex":true}',
        '{"candidate":"a","sdpMLineIndex":-1}',
        '{"candidate":"a","sdpMid":{}}',
        json.dumps({"candidate": "a" * 2000}),
        "[" * 20000,
    ],
)
def test_what_is_no_candidate_is_refused(text: str) -> None:
    with pytest.raises(MalformedMessage):
        candidate_from_json(text)


@pytest.mark.parametrize("index", ["0", "0.0", '"0"', "0e0"])
@pytest.mark.parametrize("end", ["", "\\n", "\\r\\n", "\\r\\n\\r\\n"])
def test_a_candidate_is_read_in_each_form_that_browsers_take(index: str, end: str) -> None:
    text = f'{{"candidate":"candidate:1 1 udp 1 192.0.2.1 9 typ host{end}","sdpMLineIndex":{index}}}'
    assert candidate_from_json(text) == IceCandidate("candidate:1 1 udp 1 192.0.2.1 9 typ host", None, 0)


def test_a_description_that_is_no_sdp_is_refused() -> None:
    with pytest.raises(MalformedMessage):
        decode_event(b"\x08\x01\x12\x01x", MAX)


def test_candidates_keep_the_names_of_the_browser() -> None:
    assert json.loads(candidate_to_json(CANDIDATE)) == {
        "candidate": CANDIDATE.candidate,
        "sdpMid": "0",
        "sdpMLineIndex": 0,
        "usernameFragment": "abcd",
    }


@given(st.binary(max_size=200))
@settings(max_examples=examples(100), deadline=None)
def test_hostile_bytes_raise_nothing_but_malformed_message(data: bytes) -> None:
    for message in (data, b"\x08\x02\x12" + bytes([min(len(data), 127)]) + data[:127]):
        with contextlib.suppress(MalformedMessage):
            decode_event(message, MAX)
