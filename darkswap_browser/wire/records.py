"""Records of the wire, the store, the configuration and drafts, declared once: keys, tags, limits.

`Row`, `Record` and `OneOf` say what a record is made of; `unpack`, `read_message` and `read_argument` read one and
raise the error that their callers declare. Keys and tags are texts of the declaration, never names of Python: a
renamed class or attribute changes no byte. Why this and no library: web/docs/decisions/record-codec.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import fields
from typing import Any, TypeVar

import msgpack

from darkswap_browser.errors import InvalidArgument, MalformedMessage
from darkswap_browser.errors.base import encodable
from darkswap_browser.wire.fields import MAX_SHOWN, Absent, Kind, Misfit, amount, shown
from darkswap_browser.wire.parsing import unpack_msgpack

TAG = ""
"""Key of a record's tag, where it has one."""

T = TypeVar("T")
A = TypeVar("A")


class Listed(Kind[tuple[T, ...]]):
    """`least` to `most` values of one kind."""

    def __init__(self, kind: Kind[T], most: int, least: int = 0) -> None:
        self._kind, self._most, self._least = kind, most, least

    def read(self, value: Any) -> tuple[T, ...]:
        if not isinstance(value, list | tuple):
            raise Misfit("is not a list")
        if not self._least <= len(value) <= self._most:
            raise Misfit(f"has {len(value)} entries, not {amount(self._least, self._most)}")
        found: list[T] = []
        try:
            for each in value:
                found.append(self._kind.read(each))
        except Misfit as misfit:
            raise misfit.within(f"[{len(found)}]") from None
        return tuple(found)

    def plain(self, value: tuple[T, ...]) -> list[Any]:
        return [self._kind.plain(each) for each in value]


class Converted(Kind[A]):
    """A value that is read by another kind and then made into something; `convert` may raise `InvalidArgument`."""

    def __init__(self, kind: Kind[T], convert: Callable[[T], A], back: Callable[[A], T]) -> None:
        self._kind: Kind[Any] = kind
        self._convert: Callable[[Any], A] = convert
        self._back = back

    def read(self, value: Any) -> A:
        found = self._kind.read(value)
        try:
            return self._convert(found)
        except (InvalidArgument, MalformedMessage) as error:
            raise Misfit(error.reason, error.hint) from None

    def plain(self, value: A) -> Any:
        return self._kind.plain(self._back(value))


class Row(Kind[T]):
    """A list of members in a fixed order. The last `optional` ones may be missing.

    Args:
        make: Called with the members.
        members_of: The other way round; fewer than are declared where the last are missing.
        members: (name, kind) of each. The names are for errors only.
    """

    def __init__(
        self,
        make: Callable[..., T],
        members_of: Callable[[T], tuple[Any, ...]],
        *members: tuple[str, Kind[Any]],
        optional: int = 0,
    ) -> None:
        self._make, self._members_of, self._members = make, members_of, members
        self._least = len(members) - optional

    def read(self, value: Any) -> T:
        if not isinstance(value, list | tuple) or not self._least <= len(value) <= len(self._members):
            raise Misfit(f"is not a list of {amount(self._least, len(self._members))}")
        found: list[Any] = []
        try:
            for (_, kind), each in zip(self._members, value, strict=False):
                found.append(kind.read(each))
        except Misfit as misfit:
            raise misfit.within(f".{self._members[len(found)][0]}") from None
        return _made(self._make, found, {})

    def plain(self, value: T) -> list[Any]:
        return [kind.plain(each) for (_, kind), each in zip(self._members, self._members_of(value), strict=False)]


class Record(Kind[T]):
    """A map of a dataclass's fields.

    Args:
        make: The dataclass.
        members: (key, kind) of each of its fields, in the order of the class. The attributes' names do not matter.
        tag: Written under the key "", and demanded; None: without.
        fixed: Further members that are always the same, as a version, and demanded.
        unknown: Why a key that is not declared is refused, e.g. "is not known"; None: such keys are ignored.
    """

    def __init__(
        self,
        make: type[T],
        *members: tuple[str, Kind[Any]],
        tag: str | None = None,
        fixed: Mapping[str, int] | None = None,
        unknown: str | None = None,
    ) -> None:
        attributes = [each.name for each in fields(make) if each.init]  # type: ignore[arg-type]  # any dataclass
        if len(attributes) != len(members):
            raise TypeError(f"{make.__name__} has {len(attributes)} fields and {len(members)} keys")
        self.make = make
        self.tag = tag
        self._members = tuple((key, name, kind) for name, (key, kind) in zip(attributes, members, strict=True))
        self._fixed: dict[str, object] = {**({} if tag is None else {TAG: tag}), **(fixed or {})}
        self._keys = {key for key, _ in members} | self._fixed.keys()
        self._unknown = unknown

    def read(self, value: Any) -> T:
        if not isinstance(value, Mapping):
            raise Misfit("is not an object")
        for key, wanted in self._fixed.items():
            if type(value.get(key)) is not type(wanted) or value[key] != wanted:
                raise Misfit(f"is not {wanted}", path=f".{key}" if key else "")
        if self._unknown is not None:
            _refuse_unknown(value, self._keys, [key for key, _, _ in self._members], self._unknown)
        found: dict[str, Any] = {}
        key = ""
        try:
            for key, name, kind in self._members:
                if key in value:
                    found[name] = kind.read(value[key])
                elif isinstance(kind, Absent):
                    found[name] = kind.default
                else:
                    raise Misfit("is missing")
        except Misfit as misfit:
            raise misfit.within(f".{key}") from None
        return _made(self.make, (), found)

    def plain(self, value: T) -> dict[str, Any]:
        return {**self._fixed, **{key: kind.plain(getattr(value, name)) for key, name, kind in self._members}}


