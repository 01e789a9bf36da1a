"""yamux as rules over bytes: what may come, what goes out next, how much each side may send.

`receive` turns bytes into events; `take_output` gives the bytes to send: control frames first, then one frame of each
stream in turn. A violation by the peer raises `ProtocolViolation`; the driver then says GoAway and closes.
"""

from __future__ import annotations

from collections import deque

from darkswap_browser.errors import ProtocolViolation, StreamClosed, StreamReset, TooManyRequests
from darkswap_browser.net.limits import Limits
from darkswap_browser.net.memory import MemoryAccount, MemoryBudget
from darkswap_browser.net.work import OPENING, SMALL, everybody
from darkswap_browser.net.yamux.events import (
    DataReceived,
    Event,
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
    HEADER_SIZE,
    INITIAL_WINDOW,
    MAX_STREAM_ID,
    PING,
    RST,
    SYN,
    VERSION,
    WINDOW_UPDATE,
    pack,
)
from darkswap_browser.net.yamux.stream_state import StreamState


class YamuxMachine:
    """One side of a session. The initiator of the connection numbers its streams oddly."""

    def __init__(self, *, initiator: bool, limits: Limits, account: MemoryAccount | None = None) -> None:
        self._limits = limits
        self._account = account or MemoryBudget(limits).account(everybody)
        self._parity = 1 if initiator else 0
        self._next_id = 1 if initiator else 2
        self._streams: dict[int, StreamState] = {}
        self._inbound = 0
        self._unacknowledged = 0
        self._extra_window = 0
        self._small = self._wasted = 0
        self._control: list[bytes] = []
        self._ready: deque[int] = deque()
        self._rest = b""
        """Received and not handled: a part of a header, or more frames than one turn takes."""
        self._body_left = 0
        self._body_stream = 0
        self._body_flags = 0
        self._pings: set[int] = set()
        self._gone_away = False
        self._dropped: list[int] = []
        self.queued = 0
        """Bytes of Data waiting to be taken, of all streams."""

    # --- what the application does

    @property
    def streams(self) -> int:
        return len(self._streams)

    @property
    def wants_to_send(self) -> bool:
        return bool(self._control or self._ready)

    @property
    def has_more(self) -> bool:
        """`receive` stopped at the frames of one turn; to be called again, with no data."""
        return len(self._rest) >= HEADER_SIZE

    def take_work(self) -> tuple[int, int]:
        """(small frames, frames that carried nothing) since the last call."""
        work = self._small, self._wasted
        self._small = self._wasted = 0
        return work

    def take_dropped(self) -> list[int]:
        """Streams that came to their end, either way, since the last call."""
        dropped, self._dropped = self._dropped, []
        return dropped

    def open_stream(self) -> int:
        """A new stream's id. Raises `TooManyRequests`, and `StreamClosed` after the peer's GoAway."""
        if self._gone_away or self._next_id > MAX_STREAM_ID:
            raise StreamClosed()
        if len(self._streams) - self._inbound >= self._limits.yamux_outbound:
            raise TooManyRequests("streams", self._limits.yamux_outbound)
        if self._unacknowledged >= self._limits.yamux_unacknowledged:
            raise TooManyRequests("unanswered streams", self._limits.yamux_unacknowledged)
        stream = self._next_id
        self._next_id += 2
        self._streams[stream] = StreamState()
        self._unacknowledged += 1
        self._control.append(pack(WINDOW_UPDATE, SYN, stream, 0))
        return stream

    def send(self, stream: int, data: bytes) -> None:
        """Queue `data`. Raises `StreamClosed` after `finish`, `StreamReset` when the stream is no more."""
        state = self._streams.get(stream)
        if state is None:
            raise StreamReset()
        if state.finishing:
            raise StreamClosed()
        if data:
            state.queue.append(data)
            state.queued += len(data)
            self.queued += len(data)
            self._schedule(stream, state)

    def queued_on(self, stream: int) -> int:
        """Bytes of `stream` waiting to be taken."""
        state = self._streams.get(stream)
        return state.queued if state else 0

    def finish(self, stream: int) -> None:
        """FIN after everything queued. Nothing happens on a stream that is no more."""
        state = self._streams.get(stream)
        if state is not None and not state.finishing:
            state.finishing = True
            self._schedule(stream, state)

    def reset(self, stream: int) -> None:
        if stream in self._streams:
            self._drop(stream)
            self._control.append(pack(WINDOW_UPDATE, RST, stream, 0))

    def consumed(self, stream: int, count: int) -> bool:
        """The application read `count` bytes: credit them once they make half a window; True when that is now.

        A reader that gets that far keeps up, so its window doubles, as long as the connection's budget for that
        and rust's frame limit allow.
        """
        state = self._streams.get(stream)
        if state is None:
            return False
        state.unread -= count
        self._account.release(count)
        if state.remote_finished:
            return False
        state.consumed += count
        if state.consumed * 2 < state.capacity:
            return False
        growth = min(
            state.capacity,
            self._limits.yamux_window_max - state.capacity,
            self._limits.yamux_window_budget - self._extra_window,
        )
        credit = state.consumed + growth
        state.capacity += growth
        self._extra_window += growth
        state.consumed = 0
        state.receive_window += credit
        self._control.append(pack(WINDOW_UPDATE, 0, stream, credit))
        return True

    def ping(self, value: int) -> None:
        """`value`: 32 bits, not one in flight already."""
        self._pings.add(value)
        self._control.append(pack(PING, SYN, 0, value))

    def go_away(self, code: int) -> None:
        self._control.append(pack(GO_AWAY, 0, 0, code))

    # --- what goes out

    def take_output(self, budget: int) -> bytes:
        """Bytes to send now: all control frames, and Data up to about `budget`. Streams take turns by the frame."""
        out: list[bytes | memoryview] = list(self._control)
        self._control.clear()
        while self._ready and budget > 0:
            stream = self._ready.popleft()
            state = self._streams.get(stream)
            if state is None:
                continue
            state.scheduled = False
            budget -= self._take_frame(stream, state, out)
        return b"".join(out)

    def _take_frame(self, stream: int, state: StreamState, out: list[bytes | memoryview]) -> int:
        """One frame of `stream`, gathered from as many writes as fit; or FIN when there are no more."""
        if not state.queued:
            # Never on a Data frame with a body: js ends the stream before it looks at the body.
            out.append(pack(WINDOW_UPDATE, FIN, stream, 0))
            state.finished = True
            self._drop_if_over(stream, state)
            return HEADER_SIZE
        size = min(state.queued, state.send_window, self._limits.yamux_frame)
        out.append(pack(DATA, 0, stream, size))
        left = size
        while left:
            chunk = state.queue.popleft()
            if len(chunk) > left:
                view = memoryview(chunk)
                state.queue.appendleft(view[left:])
                chunk = view[:left]
            out.append(chunk)
            left -= len(chunk)
        state.queued -= size
        state.send_window -= size
        self.queued -= size
        self._schedule(stream, state)
        return size + HEADER_SIZE

    def _schedule(self, stream: int, state: StreamState) -> None:
        """Give `stream` a turn if it has anything it may send."""
        if state.scheduled or state.finished:
            return
        if (state.queued and state.send_window) or (state.finishing and not state.queued):
            state.scheduled = True
            self._ready.append(stream)

    # --- what comes in

    def receive(self, data: bytes) -> list[Event]:
        """Raises `ProtocolViolation`; the session is over then. See `has_more`."""
        events: list[Event] = []
        if self._rest:
            data = self._rest + data
            self._rest = b""
        at, end = 0, len(data)
        frames_left = self._limits.yamux_frames_per_turn
        while at < end:
            if self._body_left:
                size = min(self._body_left, end - at)
                state = self._streams.get(self._body_stream)
                # Bodies of unknown, finished and broken streams are skipped as they pass.
                if state is not None and not state.remote_finished:
                    self._body(state, data if size == end else data[at : at + size], events)
                at += size
                self._body_left -= size
                if not self._body_left and self._body_flags:
                    self._closing_flags(self._body_stream, self._body_flags, events)
                continue
            if end - at < HEADER_SIZE or not frames_left:
                self._rest = data[at:]
                break
            version, kind, flags, stream, length = HEADER.unpack_from(data, at)
            at += HEADER_SIZE
            frames_left -= 1
            if version != VERSION:
                raise ProtocolViolation("yamux", f"version {version}")
            if kind == DATA:
                self._data_header(stream, flags, length, events)
            elif kind == WINDOW_UPDATE:
                self._window_update(stream, flags, length, events)
            elif kind == PING:
                self._ping(flags, length, events)
            elif kind == GO_AWAY:
                self._wasted += 1
                self._gone_away = True
                events.append(RemoteGoAway(length))
            else:
                raise ProtocolViolation("yamux", f"frame type {kind}")
        # Answers that the peer provokes and does not take are its own flood.
        if len(self._control) > self._limits.yamux_control_frames:
            raise ProtocolViolation("yamux", "provokes more answers than it reads")
        return events

    def _data_header(self, stream: int, flags: int, length: int, events: list[Event]) -> None:
        self._small += length < SMALL
        self._wasted += not length and not flags
        self._opening_flags(stream, flags, events)
        state = self._streams.get(stream)
        if state is not None and not state.remote_finished:
            if length > state.receive_window:
                raise ProtocolViolation("yamux", "more data than the window allows")
            state.receive_window -= length
        if length:
            self._body_left, self._body_stream, self._body_flags = length, stream, flags & (FIN | RST)
        else:
            self._closing_flags(stream, flags, events)

    def _body(self, state: StreamState, chunk: bytes, events: list[Event]) -> None:
        stream = self._body_stream
        state.unread += len(chunk)
        has_room = self._account.add(len(chunk))
        if not has_room or self._account.held > self._limits.yamux_unread:
            # Every window may be honest and the sum still too much: who sends on pays with the stream.
            self.reset(stream)
            events.append(StreamBroken(stream))
        else:
            events.append(DataReceived(stream, chunk))

    def _window_update(self, stream: int, flags: int, delta: int, events: list[Event]) -> None:
        self._small += 1
        self._wasted += not delta and not flags
        self._opening_flags(stream, flags, events)
        state = self._streams.get(stream)
        # go puts an error code where the credit of a reset would be.
        if state is not None and not flags & RST:
            state.send_window = min(state.send_window + delta, self._limits.yamux_send_window_max)
            self._schedule(stream, state)
        self._closing_flags(stream, flags, events)

    def _opening_flags(self, stream: int, flags: int, events: list[Event]) -> None:
        if not stream:
            raise ProtocolViolation("yamux", "stream 0 is the session")
        if flags & SYN:
            self._accept(stream, events)
        elif flags & ACK:
            state = self._streams.get(stream)
            if state is not None and stream & 1 == self._parity and not state.acknowledged:
                state.acknowledged = True
                self._unacknowledged -= 1

    def _accept(self, stream: int, events: list[Event]) -> None:
        if stream & 1 == self._parity:
            raise ProtocolViolation("yamux", "stream id of our own parity")
        if stream in self._streams:
            raise ProtocolViolation("yamux", f"stream {stream} opened twice")
        if self._inbound >= self._limits.yamux_streams:
            self._control.append(pack(WINDOW_UPDATE, RST, stream, 0))
            return
        self._inbound += 1
        self._small += OPENING
        self._streams[stream] = StreamState()
        # At once, not with our first data: go and rust stop opening at 256 unanswered streams.
        self._control.append(pack(WINDOW_UPDATE, ACK, stream, 0))
        events.append(StreamOpened(stream))

    def _closing_flags(self, stream: int, flags: int, events: list[Event]) -> None:
        state = self._streams.get(stream)
        if state is None:
            return
        if flags & RST:
            self._drop(stream)
            events.append(StreamBroken(stream))
        elif flags & FIN and not state.remote_finished:
            state.remote_finished = True
            events.append(RemoteFinished(stream))
            self._drop_if_over(stream, state)

    def _ping(self, flags: int, value: int, events: list[Event]) -> None:
        self._wasted += 1
        if flags & SYN:
            # Exactly ACK: js and rust compare the whole field.
            self._control.append(pack(PING, ACK, 0, value))
        elif value in self._pings:
            self._pings.discard(value)
            self._wasted -= 1
            events.append(PingAnswered(value))

    def _drop_if_over(self, stream: int, state: StreamState) -> None:
        if state.finished and state.remote_finished:
            self._drop(stream)

    def _drop(self, stream: int) -> None:
        state = self._streams.pop(stream)
        self._dropped.append(stream)
        self.queued -= state.queued
        self._account.release(state.unread)
        self._extra_window -= state.capacity - INITIAL_WINDOW
        if stream & 1 != self._parity:
            self._inbound -= 1
        elif not state.acknowledged:
            self._unacknowledged -= 1
