"""Control messages in protocol buffers: declared as dataclasses, coded by `pure-protobuf`, judged here first.

    @dataclass(frozen=True)
    class Ping(Message):
        number: Annotated[uint | None, Field(1)] = None     # None is left out, 0 is written
        kind: Annotated[uint, Field(2)] = ZERO
        parts: Annotated[list[bytes], Field(3)] = field(default_factory=list)

Every field needs a default, as any may be missing on the wire. Enumerations are declared as `uint`, since a value
unknown to us must not fail the message. Unknown fields are skipped. Of a single value that comes twice the last wins;
a single message that comes twice is refused, where the format would merge the two: nobody writes that.

Before the library sees foreign bytes a scan walks them by the declared shape, because the library alone reads varints
of any length (in quadratic time), skips beyond the end and takes groups for empty fields.
"""

from __future__ import annotations

import dataclasses
import struct
from functools import lru_cache
from typing import Annotated, TypeVar, get_args, get_origin, get_type_hints

from pure_protobuf.annotations import Field, uint
from pure_protobuf.message import BaseMessage as Message

from darkswap_browser.errors import MalformedMessage

__all__ = ["ZERO", "Field", "Message", "decode", "encode", "uint"]

ZERO = uint(0)

M = TypeVar("M", bound=Message)

MAX_PROTOBUF_VARINT = 10
"""Bytes: 64 bits of 7. Non-minimal forms are legal in protocol buffers."""

MAX_FIELDS = 512
"""Of one message, an embedded one for itself: the library takes 14 µs for an empty one. identify has 64 addresses and
256 protocols at most."""

_VARINT, _I64, _LEN, _I32 = 0, 1, 2, 5


def encode(message: Message) -> bytes:
    """Fields in the order declared; those that are None are left out, all others written, zero included."""
    return message.dumps()


def decode(cls: type[M], data: bytes, what: str, max_size: int) -> M:
    """`what` names the message in errors. Raises `MalformedMessage` and nothing else."""
    if len(data) > max_size:
        raise MalformedMessage(what, f"{len(data)} bytes; at most {max_size} are allowed")
    _scan(data, 0, len(data), cls, what)
    try:
        return cls.loads(data)
    except (EOFError, ValueError, OverflowError, struct.error) as error:
        raise MalformedMessage(what, str(error) or "ends too early") from error


def _scan(data: bytes, at: int, end: int, cls: type[Message], what: str) -> None:
    """Tags, lengths and varints of `data[at:end]` hold, in embedded messages too. Depth is that of the declaration."""
    shape = _shape(cls)
    seen = fields = 0
    while at < end:
        fields += 1
        if fields > MAX_FIELDS:
            raise MalformedMessage(what, f"more than {MAX_FIELDS} fields")
        tag, at = _varint(data, at, end, what)
        number, wire_type = tag >> 3, tag & 7
        if number == 0:
            raise MalformedMessage(what, "field number 0")
        declared = shape.get(number)
        if declared is not None and wire_type != declared.wire_type:
            raise MalformedMessage(what, f"field {number} has wire type {wire_type}")
        if wire_type == _VARINT:
            _, at = _varint(data, at, end, what)
        elif wire_type == _LEN:
            size, at = _varint(data, at, end, what)
            if size > end - at:
                raise MalformedMessage(what, f"field {number} announces {size} bytes and {end - at} are left")
            if declared is not None and declared.message is not None:
                if not declared.repeated and seen >> number & 1:
                    raise MalformedMessage(what, f"field {number} occurs twice")
                seen |= 1 << number
                _scan(data, at, at + size, declared.message, what)
            at += size
        elif wire_type in (_I64, _I32):
            at += 8 if wire_type == _I64 else 4
            if at > end:
                raise MalformedMessage(what, f"field {number} ends too early")
        else:
            raise MalformedMessage(what, f"field {number} has wire type {wire_type}")


def _varint(data: bytes, at: int, end: int, what: str) -> tuple[int, int]:
    value = shift = 0
    for index in range(at, min(end, at + MAX_PROTOBUF_VARINT)):
        byte = data[index]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >> 64:
                break
            return value, index + 1
        shift += 7
    raise MalformedMessage(what, "varint beyond 64 bits" if end - at >= MAX_PROTOBUF_VARINT else "ends too early")


@dataclasses.dataclass(frozen=True, slots=True)
class _Declared:
    """One field: how its values travel, and the message class if they are messages.

    Numbers travel as varints alone; none of libp2p's messages packs several into one field.
    """

    wire_type: int
    repeated: bool
    message: type[Message] | None = None


@lru_cache(maxsize=256)
def _shape(cls: type[Message]) -> dict[int, _Declared]:
    """The fields by number. A mistaken declaration is a `TypeError`."""
    if not dataclasses.is_dataclass(cls):
        raise TypeError(f"{cls.__name__} is not a dataclass")
    for declared in dataclasses.fields(cls):
        if declared.default is dataclasses.MISSING and declared.default_factory is dataclasses.MISSING:
            raise TypeError(f"{cls.__name__}.{declared.name} has no default")
    found: dict[int, _Declared] = {}
    for name, hint in get_type_hints(cls, include_extras=True).items():
        marks = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
        for mark in marks:
            if isinstance(mark, Field):
                found[mark.number] = _declared(f"{cls.__name__}.{name}", get_args(hint)[0])
    return found


def _declared(name: str, hint: object) -> _Declared:
    """`hint`: a type, `type | None` or `list[type]`."""
    repeated = get_origin(hint) is list
    kind = next((part for part in get_args(hint) if part is not type(None)), hint)
    if kind in (bytes, str):
        return _Declared(_LEN, repeated)
    if kind in (uint, int, bool):
        return _Declared(_VARINT, repeated)
    if isinstance(kind, type) and issubclass(kind, Message):
        return _Declared(_LEN, repeated, kind)
    raise TypeError(f"{name} is declared as {kind!r}; use bytes, str, uint, int, bool or a Message")
