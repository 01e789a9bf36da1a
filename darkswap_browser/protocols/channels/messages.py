"""What the two ends of an application channel say: `/darkswap/channel/1.0.0`.

A stream is a sequence of frames; each is an unsigned-varint length of the rest, one kind byte, and a body:

    0 WHOLE    a whole message of at most `Limits.channel_chunk` bytes
    1 FIRST    varint size of a longer message, then its first bytes
    2 MORE     the next bytes of that message; it is complete when its size is reached
    3 ACK      varint position: every data byte before it was taken by the application
    4 CLOSE    msgpack {reason: str}: nothing more will come; answered with CLOSE
    5 HELLO    msgpack {s, p, r, c, w}: the first frame in each direction, see `Hello`
    6 RESTART  msgpack {}: the answer to a HELLO that names a session no longer known

WHOLE, FIRST and MORE are data frames. A *position* counts the encoded bytes of data frames from the beginning of the
session, whatever streams carried them, so that a stream can take over where another one broke off.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from darkswap_browser.errors import InvalidArgument, MalformedMessage
from darkswap_browser.wire.fields import Absent, Data, Kind, Text, Whole
from darkswap_browser.wire.records import Converted, Record, pack, unpack
from darkswap_browser.wire.varint import MAX_VARINT, decode_varint, encode_varint

PROTOCOL = "/darkswap/channel/1.0.0"
SESSION_BYTES = 16
_MAX_DEPTH = 4
"""Levels of nesting; a control message is one flat map, and later versions may add to it."""
MAX_REASON = 200
MAX_FRAME_TEXT = 65_536
"""Characters: more than a control frame has bytes."""

WHOLE, FIRST, MORE, ACK, CLOSE, HELLO, RESTART = range(7)


@dataclass(frozen=True, slots=True)
class Hello:
    """`session`: the sender's; `peer_session`: the receiver's as the sender knows it, empty for none.

    `received`: position up to which whole frames arrived; `consumed`: up to which they were taken, never beyond
    `received`; `window`: bytes the sender of this accepts beyond `consumed`.
    """

    session: bytes
    peer_session: bytes
    received: int
    consumed: int
    window: int


@dataclass(frozen=True, slots=True)
class Ack:
    consumed: int


@dataclass(frozen=True, slots=True)
class Close:
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Restart:
    pass


Control = Hello | Ack | Close | Restart


def message_bytes(message: object) -> bytes:
    """The bytes of an application's message. Raises `InvalidArgument` for what holds none, as numbers and texts."""
    if not isinstance(message, bytes | bytearray | memoryview):
        raise InvalidArgument("message", f"is {type(message).__name__} and not bytes", "Encode text with .encode().")
    return bytes(message)


@lru_cache(maxsize=512)
def whole_header(size: int) -> bytes:
    """What precedes a whole message of `size` bytes."""
    return encode_varint(size + 1) + b"\x00"


def first_header(size: int, total: int) -> bytes:
    """What precedes the first `size` bytes of a message of `total`."""
    head = bytes((FIRST,)) + encode_varint(total)
    return encode_varint(len(head) + size) + head


def more_header(size: int) -> bytes:
    return encode_varint(size + 1) + bytes((MORE,))


def encode_control(message: Control) -> bytes:
    """A whole frame, length included."""
    match message:
        case Ack(consumed):
            body = bytes((ACK,)) + encode_varint(consumed)
        case Close(reason):
            body = bytes((CLOSE,)) + pack(_CLOSE, Close(reason[:MAX_REASON]))
        case Hello():
            body = bytes((HELLO,)) + pack(_HELLO, message)
        case Restart():
            body = bytes((RESTART,)) + pack(_RESTART, message)
    return encode_varint(len(body)) + body


def decode_control(body: bytes) -> Control:
    """A frame without its length. Raises `MalformedMessage`, also for a data frame or an unknown kind."""
    if not body:
        raise MalformedMessage("channel frame", "empty")
    kind = body[0]
    if kind == ACK:
        position, end = decode_varint(body, 1)
        if end != len(body):
            raise MalformedMessage("channel ack", "bytes after the position")
        return Ack(position)
    record = _RECORDS.get(kind)
    if record is None:
        raise MalformedMessage("channel frame", f"kind {kind} is not expected here")
    what, message = record
    found: Control = unpack(message, what, body[1:], max_size=len(body), max_depth=_MAX_DEPTH)
    return found


def _checked(hello: Hello) -> Hello:
    if len(hello.peer_session) not in (0, SESSION_BYTES):
        raise MalformedMessage("channel hello", f"peer session is neither empty nor {SESSION_BYTES} bytes")
    if hello.consumed > hello.received:
        raise MalformedMessage("channel hello", "consumed lies beyond received")
    return hello


_POSITION = Absent(Whole(MAX_VARINT), 0)
_HELLO = Converted(
    Record(
        Hello,
        ("s", Data(SESSION_BYTES, SESSION_BYTES)),
        ("p", Absent(Data(SESSION_BYTES), b"")),
        ("r", _POSITION),
        ("c", _POSITION),
        ("w", _POSITION),
    ),
    _checked,
    lambda hello: hello,
)
# The sender's text, as long as a frame may be; what is kept of it is cut.
_CLOSE = Converted(
    Record(Close, ("reason", Absent(Text(MAX_FRAME_TEXT), ""))),
    lambda close: Close(close.reason[:MAX_REASON]),
    lambda close: close,
)
_RESTART = Record(Restart)
_RECORDS: Mapping[int, tuple[str, Kind[Any]]] = {
    HELLO: ("channel hello", _HELLO),
    CLOSE: ("channel close", _CLOSE),
    RESTART: ("channel restart", _RESTART),
}
