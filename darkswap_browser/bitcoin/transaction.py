"""Transactions: bytes ⇄ frozen values, ids, sizes (BIP141, BIP144). Every decoder raises `MalformedMessage` only."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256

from darkswap_browser.errors import InvalidArgument, MalformedMessage

MAX_TRANSACTION = 4_000_000
"""Bytes: a block's weight limit, which no transaction can pass."""
MAX_SATS = 21_000_000 * 100_000_000
WITNESS_FLAG = b"\x00\x01"


def double_sha256(data: bytes) -> bytes:
    return sha256(sha256(data).digest()).digest()


def compact_size(value: int) -> bytes:
    """Bitcoin's variable-length integer."""
    if value < 0xFD:
        return bytes([value])
    for prefix, size in ((b"\xfd", 2), (b"\xfe", 4), (b"\xff", 8)):
        if value < 1 << (8 * size):
            return prefix + value.to_bytes(size, "little")
    raise ValueError(f"{value} has more than 64 bits")


class Reader:
    """Bytes from the front; whatever goes wrong is a `MalformedMessage` about `what`."""

    __slots__ = ("_at", "_data", "_what")

    def __init__(self, data: bytes, what: str) -> None:
        self._data = data
        self._at = 0
        self._what = what

    @property
    def remaining(self) -> int:
        return len(self._data) - self._at

    def fail(self, reason: str) -> MalformedMessage:
        return MalformedMessage(self._what, reason)

    def take(self, count: int) -> bytes:
        if count > self.remaining:
            raise self.fail(f"ends {count - self.remaining} bytes early")
        self._at += count
        return self._data[self._at - count : self._at]

    def integer(self, size: int) -> int:
        """Unsigned, little-endian, of `size` bytes."""
        return int.from_bytes(self.take(size), "little")

    def compact_size(self) -> int:
        """Canonical encodings only, as Bitcoin Core reads them."""
        first = self.integer(1)
        if first < 0xFD:
            return first
        size = {0xFD: 2, 0xFE: 4, 0xFF: 8}[first]
        value = self.integer(size)
        if value < {2: 0xFD, 4: 1 << 16, 8: 1 << 32}[size]:
            raise self.fail("a length is not written in its shortest form")
        return value

    def sized(self) -> bytes:
        """Bytes behind their length."""
        return self.take(self.compact_size())

    def count(self, least_bytes: int) -> int:
        """A number of items of at least `least_bytes` each, so that it is refused before anything is allocated."""
        value = self.compact_size()
        if value * least_bytes > self.remaining:
            raise self.fail(f"announces {value} items and ends before them")
        return value

    def end(self) -> None:
        if self.remaining:
            raise self.fail(f"has {self.remaining} bytes after its end")


@dataclass(frozen=True, slots=True, order=True)
class OutPoint:
    """`txid` in display order, 64 lower-case hex digits. Text: `txid:vout`."""

    txid: str
    vout: int

    @classmethod
    def parse(cls, text: str, path: str = "outpoint") -> OutPoint:
        txid, _, vout = text.partition(":")
        if len(txid) != 64 or set(txid) - set("0123456789abcdef") or not (vout.isascii() and vout.isdigit()):
            raise InvalidArgument(path, f"{text[:80]!r} is not a txid:vout")
        if len(vout) > 10 or int(vout) > 0xFFFFFFFF:
            raise InvalidArgument(path, "has an output number of more than 32 bits")
        return cls(txid, int(vout))

    def serialize(self) -> bytes:
        return bytes.fromhex(self.txid)[::-1] + self.vout.to_bytes(4, "little")

    @classmethod
    def read(cls, reader: Reader) -> OutPoint:
        return cls(reader.take(32)[::-1].hex(), reader.integer(4))

    def __str__(self) -> str:
        return f"{self.txid}:{self.vout}"


