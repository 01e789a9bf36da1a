"""The half-close rules of a stream, alone: libp2p's WebRTC specification and what implementations expect."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.transports.webrtc.machine import LINGER, ReadState, StreamAction, StreamMachine, WriteState
from darkswap_browser.transports.webrtc.messages import Flag

WAIT = 5.0


def machine(*, prompt_ack: bool = True) -> StreamMachine:
    return StreamMachine(WAIT, prompt_ack=prompt_ack)


def test_fin_is_acknowledged_at_once_so_that_js_keeps_the_connection() -> None:
    stream = machine()
    assert stream.receive_flag(Flag.FIN, 0.0) == [StreamAction.END_READ, StreamAction.SEND_FIN_ACK]
    assert (stream.read, stream.write) == (ReadState.ENDED, WriteState.OPEN)


def test_both_directions_finish_and_the_channel_closes_after_the_acknowledgement() -> None:
    stream = machine()
    assert stream.finish_writing(0.0) == [StreamAction.SEND_FIN]
    assert stream.receive_flag(Flag.FIN, 1.0) == [StreamAction.END_READ, StreamAction.SEND_FIN_ACK]
    assert stream.receive_flag(Flag.FIN_ACK, 1.0) == [StreamAction.CLOSE_CHANNEL]
    assert stream.is_over
    assert stream.deadline is None


def test_the_channel_closes_when_our_fin_stays_unanswered() -> None:
    stream = machine()
    stream.receive_flag(Flag.FIN, 0.0)
    stream.finish_writing(1.0)
    assert stream.deadline == 1.0 + WAIT
    assert stream.handle_timeout(1.0 + WAIT - 0.1) == []
    assert stream.handle_timeout(1.0 + WAIT) == [StreamAction.CLOSE_CHANNEL]


def test_towards_rust_the_acknowledgement_waits_until_we_have_finished_writing() -> None:
    stream = machine(prompt_ack=False)
    assert stream.receive_flag(Flag.FIN, 0.0) == [StreamAction.END_READ]
    assert stream.can_write
    assert stream.finish_writing(1.0) == [StreamAction.SEND_FIN, StreamAction.SEND_FIN_ACK]


def test_towards_rust_stop_sending_is_never_said() -> None:
    assert machine(prompt_ack=False).abandon_reading(0.0) == [StreamAction.BREAK_READ]


def test_stop_sending_ends_writing_but_not_reading() -> None:
    stream = machine()
    assert stream.receive_flag(Flag.STOP_SENDING, 0.0) == [StreamAction.BREAK_WRITE]
    assert not stream.can_write
    assert stream.can_read
    assert stream.finish_writing(1.0) == [StreamAction.SEND_FIN]
    assert stream.receive_flag(Flag.FIN, 2.0) == [
        StreamAction.END_READ,
        StreamAction.SEND_FIN_ACK,
        StreamAction.CLOSE_CHANNEL,
    ]


def test_a_stream_closed_whole_lingers_for_the_fin_of_the_peer() -> None:
    stream = machine()
    assert stream.finish_writing(0.0) == [StreamAction.SEND_FIN]
    assert stream.abandon_reading(0.0) == [StreamAction.BREAK_READ, StreamAction.SEND_STOP_SENDING]
    assert stream.receive_flag(Flag.FIN_ACK, 1.0) == []
    assert stream.deadline == 1.0 + LINGER
    assert stream.handle_timeout(1.0 + LINGER) == [StreamAction.CLOSE_CHANNEL]


def test_flags_still_count_after_reading_was_abandoned() -> None:
    stream = machine()
    stream.abandon_reading(0.0)
    assert stream.receive_flag(Flag.FIN, 1.0) == [StreamAction.SEND_FIN_ACK]
    stream.finish_writing(2.0)
    assert stream.receive_flag(Flag.FIN_ACK, 3.0) == [StreamAction.CLOSE_CHANNEL]


def test_a_peer_that_has_finished_is_not_told_to_stop() -> None:
    stream = machine()
    stream.receive_flag(Flag.FIN, 0.0)
    assert stream.abandon_reading(1.0) == []


def test_reset_breaks_both_directions_whichever_side_says_it() -> None:
    assert machine().reset() == [
        StreamAction.SEND_RESET,
        StreamAction.BREAK_READ,
        StreamAction.BREAK_WRITE,
        StreamAction.CLOSE_CHANNEL,
    ]
    stream = machine()
    assert stream.receive_flag(Flag.RESET_STREAM, 0.0) == [
        StreamAction.BREAK_READ,
        StreamAction.BREAK_WRITE,
        StreamAction.CLOSE_CHANNEL,
    ]
    assert (stream.read, stream.write) == (ReadState.RESET, WriteState.RESET)


def test_a_reset_after_the_end_of_data_leaves_what_arrived() -> None:
    stream = machine()
    stream.receive_flag(Flag.FIN, 0.0)
    assert stream.receive_flag(Flag.RESET_STREAM, 0.0) == [StreamAction.BREAK_WRITE, StreamAction.CLOSE_CHANNEL]
    assert stream.read is ReadState.ENDED


def test_a_channel_that_closes_without_fin_is_a_reset() -> None:
    assert machine().channel_closed() == [StreamAction.BREAK_READ, StreamAction.BREAK_WRITE]


def test_a_channel_that_closes_after_both_fins_is_clean_even_without_acknowledgement() -> None:
    stream = machine()
    stream.receive_flag(Flag.FIN, 0.0)
    stream.finish_writing(0.0)
    assert stream.channel_closed() == []
    assert stream.write is WriteState.CLOSED


def test_saying_a_thing_twice_changes_nothing() -> None:
    stream = machine()
    stream.finish_writing(0.0)
    assert stream.finish_writing(1.0) == []
    stream.receive_flag(Flag.FIN, 1.0)
    assert stream.receive_flag(Flag.FIN, 1.0) == []
    stream.reset()
    assert stream.reset() == []
    assert stream.receive_flag(Flag.FIN, 2.0) == []
    assert stream.channel_closed() == []


def test_unknown_flags_mean_nothing() -> None:
    assert machine().receive_flag(17, 0.0) == []


@given(
    st.lists(st.sampled_from(["fin", "abandon", "reset", "closed", "tick", 0, 1, 2, 3, 4]), max_size=12), st.booleans()
)
@settings(max_examples=200, deadline=None)
def test_no_order_of_events_breaks_the_rules(events: list[str | int], prompt_ack: bool) -> None:
    stream = machine(prompt_ack=prompt_ack)
    said: list[StreamAction] = []
    for now, event in enumerate(events):
        over = stream.is_over
        if isinstance(event, int):
            actions = stream.receive_flag(event, float(now))
        elif event == "tick":
            actions = stream.handle_timeout(stream.deadline or 0.0)
        elif event == "fin":
            actions = stream.finish_writing(float(now))
        elif event == "abandon":
            actions = stream.abandon_reading(float(now))
        else:
            actions = stream.reset() if event == "reset" else stream.channel_closed()
        assert not (over and actions)
        said += actions
    for once in (
        StreamAction.SEND_FIN,
        StreamAction.SEND_FIN_ACK,
        StreamAction.SEND_RESET,
        StreamAction.CLOSE_CHANNEL,
        StreamAction.END_READ,
    ):
        assert said.count(once) <= 1
    if StreamAction.CLOSE_CHANNEL in said:
        assert said[-1] is StreamAction.CLOSE_CHANNEL
    if stream.is_over:
        assert stream.deadline is None
        assert not stream.can_write


@pytest.mark.parametrize("flag", list(Flag))
def test_no_flag_reopens_a_stream(flag: Flag) -> None:
    stream = machine()
    stream.reset()
    stream.receive_flag(flag, 0.0)
    assert not stream.can_read
    assert not stream.can_write
