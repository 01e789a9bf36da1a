"""The receiver's rules frame by frame, the sender's windows and turns, and two machines in a long random talk."""

from __future__ import annotations

import dataclasses

import pytest

from darkswap_browser.errors import ProtocolViolation, StreamClosed, StreamReset, TooManyRequests
from darkswap_browser.net.limits import DEFAULT_LIMITS
from darkswap_browser.net.yamux.events import (
    DataReceived,
    PingAnswered,
    RemoteFinished,
    RemoteGoAway,
    StreamBroken,
    StreamOpened,
)
from darkswap_browser.net.yamux.frames import (
    ACK,
    DATA,
    FIN,
    GO_AWAY,
    HEADER,
    INITIAL_WINDOW,
    PING,
    RST,
    SYN,
    WINDOW_UPDATE,
    pack,
)
from darkswap_browser.net.yamux.machine import YamuxMachine

PLENTY = 1 << 30
OPENED_2 = pack(WINDOW_UPDATE, SYN, 2, 0)


def machine(initiator: bool = True, **limits: int) -> YamuxMachine:
    return YamuxMachine(initiator=initiator, limits=dataclasses.replace(DEFAULT_LIMITS, **limits))


def frames_of(data: bytes) -> list[tuple[int, int, int, int | bytes]]:
    """(type, flags, stream, body or length)."""
    frames: list[tuple[int, int, int, int | bytes]] = []
    while data:
        _, kind, flags, stream, length = HEADER.unpack_from(data)
        data = data[12:]
        if kind == DATA:
            frames.append((kind, flags, stream, data[:length]))
            data = data[length:]
        else:
            frames.append((kind, flags, stream, length))
    return frames


def sent(side: YamuxMachine) -> list[tuple[int, int, int, int | bytes]]:
    return frames_of(side.take_output(PLENTY))


# --- opening


def test_streams_are_numbered_by_role():
    dialer, listener = machine(True), machine(False)
    assert [dialer.open_stream(), dialer.open_stream()] == [1, 3]
    assert [listener.open_stream(), listener.open_stream()] == [2, 4]
    assert sent(dialer) == [(WINDOW_UPDATE, SYN, 1, 0), (WINDOW_UPDATE, SYN, 3, 0)]


def test_an_inbound_stream_is_acknowledged_at_once():
    side = machine()
    assert side.receive(OPENED_2) == [StreamOpened(2)]
    assert sent(side) == [(WINDOW_UPDATE, ACK, 2, 0)]


def test_syn_on_a_data_frame_opens_and_delivers():
    """rust attaches SYN to the first data."""
    side = machine()
    assert side.receive(pack(DATA, SYN, 2, 3) + b"abc") == [StreamOpened(2), DataReceived(2, b"abc")]


def test_syn_may_carry_credit_and_fin():
    side = machine()
    assert side.receive(pack(WINDOW_UPDATE, SYN | FIN, 2, 100)) == [StreamOpened(2), RemoteFinished(2)]
    side.send(2, bytes(INITIAL_WINDOW + 100))
    assert sum(len(body) for kind, _, _, body in sent(side) if kind == DATA) == INITIAL_WINDOW + 100


def test_the_same_stream_opened_twice_is_a_violation():
    side = machine()
    side.receive(OPENED_2)
    with pytest.raises(ProtocolViolation, match="twice"):
        side.receive(OPENED_2)


def test_a_stream_of_our_own_parity_is_a_violation():
    with pytest.raises(ProtocolViolation, match="parity"):
        machine(True).receive(pack(WINDOW_UPDATE, SYN, 1, 0))
    with pytest.raises(ProtocolViolation, match="parity"):
        machine(False).receive(pack(WINDOW_UPDATE, SYN, 2, 0))


@pytest.mark.parametrize("kind", [DATA, WINDOW_UPDATE])
def test_stream_zero_is_the_session(kind: int):
    with pytest.raises(ProtocolViolation, match="session"):
        machine().receive(pack(kind, 0, 0, 0))


