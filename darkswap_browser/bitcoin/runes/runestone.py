"""Runestones: what a transaction says about runes, read and written exactly as ord does (crates/ordinals).

A malformed runestone is no error but a `Cenotaph`, which has a meaning: every rune of the transaction's inputs is
burned. Decoding never raises.
"""

from __future__ import annotations

from dataclasses import dataclass

from darkswap_browser.bitcoin.runes.ids import MAX_U32, MAX_U64, MAX_U128, Edict, RuneId, read_varints, write_varint
from darkswap_browser.bitcoin.runes.message import MAGIC, Message, parse, payload
from darkswap_browser.bitcoin.runes.tags import Flag, Flaw, Tag
from darkswap_browser.bitcoin.script import push_data
from darkswap_browser.bitcoin.transaction import Transaction

MAX_DIVISIBILITY = 38
MAX_SPACERS = 0x07FFFFFF
MAX_SYMBOL = 0x10FFFF
SURROGATES = range(0xD800, 0xE000)
MAX_PUSH = 520


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
        pieces = [bytes(data[at : at + MAX_PUSH]) for at in range(0, len(data), MAX_PUSH)]
        return MAGIC + b"".join(push_data(piece) for piece in pieces)


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
    return _interpret(parse(integers, len(tx.outputs)), len(tx.outputs))


def _interpret(message: Message, outputs: int) -> Runestone | Cenotaph:
    flags = message.take(Tag.FLAGS, MAX_U128) or 0
    etching, flags = _take_etching(message, flags)
    pair = message.take_pair(Tag.MINT, (MAX_U64, MAX_U32))
    mint = RuneId(*pair) if pair is not None and (pair[0] or not pair[1]) else None
    if pair is not None and mint is None:
        # Block 0 holds no rune but 0:0: the pair stays untaken, as an even tag.
        message.fields.setdefault(Tag.MINT, [])[:0] = list(pair)
    pointer = message.take(Tag.POINTER, min(MAX_U32, outputs - 1))
    protocol = tuple(message.fields.get(Tag.PROTOCOL, ()))
    flaw = message.flaw
    if etching is not None and etching.supply is None:
        flaw = flaw or Flaw.SUPPLY_OVERFLOW
    if flags:
        flaw = flaw or Flaw.UNRECOGNIZED_FLAG
    if any(tag % 2 == 0 for tag in message.fields):
        flaw = flaw or Flaw.UNRECOGNIZED_EVEN_TAG
    if flaw is not None:
        return Cenotaph(flaw, mint, etching.rune if etching is not None else None)
    return Runestone(edicts=tuple(message.edicts), etching=etching, mint=mint, pointer=pointer, protocol=protocol)


def _take_etching(message: Message, flags: int) -> tuple[Etching | None, int]:
    """Etching fields count only with the flag, terms only with both; flags that are understood are cleared."""
    if not flags >> Flag.ETCHING & 1:
        return None, flags
    flags &= ~(1 << Flag.ETCHING)
    divisibility = message.take(Tag.DIVISIBILITY, MAX_DIVISIBILITY)
    premine = message.take(Tag.PREMINE, MAX_U128)
    rune = message.take(Tag.RUNE, MAX_U128)
    spacers = message.take(Tag.SPACERS, MAX_SPACERS)
    symbol = message.fields.get(Tag.SYMBOL, [MAX_U128])[0]
    is_scalar = symbol <= MAX_SYMBOL and symbol not in SURROGATES
    if is_scalar:
        message.take(Tag.SYMBOL, MAX_SYMBOL)
    terms = None
    if flags >> Flag.TERMS & 1:
        flags &= ~(1 << Flag.TERMS)
        terms = MintTerms(
            cap=message.take(Tag.CAP, MAX_U128),
            height=(message.take(Tag.HEIGHT_START, MAX_U64), message.take(Tag.HEIGHT_END, MAX_U64)),
            amount=message.take(Tag.AMOUNT, MAX_U128),
            offset=(message.take(Tag.OFFSET_START, MAX_U64), message.take(Tag.OFFSET_END, MAX_U64)),
        )
    turbo = bool(flags >> Flag.TURBO & 1)
    flags &= ~(1 << Flag.TURBO)
    return (
        Etching(
            divisibility=divisibility,
            premine=premine,
            rune=rune,
            spacers=spacers,
            symbol=chr(symbol) if is_scalar else None,
            terms=terms,
            turbo=turbo,
        ),
        flags,
    )


def _etching_fields(etching: Etching) -> list[tuple[int, int]]:
    terms = etching.terms
    flags = 1 << Flag.ETCHING | (terms is not None) << Flag.TERMS | etching.turbo << Flag.TURBO
    fields: list[tuple[Tag, int | None]] = [
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
