"""Inputs signed and checked: P2TR by its key (BIP86), P2WPKH, P2SH-P2WPKH.

With SIGHASH_DEFAULT or ALL, which leave nothing open. `sign_single_anyonecanpay` alone signs otherwise, and does
nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from darkswap_browser.bitcoin import curve
from darkswap_browser.bitcoin.script import ScriptKind, kind_of, push_data
from darkswap_browser.bitcoin.sighash import Sighash, segwit_v0_digest, taproot_digest
from darkswap_browser.bitcoin.transaction import Transaction, TxOutput
from darkswap_browser.errors import InvalidArgument, SignatureInvalid

ALL_TYPES = (Sighash.DEFAULT, Sighash.ALL)
"""Types of signatures that commit to all inputs and outputs."""
SINGLE_ANYONECANPAY = (Sighash.SINGLE_ANYONECANPAY,)
"""The type that commits to one input and the output at its place, whatever stands beside them."""
NO_TYPE = -1


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
    is_taproot = kind_of(_prevout(prevouts, index).script) is ScriptKind.P2TR
    return _sign(tx, index, prevouts, private, aux32, Sighash.DEFAULT if is_taproot else Sighash.ALL)


def sign_single_anyonecanpay(
    tx: Transaction, index: int, prevouts: Sequence[TxOutput], private: bytes, aux32: bytes
) -> bytes:
    """As `sign_input`, with SIGHASH_SINGLE|ANYONECANPAY: 65 bytes for P2TR. It binds the coin to the output at `index`
    and nothing else, for as long as the coin is unspent.

    Raises `InvalidArgument` also where there is no such output: version 0 would then sign the coin away to anybody.
    """
    if index >= len(tx.outputs):
        raise InvalidArgument("index", f"there is no output {index} for the signature of input {index} to commit to")
    return _sign(tx, index, prevouts, private, aux32, Sighash.SINGLE_ANYONECANPAY)


def _sign(
    tx: Transaction, index: int, prevouts: Sequence[TxOutput], private: bytes, aux32: bytes, sighash: Sighash
) -> bytes:
    script = _prevout(prevouts, index).script
    kind = kind_of(script)
    public = curve.public_key(private)
    if script_for(kind, public) != script:
        raise InvalidArgument("key", f"is not the one that input {index} needs")
    mark = b"" if sighash is Sighash.DEFAULT else bytes([sighash])
    if kind is ScriptKind.P2TR:
        digest = taproot_digest(tx, index, prevouts, sighash)
        return curve.schnorr_sign(curve.taproot_private(private), digest, aux32) + mark
    return curve.ecdsa_sign(private, _v0_digest(tx, index, prevouts, public, sighash)) + mark


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


def verify_input(
    tx: Transaction,
    index: int,
    prevouts: Sequence[TxOutput],
    types: Collection[Sighash] = ALL_TYPES,
) -> None:
    """Checks one signed input of `tx` against digests computed here. Raises `SignatureInvalid`.

    Refused as well: other sighash types than `types`, an annex, script paths, scripts of other kinds.
    """
    script = _prevout(prevouts, index).script
    spends = tx.inputs[index]
    kind = kind_of(script)
    if kind not in (ScriptKind.P2TR, ScriptKind.P2WPKH, ScriptKind.P2SH):
        raise SignatureInvalid(f"input {index} spends a script of kind {kind}")
    if kind is ScriptKind.P2TR:
        _verify_taproot(tx, index, prevouts, types)
    else:
        _verify_v0(tx, index, prevouts, types)
    if spends.script_sig != script_sig_of(script, spends.witness):
        raise SignatureInvalid(f"input {index} carries a scriptSig that does not belong there")


def _verify_taproot(tx: Transaction, index: int, prevouts: Sequence[TxOutput], types: Collection[Sighash]) -> None:
    witness = tx.inputs[index].witness
    if len(witness) != 1:
        raise SignatureInvalid(f"input {index} has {len(witness)} witness items instead of one signature")
    (signature,) = witness
    # The byte behind 64 names the type. DEFAULT has none, so that a zero there is no type at all (BIP341).
    number = NO_TYPE
    if len(signature) == 64:
        number = Sighash.DEFAULT
    elif len(signature) == 65:
        number = signature[64] or NO_TYPE
    sighash = _type_of(index, len(tx.outputs), number, types)
    digest = taproot_digest(tx, index, prevouts, sighash)
    if not curve.schnorr_verify(prevouts[index].script[2:], digest, signature[:64]):
        raise SignatureInvalid(f"the signature of input {index} is wrong")


def _verify_v0(tx: Transaction, index: int, prevouts: Sequence[TxOutput], types: Collection[Sighash]) -> None:
    script, witness = prevouts[index].script, tx.inputs[index].witness
    if len(witness) != 2:
        raise SignatureInvalid(f"input {index} has {len(witness)} witness items instead of signature and key")
    signature, public = witness
    if len(public) != 33 or script_for(kind_of(script), public) != script:
        raise SignatureInvalid(f"input {index} is signed by a key that its coin is not paid to")
    marked = [each for each in types if each is not Sighash.DEFAULT]
    sighash = _type_of(index, len(tx.outputs), signature[-1] if signature else NO_TYPE, marked)
    if not curve.ecdsa_verify(public, _v0_digest(tx, index, prevouts, public, sighash), signature[:-1]):
        raise SignatureInvalid(f"the signature of input {index} is wrong")


def _type_of(index: int, outputs: int, number: int, types: Collection[Sighash]) -> Sighash:
    """`number` as one of `types`."""
    if number not in types:
        names = " or ".join(each.name for each in types)
        raise SignatureInvalid(f"input {index} is not signed with SIGHASH_{names}")
    sighash = Sighash(number)
    if sighash & 3 == Sighash.SINGLE and index >= outputs:
        raise SignatureInvalid(f"there is no output {index} for the signature of input {index} to commit to")
    return sighash


def _key_program(public_key: bytes) -> bytes:
    return b"\x00\x14" + curve.hash160(public_key)


def _v0_digest(tx: Transaction, index: int, prevouts: Sequence[TxOutput], public_key: bytes, sighash: Sighash) -> bytes:
    script_code = b"\x76\xa9\x14" + curve.hash160(public_key) + b"\x88\xac"
    return segwit_v0_digest(tx, index, script_code, prevouts[index].sats, sighash)


def _prevout(prevouts: Sequence[TxOutput], index: int) -> TxOutput:
    if not 0 <= index < len(prevouts):
        raise InvalidArgument("index", f"{index} is no input of {len(prevouts)}")
    return prevouts[index]
