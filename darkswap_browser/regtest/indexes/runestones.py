"""Runestones read by a table, from ord's rules: the second opinion on what the trade writes.

Written apart from `bitcoin/runes`, and not to be joined with it: a mistake made in one place must show in the other.
A malformed runestone is a value with its `flaw`, for the rules give it a meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from darkswap_browser.bitcoin.transaction import Transaction

U32, U64, U128 = 2**32 - 1, 2**64 - 1, 2**128 - 1
MAX_DIVISIBILITY = 38
MAX_SPACERS = 0x07FFFFFF
FLAGS, POINTER, PROTOCOL = 2, 22, 16383
RuneId = tuple[int, int]
Edict = tuple[int, int, int, int]
"""Block and tx of the id, amount, output."""


class TruncatedScript(Exception):
    """A script or a list of integers ends in the middle."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Bounds of heights and of offsets from the etching are (first, first no more); None: without."""

    amount: int | None
    cap: int | None
    height: tuple[int | None, int | None]
    offset: tuple[int | None, int | None]


@dataclass(frozen=True, slots=True)
class Etching:
    """`rune`: the name as a number, None for the reserved one."""

    rune: int | None
    divisibility: int
    spacers: int
    symbol: str | None
    premine: int
    terms: Terms | None
    turbo: bool


@dataclass(frozen=True, slots=True)
class ParsedRunestone:
    """What a transaction says to the runes index. With a `flaw` it is a cenotaph: edicts and pointer mean nothing."""

    flaw: str | None = None
    edicts: tuple[Edict, ...] = ()
    etching: Etching | None = None
    mint: RuneId | None = None
    pointer: int | None = None
    protocol: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Field:
    """A tag: how many values it takes, the flags it needs, and what it makes of them; None leaves them untaken."""

    name: str
    tag: int
    most: int
    flags: int = 0
    width: int = 1
    make: Callable[[list[int]], Any] = field(default=lambda values: values[0])


ETCHING, TERMS, TURBO = 1, 2, 4


def _character(values: list[int]) -> str | None:
    return None if 0xD800 <= values[0] <= 0xDFFF else chr(values[0])


def _mint(values: list[int]) -> RuneId | None:
    return _valid_id(values[0], values[1])


def _valid_id(block: int, tx: int) -> RuneId | None:
    return None if block > U64 or tx > U32 or (block == 0 and tx > 0) else (block, tx)


FIELDS = (
    _Field("divisibility", 1, MAX_DIVISIBILITY, ETCHING),
    _Field("spacers", 3, MAX_SPACERS, ETCHING),
    _Field("rune", 4, U128, ETCHING),
    _Field("symbol", 5, 0x10FFFF, ETCHING, make=_character),
    _Field("premine", 6, U128, ETCHING),
    _Field("cap", 8, U128, ETCHING | TERMS),
    _Field("amount", 10, U128, ETCHING | TERMS),
    _Field("height_start", 12, U64, ETCHING | TERMS),
    _Field("height_end", 14, U64, ETCHING | TERMS),
    _Field("offset_start", 16, U64, ETCHING | TERMS),
    _Field("offset_end", 18, U64, ETCHING | TERMS),
    _Field("mint", 20, U128, width=2, make=_mint),
    _Field("pointer", POINTER, U32),
)


def instructions(script: bytes) -> Iterator[tuple[int, bytes]]:
    """(opcode, what it pushes). Raises `TruncatedScript` where a push runs past the end."""
    at = 0
    while at < len(script):
        opcode = script[at]
        at += 1
        size = opcode if opcode < 0x4C else 0
        if 0x4C <= opcode <= 0x4E:
            width = 1 << (opcode - 0x4C)
            if at + width > len(script):
                raise TruncatedScript
            size = int.from_bytes(script[at : at + width], "little")
            at += width
        if at + size > len(script):
            raise TruncatedScript
        yield opcode, script[at : at + size]
        at += size


def integers(data: bytes) -> list[int]:
    """LEB128, each of at most 128 bits. Raises `TruncatedScript`."""
    found, value, at = [], 0, 0
    for byte in data:
        if at > 18 or (at == 18 and byte & 0x7C):
            raise TruncatedScript
        value |= (byte & 0x7F) << (7 * at)
        at += 1
        if not byte & 0x80:
            found.append(value)
            value, at = 0, 0
    if at:
        raise TruncatedScript
    return found


def leb128(value: int) -> bytes:
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*data, value])


