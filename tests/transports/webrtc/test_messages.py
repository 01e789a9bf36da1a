"""Frames on data channels: our packing against the protobuf library, and the decoder against everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.errors import MalformedMessage
from darkswap_browser.transports.webrtc.messages import (
    FLAG_FRAMES,
    MAX_FRAMES,
    MAX_PAYLOAD,
    Flag,
    Frame,
    FrameDecoder,
    data_frame,
    data_frames,
    decode_body,
    sole_payload,
)
from darkswap_browser.wire import protobuf
from darkswap_browser.wire.framing import frame as delimited
from darkswap_browser.wire.protobuf import Field, Message, uint

MAX_FRAME = 256 * 1024


@dataclass
class Declared(Message):
    flag: Annotated[uint | None, Field(1)] = None
    message: Annotated[bytes | None, Field(2)] = None


CASES = [
    (Frame(Flag.FIN), "0800"),
    (Frame(Flag.STOP_SENDING), "0801"),
    (Frame(Flag.RESET_STREAM), "0802"),
    (Frame(Flag.FIN_ACK), "0803"),
    (Frame(None, b"abc"), "1203616263"),
    (Frame(Flag.FIN, b"abc"), "08001203616263"),
    (Frame(Flag.FIN, b"abc"), "12036162630800"),
    (Frame(None, b""), ""),
    (Frame(None, b""), "1200"),
    (Frame(9, b""), "0809"),
    (Frame(Flag.RESET_STREAM), "080218e807"),
    (Frame(None, b"a"), "1201611d01020304211122334455667788a20600"),
    (Frame(None, b"b"), "120161120162"),
]


@pytest.mark.parametrize(("expected", "body"), CASES, ids=[body or "empty" for _, body in CASES])
def test_a_body_decodes_whatever_the_order_of_its_fields_and_with_unknown_ones(expected: Frame, body: str) -> None:
    assert decode_body(bytes.fromhex(body)) == expected


@pytest.mark.parametrize("flag", list(Flag))
def test_each_flag_frame_is_what_the_protobuf_library_writes(flag: Flag) -> None:
    assert FLAG_FRAMES[flag] == delimited(protobuf.encode(Declared(uint(flag))))


@pytest.mark.parametrize("size", [1, 2, 31, 32, 121, 122, 123, 124, 125, 126, 127, 128, 129, 1024, 16366, 16367, 16368])
def test_each_data_frame_is_what_the_protobuf_library_writes(size: int) -> None:
    payload = bytes(range(256)) * 64
    packed = data_frame(payload[:size])
    assert packed == delimited(protobuf.encode(Declared(None, payload[:size])))
    assert len(packed) <= 16384
    assert sole_payload(packed) == payload[:size]
    assert FrameDecoder(MAX_FRAME).feed(packed) == [Frame(None, payload[:size])]


@pytest.mark.parametrize("size", [0, 1, MAX_PAYLOAD, MAX_PAYLOAD + 1, 65536, 3 * MAX_PAYLOAD])
def test_long_data_is_cut_into_full_frames(size: int) -> None:
    data = bytes(index * 7 & 0xFF for index in range(size))
    frames = data_frames(data)
    assert len(frames) == -(-size // MAX_PAYLOAD)
    assert b"".join(frame.data for frame in FrameDecoder(MAX_FRAME).feed(b"".join(frames))) == data


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=6), st.data())
@settings(max_examples=80, deadline=None)
def test_frames_survive_any_cutting_into_messages(payloads: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(data_frame(payload) for payload in payloads) + FLAG_FRAMES[Flag.FIN]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    decoder = FrameDecoder(MAX_FRAME)
    frames = []
    decoded = 0
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        frames += decoder.feed(stream[start:end])
        decoded += decoder.decoded
    assert b"".join(frame.data for frame in frames) == b"".join(payloads)
    assert [frame.flag for frame in frames if frame.flag is not None] == [Flag.FIN]
    assert frames[-1].flag == Flag.FIN
    assert decoded == len(payloads) + 1
    assert decoder.is_empty


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_hostile_bytes_raise_nothing_but_malformed_message(data: bytes) -> None:
    for body in (data, data_frame(data or b"x")[:-1] + data):
        try:
            FrameDecoder(1000).feed(body)
            decode_body(body)
        except MalformedMessage:
            pass


@given(
    st.one_of(st.binary(max_size=300), st.binary(min_size=1, max_size=300).map(data_frame)),
    st.integers(0, 5),
    st.integers(0, 255),
)
@settings(max_examples=200, deadline=None)
def test_the_fast_path_never_disagrees_with_the_decoder(data: bytes, position: int, value: int) -> None:
    for message in (data, data[:position] + bytes((value,)) + data[position + 1 :]):
        payload = sole_payload(message)
        if payload is not None:
            assert FrameDecoder(MAX_FRAME).feed(message) == [Frame(None, payload)]


def test_an_announced_length_is_judged_before_the_body_is_kept() -> None:
    with pytest.raises(MalformedMessage):
        FrameDecoder(1000).feed(bytes.fromhex("e907"))


def test_a_large_frame_of_a_generous_peer_is_accepted_in_pieces() -> None:
    payload = bytes(200_000)
    whole = delimited(protobuf.encode(Declared(None, payload)))
    decoder = FrameDecoder(MAX_FRAME)
    assert decoder.feed(whole[:3]) == []
    assert not decoder.is_empty
    assert decoder.feed(whole[3:]) == [Frame(None, payload)]


@pytest.mark.parametrize("body", ["0a00", "1001", "00", "0b", "12ff", "08", "08ffffffffffffffffffff01", "1d0102"])
def test_bodies_that_are_no_message_are_refused(body: str) -> None:
    with pytest.raises(MalformedMessage):
        decode_body(bytes.fromhex(body))


def test_a_flood_of_empty_frames_is_refused_and_a_few_are_not() -> None:
    decoder = FrameDecoder(MAX_FRAME)
    assert decoder.feed(bytes(64)) == [] and decoder.decoded == 64
    with pytest.raises(MalformedMessage):
        FrameDecoder(MAX_FRAME).feed(bytes(16384))


def test_a_message_may_hold_a_thousand_frames_and_no_more() -> None:
    decoder = FrameDecoder(MAX_FRAME)
    assert decoder.feed(data_frame(b"x") * MAX_FRAMES) == [Frame(None, b"x" * MAX_FRAMES)]
    assert decoder.decoded == MAX_FRAMES
    with pytest.raises(MalformedMessage):
        FrameDecoder(MAX_FRAME).feed(data_frame(b"x") * (MAX_FRAMES + 1))


def test_a_frame_may_have_a_few_unknown_fields_and_no_more() -> None:
    assert decode_body(bytes.fromhex("1801") * 15 + bytes.fromhex("120161")) == Frame(None, b"a")
    with pytest.raises(MalformedMessage):
        decode_body(bytes.fromhex("1801") * 17)
