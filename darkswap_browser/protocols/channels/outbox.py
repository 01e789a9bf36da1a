"""The sending half of a channel session: messages until the peer's application took them, by position."""

from __future__ import annotations

from collections import deque
from collections.abc import Container
from dataclasses import dataclass, replace

from darkswap_browser.errors import InvalidArgument, MessageTooLarge, ProtocolViolation
from darkswap_browser.net.limits import Limits
from darkswap_browser.protocols.channels.messages import PROTOCOL, data_header, message_header
from darkswap_browser.protocols.channels.snapshot import OutboxSnapshot


@dataclass(frozen=True, slots=True)
class Undelivered:
    """Messages with the ids `first` to `first + count - 1` that nobody will send any more.

    `maybe_delivered`: they were written, so the peer may have taken them before it could say so; else it has not.
    """

    first: int
    count: int
    maybe_delivered: bool

    @property
    def ids(self) -> range:
        return range(self.first, self.first + self.count)

    def without(self, kept: Container[int]) -> list[Undelivered]:
        """The same but for the messages in `kept`."""
        found: list[Undelivered] = []
        for number in self.ids:
            if number in kept:
                continue
            if found and found[-1].first + found[-1].count == number:
                found[-1] = replace(found[-1], count=found[-1].count + 1)
            else:
                found.append(replace(self, first=number, count=1))
        return found


