"""One value, its bytes in `tests/vectors/golden`, and how to come from one to the other."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "vectors" / "golden"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`decode` is None where we only write: bytes to sign, requests to servers.

    `data`: the bytes that the present code makes of `value`. `encode` and `decode` are each other's inverse.
    """

    name: str
    value: Any
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any] | None = None

    @property
    def data(self) -> bytes:
        return self.encode(self.value)


def kinds_in(value: object) -> set[type]:
    """The classes of a value and of everything in it."""
    if is_dataclass(value) and not isinstance(value, type):
        return {type(value)}.union(*(kinds_in(getattr(value, each.name)) for each in fields(value)))
    if isinstance(value, list | tuple | set | frozenset):
        return set().union(*map(kinds_in, value))
    if isinstance(value, Mapping):
        return set().union(*(kinds_in(each) for pair in value.items() for each in pair))
    return {type(value)}


def kept(area: str) -> dict[str, bytes]:
    return {name: bytes.fromhex(text) for name, text in json.loads((FOLDER / f"{area}.json").read_text()).items()}


def keep(area: str, cases: list[Case]) -> None:
    made = {case.name: case.data.hex() for case in cases}
    assert len(made) == len(cases), "two cases of one name"
    (FOLDER / f"{area}.json").write_text(json.dumps(made, indent=1) + "\n")
