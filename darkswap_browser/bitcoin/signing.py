"""Inputs signed and checked: P2TR by its key (BIP86), P2WPKH, P2SH-P2WPKH; with SIGHASH_DEFAULT or ALL only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from darkswap_browser.bitcoin import curve
from darkswap_browser.bitcoin.script import ScriptKind, kind_of, push_data
from darkswap_browser.bitcoin.sighash import Sighash, segwit_v0_digest, taproot_digest
from darkswap_browser.bitcoin.transaction import Transaction, TxOutput
from darkswap_browser.errors import InvalidArgument, VerificationFailed

ALL_BYTE = bytes([Sighash.ALL])


def script_for(kind: ScriptKind, public_key: bytes) -> bytes:
    """The output script of that kind for a key of 33 bytes. Raises `InvalidArgument` for kinds that we never sign."""
    if kind is ScriptKind.P2TR:
        return b"\x51\x20" + curve.taproot_output_key(public_key[1:])
    program = _key_program(public_key)
    if kind is ScriptKind.P2WPKH:
        return program
    if kind is ScriptKind.P2SH:
        return b"\xa9\x14" + curve.hash160(program) + b"\x87"
    raise InvalidArgument("script", f"of kind {kind} is not one that we sign")


def sign_input(tx: Transaction, index: int, prevouts: Sequence[TxOutput], private: bytes, aux32: bytes) -> bytes:
    """The signature by the untweaked key `private`: 64 bytes for P2TR, else DER with its type byte (ALL).

    `prevouts` are those of all inputs. Raises `InvalidArgument`: the coin is not this key's, or of another kind.
    """
    script = _prevout(prevouts, index).script
    kind = kind_of(script)
    public = curve.public_key(private)
    if script_for(kind, public) != script:
        raise InvalidArgument("key", f"is not the one that input {index} needs")
    if kind is ScriptKind.P2TR:
        return curve.schnorr_sign(curve.taproot_private(private), taproot_digest(tx, index, prevouts), aux32)
    return curve.ecdsa_sign(private, _v0_digest(tx, index, prevouts, public)) + ALL_BYTE


def witness_of(script: bytes, public_key: bytes, signature: bytes) -> tuple[bytes, ...]:
    """The witness that spends `script`."""
    return (signature,) if kind_of(script) is ScriptKind.P2TR else (signature, public_key)


def script_sig_of(script: bytes, witness: tuple[bytes, ...]) -> bytes:
    """What stands beside `witness`: for P2SH the push of the program it hides, else nothing."""
    if kind_of(script) is not ScriptKind.P2SH or not witness:
        return b""
    return push_data(_key_program(witness[-1]))


def with_witnesses(
    tx: Transaction, prevouts: Sequence[TxOutput], witnesses: Mapping[int, tuple[bytes, ...]]
) -> Transaction:
    """`tx` with these inputs signed; the others stay as they are."""
    inputs = list(tx.inputs)
    for index, witness in witnesses.items():
        script_sig = script_sig_of(_prevout(prevouts, index).script, witness)
        inputs[index] = replace(inputs[index], script_sig=script_sig, witness=witness)
    return replace(tx, inputs=tuple(inputs))


def verify_input(tx: Transaction, index: int, prevouts: Sequence[TxOutput], rule: str = "V17") -> None:
    """Checks one signed input of `tx` against digests computed here. Raises `VerificationFailed(rule)`.

    Refused as well: sighash types other than DEFAULT and ALL, an annex, script paths, scripts of other kinds.
    """
    script = _prevout(prevouts, index).script
    spends = tx.inputs[index]
    kind = kind_of(script)
    if kind not in (ScriptKind.P2TR, ScriptKind.P2WPKH, ScriptKind.P2SH):
        raise VerificationFailed(rule, f"input {index} spends a script of kind {kind}")
    if kind is ScriptKind.P2TR:
        _verify_taproot(tx, index, prevouts, rule)
    else:
        _verify_v0(tx, index, prevouts, rule)
    if spends.script_sig != script_sig_of(script, spends.witness):
        raise VerificationFailed(rule, f"input {index} carries a scriptSig that does not belong there")


def _verify_taproot(tx: Transaction, index: int, prevouts: Sequence[TxOutput], rule: str) -> None:
    witness = tx.inputs[index].witness
    if len(witness) != 1:
        raise VerificationFailed(rule, f"input {index} has {len(witness)} witness items instead of one signature")
    (signature,) = witness
    if len(signature) == 65 and signature[64] == Sighash.ALL:
        sighash = Sighash.ALL
    elif len(signature) == 64:
        sighash = Sighash.DEFAULT
    else:
        raise VerificationFailed(rule, f"input {index} is not signed with SIGHASH_DEFAULT or ALL")
    digest = taproot_digest(tx, index, prevouts, sighash)
    if not curve.schnorr_verify(prevouts[index].script[2:], digest, signature[:64]):
        raise VerificationFailed(rule, f"the signature of input {index} is wrong")


def _verify_v0(tx: Transaction, index: int, prevouts: Sequence[TxOutput], rule: str) -> None:
    script, witness = prevouts[index].script, tx.inputs[index].witness
    if len(witness) != 2:
        raise VerificationFailed(rule, f"input {index} has {len(witness)} witness items instead of signature and key")
    signature, public = witness
    if len(public) != 33 or script_for(kind_of(script), public) != script:
        raise VerificationFailed(rule, f"input {index} is signed by a key that its coin is not paid to")
    if signature[-1:] != ALL_BYTE:
        raise VerificationFailed(rule, f"input {index} is not signed with SIGHASH_ALL")
    if not curve.ecdsa_verify(public, _v0_digest(tx, index, prevouts, public), signature[:-1]):
        raise VerificationFailed(rule, f"the signature of input {index} is wrong")


def _key_program(public_key: bytes) -> bytes:
    return b"\x00\x14" + curve.hash160(public_key)


def _v0_digest(tx: Transaction, index: int, prevouts: Sequence[TxOutput], public_key: bytes) -> bytes:
    script_code = b"\x76\xa9\x14" + curve.hash160(public_key) + b"\x88\xac"
    return segwit_v0_digest(tx, index, script_code, prevouts[index].sats)


def _prevout(prevouts: Sequence[TxOutput], index: int) -> TxOutput:
    if not 0 <= index < len(prevouts):
        raise InvalidArgument("index", f"{index} is no input of {len(prevouts)}")
    return prevouts[index]
