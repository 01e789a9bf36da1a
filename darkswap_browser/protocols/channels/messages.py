"""What the two ends of an application channel say: `/darkswap/channel/1.0.0`.

The whole protocol is specified in web/docs/protocols/channel.md.

A stream is a sequence of frames; each is an unsigned-varint length of the rest, one kind byte, and a body:

    0 DATA     the next bytes of the session, at least one
    1 ACK      varint position, varint window: what the application took, and how many bytes beyond it may be sent
    2 CLOSE    msgpack {reason: str}: nothing more will come and the session ends; answered with CLOSE
    3 HELLO    msgpack {s, p, r, c, w, o, n}: the first frame in each direction, see `Hello`
    4 RESTART  msgpack {}: the answer to a HELLO that names a session no longer known
    5 LEAVE    msgpack {reason: str}: the path ends, the session may go on; not answered
    6 PING     empty: answered with ACK

The bytes of DATA frames, one after the other, are the session: each message is an unsigned-varint length and its bytes.
A *position* counts them from the beginning of the session, whatever frames and streams carried them, so that a stream
can take over where another one broke off, also in the middle of a message.
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

DATA, ACK, CLOSE, HELLO, RESTART, LEAVE, PING = range(7)


@dataclass(frozen=True, slots=True)
class Hello:
    """`session`: the sender's; `peer_session`: the receiver's as the sender knows it, empty for none.

    `received`: position up to which data arrived; `consumed`: up to which it was taken, never beyond `received`;
    `window`: bytes the sender of this accepts beyond `consumed`. `earlier`: the receiver's session before this one,
    where the sender of this knows of one, else empty; `taken`: how many of its messages the application took.
    """

    session: bytes
    peer_session: bytes
    received: int
    consumed: int
    window: int
    earlier: bytes = b""
    taken: int = 0


@dataclass(frozen=True, slots=True)
class Ack:
    consumed: int
    window: int


@dataclass(frozen=True, slots=True)
class Close:
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Restart:
    pass


@dataclass(frozen=True, slots=True)
class Leave:
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Ping:
    pass


Control = Hello | Ack | Close | Restart | Leave | Ping


def message_bytes(message: object) -> bytes:
    """The bytes of an application's message. Raises `InvalidArgument` for what holds none, as numbers and texts."""
    if not isinstance(message, bytes | bytearray | memoryview):
        raise InvalidArgument("message", f"is {type(message).__name__} and not bytes", "Encode text with .encode().")
    return bytes(message)


@lru_cache(maxsize=512)
def message_header(size: int) -> bytes:
    """What precedes a message of `size` bytes in the session."""
    return encode_varint(size)


def data_header(size: int) -> bytes:
    """What precedes `size` bytes of the session in a stream."""
    return encode_varint(size + 1) + b"\x00"


def encode_control(message: Control) -> bytes:
    """A whole frame, length included."""
    match message:
        case Ack(consumed, window):
            body = bytes((ACK,)) + encode_varint(consumed) + encode_varint(window)
        case Ping():
            body = bytes((PING,))
        case Leave(reason):
            body = bytes((LEAVE,)) + pack(_LEAVE, Leave(reason[:MAX_REASON]))
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
        position, start = decode_varint(body, 1)
        window, end = decode_varint(body, start)
        if end != len(body):
            raise MalformedMessage("channel ack", "bytes after the window")
        return Ack(position, window)
    if kind == PING:
        if len(body) != 1:
            raise MalformedMessage("channel ping", "is not empty")
        return Ping()
    record = _RECORDS.get(kind)
    if record is None:
        raise MalformedMessage("channel frame", f"kind {kind} is not expected here")
    what, message = record
    found: Control = unpack(message, what, body[1:], max_size=len(body), max_depth=_MAX_DEPTH)
    return found


def _checked(hello: Hello) -> Hello:
    if len(hello.peer_session) not in (0, SESSION_BYTES):
        raise MalformedMessage("channel hello", f"peer session is neither empty nor {SESSION_BYTES} bytes")
    if len(hello.earlier) not in (0, SESSION_BYTES):
        raise MalformedMessage("channel hello", f"earlier session is neither empty nor {SESSION_BYTES} bytes")
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
        ("o", Absent(Data(SESSION_BYTES), b"")),
        ("n", _POSITION),
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
_LEAVE = Converted(
    Record(Leave, ("reason", Absent(Text(MAX_FRAME_TEXT), ""))),
    lambda leave: Leave(leave.reason[:MAX_REASON]),
    lambda leave: leave,
)
_RESTART = Record(Restart)
_RECORDS: Mapping[int, tuple[str, Kind[Any]]] = {
    HELLO: ("channel hello", _HELLO),
    CLOSE: ("channel close", _CLOSE),
    RESTART: ("channel restart", _RESTART),
    LEAVE: ("channel leave", _LEAVE),
}