@dataclass(frozen=True, slots=True)
class TxInput:
    outpoint: OutPoint
    sequence: int = 0xFFFFFFFD
    script_sig: bytes = b""
    witness: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class TxOutput:
    sats: int
    script: bytes

    def serialize(self) -> bytes:
        return self.sats.to_bytes(8, "little") + compact_size(len(self.script)) + self.script

    @classmethod
    def read(cls, reader: Reader) -> TxOutput:
        sats = reader.integer(8)
        if sats > MAX_SATS:
            raise reader.fail("an output holds more than there is")
        return cls(sats, reader.sized())


@dataclass(frozen=True, slots=True)
class Transaction:
    inputs: tuple[TxInput, ...]
    outputs: tuple[TxOutput, ...]
    version: int = 2
    locktime: int = 0

    @classmethod
    def parse(cls, data: bytes, what: str = "transaction") -> Transaction:
        """The whole of `data`, with or without witnesses. A transaction without inputs is refused."""
        if len(data) > MAX_TRANSACTION:
            raise MalformedMessage(what, f"has {len(data)} bytes; at most {MAX_TRANSACTION} are possible")
        reader = Reader(data, what)
        version = reader.integer(4)
        segwit = data[4:6] == WITNESS_FLAG
        if segwit:
            reader.take(2)
        inputs = [_read_input(reader) for _ in range(reader.count(41))]
        if not inputs:
            raise reader.fail("has no inputs")
        outputs = tuple(TxOutput.read(reader) for _ in range(reader.count(9)))
        if segwit:
            inputs = [replace(each, witness=_read_witness(reader)) for each in inputs]
            if not any(each.witness for each in inputs):
                raise reader.fail("carries the mark of witnesses and none")
        locktime = reader.integer(4)
        reader.end()
        return cls(tuple(inputs), outputs, version, locktime)

    def serialize(self, *, witness: bool = True) -> bytes:
        """`witness=False`: the bytes that the txid is the hash of."""
        with_witness = witness and any(each.witness for each in self.inputs)
        parts = [self.version.to_bytes(4, "little"), WITNESS_FLAG if with_witness else b""]
        parts.append(compact_size(len(self.inputs)))
        for each in self.inputs:
            parts += [each.outpoint.serialize(), compact_size(len(each.script_sig)), each.script_sig]
            parts.append(each.sequence.to_bytes(4, "little"))
        parts.append(compact_size(len(self.outputs)))
        parts += [output.serialize() for output in self.outputs]
        if with_witness:
            for each in self.inputs:
                parts.append(serialize_witness(each.witness))
        parts.append(self.locktime.to_bytes(4, "little"))
        return b"".join(parts)

    @property
    def txid(self) -> str:
        """Display order."""
        return double_sha256(self.serialize(witness=False))[::-1].hex()

    @property
    def wtxid(self) -> str:
        return double_sha256(self.serialize())[::-1].hex()

    @property
    def weight(self) -> int:
        """BIP141 weight units."""
        return 3 * len(self.serialize(witness=False)) + len(self.serialize())

    @property
    def vsize(self) -> int:
        """Virtual bytes, rounded up."""
        return -(-self.weight // 4)

    @property
    def unsigned(self) -> Transaction:
        """Without scriptSigs and witnesses: what a PSBT holds."""
        return replace(self, inputs=tuple(TxInput(each.outpoint, each.sequence) for each in self.inputs))


def serialize_witness(items: tuple[bytes, ...]) -> bytes:
    return compact_size(len(items)) + b"".join(compact_size(len(item)) + item for item in items)


def parse_witness(data: bytes) -> tuple[bytes, ...]:
    """A witness stack alone, as BIP322 "simple" and PSBT_IN_FINAL_SCRIPTWITNESS carry it."""
    reader = Reader(data, "witness")
    items = _read_witness(reader)
    reader.end()
    return items


def _read_input(reader: Reader) -> TxInput:
    outpoint = OutPoint.read(reader)
    script_sig = reader.sized()
    return TxInput(outpoint, reader.integer(4), script_sig)


def _read_witness(reader: Reader) -> tuple[bytes, ...]:
    return tuple(reader.sized() for _ in range(reader.count(1)))
