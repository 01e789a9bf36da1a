"""Every accepted message arrives once and in order, wherever the streams below are cut."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from darkswap_browser.errors import MalformedMessage, MessageTooLarge, ProtocolViolation, RemoteError
from darkswap_browser.net.limits import Limits
from darkswap_browser.protocols.channels.inbox import Inbox
from darkswap_browser.protocols.channels.machine import ChannelMachine, HelloVerdict
from darkswap_browser.protocols.channels.messages import (
    PING,
    Ack,
    Hello,
    Ping,
    data_header,
    decode_control,
    encode_control,
    message_header,
)
from darkswap_browser.protocols.channels.outbox import Outbox
from tests.support.examples import examples

SMALL = Limits(
    channel_message=4000,
    channel_write=512,
    channel_send_queue=3072,
    channel_receive_queue=1024,
    channel_receive_messages=1000,
)


class Side:
    def __init__(self, session: bytes) -> None:
        self.machine = ChannelMachine(session, SMALL)
        self.accepted: list[bytes] = []
        self.taken: list[bytes] = []
        self.wire: deque[bytes] = deque()
        """Bytes on their way to this side."""


class Pair(RuleBasedStateMachine):
    """Two machines on one current stream that hypothesis may cut at any byte and replace."""

    def __init__(self) -> None:
        super().__init__()
        self.sides = (Side(b"a" * 16), Side(b"b" * 16))
        self.attached = False
        self.count = 0

    def other(self, side: Side) -> Side:
        return self.sides[1] if side is self.sides[0] else self.sides[0]

    @rule(who=st.integers(0, 1), size=st.one_of(st.integers(0, 40), st.integers(200, 300), st.integers(700, 4000)))
    def accept(self, who: int, size: int) -> None:
        side = self.sides[who]
        if side.machine.outbox.has_room:
            self.count += 1
            message = (self.count.to_bytes(4, "big") * (size // 4 + 1))[:size]
            side.machine.outbox.accept(message)
            side.accepted.append(message)

    @rule(who=st.integers(0, 1))
    @precondition(lambda self: self.attached)
    def write(self, who: int) -> None:
        side = self.sides[who]
        if data := side.machine.outbox.next_write():
            self.other(side).wire.append(data)

    @rule(who=st.integers(0, 1), share=st.floats(0, 1))
    @precondition(lambda self: self.attached)
    def arrive(self, who: int, share: float) -> None:
        side = self.sides[who]
        if not side.wire:
            return
        data = side.wire.popleft()
        cut = int(len(data) * share)
        if data[cut:]:
            side.wire.appendleft(data[cut:])
        if cut:
            assert side.machine.inbox.receive(data[:cut]) == []

    @rule(who=st.integers(0, 1))
    def take(self, who: int) -> None:
        inbox = self.sides[who].machine.inbox
        if len(inbox):
            self.sides[who].taken.append(inbox.take())

    @rule(who=st.integers(0, 1))
    def take_all(self, who: int) -> None:
        self.sides[who].taken += self.sides[who].machine.inbox.take_all()

    @rule(who=st.integers(0, 1))
    @precondition(lambda self: self.attached)
    def acknowledge(self, who: int) -> None:
        side = self.sides[who]
        # An ACK overtakes nothing of importance: credit is cumulative, so it may be told at once.
        ack = side.machine.inbox.grant()
        self.other(side).machine.outbox.grant(ack.window)
        self.other(side).machine.outbox.acknowledge(ack.consumed)

    @rule(opener=st.integers(0, 1), before=st.booleans())
    def replace_stream(self, opener: int, before: bool) -> None:
        """Cut what is on the wire, and hand over to a new stream; `before`: the answer is lost, and they try again."""
        first, second = self.sides[opener], self.sides[1 - opener]
        for side in self.sides:
            side.wire.clear()
        self.attached = False
        for lost in (True, False) if before else (False,):
            hello = first.machine.hello()
            assert second.machine.judge(hello) is HelloVerdict.CONTINUE
            answer = second.machine.hello()
            second.machine.attach(hello)
            if not lost:
                first.machine.attach(answer)
        self.attached = True

    @invariant()
    def nothing_is_lost_doubled_or_out_of_order(self) -> None:
        for side in self.sides:
            accepted = self.other(side).accepted
            assert side.taken == accepted[: len(side.taken)]

    @invariant()
    def memory_is_bounded(self) -> None:
        for side in self.sides:
            inbox, outbox = side.machine.inbox, side.machine.outbox
            assert inbox.waiting <= SMALL.channel_receive_queue
            assert outbox.unacknowledged - outbox.waiting <= SMALL.channel_receive_queue
            assert outbox.unacknowledged <= SMALL.channel_send_queue + SMALL.channel_message + 2

    def teardown(self) -> None:
        self.replace_stream(0, before=False)
        while any(side.machine.outbox.waiting or side.wire for side in self.sides):
            for who in (0, 1):
                self.write(who)
                self.arrive(who, 1.0)
                self.take_all(who)
                self.acknowledge(who)
        for who, side in enumerate(self.sides):
            self.take_all(who)
            assert side.taken == self.other(side).accepted
            assert side.machine.outbox.waiting == 0


Pair.TestCase.settings = settings(max_examples=examples(60), stateful_step_count=30, deadline=None)
TestPair = Pair.TestCase


def test_small_messages_of_one_moment_share_a_write():
    outbox = Outbox(Limits())
    outbox.grant(10_000)
    for _ in range(100):
        outbox.accept(b"x" * 10)
    assert len(outbox.next_write()) == 100 * 11 + 3
    assert outbox.next_write() == b""


def test_a_message_over_the_limit_is_refused_before_it_is_queued():
    outbox = Outbox(SMALL)
    with pytest.raises(MessageTooLarge):
        outbox.accept(bytes(4001))
    assert outbox.waiting == 0


def test_a_sender_stops_exactly_at_the_window_and_goes_on_with_credit():
    outbox = Outbox(SMALL)
    outbox.grant(200)
    for _ in range(10):
        outbox.accept(bytes(100))
    outbox.resume(0, 0)
    assert len(b"".join(iter(outbox.next_write, b""))) == len(data_header(200)) + 200
    outbox.acknowledge(200)
    assert outbox.next_write()


def test_a_granted_window_beyond_our_own_limit_is_not_used():
    outbox = Outbox(SMALL)
    outbox.grant(2**62)
    while outbox.has_room:
        outbox.accept(bytes(100))
    while outbox.next_write():
        pass
    assert outbox.position == SMALL.channel_receive_queue
    assert outbox.unacknowledged < SMALL.channel_send_queue + 102


def test_messages_without_bytes_are_bounded_by_their_number():
    outbox = Outbox(Limits(channel_send_messages=10))
    while outbox.has_room:
        outbox.accept(b"")
    assert outbox.accepted_id == 10


def test_an_acknowledgement_of_the_future_is_a_violation():
    outbox = Outbox(SMALL)
    outbox.accept(b"one")
    with pytest.raises(ProtocolViolation):
        outbox.acknowledge(1)


def test_a_position_already_given_up_is_a_violation():
    outbox = Outbox(SMALL)
    outbox.grant(200)
    for _ in range(3):
        outbox.accept(bytes(60))
        outbox.next_write()
    outbox.acknowledge(61 * 2)
    with pytest.raises(ProtocolViolation):
        outbox.resume(61, 0)


def test_a_position_between_two_streams_is_gone_on_from():
    outbox = Outbox(SMALL)
    outbox.grant(200)
    for number in range(3):
        outbox.accept(bytes((number,)) * 50)
    first = outbox.next_write().removeprefix(data_header(153))
    outbox.resume(20, 0)
    assert outbox.next_write(10) == data_header(10) + first[20:30]
    # The peer had gone on reading the stream before.
    outbox.resume(120, 51)
    assert outbox.acknowledged_id == 1
    assert outbox.next_write() == data_header(33) + first[120:]


def test_what_was_written_once_is_told_and_the_rest_goes_on_in_the_next_session():
    machine = ChannelMachine(b"a" * 16, SMALL)
    peer = ChannelMachine(b"b" * 16, SMALL)
    machine.attach(peer.hello())
    for number in range(5):
        machine.outbox.accept(bytes((number,)) * 50)
    machine.outbox.next_write(51 * 3 + 20)
    machine.outbox.acknowledge(51)
    machine.outbox.resume(51, 51)
    fresh = ChannelMachine(b"c" * 16, SMALL)
    undelivered = fresh.follow(machine)
    assert (list(undelivered.ids), undelivered.maybe_delivered) == ([2, 3], True)
    assert fresh.outbox.unwritten() == [bytes((number,)) * 50 for number in (3, 4)]
    assert fresh.outbox.accepted_id == 5


def test_a_sender_that_ignores_its_credit_is_stopped():
    inbox = Inbox(SMALL)
    with pytest.raises(ProtocolViolation):
        for _ in range(100):
            inbox.receive(data_header(100) + bytes(100))


def test_a_message_that_is_not_whole_waits_for_the_one_before_it_to_be_taken():
    inbox = Inbox(SMALL)
    inbox.grant()
    inbox.receive(data_header(11) + message_header(10) + bytes(10))
    inbox.receive(data_header(258) + message_header(1000) + bytes(256))
    assert inbox.consumed == 0
    inbox.take()
    assert inbox.consumed == inbox.received
    assert inbox.progress == (256, 1000)


def test_a_message_longer_than_allowed_is_a_violation():
    with pytest.raises(ProtocolViolation):
        Inbox(SMALL).receive(data_header(2) + message_header(4001))


@pytest.mark.parametrize(
    "frame",
    [b"\xff\xff\x7f", b"\x00", data_header(0), b"\x02\x06\x00", b"\x81\x10\x01"],
    ids=["too large", "empty", "data of nothing", "ping with a body", "large control"],
)
def test_a_frame_that_cannot_be_is_malformed_before_its_bytes_come(frame):
    with pytest.raises(MalformedMessage):
        Inbox(SMALL).receive(frame)


@given(st.lists(st.binary(max_size=80), max_size=12))
def test_random_bytes_only_ever_raise_remote_errors(pieces):
    inbox = Inbox(SMALL)
    try:
        for data in pieces:
            inbox.receive(data)
    except RemoteError:
        pass


@given(st.lists(st.integers(0, 20), min_size=1, max_size=30))
def test_frames_may_be_cut_anywhere(cuts):
    outbox, inbox = Outbox(SMALL), Inbox(SMALL)
    messages = [b"", b"a" * 5, b"b" * 200, b"c" * 600]
    for message in messages:
        outbox.accept(message)
    outbox.grant(10_000)
    inbox.grant()
    data = b"".join(iter(outbox.next_write, b""))
    for size in cuts:
        if data[:size]:
            inbox.receive(data[:size])
        data = data[size:]
    if data:
        inbox.receive(data)
    assert inbox.take_all() == messages


def test_a_peer_that_reloaded_is_told_apart_from_one_that_comes_back():
    here, there, again = (ChannelMachine(bytes((n,)) * 16, SMALL) for n in range(3))
    here.attach(there.hello())
    assert here.judge(there.hello()) is HelloVerdict.CONTINUE
    assert here.judge(again.hello()) is HelloVerdict.RESTARTED
    there.attach(here.hello())
    fresh = ChannelMachine(b"f" * 16, SMALL)
    assert fresh.judge(there.hello()) is HelloVerdict.UNKNOWN


def test_acks_come_through_between_messages():
    inbox = Inbox(SMALL)
    inbox.grant()
    data = data_header(2) + b"\x03x"
    assert inbox.receive(data + encode_control(Ack(7, 300)) + data_header(2) + b"yz") == [Ack(7, 300)]
    assert inbox.take_all() == [b"xyz"]
    assert inbox.receive(bytes((1, PING))) == [Ping()]


@given(
    st.lists(st.integers(0, 300), max_size=8),
    st.lists(st.tuples(st.integers(1, 400), st.integers(0, 3)), max_size=8),
    st.booleans(),
)
def test_hello_of_a_new_session_says_what_was_taken_of_the_one_before(
    sizes: list[int], steps: list[tuple[int, int]], moves: bool
) -> None:
    """To a sender that ended: with the id of its session's first message it knows what was delivered."""
    here, there = ChannelMachine(b"h" * 16, SMALL, first_id=5), ChannelMachine(b"t" * 16, SMALL)
    there.attach(here.hello())
    here.attach(there.hello())
    assert there.hello().earlier == b""
    for size in sizes:
        here.outbox.accept(bytes(size))
    taken = 0
    for written, wanted in steps:
        if data := here.outbox.next_write(written):
            there.inbox.receive(data)
        for _ in range(min(wanted, len(there.inbox))):
            there.inbox.take()
            taken += 1
        if moves:
            there = ChannelMachine.restore(there.export(), SMALL)
            here = ChannelMachine.restore(here.export(), SMALL)
            there.attach(here.hello())
            here.attach(there.hello())
    heir, answer = ChannelMachine(b"n" * 16, SMALL), ChannelMachine(b"a" * 16, SMALL)
    answer.tell_of(there)
    heir.attach(decode_hello(answer.hello()))
    assert heir.told == (here.session, taken)
    assert here.outbox.session_first_id == 5
    # One that ends before its first HELLO is answered does not hide the one before it.
    another = ChannelMachine(b"b" * 16, SMALL)
    another.tell_of(answer)
    assert another.hello().earlier == here.session


def decode_hello(hello: Hello) -> Hello:
    """Over the wire."""
    frame = encode_control(hello)
    found = decode_control(frame[1:])
    assert isinstance(found, Hello)
    return found
