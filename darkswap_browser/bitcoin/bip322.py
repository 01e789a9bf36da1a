"""Messages signed by the key of an address (BIP322, "simple"), over two transactions that no chain will ever hold.

P2SH-P2WPKH, for which the standard asks for the full form, is signed and verified alike: its scriptSig follows from
the key, and wallets send the witness alone.
"""

from __future__ import annotations

from dataclasses import replace

from darkswap_browser.bitcoin import curve
from darkswap_browser.bitcoin.script import OP_RETURN, push_data
from darkswap_browser.bitcoin.sighash import tagged_hash
from darkswap_browser.bitcoin.signing import script_sig_of, sign_input, verify_input, witness_of
from darkswap_browser.bitcoin.transaction import (
    OutPoint,
    Transaction,
    TxInput,
    TxOutput,
    parse_witness,
    serialize_witness,
)
from darkswap_browser.errors import MalformedMessage, SignatureInvalid

NO_OUTPOINT = OutPoint("00" * 32, 0xFFFFFFFF)
MAX_WITNESS = 200
"""Bytes: a signature and a key are 107."""


def message_hash(message: str) -> bytes:
    return tagged_hash("BIP0322-signed-message", message.encode())


def to_spend(script: bytes, message: str) -> Transaction:
    """Its only output is the script that signs."""
    script_sig = b"\x00" + push_data(message_hash(message))
    return Transaction((TxInput(NO_OUTPOINT, 0, script_sig),), (TxOutput(0, script),), version=0)


def to_sign(script: bytes, message: str) -> Transaction:
    """What is signed, without a witness."""
    outpoint = OutPoint(to_spend(script, message).txid, 0)
    return Transaction((TxInput(outpoint, 0),), (TxOutput(0, bytes([OP_RETURN])),), version=0)


def sign_simple(script: bytes, private: bytes, message: str, aux32: bytes) -> bytes:
    """The serialised witness stack. Raises `InvalidArgument`: `script` is not paid to this key."""
    signature = sign_input(to_sign(script, message), 0, [TxOutput(0, script)], private, aux32)
    return serialize_witness(witness_of(script, curve.public_key(private), signature))


def verify_simple(script: bytes, message: str, witness: bytes) -> bool:
    """Whether the serialised stack `witness` signs `message` by the key of `script` (P2TR, P2WPKH, P2SH-P2WPKH)."""
    if len(witness) > MAX_WITNESS:
        return False
    try:
        stack = parse_witness(witness)
        unsigned = to_sign(script, message)
        signed = replace(unsigned.inputs[0], script_sig=script_sig_of(script, stack), witness=stack)
        verify_input(replace(unsigned, inputs=(signed,)), 0, [TxOutput(0, script)])
    except (MalformedMessage, SignatureInvalid):
        return False
    return True
