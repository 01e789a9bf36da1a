"""The rules of an application channel: nothing lost, nothing twice, in order, whatever path carries it.

`Outbox` keeps every byte until the peer has it and sends no more than the peer granted; `Inbox` cuts frames, joins
long messages and grants credit as the application takes them; `ChannelMachine` judges opening messages. Nothing
here waits, and nothing knows a stream: the driver moves bytes and tells which stream they came from.

A new stream takes over in four steps: the opener stops reading the old stream and sends HELLO with its `received`;
the peer stops reading as well, answers with its own HELLO, and sends from the opener's `received`; the opener sends
from the peer's. Both numbers are exact, because nobody reads two streams at a time.
"""

from __future__ import annotations

from collections import deque
from enum import Enum

from darkswap_browser.errors import MalformedMessage, MessageTooLarge, ProtocolViolation
from darkswap_browser.net.limits import Limits
from darkswap_browser.protocols.channels.messages import (
    FIRST,
    MORE,
    PROTOCOL,
    WHOLE,
    Control,
    Hello,
    decode_control,
    first_header,
    more_header,
    whole_header,
)
from darkswap_browser.wire.varint import decode_varint, decode_varint_prefix

Batch = tuple[int, list[bytes | memoryview]]
"""Whole frames: their size, and what they are made of, joined once when they are written."""


class Outbox:
    """Messages accepted and not yet known to have arrived, as encoded bytes by position."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._open: list[bytes | memoryview] = []
        self._open_size = 0
        self._unsent: deque[Batch] = deque()
        self._sent: deque[bytes] = deque()
        self._base = 0
        self._position = 0
        self._consumed = 0
        self._window = limits.channel_first_window
        self.accepted = 0
        """Position after the last message accepted."""
        self.messages = 0

    @property
    def waiting(self) -> int:
        """Bytes accepted and not handed to a stream."""
        return self.accepted - self._position

    @property
    def unconfirmed(self) -> int:
        """Bytes accepted and not known to be taken by the peer's application."""
        return self.accepted - self._consumed

    @property
    def consumed(self) -> int:
        return self._consumed

    @property
    def has_room(self) -> bool:
        return self.accepted - self._position < self._limits.channel_send_queue

    def accept(self, message: bytes) -> int:
        """Queue one message; returns the position after it. Raises `MessageTooLarge`."""
        size = len(message)
        if size > self._limits.channel_chunk:
            return self._accept_long(message)
        header = whole_header(size)
        size += len(header)
        if self._open_size + size > self._limits.channel_batch:
            self._close_batch()
        self._open.append(header)
        self._open.append(message)
        self._open_size += size
        self.accepted += size
        self.messages += 1
        return self.accepted

    def _accept_long(self, message: bytes) -> int:
        total = len(message)
        if total > self._limits.channel_message:
            raise MessageTooLarge(total, self._limits.channel_message)
        self._close_batch()
        chunk = self._limits.channel_chunk
        view = memoryview(message)
        for start in range(0, total, chunk):
            part = view[start : start + chunk]
            header = more_header(len(part)) if start else first_header(len(part), total)
            size = len(header) + len(part)
            self._unsent.append((size, [header, part]))
            self.accepted += size
        self.messages += 1
        return self.accepted

    def _close_batch(self) -> None:
        if self._open:
            self._unsent.append((self._open_size, self._open))
            self._open = []
            self._open_size = 0

    def next_write(self) -> bytes:
        """The next bytes for the stream, whole frames only; empty when there are none or no credit is left."""
        unsent = self._unsent
        if self._open:
            self._close_batch()
        credit = self._consumed + self._window - self._position
        if not unsent or credit <= 0:
            return b""
        size, parts = unsent.popleft()
        # A batch may pass the end of the window; the receiver allows for one.
        room = min(self._limits.channel_write, credit) - size
        while unsent and unsent[0][0] <= room:
            size, more = unsent.popleft()
            room -= size
            parts += more
        data = b"".join(parts)
        self._sent.append(data)
        self._position += len(data)
        return data

    def acknowledge(self, consumed: int) -> None:
        """The peer's application took everything before `consumed`. Old news is ignored."""
        if consumed > self._position:
            raise ProtocolViolation(PROTOCOL, "acknowledges what was not sent")
        if consumed > self._consumed:
            self._consumed = consumed
            self._release(consumed)

    def _release(self, position: int) -> None:
        sent = self._sent
        while sent and self._base + len(sent[0]) <= position:
            self._base += len(sent.popleft())

    def grant(self, window: int) -> None:
        self._window = window

    def rewind(self, received: int, consumed: int) -> None:
        """A new stream begins: send from `received`, which the peer has."""
        if not self._consumed <= received <= self._position or consumed > received:
            raise ProtocolViolation(PROTOCOL, "resumes at a position that cannot be")
        self.acknowledge(consumed)
        self._release(received)
        again = list(self._sent)
        if again:
            again[0] = again[0][received - self._base :]
        self._unsent.extendleft((len(data), [data]) for data in reversed(again) if data)
        self._sent.clear()
        self._base = self._position = received


