"""What the two ends of an application channel say: `/darkswap/channel/1.0.0`.

A stream is a sequence of frames; each is an unsigned-varint length of the rest, one kind byte, and a body:

    0 WHOLE    a whole message of at most `Limits.app_chunk` bytes
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

import msgpack

from darkswap_browser.errors import InvalidArgument, MalformedMessage
from darkswap_browser.wire.parsing import unpack_msgpack
from darkswap_browser.wire.varint import MAX_VARINT, decode_varint, encode_varint

PROTOCOL = "/darkswap/channel/1.0.0"
SESSION_BYTES = 16
_MAX_DEPTH = 4
"""Levels of nesting; a control message is one flat map, and later versions may add to it."""
MAX_REASON = 200

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
            body = bytes((CLOSE,)) + _pack({"reason": reason[:MAX_REASON]})
        case Hello(session, peer_session, received, consumed, window):
            fields = {"s": session, "p": peer_session, "r": received, "c": consumed, "w": window}
            body = bytes((HELLO,)) + _pack(fields)
        case Restart():
            body = bytes((RESTART,)) + _pack({})
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
    if kind == HELLO:
        return _hello(_unpack("channel hello", body[1:]))
    if kind == CLOSE:
        reason = _unpack("channel close", body[1:]).get("reason", "")
        if not isinstance(reason, str):
            raise MalformedMessage("channel close", "reason is not text")
        return Close(reason[:MAX_REASON])
    if kind == RESTART:
        _unpack("channel restart", body[1:])
        return Restart()
    raise MalformedMessage("channel frame", f"kind {kind} is not expected here")


def _hello(fields: Mapping[Any, Any]) -> Hello:
    session, peer_session = fields.get("s"), fields.get("p", b"")
    if not isinstance(session, bytes) or len(session) != SESSION_BYTES:
        raise MalformedMessage("channel hello", f"session is not {SESSION_BYTES} bytes")
    if not isinstance(peer_session, bytes) or len(peer_session) not in (0, SESSION_BYTES):
        raise MalformedMessage("channel hello", f"peer session is neither empty nor {SESSION_BYTES} bytes")
    received, consumed, window = (_natural(fields.get(key, 0), key) for key in "rcw")
    if consumed > received:
        raise MalformedMessage("channel hello", "consumed lies beyond received")
    return Hello(session, peer_session, received, consumed, window)


def _natural(value: object, key: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_VARINT:
        raise MalformedMessage("channel hello", f"{key} is not a natural number of 63 bits")
    return value


def _pack(fields: Mapping[str, object]) -> bytes:
    packed: bytes = msgpack.packb(fields)
    return packed


def _unpack(what: str, data: bytes) -> Mapping[Any, Any]:
    fields = unpack_msgpack(what, data, max_depth=_MAX_DEPTH, strict_map_key=False)
    if not isinstance(fields, dict):
        raise MalformedMessage(what, "not a map")
    return fields
