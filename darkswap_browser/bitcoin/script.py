"""Output scripts: their kinds (BIP16, BIP141, BIP341), what they weigh, and what is too little to be worth spending."""

from __future__ import annotations

from enum import StrEnum

from darkswap_browser.bitcoin.transaction import compact_size
from darkswap_browser.errors import InvalidArgument

OP_RETURN = 0x6A
OP_PUSHDATA1, OP_PUSHDATA2, OP_PUSHDATA4 = b"\x4c", b"\x4d", b"\x4e"
MAX_SCRIPT = 10_000
"""Bytes: no longer script can ever be spent."""
DUST_RELAY = 3
"""Sats per virtual byte: Bitcoin Core's default; an output that costs more to spend is not relayed."""
SPEND_SEGWIT, SPEND_LEGACY = 67, 148
"""Virtual bytes that Bitcoin Core takes an input to have when it judges dust."""


class ScriptKind(StrEnum):
    P2TR = "p2tr"
    P2WPKH = "p2wpkh"
    P2SH = "p2sh"
    """A hash does not tell what it hides; ours hide P2WPKH."""
    P2WSH = "p2wsh"
    P2PKH = "p2pkh"
    OP_RETURN = "op_return"
    OTHER = "other"


SIGNED_WEIGHTS = {ScriptKind.P2TR: 231, ScriptKind.P2WPKH: 272, ScriptKind.P2SH: 364}
"""Weight units of an input with the largest signature that it may carry: 65 bytes of Schnorr with its type by name, or
72 of ECDSA with its type. So no transaction that is paid for by them falls below the rate that was meant.
"""


def kind_of(script: bytes) -> ScriptKind:
    size = len(script)
    if size == 34 and script.startswith(b"\x51\x20"):
        return ScriptKind.P2TR
    if size == 22 and script.startswith(b"\x00\x14"):
        return ScriptKind.P2WPKH
    if size == 34 and script.startswith(b"\x00\x20"):
        return ScriptKind.P2WSH
    if size == 23 and script.startswith(b"\xa9\x14") and script[-1] == 0x87:
        return ScriptKind.P2SH
    if size == 25 and script.startswith(b"\x76\xa9\x14") and script.endswith(b"\x88\xac"):
        return ScriptKind.P2PKH
    if size and script[0] == OP_RETURN:
        return ScriptKind.OP_RETURN
    return ScriptKind.OTHER


def witness_program(script: bytes) -> tuple[int, bytes] | None:
    """(version, program) of a native segwit script (BIP141), whether or not its version has a meaning yet."""
    if not 4 <= len(script) <= 42 or script[1] != len(script) - 2:
        return None
    if script[0] == 0:
        return 0, script[2:]
    return (script[0] - 0x50, script[2:]) if 0x51 <= script[0] <= 0x60 else None


def dust_limit(script: bytes) -> int:
    """Sats below which an output with this script is not relayed: 330 for P2TR, 294 for P2WPKH, 0 for OP_RETURN."""
    if kind_of(script) is ScriptKind.OP_RETURN or len(script) > MAX_SCRIPT:
        return 0
    spend = SPEND_LEGACY if witness_program(script) is None else SPEND_SEGWIT
    return DUST_RELAY * (output_weight(script) // 4 + spend)


def input_weight(script: bytes) -> int:
    """Weight units of a signed input that spends `script`. Raises `InvalidArgument` for a script that we never sign."""
    kind = kind_of(script)
    if kind not in SIGNED_WEIGHTS:
        raise InvalidArgument("script", f"of kind {kind} cannot be an input of a trade")
    return SIGNED_WEIGHTS[kind]


def output_weight(script: bytes) -> int:
    """Weight units."""
    return 4 * (8 + len(compact_size(len(script))) + len(script))


def push_data(data: bytes) -> bytes:
    """The shortest push of `data` as bytes; small numbers get no opcode of their own."""
    size = len(data)
    if size < OP_PUSHDATA1[0]:
        return bytes([size]) + data
    if size <= 0xFF:
        return OP_PUSHDATA1 + size.to_bytes(1, "little") + data
    if size <= 0xFFFF:
        return OP_PUSHDATA2 + size.to_bytes(2, "little") + data
    return OP_PUSHDATA4 + size.to_bytes(4, "little") + data
