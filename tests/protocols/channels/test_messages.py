"""Control frames of the application channel, both ways, and what hostile bytes do to the decoder."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkswap_browser.errors import MalformedMessage
from darkswap_browser.protocols.channels.messages import (
    HELLO,
    Ack,
    Close,
    Hello,
    Leave,
    Ping,
    Restart,
    decode_control,
    encode_control,
)
from darkswap_browser.wire.varint import decode_varint

SESSION = bytes(range(16))
CONTROLS = [
    Ack(0, 0),
    Ack(2**40, 2**22),
    Leave("leaving"),
    Leave(),
    Ping(),
    Close("bye"),
    Close(),
    Restart(),
    Hello(SESSION, b"", 0, 0, 65536),
    Hello(SESSION, SESSION[::-1], 500, 400, 1 << 22),
]


@pytest.mark.parametrize("message", CONTROLS, ids=repr)
def test_a_control_frame_both_ways(message):
    frame = encode_control(message)
    size, start = decode_varint(frame)
    assert size == len(frame) - start
    assert decode_control(frame[start:]) == message


def test_unknown_keys_are_ignored():
    fields = {"s": SESSION, "p": b"", "r": 0, "c": 0, "w": 9, "later": [1, {"x": None}]}
    assert decode_control(bytes((HELLO,)) + msgpack.packb(fields)) == Hello(SESSION, b"", 0, 0, 9)


@pytest.mark.parametrize(
    "fields",
    [
        [],
        {},
        {"s": "text" * 4},
        {"s": SESSION[1:]},
        {"s": SESSION, "p": b"x"},
        {"s": SESSION, "r": -1},
        {"s": SESSION, "r": 2**63},
        {"s": SESSION, "w": True},
        {"s": SESSION, "r": 1, "c": 2},
    ],
    ids=repr,
)
def test_a_hello_that_cannot_be_is_malformed(fields):
    with pytest.raises(MalformedMessage):
        decode_control(bytes((HELLO,)) + msgpack.packb(fields))


@given(st.binary(max_size=200))
def test_random_bytes_are_a_control_frame_or_malformed(body):
    try:
        decode_control(body)
    except MalformedMessage:
        pass


@given(st.sampled_from(CONTROLS), st.data())
def test_a_truncated_frame_is_malformed(message, data):
    frame = encode_control(message)
    _, start = decode_varint(frame)
    body = frame[start : data.draw(st.integers(start, len(frame) - 1))]
    with pytest.raises(MalformedMessage):
        decode_control(body)