class Outbox:
    """Messages accepted and not yet known to be taken.

    Ids are consecutive. A message is *written* when its last byte was given to a stream; it stays so when a later
    stream begins before it, because nobody knows what became of the first one.

    Args:
        first_id: Id of the first message.
    """

    def __init__(self, limits: Limits, first_id: int = 1) -> None:
        self._limits = limits
        self._sent: deque[bytes] = deque()
        """All of them given to the current stream, or to one before it and received."""
        self._ends: deque[int] = deque()
        """Positions after each of these."""
        self._unsent: deque[bytes] = deque()
        self._offset = 0
        """How many encoded bytes of the first of `_unsent` were given to the current stream."""
        self._base = 0
        """Position of the first message that is kept."""
        self._furthest = 0
        self.position = 0
        """Of the next byte for the stream."""
        self.accepted = 0
        """Position after the last message accepted."""
        self.consumed = 0
        self.window = 0
        self.acknowledged_id = self.written_id = self.accepted_id = first_id - 1
        self.session_first_id = first_id
        self.messages = 0

    @property
    def waiting(self) -> int:
        """Bytes accepted and not handed to a stream."""
        return self.accepted - self.position

    @property
    def unacknowledged(self) -> int:
        """Bytes accepted and not known to be taken by the peer's application."""
        return self.accepted - self.consumed

    @property
    def has_room(self) -> bool:
        limits = self._limits
        return (
            self.accepted - self.consumed < limits.channel_send_queue
            and self.accepted_id - self.acknowledged_id < limits.channel_send_messages
        )

    def accept(self, message: bytes) -> int:
        """Queue one message; returns its id. Raises `MessageTooLarge`."""
        size = len(message)
        if size > self._limits.channel_message:
            raise MessageTooLarge(size, self._limits.channel_message)
        self._unsent.append(message)
        self.accepted += size + len(message_header(size))
        self.messages += 1
        self.accepted_id += 1
        return self.accepted_id

    def next_write(self, most: int | None = None) -> bytes:
        """The next DATA frame for the stream; empty when there is nothing to send or no credit left.

        Args:
            most: Bytes of the session in it; None: as many as one write may have.
        """
        room = min(self._limits.channel_write, self.consumed + self.window - self.position)
        if most is not None and most < room:
            room = most
        unsent, sent, ends = self._unsent, self._sent, self._ends
        if not unsent or room <= 0:
            return b""
        parts: list[bytes | memoryview] = [b""]
        left, offset = room, self._offset
        edge = self.position + room
        while unsent and left:
            message = unsent[0]
            header = message_header(len(message))
            size = len(header) + len(message)
            if not offset and size <= left:
                parts += (header, message)
                left -= size
                sent.append(unsent.popleft())
                ends.append(edge - left)
                continue
            taken = min(size - offset, left)
            parts += _slice(header, message, offset, offset + taken)
            left -= taken
            offset += taken
            if offset == size:
                offset = 0
                sent.append(unsent.popleft())
                ends.append(edge - left)
        self._offset = offset
        self._moved(edge - left)
        parts[0] = data_header(room - left)
        return b"".join(parts)

    def _moved(self, position: int) -> None:
        self.position = position
        self._furthest = max(self._furthest, position)
        self.written_id = max(self.written_id, self.acknowledged_id + len(self._sent))

    def acknowledge(self, consumed: int) -> None:
        """The peer's application took everything before `consumed`. Old news is ignored."""
        if consumed > self.position:
            raise ProtocolViolation(PROTOCOL, "acknowledges what was not sent")
        if consumed <= self.consumed:
            return
        self.consumed = consumed
        sent, ends = self._sent, self._ends
        before = len(ends)
        while ends and ends[0] <= consumed:
            self._base = ends.popleft()
            sent.popleft()
        self.acknowledged_id += before - len(ends)

    def grant(self, window: int) -> None:
        """The peer takes `window` bytes beyond what it acknowledged. More than we would grant ourselves is not used:
        what is sent and not acknowledged has to be kept here."""
        self.window = min(window, self._limits.channel_receive_queue)

    def resume(self, received: int, consumed: int) -> None:
        """A new stream begins: send from `received`, which the peer has."""
        if not max(self.consumed, consumed) <= received <= self._furthest:
            raise ProtocolViolation(PROTOCOL, "resumes at a position that cannot be")
        self._seek(received)
        self.acknowledge(consumed)

    def _seek(self, position: int) -> None:
        """The next byte for the stream is the one at `position`."""
        sent, unsent, ends = self._sent, self._unsent, self._ends
        end = self.position - self._offset
        while end > position:
            unsent.appendleft(sent.pop())
            ends.pop()
            end = ends[-1] if ends else self._base
        # Further than the last stream came: the peer went on reading the one before it.
        while unsent and end + _encoded(unsent[0]) <= position:
            end += _encoded(unsent[0])
            sent.append(unsent.popleft())
            ends.append(end)
        self._offset = position - end
        self._moved(position)

    def end_of(self, number: int) -> int:
        """Position after the message with this id, which must be kept here."""
        kept = [*self._sent, *self._unsent]
        return self._base + sum(_encoded(each) for each in kept[: number - self.acknowledged_id])

    def follow(self, before: Outbox) -> None:
        """Take over what `before` never wrote whole: the peer cannot have taken it. Nothing was accepted here yet."""
        self.acknowledged_id = self.written_id = self.accepted_id = before.written_id
        self.session_first_id = before.written_id + 1
        for message in before.unwritten():
            self.accept(message)

    def unwritten(self) -> list[bytes]:
        return [*self._sent, *self._unsent][self.written_id - self.acknowledged_id :]

    def undelivered_written(self) -> Undelivered:
        first = self.acknowledged_id + 1
        return Undelivered(first, self.written_id - self.acknowledged_id, maybe_delivered=True)

    def undelivered_unwritten(self) -> Undelivered:
        return Undelivered(self.written_id + 1, self.accepted_id - self.written_id, maybe_delivered=False)

    # --- another holder goes on

    def export(self) -> OutboxSnapshot:
        return OutboxSnapshot(
            self.acknowledged_id + 1,
            self.session_first_id,
            self.written_id,
            self._base,
            self.position,
            self._furthest,
            self.consumed,
            self.window,
            (*self._sent, *self._unsent),
        )

    @classmethod
    def restore(cls, snapshot: OutboxSnapshot, limits: Limits) -> Outbox:
        """Raises `InvalidArgument` for numbers that cannot be those of one outbox."""
        outbox = cls(limits, snapshot.first)
        outbox._base = outbox.position = outbox.accepted = snapshot.base
        for message in snapshot.messages:
            outbox.accept(message)
        outbox.session_first_id = snapshot.session_first
        outbox.written_id = snapshot.written
        outbox.consumed = snapshot.consumed
        outbox._furthest = snapshot.furthest
        outbox.window = snapshot.window
        in_order = snapshot.base <= snapshot.consumed <= snapshot.position <= snapshot.furthest <= outbox.accepted
        if snapshot.session_first > snapshot.first:
            raise InvalidArgument("outbox", "begins with a message before the session")
        if not in_order or not snapshot.first - 1 <= snapshot.written <= outbox.accepted_id:
            raise InvalidArgument("outbox", "has positions that cannot be")
        outbox._seek(snapshot.position)
        return outbox


def _encoded(message: bytes) -> int:
    size = len(message)
    return size + len(message_header(size))


def _slice(header: bytes, message: bytes, start: int, stop: int) -> tuple[bytes | memoryview, memoryview]:
    """Encoded bytes of one message."""
    skip = len(header)
    return header[start:stop], memoryview(message)[max(0, start - skip) : max(0, stop - skip)]