def decipher(transaction: Transaction) -> ParsedRunestone | None:
    """The runestone of the first output that carries one."""
    script = next((each.script for each in transaction.outputs if each.script[:2] == b"\x6a\x5d"), None)
    if script is None:
        return None
    try:
        parts = list(instructions(script[2:]))
    except TruncatedScript:
        # An opcode that is no push stands before the cut just as often; ord stops at whichever comes first.
        return ParsedRunestone(flaw=_first_flaw(script[2:]))
    if any(opcode > 0x4E for opcode, _ in parts):
        return ParsedRunestone(flaw="opcode")
    try:
        numbers = integers(b"".join(data for _, data in parts))
    except TruncatedScript:
        return ParsedRunestone(flaw="varint")
    return _read(numbers, len(transaction.outputs))


def _first_flaw(script: bytes) -> str:
    try:
        for opcode, _ in instructions(script):
            if opcode > 0x4E:
                return "opcode"
    except TruncatedScript:
        pass
    return "invalid-script"


def _read(numbers: Sequence[int], outputs: int) -> ParsedRunestone:
    values: dict[int, list[int]] = {}
    edicts: tuple[Edict, ...] = ()
    flaw = None
    for at in range(0, len(numbers), 2):
        tag = numbers[at]
        if tag == 0:
            edicts, flaw = _edicts(numbers[at + 1 :], outputs)
            break
        if at + 1 == len(numbers):
            flaw = "truncated-field"
            break
        values.setdefault(tag, []).append(numbers[at + 1])
    protocol = tuple(values.pop(PROTOCOL, ()))
    flags = (values.get(FLAGS) or [0])[0]
    if FLAGS in values:
        values[FLAGS].pop(0)
    taken = _take(values, flags, outputs)
    etching = _etching(taken, flags) if flags & ETCHING else None
    known = ETCHING | TERMS | TURBO if etching else 0
    if flaw is None and etching and _supply(etching) > U128:
        flaw = "supply-overflow"
    if flaw is None and flags & ~known:
        flaw = "unrecognized-flag"
    if flaw is None and any(rest and tag % 2 == 0 for tag, rest in values.items()):
        flaw = "unrecognized-even-tag"
    return ParsedRunestone(flaw, edicts, etching, taken.get("mint"), taken.get("pointer"), protocol)


def _edicts(body: Sequence[int], outputs: int) -> tuple[tuple[Edict, ...], str | None]:
    edicts: list[Edict] = []
    block = tx = 0
    for at in range(0, len(body), 4):
        if at + 4 > len(body):
            return tuple(edicts), "trailing-integers"
        step, tx_step, amount, output = body[at : at + 4]
        identity = _valid_id(block + step, tx_step + (tx if step == 0 else 0))
        if identity is None:
            return tuple(edicts), "edict-rune-id"
        if output > outputs:
            return tuple(edicts), "edict-output"
        block, tx = identity
        edicts.append((block, tx, amount, output))
    return tuple(edicts), None


def _take(values: dict[int, list[int]], flags: int, outputs: int) -> dict[str, Any]:
    """Takes what the table knows out of `values`; what stays behind was not understood."""
    taken: dict[str, Any] = {}
    for each in FIELDS:
        found = values.get(each.tag, [])[: each.width]
        if len(found) < each.width or flags & each.flags != each.flags or any(value > each.most for value in found):
            continue
        made = each.make(found)
        if made is None or (each.name == "pointer" and made >= outputs):
            continue
        taken[each.name] = made
        del values[each.tag][: each.width]
    return taken


def _etching(taken: dict[str, Any], flags: int) -> Etching:
    terms = None
    if flags & TERMS:
        height = taken.get("height_start"), taken.get("height_end")
        terms = Terms(
            taken.get("amount"), taken.get("cap"), height, (taken.get("offset_start"), taken.get("offset_end"))
        )
    divisibility, spacers, premine = (taken.get(name, 0) for name in ("divisibility", "spacers", "premine"))
    symbol = taken.get("symbol")
    return Etching(taken.get("rune"), divisibility, spacers, symbol, premine, terms, bool(flags & TURBO))


def _supply(etching: Etching) -> int:
    minted = (etching.terms.cap or 0) * (etching.terms.amount or 0) if etching.terms else 0
    return etching.premine + minted


def write(fields: Sequence[tuple[int, int]], edicts: Sequence[Edict] = ()) -> bytes:
    """The script of a runestone: for the faucet's own transactions."""
    numbers = [number for pair in fields for number in pair]
    block = tx = 0
    if edicts:
        numbers.append(0)
    for each in sorted(edicts, key=lambda edict: edict[:2]):
        numbers += [each[0] - block, each[1] - (tx if each[0] == block else 0), each[2], each[3]]
        block, tx = each[:2]
    data = b"".join(map(leb128, numbers))
    head = bytes([len(data)]) if len(data) < 0x4C else bytes([0x4C, len(data)])
    return b"\x6a\x5d" + head + data