class Settings(Kind[dict[str, Any]]):
    """What somebody sets of a known list. Members that are missing or None are left out.

    Args:
        members: Key and kind of each that may be set.
        unknown: Why another one is refused.
    """

    def __init__(self, members: Mapping[str, Kind[Any]], unknown: str) -> None:
        self._members, self._unknown = members, unknown

    def read(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise Misfit(f"is not an object but {type(value).__name__}")
        _refuse_unknown(value, self._members.keys(), list(self._members), self._unknown)
        found: dict[str, Any] = {}
        key = ""
        try:
            for key, each in value.items():
                if each is not None:
                    found[key] = self._members[key].read(each)
        except Misfit as misfit:
            raise misfit.within(f".{key}") from None
        return found


class OneOf(Kind[T]):
    """One of several tagged records."""

    def __init__(self, *records: Record[Any]) -> None:
        self._by_tag = {record.tag: record for record in records}
        self._by_class: dict[type, Record[Any]] = {record.make: record for record in records}
        if None in self._by_tag or len(self._by_tag) != len(records):
            raise TypeError("each of several records needs a tag of its own")

    def read(self, value: Any) -> T:
        tag = value.get(TAG) if isinstance(value, Mapping) else None
        record = self._by_tag.get(tag) if isinstance(tag, str) else None
        if record is None:
            raise Misfit(f"{shown(tag)} is not among what may stand there")
        found: T = record.read(value)
        return found

    def plain(self, value: T) -> Any:
        return self._by_class[type(value)].plain(value)


def _refuse_unknown(value: Mapping[Any, Any], keys: Set[str], known: Sequence[str], reason: str) -> None:
    if strange := value.keys() - keys:
        name = min(encodable(each[:MAX_SHOWN]) if isinstance(each, str) else shown(each) for each in strange)
        raise Misfit(reason, f"Known here: {', '.join(known)}.", f".{name}")


def _made(make: Callable[..., T], members: Any, named: Mapping[str, Any]) -> T:
    try:
        return make(*members, **named)
    except InvalidArgument as error:
        raise Misfit(f"{error.path} {error.reason}", error.hint) from None


def pack(kind: Kind[T], value: T) -> bytes:
    return bytes(msgpack.packb(kind.plain(value)))


def unpack(kind: Kind[T], what: str, data: bytes, *, max_size: int, max_depth: int, **options: Any) -> T:
    """Decode one record of msgpack.

    Args:
        what: Names the record in errors.
        max_size: Bytes.
        max_depth: Arrays and maps that may stand within each other.
        options: Handed to `msgpack.unpackb`.
    Raises:
        MalformedMessage: It is too large, not msgpack, nested too deep, or not of this kind.
    """
    if len(data) > max_size:
        raise MalformedMessage(what, f"has {len(data)} bytes; at most {max_size} are read")
    return read_message(kind, what, unpack_msgpack(what, data, max_depth, strict_map_key=False, **options))


def read_message(kind: Kind[T], what: str, value: Any) -> T:
    """Read a parsed value of a peer, a server or the store. Raises `MalformedMessage`."""
    try:
        return kind.read(value)
    except Misfit as misfit:
        raise MalformedMessage(what, str(misfit)) from None


def read_argument(kind: Kind[T], path: str, value: Any) -> T:
    """Read a value of the application or the user.

    Raises:
        InvalidArgument: Its `path` begins with this one and leads to what is wrong, its hint says what would be right.
    """
    try:
        return kind.read(value)
    except Misfit as misfit:
        raise InvalidArgument((path + misfit.path).lstrip("."), misfit.reason, misfit.hint) from None