class Inbox:
    """Messages received and not yet taken, and the frame that is still arriving."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._largest_frame = limits.channel_chunk + 16
        self._allowance = limits.channel_receive_queue + limits.channel_write + self._largest_frame
        self._messages: deque[bytes] = deque()
        self._ends: deque[int] = deque()
        self._taken = 0
        self._pieces: list[bytes] = []
        self._have = 0
        self._need = 0
        self._parts: list[bytes] = []
        self._total = 0
        self._arrived = 0
        self.received = 0
        """Position after the last whole data frame."""
        self.acknowledged = 0
        self.messages = 0

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def is_full(self) -> bool:
        """Too many messages wait: read no further until some are taken."""
        return len(self._messages) >= self._limits.channel_receive_messages

    @property
    def waiting(self) -> int:
        return self.received - self.consumed

    @property
    def consumed(self) -> int:
        """Parts of a message that is still arriving count as taken only when no whole one waits: so at most one
        long message is held beyond the queue."""
        return self._taken if self._messages else self.received

    @property
    def progress(self) -> tuple[int, int] | None:
        """(bytes so far, size) of a long message on its way."""
        return (self._arrived, self._total) if self._parts else None

    @property
    def grant_due(self) -> bool:
        """Enough was taken since the last ACK to tell the peer. Seldom, for sending while a lot comes in costs a page
        milliseconds; what is less is told after `channel_ack_delay`."""
        return self.consumed - self.acknowledged >= self._limits.channel_receive_queue // 2

    def begin_stream(self) -> None:
        """Another stream starts at `received`; what the old one left of a frame comes again."""
        self._pieces.clear()
        self._have = self._need = 0

    def take(self) -> bytes:
        message = self._messages.popleft()
        self._taken = self._ends.popleft()
        return message

    def take_all(self) -> list[bytes]:
        messages = list(self._messages)
        if messages:
            self._taken = self._ends[-1]
            self._messages.clear()
            self._ends.clear()
        return messages

    def receive(self, data: bytes) -> list[Control]:
        """Feed bytes of the current stream; returns control messages. Raises `RemoteError` subclasses."""
        if self._pieces:
            self._pieces.append(data)
            self._have += len(data)
            if self._have < self._need:
                return []
            data = b"".join(self._pieces)
            self._pieces.clear()
        controls: list[Control] = []
        position = self._cut(data, controls)
        if position < len(data):
            self._keep(data[position:] if position else data)
        # `received - consumed` may exceed the window by one write: the sender looks at its credit before each.
        if self.received - self.consumed > self._allowance:
            raise ProtocolViolation(PROTOCOL, "sends more than was granted")
        return controls

    def _keep(self, rest: bytes) -> None:
        header = decode_varint_prefix(rest)
        if header is not None and header[0] > self._largest_frame:
            raise MalformedMessage("channel frame", f"announces {header[0]} bytes")
        self._pieces.append(rest)
        self._have = len(rest)
        self._need = header[0] + header[1] if header is not None else self._have + 1

    def _cut(self, data: bytes, controls: list[Control]) -> int:
        """Handle every whole frame of `data`; returns the index of the first byte of an unfinished one."""
        index, end = 0, len(data)
        messages, ends, total = self._messages, self._ends, self._total
        received = self.received
        count = len(messages)
        if not messages:
            self._taken = received
        while index < end:
            # Lengths below 16,384 are read here: this loop runs once for each small message.
            size = data[index]
            start = index + 1
            if size & 0x80:
                if start < end and 0 < data[start] < 0x80:
                    size = size & 0x7F | data[start] << 7
                    start += 1
                else:
                    header = decode_varint_prefix(data, index)
                    if header is None:
                        break
                    size, start = header
            stop = start + size
            if stop > end:
                break
            if size and data[start] == WHOLE and not total:
                received += stop - index
                messages.append(data[start + 1 : stop])
                ends.append(received)
            else:
                self.received = received
                self._other(data[start:stop], stop - index, controls)
                received, total = self.received, self._total
            index = stop
        self.received = received
        self.messages += len(messages) - count
        return index

    def _other(self, body: bytes, encoded: int, controls: list[Control]) -> None:
        kind = body[0] if body else -1
        if kind in (FIRST, MORE):
            self.received += encoded
            if not self._messages:
                self._taken = self.received - encoded
            self._long(kind, body)
        elif kind == WHOLE:
            raise ProtocolViolation(PROTOCOL, "a message begins inside another")
        else:
            controls.append(decode_control(body))

    def _long(self, kind: int, body: bytes) -> None:
        start = 1
        if (kind == FIRST) is bool(self._total):
            raise ProtocolViolation(PROTOCOL, "a part without its message, or a message inside another")
        if kind == FIRST:
            total, start = decode_varint(body, 1)
            if not 0 < total <= self._limits.channel_message:
                raise ProtocolViolation(PROTOCOL, f"announces a message of {total} bytes")
            self._total = total
        if start == len(body):
            raise ProtocolViolation(PROTOCOL, "an empty part")
        self._parts.append(body[start:])
        self._arrived += len(body) - start
        if self._arrived > self._total:
            raise ProtocolViolation(PROTOCOL, "a message longer than announced")
        if self._arrived == self._total:
            self._messages.append(b"".join(self._parts))
            self._ends.append(self.received)
            self._parts.clear()
            self._total = self._arrived = 0


class HelloVerdict(Enum):
    CONTINUE = "continue"
    """The session we share, or the first word of a new one."""
    RESTARTED = "restarted"
    """The peer began anew (a page reload): our session with it is over, begin another."""
    UNKNOWN = "unknown"
    """The peer continues a session that we do not have: answer RESTART."""


class ChannelMachine:
    """One session with one peer."""

    def __init__(self, session: bytes, limits: Limits) -> None:
        self.session = session
        self.peer_session = b""
        self.outbox = Outbox(limits)
        self.inbox = Inbox(limits)
        self._limits = limits
        self._greeted = False

    def hello(self) -> Hello:
        """Our side as it stands. Nothing may be read from an older stream after this, unless the new one fails."""
        self._greeted = True
        inbox = self.inbox
        return Hello(
            self.session, self.peer_session, inbox.received, inbox.consumed, self._limits.channel_receive_queue
        )

    @property
    def may_send_early(self) -> bool:
        """Before the first HELLO nobody has anything of ours, so messages may follow it at once."""
        return not self._greeted

    def judge(self, hello: Hello) -> HelloVerdict:
        """What a HELLO that the peer opened a stream with means for this session."""
        if hello.peer_session and hello.peer_session != self.session:
            return HelloVerdict.UNKNOWN
        if self.peer_session and self.peer_session != hello.session:
            return HelloVerdict.RESTARTED
        return HelloVerdict.CONTINUE

    def attach(self, hello: Hello, *, early: bool = False) -> None:
        """A stream whose HELLO was judged CONTINUE carries the session from now on.

        `early`: messages from position 0 already followed our HELLO on it. Raises `ProtocolViolation`.
        """
        if early:
            if hello.received or hello.consumed:
                raise ProtocolViolation(PROTOCOL, "received something before it was sent")
        else:
            self.outbox.rewind(hello.received, hello.consumed)
        self.outbox.grant(hello.window)
        self.peer_session = hello.session
        self.inbox.begin_stream()
        self.inbox.acknowledged = self.inbox.consumed
