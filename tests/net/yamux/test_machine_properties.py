"""Two machines in a long random talk, and any bytes at all."""

from __future__ import annotations

import dataclasses

from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.errors import RemoteError, StreamClosed, StreamReset
from darkswap_browser.net.limits import DEFAULT_LIMITS, Limits
from darkswap_browser.net.yamux.events import (
    DataReceived,
    RemoteFinished,
)
from darkswap_browser.net.yamux.frames import (
    DATA,
    GO_AWAY,
    PING,
    WINDOW_UPDATE,
    pack,
)
from darkswap_browser.net.yamux.machine import YamuxMachine
from tests.support.examples import examples

PLENTY = 1 << 30


def machine() -> YamuxMachine:
    return YamuxMachine(initiator=True, limits=DEFAULT_LIMITS)


HEADERS = st.builds(
    pack,
    st.sampled_from([DATA, WINDOW_UPDATE, PING, GO_AWAY, 7]),
    st.integers(0, 15),
    st.integers(0, 5),
    st.integers(0, 40) | st.just(2**32 - 1),
)


@settings(max_examples=examples(60))
@given(st.lists(HEADERS | st.binary(max_size=40), max_size=20).map(b"".join), st.integers(1, 40))
def test_any_bytes_give_events_or_a_remote_error_however_they_are_cut(data: bytes, size: int):
    def feed(pieces: list[bytes]) -> tuple[bool, dict[int, bytes], bytes]:
        side = machine()
        received: dict[int, bytes] = {}
        try:
            for piece in pieces:
                for event in side.receive(piece):
                    if isinstance(event, DataReceived):
                        received[event.stream] = received.get(event.stream, b"") + event.data
        except RemoteError:
            return True, {}, b""
        return False, received, side.take_output(PLENTY)

    assert feed([data]) == feed([data[at : at + size] for at in range(0, len(data), size)])


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["open", "send", "finish", "reset", "read", "ping", "carry"]),
        st.booleans(),
        st.integers(0, 3),
        st.integers(1, 700),
    ),
    max_size=80,
)
SMALL = dataclasses.replace(DEFAULT_LIMITS, yamux_frame=100)


class Model:
    """Two machines, the bytes between them, and what each stream must deliver."""

    def __init__(self, limits: Limits) -> None:
        self.sides = (YamuxMachine(initiator=True, limits=limits), YamuxMachine(initiator=False, limits=limits))
        self.opened: list[int] = []
        self.sent: dict[tuple[int, int], bytes] = {}
        self.got: dict[tuple[int, int], bytes] = {}
        self.finished: set[tuple[int, int]] = set()
        self.saw_end: set[tuple[int, int]] = set()
        self.broken: set[int] = set()

    def carry(self, side: int, budget: int) -> None:
        """Bytes from `side` to the other; never a violation between two honest machines."""
        for event in self.sides[1 - side].receive(self.sides[side].take_output(budget)):
            if isinstance(event, DataReceived):
                key = (1 - side, event.stream)
                self.got[key] = self.got.get(key, b"") + event.data
                self.sides[1 - side].consumed(event.stream, len(event.data))
            elif isinstance(event, RemoteFinished):
                self.saw_end.add((1 - side, event.stream))

    def act(self, action: str, side: int, pick: int, amount: int) -> None:
        if action == "open":
            self.opened.append(self.sides[side].open_stream())
        elif action == "carry":
            self.carry(side, amount)
        elif action == "ping":
            self.sides[side].ping(amount)
        elif self.opened:
            stream = self.opened[pick % len(self.opened)]
            self.on_stream(action, side, stream, amount)

    def on_stream(self, action: str, side: int, stream: int, amount: int) -> None:
        if action == "send":
            data = bytes((amount + index) & 255 for index in range(amount))
            try:
                self.sides[side].send(stream, data)
            except (StreamClosed, StreamReset):
                return
            self.sent[side, stream] = self.sent.get((side, stream), b"") + data
        elif action == "finish":
            if stream in self.sides[side]._streams:  # and not still on its way there
                self.finished.add((side, stream))
            self.sides[side].finish(stream)
        elif action == "reset":
            self.sides[side].reset(stream)
            self.broken.add(stream)


@settings(max_examples=examples(60), deadline=None)
@given(ACTIONS)
def test_what_one_machine_sends_the_other_receives_in_order_and_whole(actions):
    model = Model(SMALL)
    for action, side, pick, amount in actions:
        model.act(action, int(side), pick, amount)
    for _ in range(4):
        model.carry(0, PLENTY)
        model.carry(1, PLENTY)
    for (side, stream), data in model.sent.items():
        received = model.got.get((1 - side, stream), b"")
        if stream in model.broken:
            assert data.startswith(received)
        else:
            assert received == data
    for side, stream in model.finished:
        if stream not in model.broken and stream in model.opened and (side, stream) in model.sent:
            assert (1 - side, stream) in model.saw_end
    for side in model.sides:
        assert side.queued == 0