def test_streams_beyond_the_cap_are_reset_and_room_returns():
    side = machine(yamux_streams=1)
    side.receive(OPENED_2)
    assert side.receive(pack(WINDOW_UPDATE, SYN, 4, 0)) == []
    assert sent(side) == [(WINDOW_UPDATE, ACK, 2, 0), (WINDOW_UPDATE, RST, 4, 0)]
    side.receive(pack(WINDOW_UPDATE, RST, 2, 0))
    assert side.receive(pack(WINDOW_UPDATE, SYN, 6, 0)) == [StreamOpened(6)]


def test_data_of_a_refused_stream_is_skipped():
    side = machine(yamux_streams=0)
    assert side.receive(pack(DATA, SYN, 2, 3) + b"abc" + pack(PING, SYN, 0, 9)) == []
    assert sent(side) == [(WINDOW_UPDATE, RST, 2, 0), (PING, ACK, 0, 9)]


def test_our_own_streams_are_capped_until_answered():
    side = machine(yamux_unacknowledged=1)
    first = side.open_stream()
    with pytest.raises(TooManyRequests):
        side.open_stream()
    side.receive(pack(WINDOW_UPDATE, ACK, first, 0))
    side.open_stream()
    side = machine(yamux_outbound=1)
    first = side.open_stream()
    side.receive(pack(WINDOW_UPDATE, ACK, first, 0))
    with pytest.raises(TooManyRequests):
        side.open_stream()


# --- receiving


def test_a_body_is_passed_on_as_it_comes():
    side = machine()
    side.receive(OPENED_2)
    data = pack(DATA, FIN, 2, 4) + b"abcd"
    events = [event for byte in data for event in side.receive(bytes((byte,)))]
    assert events == [DataReceived(2, bytes((byte,))) for byte in b"abcd"] + [RemoteFinished(2)]


def test_flags_count_after_the_body():
    side = machine()
    side.receive(OPENED_2)
    assert side.receive(pack(DATA, RST, 2, 2) + b"ab") == [DataReceived(2, b"ab"), StreamBroken(2)]


def test_more_than_the_window_is_a_violation_on_the_header():
    side = machine()
    side.receive(OPENED_2)
    with pytest.raises(ProtocolViolation, match="window"):
        side.receive(pack(DATA, 0, 2, INITIAL_WINDOW + 1))


def test_the_window_counts_all_frames():
    side = machine()
    side.receive(OPENED_2 + pack(DATA, 0, 2, INITIAL_WINDOW) + bytes(INITIAL_WINDOW))
    with pytest.raises(ProtocolViolation, match="window"):
        side.receive(pack(DATA, 0, 2, 1))


@pytest.mark.parametrize("flags", [0, ACK, FIN, RST])
@pytest.mark.parametrize("kind", [DATA, WINDOW_UPDATE])
def test_frames_of_unknown_streams_are_skipped(kind: int, flags: int):
    side = machine()
    body = b"x" * 5 if kind == DATA else b""
    assert side.receive(pack(kind, flags, 2, 5) + body + pack(WINDOW_UPDATE, SYN, 4, 0)) == [StreamOpened(4)]


def test_data_behind_fin_is_skipped():
    side = machine()
    side.receive(OPENED_2 + pack(WINDOW_UPDATE, FIN, 2, 0))
    assert side.receive(pack(DATA, 0, 2, 3) + b"abc" + pack(WINDOW_UPDATE, FIN, 2, 0)) == []


def test_frames_behind_rst_are_skipped():
    side = machine()
    side.receive(OPENED_2)
    assert side.receive(pack(WINDOW_UPDATE, RST, 2, 0)) == [StreamBroken(2)]
    assert side.receive(pack(DATA, 0, 2, 1) + b"x" + pack(WINDOW_UPDATE, 0, 2, 9)) == []
    with pytest.raises(StreamReset):
        side.send(2, b"x")


def test_an_error_code_in_a_reset_is_not_credit():
    """go-yamux puts one into the length field."""
    side = machine()
    side.receive(OPENED_2)
    assert side.receive(pack(WINDOW_UPDATE, RST, 2, 0x1001)) == [StreamBroken(2)]


