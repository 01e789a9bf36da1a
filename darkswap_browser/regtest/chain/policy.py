"""What a node relays and what it does not, apart from consensus: Bitcoin Core's default rules, each with Core's word.

`STRICT` is the narrower rule of nodes that keep one OP_RETURN of 83 bytes and 1 sat/vB; `LENIENT` that of Core 30.
"""

from __future__ import annotations

from dataclasses import dataclass

from darkswap_browser.bitcoin.transaction import Transaction, TxOutput, compact_size

MAX_WEIGHT = 400_000
MIN_BARE_SIZE = 65
"""Bytes without witnesses: smaller ones could pass for a node of a merkle tree (CVE-2017-12842)."""
MAX_SCRIPT_SIG = 1650
DUST_RATE = 3
"""Sats per virtual byte of an output and of the input that will spend it."""
OP_RETURN = 0x6A
P2A = bytes.fromhex("51024e73")
LOCKTIME_IS_TIME = 500_000_000


class TransactionRejected(Exception):
    """A transaction is not taken. `code` and `reason` are those of Core's sendrawtransaction."""

    def __init__(self, reason: str, code: int = -26) -> None:
        self.reason = reason
        self.code = code
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Rules:
    """`min_rate`: sats per 1000 vB below which nothing is relayed, and by which a replacement must pay more."""

    name: str
    min_rate: int
    data_bytes: int
    """The longest OP_RETURN script, in bytes."""
    data_outputs: int


STRICT = Rules("strict", 1000, 83, 1)
LENIENT = Rules("lenient", 100, 100_000, 100_000)


def script_type(script: bytes) -> str:
    """Esplora's word for a script: `scriptpubkey_type`."""
    size = len(script)
    match script[:2], size:
        case _, 0:
            return "empty"
        case b"\x00\x14", 22:
            return "v0_p2wpkh"
        case b"\x00\x20", 34:
            return "v0_p2wsh"
        case b"\x51\x20", 34:
            return "v1_p2tr"
    if script[0] == OP_RETURN:
        return "op_return"
    if size == 25 and script[:3] == b"\x76\xa9\x14" and script[23:] == b"\x88\xac":
        return "p2pkh"
    if size == 23 and script[:2] == b"\xa9\x14" and script[22:] == b"\x87":
        return "p2sh"
    if size in (35, 67) and script[0] == size - 2 and script[-1] == 0xAC:
        return "p2pk"
    return "unknown"


def is_witness_program(script: bytes) -> bool:
    version = script[0] if script else 0xFF
    return 4 <= len(script) <= 42 and (version == 0 or 0x51 <= version <= 0x60) and script[1] == len(script) - 2


def pushes_only(script: bytes) -> bool:
    """Whether a script is nothing but pushes (OP_1 … OP_16 among them), none running past its end."""
    at = 0
    while at < len(script):
        opcode = script[at]
        at += 1
        if opcode > 0x60:
            return False
        if opcode < 0x4C:
            at += opcode
        elif opcode <= 0x4E:
            width = 1 << (opcode - 0x4C)
            at += width + int.from_bytes(script[at : at + width], "little")
    return at == len(script)


def dust_limit(output: TxOutput) -> int:
    """Sats below which spending the output costs more than it holds; 0 for data."""
    script = output.script
    if script[:1] == bytes([OP_RETURN]):
        return 0
    size = 8 + len(compact_size(len(script))) + len(script)
    return DUST_RATE * (size + (67 if is_witness_program(script) else 148))


def check_form(transaction: Transaction, rules: Rules) -> None:
    """What can be said of a transaction without knowing what it spends. Raises `TransactionRejected`."""
    if not 1 <= transaction.version <= 3:
        raise TransactionRejected("version")
    if not transaction.outputs:
        raise TransactionRejected("bad-txns-vout-empty")
    if transaction.weight > MAX_WEIGHT:
        raise TransactionRejected("tx-size")
    if len(transaction.serialize(witness=False)) < MIN_BARE_SIZE:
        raise TransactionRejected("tx-size-small")
    if len({each.outpoint for each in transaction.inputs}) != len(transaction.inputs):
        raise TransactionRejected("bad-txns-inputs-duplicate")
    if any(int(each.outpoint.txid, 16) == 0 for each in transaction.inputs):
        raise TransactionRejected("coinbase")
    for each in transaction.inputs:
        if len(each.script_sig) > MAX_SCRIPT_SIG:
            raise TransactionRejected("scriptsig-size")
        if not pushes_only(each.script_sig):
            raise TransactionRejected("scriptsig-not-pushonly")
    _check_outputs(transaction, rules)


def _check_outputs(transaction: Transaction, rules: Rules) -> None:
    data = 0
    for output in transaction.outputs:
        kind = script_type(output.script)
        if kind == "op_return":
            data += 1
            if len(output.script) > rules.data_bytes:
                raise TransactionRejected("datacarrier")
            # A runestone of ord need not be pushes only to be on the chain; to be relayed it must.
            if not pushes_only(output.script[1:]):
                raise TransactionRejected("scriptpubkey")
        elif kind in ("unknown", "empty") and not _future(output.script):
            raise TransactionRejected("scriptpubkey")
        elif output.sats < dust_limit(output):
            raise TransactionRejected("dust")
    if data > rules.data_outputs:
        raise TransactionRejected("multi-op-return")


def _future(script: bytes) -> bool:
    """Pay-to-anchor, and witness versions that mean nothing yet: Core relays outputs of both."""
    return script == P2A or (is_witness_program(script) and script[0] not in (0x00, 0x51))


def is_final(transaction: Transaction, height: int, median_time: int) -> bool:
    """Whether its locktime lets it into the block at `height` (BIP113)."""
    lock = transaction.locktime
    if lock == 0 or all(each.sequence == 0xFFFFFFFF for each in transaction.inputs):
        return True
    return lock < (height if lock < LOCKTIME_IS_TIME else median_time)
