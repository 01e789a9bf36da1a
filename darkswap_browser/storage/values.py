"""Frozen dataclasses ⇄ bytes, by their annotations: how orders and trades are kept.

A record is msgpack `[version, value]`. A dataclass is a map of its fields plus `"": class name`, which picks the member
of a union; tuples and sequences are lists; enums are their values; whole numbers beyond 64 bits are texts of digits.
Reading is strict: a field that is missing without a default, unknown, or of another type makes the record broken.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgpack

from darkswap_browser.errors import InvalidArgument, MalformedMessage
from darkswap_browser.wire.parsing import unpack_msgpack

MAX_DEPTH = 32
"""Levels of nesting; a trade in its deepest state has twelve."""
MAX_RECORD = 1024 * 1024
"""Bytes: a trade holds one transaction of at most 40 inputs and its neighbours' scripts, some tens of KiB."""

T = TypeVar("T")

_TAG = ""
_WHAT = "stored record"
_WIDE = 1 << 63


def encode(value: object, version: int) -> bytes:
    """`value`: a dataclass instance whose fields are of the kinds above."""
    return bytes(msgpack.packb([version, _plain(value)]))


def decode(kind: type[T], data: bytes, version: int) -> T:
    """Raises `MalformedMessage`, also for another `version`."""
    if len(data) > MAX_RECORD:
        raise MalformedMessage(_WHAT, f"has {len(data)} bytes; at most {MAX_RECORD} are kept")
    unpacked = unpack_msgpack(_WHAT, data, max_depth=MAX_DEPTH)
    if not isinstance(unpacked, list) or len(unpacked) != 2 or unpacked[0] != version:
        raise MalformedMessage(_WHAT, f"is not of version {version}")
    value: T = _typed(kind, unpacked[1])
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, int) and not isinstance(value, bool) and not -_WIDE <= value < _WIDE:
        return str(value)
    if value is None or isinstance(value, bool | int | str | bytes):
        return value
    if is_dataclass(value):
        named = {each.name: _plain(getattr(value, each.name)) for each in fields(value) if each.init}
        return {_TAG: type(value).__name__, **named}
    if isinstance(value, Mapping):
        return [[_plain(key), _plain(each)] for key, each in value.items()]
    if isinstance(value, Sequence | frozenset):
        return [_plain(each) for each in value]
    raise TypeError(f"{type(value).__name__} is not kept")


def _typed(hint: Any, value: Any) -> Any:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _member(get_args(hint), value)
    if origin is tuple or origin is frozenset or (isinstance(origin, type) and issubclass(origin, Sequence)):
        return _sequence(hint, origin, value)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        key, each = get_args(hint)
        pairs = (_list(pair) for pair in _list(value))
        return {_typed(key, pair[0]): _typed(each, pair[1]) for pair in pairs if _two(pair)}
    if is_dataclass(hint) and isinstance(hint, type):
        return _instance(hint, value)
    if isinstance(hint, type) and issubclass(hint, Enum):
        try:
            return hint(value)
        except ValueError:
            raise MalformedMessage(_WHAT, f"{str(value)[:40]!r} is no {hint.__name__}") from None
    return _scalar(hint, value)


def _scalar(hint: Any, value: Any) -> Any:
    if hint is int and isinstance(value, str) and len(value) <= 40 and value.removeprefix("-").isdecimal():
        return int(value)
    if hint is None or hint is type(None):
        wanted: type = type(None)
    elif hint in (int, str, bytes, bool):
        wanted = hint
    else:
        raise TypeError(f"{hint!r} is not kept")
    if type(value) is not wanted:
        raise MalformedMessage(_WHAT, f"{type(value).__name__} where {wanted.__name__} is expected")
    return value


def _member(members: tuple[Any, ...], value: Any) -> Any:
    """The member of a union that `value` is: by its tag if it is a dataclass, else the first that fits."""
    if isinstance(value, dict):
        for each in members:
            if is_dataclass(each) and isinstance(each, type) and each.__name__ == value.get(_TAG):
                return _instance(each, value)
        raise MalformedMessage(_WHAT, f"{str(value.get(_TAG))[:40]!r} is not among what may stand there")
    if value is None and type(None) in members:
        return None
    for each in members:
        try:
            return _typed(each, value)
        except MalformedMessage:
            continue
    raise MalformedMessage(_WHAT, f"{type(value).__name__} fits nothing that may stand there")


def _sequence(hint: Any, origin: Any, value: Any) -> Any:
    inner = get_args(hint)
    items = _list(value)
    if origin is frozenset:
        return frozenset(_typed(inner[0], each) for each in items)
    if origin is tuple and not (len(inner) == 2 and inner[1] is Ellipsis):
        if len(items) != len(inner):
            raise MalformedMessage(_WHAT, f"{len(items)} values where {len(inner)} are expected")
        return tuple(_typed(each, item) for each, item in zip(inner, items, strict=True))
    return tuple(_typed(inner[0], each) for each in items)


def _instance(cls: Any, value: Any) -> Any:
    if not isinstance(value, dict) or value.get(_TAG) != cls.__name__:
        raise MalformedMessage(_WHAT, f"is no {cls.__name__}")
    known = _fields(cls)
    given = {key: each for key, each in value.items() if key != _TAG}
    if unknown := [key for key in given if key not in known]:
        raise MalformedMessage(_WHAT, f"{cls.__name__} has no {str(unknown[0])[:40]!r}")
    missing = [name for name, (_, needed) in known.items() if needed and name not in given]
    if missing:
        raise MalformedMessage(_WHAT, f"{cls.__name__} lacks {missing[0]}")
    try:
        return cls(**{name: _typed(known[name][0], each) for name, each in given.items()})
    except InvalidArgument as error:
        raise MalformedMessage(_WHAT, f"{cls.__name__}: {error}") from None


@lru_cache(maxsize=256)
def _fields(cls: Any) -> Mapping[str, tuple[Any, bool]]:
    """Name → (type, whether it must be there)."""
    hints = get_type_hints(cls)
    return {each.name: (hints[each.name], _needed(each)) for each in fields(cls) if each.init}


def _needed(each: Field[Any]) -> bool:
    return each.default is MISSING and each.default_factory is MISSING


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise MalformedMessage(_WHAT, f"{type(value).__name__} where a list is expected")
    return value


def _two(pair: list[Any]) -> bool:
    if len(pair) != 2:
        raise MalformedMessage(_WHAT, "a pair is not two values")
    return True