def test_empty_data_frames_cost_nothing():
    side = machine()
    side.receive(OPENED_2)
    assert side.receive(pack(DATA, 0, 2, 0) * 20_000) == []
    assert len(sent(side)) == 1


def test_another_version_or_type_is_a_violation():
    with pytest.raises(ProtocolViolation, match="version"):
        machine().receive(bytes.fromhex("010000000000000100000000"))
    with pytest.raises(ProtocolViolation, match="type"):
        machine().receive(bytes.fromhex("000400000000000100000000"))


def test_what_nobody_reads_is_capped_over_all_streams():
    side = machine(yamux_unread=10)
    side.receive(OPENED_2 + pack(WINDOW_UPDATE, SYN, 4, 0) + pack(DATA, 0, 2, 8) + bytes(8))
    assert side.receive(pack(DATA, 0, 4, 3) + b"abc") == [StreamBroken(4)]
    assert sent(side)[-1] == (WINDOW_UPDATE, RST, 4, 0)
    side.consumed(2, 8)
    assert side.receive(pack(DATA, 0, 2, 10) + bytes(10)) == [DataReceived(2, bytes(10))]


# --- pings and goodbye


def test_a_ping_is_answered_with_exactly_ack():
    side = machine()
    assert side.receive(pack(PING, SYN, 0, 0xDEADBEEF)) == []
    assert sent(side) == [(PING, ACK, 0, 0xDEADBEEF)]


def test_a_ping_is_answered_before_queued_data():
    side = machine()
    stream = side.open_stream()
    side.take_output(PLENTY)
    side.send(stream, bytes(100_000))
    side.receive(pack(PING, SYN, 0, 7))
    assert sent(side)[0] == (PING, ACK, 0, 7)


def test_our_ping_is_answered_once_and_others_are_ignored():
    side = machine()
    side.ping(5)
    assert sent(side) == [(PING, SYN, 0, 5)]
    assert side.receive(pack(PING, ACK, 0, 6)) == []
    assert side.receive(pack(PING, ACK, 0, 5)) == [PingAnswered(5)]
    assert side.receive(pack(PING, ACK, 0, 5)) == []


def test_a_flood_of_answers_that_the_peer_does_not_read_is_a_violation():
    side = machine(yamux_control_frames=100)
    side.receive(pack(PING, SYN, 0, 1) * 100)
    with pytest.raises(ProtocolViolation, match="answers"):
        side.receive(pack(PING, SYN, 0, 1))


def test_after_go_away_no_stream_is_opened():
    side = machine()
    assert side.receive(pack(GO_AWAY, 0, 0, 0)) == [RemoteGoAway(0)]
    with pytest.raises(StreamClosed):
        side.open_stream()
    side.go_away(1)
    assert sent(side) == [(GO_AWAY, 0, 0, 1)]


# --- sending


def test_the_send_window_is_kept_to_the_byte():
    side = machine()
    stream = side.open_stream()
    side.send(stream, bytes(INITIAL_WINDOW + 10))
    bodies = [len(body) for kind, _, _, body in sent(side) if kind == DATA]
    assert sum(bodies) == INITIAL_WINDOW
    assert max(bodies) <= DEFAULT_LIMITS.yamux_frame
    assert not side.wants_to_send
    side.receive(pack(WINDOW_UPDATE, 0, stream, 4))
    assert [len(body) for _, _, _, body in sent(side)] == [4]
    side.receive(pack(WINDOW_UPDATE, 0, stream, 100))
    assert [len(body) for _, _, _, body in sent(side)] == [6]


def test_small_writes_of_one_turn_share_a_frame():
    side = machine()
    stream = side.open_stream()
    side.take_output(PLENTY)
    for word in (b"one", b"two", b"three"):
        side.send(stream, word)
    assert sent(side) == [(DATA, 0, stream, b"onetwothree")]


def test_fin_follows_all_data_in_a_frame_of_its_own():
    """js ends the stream before it looks at the body of the same frame."""
    side = machine()
    stream = side.open_stream()
    side.take_output(PLENTY)
    side.send(stream, bytes(INITIAL_WINDOW + 5))
    side.finish(stream)
    assert all(not flags for _, flags, _, _ in sent(side))
    side.receive(pack(WINDOW_UPDATE, 0, stream, 5))
    assert sent(side) == [(DATA, 0, stream, bytes(5)), (WINDOW_UPDATE, FIN, stream, 0)]
    with pytest.raises(StreamClosed):
        side.send(stream, b"x")


