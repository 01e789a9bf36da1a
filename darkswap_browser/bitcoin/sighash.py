"""What a signature signs: BIP341 digests of the key path, BIP143 digests of version 0 programs."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from hashlib import sha256

from darkswap_browser.bitcoin.transaction import Transaction, TxOutput, compact_size, double_sha256
from darkswap_browser.errors import InvalidArgument

ANYONE_CAN_PAY = 0x80
EPOCH = b"\x00"
NO_ANNEX_KEY_PATH = b"\x00"


class Sighash(IntEnum):
    """Which parts of a transaction are signed. DEFAULT is ALL, in taproot only, with no byte behind the signature."""

    DEFAULT = 0x00
    ALL = 0x01
    NONE = 0x02
    SINGLE = 0x03
    ALL_ANYONECANPAY = 0x81
    NONE_ANYONECANPAY = 0x82
    SINGLE_ANYONECANPAY = 0x83


def tagged_hash(tag: str, data: bytes) -> bytes:
    """BIP340."""
    key = sha256(tag.encode()).digest()
    return sha256(key + key + data).digest()


def taproot_digest(
    tx: Transaction, index: int, prevouts: Sequence[TxOutput], sighash: Sighash = Sighash.DEFAULT
) -> bytes:
    """BIP341 without annex. `prevouts` are the outputs that all inputs spend, in their order.

    Raises `InvalidArgument`: SINGLE without an output at `index`, or prevouts that do not match the inputs.
    """
    _check_index(tx, index)
    if len(prevouts) != len(tx.inputs):
        raise InvalidArgument("prevouts", f"are {len(prevouts)} for {len(tx.inputs)} inputs")
    signs, alone = sighash & 3, bool(sighash & ANYONE_CAN_PAY)
    if signs == Sighash.SINGLE and index >= len(tx.outputs):
        raise InvalidArgument("sighash", f"SINGLE has no output {index} to sign")
    parts = [EPOCH, bytes([sighash]), tx.version.to_bytes(4, "little"), tx.locktime.to_bytes(4, "little")]
    if not alone:
        parts += [
            sha256(b"".join(each.outpoint.serialize() for each in tx.inputs)).digest(),
            sha256(b"".join(each.sats.to_bytes(8, "little") for each in prevouts)).digest(),
            sha256(b"".join(compact_size(len(each.script)) + each.script for each in prevouts)).digest(),
            sha256(b"".join(each.sequence.to_bytes(4, "little") for each in tx.inputs)).digest(),
        ]
    if signs in (Sighash.DEFAULT, Sighash.ALL):
        parts.append(sha256(b"".join(each.serialize() for each in tx.outputs)).digest())
    parts.append(NO_ANNEX_KEY_PATH)
    if alone:
        spends = tx.inputs[index]
        parts += [spends.outpoint.serialize(), prevouts[index].serialize(), spends.sequence.to_bytes(4, "little")]
    else:
        parts.append(index.to_bytes(4, "little"))
    if signs == Sighash.SINGLE:
        parts.append(sha256(tx.outputs[index].serialize()).digest())
    return tagged_hash("TapSighash", b"".join(parts))


def segwit_v0_digest(
    tx: Transaction, index: int, script_code: bytes, sats: int, sighash: Sighash = Sighash.ALL
) -> bytes:
    """BIP143. `script_code` without its length. SINGLE without an output at `index` signs no output: never sign that.

    Raises `InvalidArgument`: DEFAULT, which version 0 does not have.
    """
    _check_index(tx, index)
    if sighash is Sighash.DEFAULT:
        raise InvalidArgument("sighash", "DEFAULT is taproot's; version 0 signs with ALL")
    signs, alone = sighash & 3, bool(sighash & ANYONE_CAN_PAY)
    outpoints = sequences = outputs = bytes(32)
    if not alone:
        outpoints = double_sha256(b"".join(each.outpoint.serialize() for each in tx.inputs))
        if signs == Sighash.ALL:
            sequences = double_sha256(b"".join(each.sequence.to_bytes(4, "little") for each in tx.inputs))
    if signs == Sighash.ALL:
        outputs = double_sha256(b"".join(each.serialize() for each in tx.outputs))
    elif signs == Sighash.SINGLE and index < len(tx.outputs):
        outputs = double_sha256(tx.outputs[index].serialize())
    spends = tx.inputs[index]
    parts = [tx.version.to_bytes(4, "little"), outpoints, sequences, spends.outpoint.serialize()]
    parts += [compact_size(len(script_code)), script_code, sats.to_bytes(8, "little")]
    parts += [spends.sequence.to_bytes(4, "little"), outputs, tx.locktime.to_bytes(4, "little")]
    parts.append(sighash.to_bytes(4, "little"))
    return double_sha256(b"".join(parts))


def _check_index(tx: Transaction, index: int) -> None:
    if not 0 <= index < len(tx.inputs):
        raise InvalidArgument("index", f"{index} is no input of {len(tx.inputs)}")
