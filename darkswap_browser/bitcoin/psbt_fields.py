"""The fields of a PSBT: one table a map (BIP174, BIP371), with how long their keys are and what their values say."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from darkswap_browser.bitcoin.transaction import Reader, Transaction, TxOutput, compact_size, parse_witness
from darkswap_browser.errors import MalformedMessage

T = TypeVar("T")
WHAT = "psbt"


def malformed(reason: str) -> MalformedMessage:
    return MalformedMessage(WHAT, reason)


@dataclass(frozen=True, slots=True)
class Field(Generic[T]):
    """`key_sizes`: bytes that may follow the type in the key. `decode` raises `MalformedMessage`."""

    kind: int
    name: str
    decode: Callable[[bytes], T]
    key_sizes: Iterable[int] = (0,)

    def key(self, data: bytes = b"") -> bytes:
        return compact_size(self.kind) + data


@dataclass(frozen=True, slots=True)
class PsbtMap:
    """Keys (type and data) and values as they were read, unknown ones among them; keys are unique."""

    pairs: tuple[tuple[bytes, bytes], ...] = ()

    def get(self, field: Field[T]) -> T | None:
        """The value of a field that has no key data."""
        return self.all(field).get(b"")

    def all(self, field: Field[T]) -> dict[bytes, T]:
        """Key data → value."""
        prefix = field.key()
        return {key[len(prefix) :]: field.decode(value) for key, value in self.pairs if key.startswith(prefix)}

    def serialize(self) -> bytes:
        sized = (compact_size(len(part)) + part for pair in self.pairs for part in pair)
        return b"".join(sized) + b"\x00"


def read_map(reader: Reader, table: dict[int, Field[Any]], later: dict[int, str]) -> PsbtMap:
    """One map, with every known field checked. `later` are version 2's, which version 0 must not hold."""
    pairs: dict[bytes, bytes] = {}
    while key := reader.sized():
        if key in pairs:
            raise malformed(f"has the key {key[:40].hex()} twice")
        value = reader.sized()
        inner = Reader(key, WHAT)
        kind = inner.compact_size()
        if kind in later:
            raise malformed(f"of version 0 has the field {later[kind]} of version 2")
        if (field := table.get(kind)) is not None:
            if inner.remaining not in field.key_sizes:
                raise malformed(f"has a key of {len(key)} bytes for {field.name}")
            field.decode(value)
        pairs[key] = value
    return PsbtMap(tuple(pairs.items()))


def _of_size(*sizes: int) -> Callable[[bytes], bytes]:
    def decode(value: bytes) -> bytes:
        if len(value) not in sizes:
            raise malformed(f"has a value of {len(value)} bytes instead of {' or '.join(map(str, sizes))}")
        return value

    return decode


def _anything(value: bytes) -> bytes:
    return value


def _integer(value: bytes) -> int:
    return int.from_bytes(_of_size(4)(value), "little")


def _transaction(value: bytes) -> Transaction:
    return Transaction.parse(value, WHAT)


def _output(value: bytes) -> TxOutput:
    reader = Reader(value, WHAT)
    output = TxOutput.read(reader)
    reader.end()
    return output


def _key_path(value: bytes) -> bytes:
    """A fingerprint and steps of four bytes each."""
    if not value or len(value) % 4:
        raise malformed(f"has a derivation path of {len(value)} bytes")
    return value


def _taproot_key_path(value: bytes) -> bytes:
    reader = Reader(value, WHAT)
    reader.take(32 * reader.count(32))
    _key_path(reader.take(reader.remaining))
    return value


def _leaf_script(value: bytes) -> bytes:
    if not value:
        raise malformed("has a leaf script without its version")
    return value


def _tree(value: bytes) -> bytes:
    """Leaves as depth (at most 128), version and script."""
    reader = Reader(value, WHAT)
    while reader.remaining:
        if reader.integer(1) > 128:
            raise malformed("has a script tree deeper than 128")
        if reader.integer(1) & 1:
            raise malformed("has a leaf of an odd version")
        reader.sized()
    if not value:
        raise malformed("has an empty script tree")
    return value


PUBLIC_KEY = (33, 65)
LEAF_CONTROL = range(33, 33 + 32 * 128 + 1, 32)

UNSIGNED = Field(0x00, "the unsigned transaction", _transaction)
VERSION = Field(0xFB, "the version", _integer)
NON_WITNESS_UTXO = Field(0x00, "the previous transaction", _transaction)
WITNESS_UTXO = Field(0x01, "the spent output", _output)
PARTIAL_SIGNATURE = Field(0x02, "a signature", _of_size(*range(9, 74)), PUBLIC_KEY)
SIGHASH_TYPE = Field(0x03, "the sighash type", _integer)
REDEEM_SCRIPT = Field(0x04, "the redeem script", _anything)
FINAL_SCRIPT_SIG = Field(0x07, "the final scriptSig", _anything)
FINAL_WITNESS = Field(0x08, "the final witness", parse_witness)
TAP_KEY_SIGNATURE = Field(0x13, "a taproot signature", _of_size(64, 65))
TAP_INTERNAL_KEY = Field(0x17, "the internal key", _of_size(32))


def _table(*fields: Field[Any]) -> dict[int, Field[Any]]:
    return {field.kind: field for field in fields}


GLOBAL_FIELDS = _table(UNSIGNED, Field(0x01, "an extended key", _key_path, (78,)), VERSION)
INPUT_FIELDS = _table(
    NON_WITNESS_UTXO,
    WITNESS_UTXO,
    PARTIAL_SIGNATURE,
    SIGHASH_TYPE,
    REDEEM_SCRIPT,
    Field(0x05, "the witness script", _anything),
    Field(0x06, "a derivation path", _key_path, PUBLIC_KEY),
    FINAL_SCRIPT_SIG,
    FINAL_WITNESS,
    Field(0x09, "the proof of reserves", _anything),
    Field(0x0A, "a RIPEMD-160 preimage", _anything, (20,)),
    Field(0x0B, "a SHA-256 preimage", _anything, (32,)),
    Field(0x0C, "a HASH160 preimage", _anything, (20,)),
    Field(0x0D, "a HASH256 preimage", _anything, (32,)),
    TAP_KEY_SIGNATURE,
    Field(0x14, "a taproot script signature", _of_size(64, 65), (64,)),
    Field(0x15, "a leaf script", _leaf_script, LEAF_CONTROL),
    Field(0x16, "a taproot derivation path", _taproot_key_path, (32,)),
    TAP_INTERNAL_KEY,
    Field(0x18, "the merkle root", _of_size(32)),
)
OUTPUT_FIELDS = _table(
    Field(0x00, "the redeem script", _anything),
    Field(0x01, "the witness script", _anything),
    Field(0x02, "a derivation path", _key_path, PUBLIC_KEY),
    Field(0x05, "the internal key", _of_size(32)),
    Field(0x06, "the script tree", _tree),
    Field(0x07, "a taproot derivation path", _taproot_key_path, (32,)),
)
LATER_GLOBAL = {2: "tx version", 3: "fallback locktime", 4: "input count", 5: "output count", 6: "modifiable"}
LATER_INPUT = {0x0E: "previous txid", 0x0F: "output index", 0x10: "sequence", 0x11: "time lock", 0x12: "height lock"}
LATER_OUTPUT = {3: "amount", 4: "script"}
"""BIP370's fields, by what they hold."""
