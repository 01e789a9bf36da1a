"""The receiving half of a channel session: cut frames, join messages, grant credit as the application takes them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from darkswap_browser.errors import InvalidArgument, MalformedMessage, ProtocolViolation
from darkswap_browser.net.limits import Limits
from darkswap_browser.protocols.channels.messages import DATA, PROTOCOL, Ack, Control, decode_control, message_header
from darkswap_browser.protocols.channels.snapshot import InboxSnapshot
from darkswap_browser.wire.varint import MAX_VARINT_BYTES, decode_varint_prefix

MAX_SLOW_FRAMES = 2048
"""Control frames, and frames that are not one short message, in one read of 64 KiB: 10 ms. Parts of long messages fill
theirs, and a peer acknowledges five times a second, or once for half a window."""


class Inbox:
    """Messages received and not yet taken, and the one that is still arriving."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._messages: deque[bytes] = deque()
        self._ends: deque[int] = deque()
        self._taken = 0
        # Of the stream: bytes of a control frame or a header that is not whole, and what is missing of a DATA frame.
        self._pending = b""
        self._frame_left = 0
        # Of the session, so they outlive the stream: a length that is not whole, or a message that is not.
        self._length = b""
        self._partial: bytearray | None = None
        self._total = 0
        self.received = 0
        """Position after the last byte of the session."""
        self.window = limits.channel_receive_queue
        """Bytes beyond `consumed` that the peer may send, once it is told."""
        self.most_messages = limits.channel_receive_messages
        """How many may wait. What was read beyond them stays as it came, and counts as not received."""
        self.is_held = False
        """Whether there is such a rest."""
        self.counts_parts = True
        """Whether parts of a message count as taken, so that one larger than the window can arrive."""
        self._edge = 0
        """Position up to which the peer was ever allowed to send."""
        self.acknowledged = 0
        """What the peer was told last."""
        self.messages = 0
        self.messages_taken = 0
        """Of this session, by the application."""

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def is_full(self) -> bool:
        """Too many messages wait: read no further until some are taken, and go on with a rest when half of them
        are."""
        return len(self._messages) >= (self.most_messages // 2 if self.is_held else self.most_messages)

    @property
    def waiting(self) -> int:
        return self.received - self.consumed

    @property
    def consumed(self) -> int:
        """Parts of a message that is still arriving count as taken only when no whole one waits: so at most one
        long message is held beyond the queue."""
        return self.received if self.counts_parts and not self._messages else self._taken

    @property
    def progress(self) -> tuple[int, int] | None:
        """(bytes so far, size) of a message that is not whole."""
        return None if self._partial is None else (len(self._partial), self._total)

    @property
    def grant_due(self) -> bool:
        """Enough was taken since the last ACK to tell the peer. Seldom, for sending while a lot comes in costs a page
        milliseconds; what is less is told after `channel_ack_delay`."""
        return self.consumed + self.window - self._edge >= max(self.window // 2, 1)

    def grant(self) -> Ack:
        """What the peer may send from now on."""
        self.acknowledged = self.consumed
        self._edge = max(self._edge, self.consumed + self.window)
        return Ack(self.consumed, self.window)

    def begin_stream(self) -> None:
        """Another stream starts at `received`."""
        self._pending = b""
        self._frame_left = 0
        self.is_held = False

    def take(self) -> bytes:
        message = self._messages.popleft()
        self._taken = self._ends.popleft()
        self.messages_taken += 1
        return message

    def take_all(self) -> list[bytes]:
        messages = list(self._messages)
        if messages:
            self.messages_taken += len(messages)
            self._taken = self._ends[-1]
            self._messages.clear()
            self._ends.clear()
        return messages

    def receive(self, data: bytes) -> list[Control]:
        """Feed bytes of the current stream, or none to go on with the rest of those before; returns control messages.

        Raises `RemoteError` subclasses.
        """
        controls: list[Control] = []
        count = len(self._messages)
        if self._pending:
            data = self._pending + data
            self._pending = b""
            self.is_held = False
        index, end = 0, len(data)
        slow = 0
        while index < end:
            if self._frame_left:
                # A message has one byte at least.
                room = self.most_messages - len(self._messages)
                if room <= 0:
                    self._pending = data[index:]
                    self.is_held = True
                    break
                stop = min(end, index + self._frame_left, index + room)
                self._frame_left -= stop - index
                self._take_data(data, index, stop)
                index = stop
                continue
            if (after := self._whole_message(data, index, end)) is not None:
                index = after
                continue
            slow += 1
            if slow > MAX_SLOW_FRAMES:
                raise ProtocolViolation(PROTOCOL, "a flood of control frames, or of parts of messages")
            after = self._begin_frame(data, index, controls)
            if after is None:
                self._pending = data[index:]
                break
            index = after
        self.messages += len(self._messages) - count
        if self.received > self._edge:
            raise ProtocolViolation(PROTOCOL, "sends more than was granted")
        return controls

    def _whole_message(self, data: bytes, index: int, end: int) -> int | None:
        """Take a DATA frame that is exactly one short message, as most are; returns the index after it."""
        size = data[index]
        after = index + 1 + size
        if size < 2 or size >= 0x80 or after > end or data[index + 1] != DATA or data[index + 2] != size - 2:
            return None
        if self._partial is not None or self._length:
            return None
        messages = self._messages
        if not messages and self.counts_parts:
            self._taken = self.received
        self.received += size - 1
        messages.append(data[index + 3 : after])
        self._ends.append(self.received)
        return after

    def _begin_frame(self, data: bytes, index: int, controls: list[Control]) -> int | None:
        """Take a control frame, or the header of a DATA frame; returns the index after it, None for too few bytes."""
        header = decode_varint_prefix(data, index)
        if header is None:
            return None
        size, start = header
        if not 0 < size <= self._limits.channel_frame:
            raise MalformedMessage("channel frame", f"announces {size} bytes")
        if start == len(data):
            return None
        if data[start] == DATA:
            if size == 1:
                raise MalformedMessage("channel frame", "no data in it")
            self._frame_left = size - 1
            return start + 1
        if size > self._limits.channel_control:
            raise MalformedMessage("channel frame", f"announces {size} bytes of control")
        stop = start + size
        if stop > len(data):
            return None
        controls.append(decode_control(data[start:stop]))
        return stop

    def _take_data(self, data: bytes, index: int, end: int) -> None:
        """Bytes of the session: `data` from `index` to `end`."""
        messages, ends, most = self._messages, self._ends, self._limits.channel_message
        origin = self.received - index
        if not messages and self.counts_parts:
            self._taken = self.received
        self.received = origin + end
        if self._partial is not None or self._length:
            index = self._go_on(data, index, end, origin)
        while index < end:
            # Lengths below 16,384 are read here: this loop runs once for each small message.
            size = data[index]
            start = index + 1
            if size & 0x80:
                if start < end and 0 < data[start] < 0x80:
                    size = size & 0x7F | data[start] << 7
                    start += 1
                else:
                    header = decode_varint_prefix(data[index : min(end, index + MAX_VARINT_BYTES)])
                    if header is None:
                        break
                    size = header[0]
                    start = index + header[1]
                if size > most:
                    self._check_size(size)
            stop = start + size
            if stop > end:
                break
            messages.append(data[start:stop])
            ends.append(origin + stop)
            index = stop
        if index < end:
            self._length = data[index : min(end, index + MAX_VARINT_BYTES)]
            if (header := decode_varint_prefix(self._length)) is not None:
                self._length = b""
                self._total = header[0]
                self._partial = bytearray(memoryview(data)[index + header[1] : end])

    def _go_on(self, data: bytes, index: int, end: int, origin: int) -> int:
        """Complete what an earlier frame left unfinished, as far as it goes; returns the index after it."""
        if self._length:
            known = len(self._length)
            joined = self._length + data[index : min(end, index + MAX_VARINT_BYTES)]
            header = decode_varint_prefix(joined)
            if header is None:
                self._length = joined
                return end
            self._check_size(header[0])
            self._length = b""
            self._total = header[0]
            self._partial = bytearray()
            index += header[1] - known
        partial = self._partial
        assert partial is not None
        stop = min(end, index + self._total - len(partial))
        partial += memoryview(data)[index:stop]
        if len(partial) == self._total:
            self._messages.append(bytes(partial))
            self._ends.append(origin + stop)
            self._partial = None
        return stop

    # --- another holder goes on

    @classmethod
    def holding(cls, messages: Sequence[bytes], limits: Limits) -> Inbox:
        """Of a session in which nothing more arrives."""
        size = sum(len(message_header(len(each))) + len(each) for each in messages)
        return cls.restore(InboxSnapshot(size, 0, size, 0, 0, 0, tuple(messages), b""), limits)

    def export(self) -> InboxSnapshot:
        rest = self._length
        if self._partial is not None:
            rest = message_header(self._total) + bytes(self._partial)
        return InboxSnapshot(
            self.received,
            self.consumed,
            self._edge,
            self.acknowledged,
            self.window,
            self.messages_taken,
            tuple(self._messages),
            rest,
        )

    @classmethod
    def restore(cls, snapshot: InboxSnapshot, limits: Limits) -> Inbox:
        """Raises `RemoteError` subclasses or `InvalidArgument` for what cannot be one inbox."""
        inbox = cls(limits)
        data = b"".join(part for each in snapshot.messages for part in (message_header(len(each)), each))
        data += snapshot.rest
        if not snapshot.acknowledged <= snapshot.taken <= snapshot.received <= snapshot.edge:
            raise InvalidArgument("inbox", "has positions that cannot be")
        inbox.received = snapshot.received - len(data)
        inbox._take_data(data, 0, len(data))
        inbox._taken = snapshot.taken
        inbox.messages_taken = snapshot.messages_taken
        inbox._edge, inbox.acknowledged, inbox.window = snapshot.edge, snapshot.acknowledged, snapshot.window
        if len(inbox) != len(snapshot.messages):
            raise InvalidArgument("inbox", "has a whole message in its rest")
        return inbox

    def _check_size(self, size: int) -> None:
        if size > self._limits.channel_message:
            raise ProtocolViolation(PROTOCOL, f"announces a message of {size} bytes")