def test_a_stream_ends_when_both_sides_finished():
    side = machine()
    side.receive(OPENED_2 + pack(WINDOW_UPDATE, FIN, 2, 0))
    assert side.streams == 1
    side.finish(2)
    side.take_output(PLENTY)
    assert side.streams == 0
    assert side.take_dropped() == [2]


def test_a_reset_drops_what_was_queued():
    side = machine()
    stream = side.open_stream()
    side.take_output(PLENTY)
    side.send(stream, bytes(1000))
    side.reset(stream)
    assert sent(side) == [(WINDOW_UPDATE, RST, stream, 0)]
    assert side.queued == 0


def test_streams_take_turns_by_the_frame():
    side = machine()
    first, second = side.open_stream(), side.open_stream()
    side.take_output(PLENTY)
    side.send(first, bytes(3 * DEFAULT_LIMITS.yamux_frame))
    side.send(second, bytes(10))
    assert [stream for _, _, stream, _ in sent(side)] == [first, second, first, first]


def test_the_output_budget_bounds_one_write():
    side = machine()
    stream = side.open_stream()
    side.take_output(PLENTY)
    side.send(stream, bytes(200_000))
    assert len(side.take_output(1)) == DEFAULT_LIMITS.yamux_frame + 12
    assert side.wants_to_send


# --- credit


def test_credit_comes_in_half_windows_and_the_window_grows_for_a_reader_that_keeps_up():
    side = machine()
    side.receive(OPENED_2 + pack(DATA, 0, 2, INITIAL_WINDOW) + bytes(INITIAL_WINDOW))
    side.take_output(PLENTY)
    assert not side.consumed(2, INITIAL_WINDOW // 2 - 1)
    assert side.consumed(2, 1)
    assert sent(side) == [(WINDOW_UPDATE, 0, 2, INITIAL_WINDOW // 2 + INITIAL_WINDOW)]


def test_a_window_never_grows_beyond_its_cap():
    side = machine()
    side.receive(OPENED_2)
    outstanding = INITIAL_WINDOW
    for _ in range(40):
        side.receive(pack(DATA, 0, 2, 65536) + bytes(65536))
        outstanding -= 65536
        side.consumed(2, 65536)
        outstanding += sum(int(length) for kind, flags, _, length in sent(side) if kind == WINDOW_UPDATE and not flags)
        assert outstanding <= DEFAULT_LIMITS.yamux_window_max
    assert outstanding > DEFAULT_LIMITS.yamux_window_max // 2


def test_growth_of_all_windows_shares_one_budget_and_returns_to_it():
    side = machine(yamux_window_budget=100)
    side.receive(OPENED_2 + pack(WINDOW_UPDATE, SYN, 4, 0))
    for stream in (2, 4):
        side.receive(pack(DATA, 0, stream, INITIAL_WINDOW) + bytes(INITIAL_WINDOW))
    side.take_output(PLENTY)
    side.consumed(2, INITIAL_WINDOW)
    side.consumed(4, INITIAL_WINDOW)
    assert sent(side) == [(WINDOW_UPDATE, 0, 2, INITIAL_WINDOW + 100), (WINDOW_UPDATE, 0, 4, INITIAL_WINDOW)]
    side.reset(2)
    side.receive(pack(DATA, 0, 4, INITIAL_WINDOW) + bytes(INITIAL_WINDOW))
    side.consumed(4, INITIAL_WINDOW)
    assert sent(side)[-1] == (WINDOW_UPDATE, 0, 4, INITIAL_WINDOW + 100)


def test_no_credit_for_a_peer_that_finished():
    side = machine()
    side.receive(OPENED_2 + pack(DATA, FIN, 2, INITIAL_WINDOW) + bytes(INITIAL_WINDOW))
    assert not side.consumed(2, INITIAL_WINDOW)
