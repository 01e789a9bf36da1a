"""Blocks: bytes ⇄ frozen values, templates with their witness commitment (BIP141) and height (BIP34), and grinding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from darkswap_browser.bitcoin.transaction import (
    OutPoint,
    Reader,
    Transaction,
    TxInput,
    TxOutput,
    compact_size,
    double_sha256,
)
from darkswap_browser.errors import MalformedMessage

HEADER_SIZE = 80
MAX_WEIGHT = 4_000_000
MAX_BLOCK = 4_000_000
HALVING = 150
"""Blocks between halvings on regtest."""
BITS = 0x207FFFFF
"""Regtest's difficulty: every second hash will do."""
TARGET = 0x7FFFFF << (8 * (0x20 - 3))
COMMITMENT = bytes.fromhex("6a24aa21a9ed")
NO_OUTPOINT = OutPoint("00" * 32, 0xFFFFFFFF)
RESERVED = bytes(32)


@dataclass(frozen=True, slots=True)
class Header:
    """`previous`, `merkle_root` in display order; `time` in unix seconds."""

    version: int
    previous: str
    merkle_root: str
    time: int
    bits: int
    nonce: int

    def serialize(self) -> bytes:
        ids = bytes.fromhex(self.previous)[::-1] + bytes.fromhex(self.merkle_root)[::-1]
        numbers = b"".join(number.to_bytes(4, "little") for number in (self.time, self.bits, self.nonce))
        return self.version.to_bytes(4, "little") + ids + numbers

    @property
    def hash(self) -> str:
        return double_sha256(self.serialize())[::-1].hex()


@dataclass(frozen=True, slots=True)
class Block:
    header: Header
    transactions: tuple[Transaction, ...]

    @classmethod
    def parse(cls, raw: bytes) -> Block:
        """Raises `MalformedMessage`."""
        if len(raw) > MAX_BLOCK:
            raise MalformedMessage("block", f"has {len(raw)} bytes; at most {MAX_BLOCK} are possible")
        reader = Reader(raw, "block")
        version, ids = reader.integer(4), (reader.take(32)[::-1].hex(), reader.take(32)[::-1].hex())
        header = Header(version, *ids, reader.integer(4), reader.integer(4), reader.integer(4))
        transactions = tuple(_read_transaction(reader) for _ in range(reader.count(60)))
        reader.end()
        return cls(header, transactions)

    def serialize(self) -> bytes:
        body = b"".join(each.serialize() for each in self.transactions)
        return self.header.serialize() + compact_size(len(self.transactions)) + body


def _read_transaction(reader: Reader) -> Transaction:
    """One transaction of many: where it ends is known only after reading it."""
    version = reader.integer(4)
    count = reader.compact_size()
    segwit = count == 0
    if segwit:
        if reader.integer(1) != 1:
            raise reader.fail("holds a transaction with an unknown mark")
        count = reader.compact_size()
    bare = [(OutPoint.read(reader), reader.sized(), reader.integer(4)) for _ in range(_at_most(reader, count, 41))]
    outputs = tuple(TxOutput.read(reader) for _ in range(reader.count(9)))
    stacks: list[tuple[bytes, ...]] = [()] * count
    if segwit:
        stacks = [tuple(reader.sized() for _ in range(reader.count(1))) for _ in bare]
    inputs = tuple(
        TxInput(outpoint, sequence, script, stack)
        for (outpoint, script, sequence), stack in zip(bare, stacks, strict=True)
    )
    return Transaction(inputs, outputs, version, reader.integer(4))


def _at_most(reader: Reader, count: int, least_bytes: int) -> int:
    if count * least_bytes > reader.remaining:
        raise reader.fail(f"announces {count} inputs and ends before them")
    return count


def merkle_levels(hashes: Sequence[bytes]) -> list[list[bytes]]:
    """From the leaves up to the root; the last of an odd level is paired with itself."""
    levels = [list(hashes)]
    while len(levels[-1]) > 1:
        level = levels[-1] + levels[-1][-1:] * (len(levels[-1]) % 2)
        levels.append([double_sha256(level[at] + level[at + 1]) for at in range(0, len(level), 2)])
    return levels


def merkle_branch(txids: Sequence[str], position: int) -> list[str]:
    """The siblings from a leaf to the root, in display order."""
    branch = []
    for level in merkle_levels([bytes.fromhex(txid)[::-1] for txid in txids])[:-1]:
        sibling = min(position ^ 1, len(level) - 1)
        branch.append(level[sibling][::-1].hex())
        position //= 2
    return branch


def subsidy(height: int) -> int:
    return 5_000_000_000 >> min(height // HALVING, 63)


def script_number(value: int) -> bytes:
    """A push of a positive number as Core's `CScript() << value` writes it."""
    if 1 <= value <= 16:
        return bytes([0x50 + value])
    data = value.to_bytes(value.bit_length() // 8 + 1, "little")
    return bytes([len(data)]) + data


@dataclass(frozen=True, slots=True)
class Template:
    """What the next block is made of. `extra` makes blocks of one height differ."""

    height: int
    previous: str
    time: int
    script: bytes
    fees: int
    transactions: tuple[Transaction, ...]
    extra: int

    def mine(self) -> Block:
        coinbase = self._coinbase()
        everything = (coinbase, *self.transactions)
        root = merkle_levels([bytes.fromhex(each.txid)[::-1] for each in everything])[-1][0]
        for nonce in range(1 << 32):
            header = Header(0x20000000, self.previous, root[::-1].hex(), self.time, BITS, nonce)
            if int(header.hash, 16) <= TARGET:
                return Block(header, everything)
        raise OverflowError("no nonce is left")

    def _coinbase(self) -> Transaction:
        leaves = [bytes(32), *(bytes.fromhex(each.wtxid)[::-1] for each in self.transactions)]
        commitment = COMMITMENT + double_sha256(merkle_levels(leaves)[-1][0] + RESERVED)
        script_sig = script_number(self.height) + b"\x08" + self.extra.to_bytes(8, "little")
        reward = TxOutput(subsidy(self.height) + self.fees, self.script)
        source = TxInput(NO_OUTPOINT, 0xFFFFFFFF, script_sig, (RESERVED,))
        return Transaction((source,), (reward, TxOutput(0, commitment)))
