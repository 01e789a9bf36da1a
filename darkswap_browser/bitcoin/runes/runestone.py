"""Runestones: what a transaction says about runes, read and written exactly as ord does (crates/ordinals).

A malformed runestone is no error but a `Cenotaph`, which has a meaning: every rune of the transaction's inputs is
burned. Decoding never raises.
"""

from __future__ import annotations

from dataclasses import dataclass

from darkswap_browser.bitcoin.runes.ids import MAX_U64, MAX_U128, Edict, RuneId, read_varints, write_varint
from darkswap_browser.bitcoin.runes.message import MAGIC, RunestoneFields, payload
from darkswap_browser.bitcoin.runes.tags import Flag, Flaw, Tag
from darkswap_browser.bitcoin.script import push_data
from darkswap_browser.bitcoin.transaction import Transaction

MAX_DIVISIBILITY = 38
MAX_SPACERS = 0x07FFFFFF
"""A spacer after each letter but the last of the longest name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MintTerms:
    """When anybody may mint, and how much at once. Heights absolute, offsets from the etching."""

    amount: int | None = None
    cap: int | None = None
    height: tuple[int | None, int | None] = (None, None)
    offset: tuple[int | None, int | None] = (None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Etching:
    """A rune made by this very transaction. `rune` is the name's number (see `names`)."""

    divisibility: int | None = None
    premine: int | None = None
    rune: int | None = None
    spacers: int | None = None
    symbol: str | None = None
    terms: MintTerms | None = None
    turbo: bool = False

    @property
    def supply(self) -> int | None:
        """The most there can ever be; None beyond 128 bits."""
        terms = self.terms or MintTerms()
        total = (self.premine or 0) + (terms.cap or 0) * (terms.amount or 0)
        return total if total <= MAX_U128 else None


@dataclass(frozen=True, slots=True)
class Cenotaph:
    """`mint` still counts against the cap, and `etching` (the name) is still taken, with nothing behind it."""

    flaw: Flaw
    mint: RuneId | None = None
    etching: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Runestone:
    edicts: tuple[Edict, ...] = ()
    etching: Etching | None = None
    mint: RuneId | None = None
    pointer: int | None = None
    """Output for what no edict gives away; None: the first that is no OP_RETURN."""
    protocol: tuple[int, ...] = ()
    """Values of the PROTOCOL field: protostones in pieces (`bitcoin.alkanes.protostone`)."""

    def encipher(self) -> bytes:
        """The scriptPubKey, in ord's order of fields."""
        out: list[tuple[int, int]] = []
        if self.etching is not None:
            out += _etching_fields(self.etching)
        if self.mint is not None:
            out += [(Tag.MINT, self.mint.block), (Tag.MINT, self.mint.tx)]
        if self.pointer is not None:
            out.append((Tag.POINTER, self.pointer))
        out += [(Tag.PROTOCOL, value) for value in self.protocol]
        data = bytearray()
        for tag, value in out:
            data += write_varint(tag) + write_varint(value)
        if self.edicts:
            data += write_varint(Tag.BODY)
            previous = RuneId(0, 0)
            for edict in sorted(self.edicts, key=lambda each: each.id):
                block = edict.id.block - previous.block
                tx = edict.id.tx if block else edict.id.tx - previous.tx
                data += b"".join(map(write_varint, (block, tx, edict.amount, edict.output)))
                previous = edict.id
        return MAGIC + push_data(bytes(data)) if data else MAGIC


def decipher(tx: Transaction) -> Runestone | Cenotaph | None:
    """The runestone of a transaction; None when it has none."""
    data = payload(tx)
    if data is None:
        return None
    if isinstance(data, Flaw):
        return Cenotaph(data)
    integers = read_varints(data)
    if integers is None:
        return Cenotaph(Flaw.VARINT)
    outputs = len(tx.outputs)
    message = RunestoneFields(integers, outputs)
    fields = message.fields
    flags = message.take(Tag.FLAGS, _any) or 0
    etching = None
    if flags:
        etching, flags = _take_etching(message, flags)
    mint = message.take_id(Tag.MINT)
    pointer = message.take(Tag.POINTER, lambda value: value < outputs)
    flaw = message.flaw
    if flaw is None and etching is not None and etching.supply is None:
        flaw = Flaw.SUPPLY_OVERFLOW
    if flaw is None and flags:
        flaw = Flaw.UNRECOGNIZED_FLAG
    if flaw is None and fields and any(not tag & 1 for tag in fields):
        flaw = Flaw.UNRECOGNIZED_EVEN_TAG
    if flaw is not None:
        return Cenotaph(flaw, mint, etching.rune if etching is not None else None)
    return Runestone(
        edicts=tuple(message.edicts),
        etching=etching,
        mint=mint,
        pointer=pointer,
        protocol=tuple(fields[Tag.PROTOCOL]) if Tag.PROTOCOL in fields else (),
    )


def _take_etching(message: RunestoneFields, flags: int) -> tuple[Etching | None, int]:
    """Etching fields count only with the flag, terms only with both; flags that are understood are cleared."""
    if not flags >> Flag.ETCHING & 1:
        return None, flags
    symbol = message.take(Tag.SYMBOL, _is_character)
    etching = Etching(
        divisibility=message.take(Tag.DIVISIBILITY, lambda value: value <= MAX_DIVISIBILITY),
        premine=message.take(Tag.PREMINE, _any),
        rune=message.take(Tag.RUNE, _any),
        spacers=message.take(Tag.SPACERS, lambda value: value <= MAX_SPACERS),
        symbol=None if symbol is None else chr(symbol),
        terms=_take_terms(message) if flags >> Flag.TERMS & 1 else None,
        turbo=bool(flags >> Flag.TURBO & 1),
    )
    return etching, flags & ~(1 << Flag.ETCHING | 1 << Flag.TERMS | 1 << Flag.TURBO)


def _take_terms(message: RunestoneFields) -> MintTerms:
    return MintTerms(
        amount=message.take(Tag.AMOUNT, _any),
        cap=message.take(Tag.CAP, _any),
        height=(message.take(Tag.HEIGHT_START, _is_u64), message.take(Tag.HEIGHT_END, _is_u64)),
        offset=(message.take(Tag.OFFSET_START, _is_u64), message.take(Tag.OFFSET_END, _is_u64)),
    )


def _any(value: int) -> bool:
    return True


def _is_u64(value: int) -> bool:
    return value <= MAX_U64


def _is_character(value: int) -> bool:
    """A Unicode scalar value: no surrogate."""
    return value < 0xD800 or 0xE000 <= value <= 0x10FFFF


def _etching_fields(etching: Etching) -> list[tuple[int, int]]:
    terms = etching.terms
    flags = 1 << Flag.ETCHING | (terms is not None) << Flag.TERMS | etching.turbo << Flag.TURBO
    fields: list[tuple[int, int | None]] = [
        (Tag.FLAGS, flags),
        (Tag.RUNE, etching.rune),
        (Tag.DIVISIBILITY, etching.divisibility),
        (Tag.SPACERS, etching.spacers),
        (Tag.SYMBOL, None if etching.symbol is None else ord(etching.symbol)),
        (Tag.PREMINE, etching.premine),
    ]
    if terms is not None:
        fields += [
            (Tag.AMOUNT, terms.amount),
            (Tag.CAP, terms.cap),
            (Tag.HEIGHT_START, terms.height[0]),
            (Tag.HEIGHT_END, terms.height[1]),
            (Tag.OFFSET_START, terms.offset[0]),
            (Tag.OFFSET_END, terms.offset[1]),
        ]
    return [(tag, value) for tag, value in fields if value is not None]
