"""PSBT version 0 (BIP174, BIP371): read strictly, made for wallets, and robbed of nothing but signatures."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from darkswap_browser.bitcoin import curve, psbt_fields
from darkswap_browser.bitcoin.psbt_fields import Field, PsbtMap, malformed, read_map
from darkswap_browser.bitcoin.script import ScriptKind, kind_of
from darkswap_browser.bitcoin.sighash import Sighash
from darkswap_browser.bitcoin.signing import ALL_TYPES, script_sig_of, verify_input, with_witnesses, witness_of
from darkswap_browser.bitcoin.transaction import OutPoint, Reader, Transaction, TxOutput
from darkswap_browser.errors import InvalidArgument, SignatureInvalid

MAGIC = b"psbt\xff"
MAX_PSBT = 1_000_000
"""Bytes: the largest trade, and ten previous transactions of the largest standard size in it."""


@dataclass(frozen=True, slots=True)
class Psbt:
    """`unsigned` is the transaction of the global map; there is a map for each of its inputs and outputs."""

    unsigned: Transaction
    globals: PsbtMap
    inputs: tuple[PsbtMap, ...]
    outputs: tuple[PsbtMap, ...]

    @classmethod
    def parse(cls, data: bytes) -> Psbt:
        """The whole of `data`. Unknown fields are kept; version 2 is refused. Raises `MalformedMessage`."""
        if len(data) > MAX_PSBT:
            raise malformed(f"has {len(data)} bytes; at most {MAX_PSBT} are read")
        reader = Reader(data, psbt_fields.WHAT)
        if reader.take(min(len(MAGIC), len(data))) != MAGIC:
            raise malformed("does not start like one")
        globals_ = _read_globals(reader)
        unsigned = globals_.get(psbt_fields.UNSIGNED)
        if unsigned is None:
            raise malformed("has no unsigned transaction")
        if unsigned != unsigned.unsigned:
            raise malformed("has signatures in its unsigned transaction")
        table = psbt_fields.INPUT_FIELDS, psbt_fields.LATER_INPUT
        inputs = tuple(read_map(reader, *table) for _ in unsigned.inputs)
        table = psbt_fields.OUTPUT_FIELDS, psbt_fields.LATER_OUTPUT
        outputs = tuple(read_map(reader, *table) for _ in unsigned.outputs)
        reader.end()
        for spends, fields in zip(unsigned.inputs, inputs, strict=True):
            _check_spent(spends.outpoint, fields)
        return cls(unsigned, globals_, inputs, outputs)

    def serialize(self) -> bytes:
        maps = (self.globals, *self.inputs, *self.outputs)
        return MAGIC + b"".join(each.serialize() for each in maps)

    def spent(self, index: int) -> TxOutput | None:
        """The output that an input spends, from whichever field tells it."""
        fields = self.inputs[index]
        output = fields.get(psbt_fields.WITNESS_UTXO)
        if output is None and (previous := fields.get(psbt_fields.NON_WITNESS_UTXO)) is not None:
            output = previous.outputs[self.unsigned.inputs[index].outpoint.vout]
        return output


def create_psbt(
    tx: Transaction,
    prevouts: Sequence[TxOutput],
    previous: Mapping[str, bytes],
    internal_keys: Mapping[int, bytes],
    sighash: Sighash | None = None,
) -> Psbt:
    """What a wallet is asked to sign. `prevouts` are those of all inputs, which it needs to show amounts and fee.

    `internal_keys`: input → our key of 33 bytes, for the inputs that are ours. `previous`: txid → raw transaction, for
    our inputs of version 0, as their signatures say nothing of the other inputs' amounts. `sighash`: asked for by name,
    where it is not the usual one. Raises `InvalidArgument`.
    """
    if len(prevouts) != len(tx.inputs):
        raise InvalidArgument("prevouts", f"are {len(prevouts)} for {len(tx.inputs)} inputs")
    unsigned = tx.unsigned
    inputs = []
    for index, (spends, prevout) in enumerate(zip(tx.inputs, prevouts, strict=True)):
        pairs: dict[bytes, bytes] = {psbt_fields.WITNESS_UTXO.key(): prevout.serialize()}
        if (key := internal_keys.get(index)) is not None:
            pairs |= _own_fields(spends.outpoint, prevout, previous, key)
            if sighash is not None:
                pairs[psbt_fields.SIGHASH_TYPE.key()] = sighash.to_bytes(4, "little")
        inputs.append(PsbtMap(tuple(sorted(pairs.items()))))
    pair = psbt_fields.UNSIGNED.key(), unsigned.serialize(witness=False)
    return Psbt(unsigned, PsbtMap((pair,)), tuple(inputs), tuple(PsbtMap() for _ in tx.outputs))


def with_witness(psbt: Psbt, index: int, witness: tuple[bytes, ...]) -> Psbt:
    """`psbt` with one signature in it, not finalised: what a wallet that leaves finalising to others returns.

    Raises `InvalidArgument`: `psbt` does not tell which script input `index` spends.
    """
    prevout = psbt.spent(index)
    if prevout is None or not witness:
        raise InvalidArgument("index", f"{index} is an input without a spent output or a signature")
    if kind_of(prevout.script) is ScriptKind.P2TR:
        key = psbt_fields.TAP_KEY_SIGNATURE.key()
    else:
        key = psbt_fields.PARTIAL_SIGNATURE.key(witness[-1])
    pairs = tuple(sorted({**dict(psbt.inputs[index].pairs), key: witness[0]}.items()))
    inputs = list(psbt.inputs)
    inputs[index] = PsbtMap(pairs)
    return replace(psbt, inputs=tuple(inputs))


def signatures_of(
    returned: Psbt, expected: Psbt, inputs: Iterable[int], types: Collection[Sighash] = ALL_TYPES
) -> dict[int, tuple[bytes, ...]]:
    """Input → verified witness, for exactly the `inputs` that were to be signed, in whatever manner the wallet left
    them: as signatures or finalised. Scripts and amounts are taken from `expected`, which we made.

    Raises `SignatureInvalid`: another transaction came back, or a signature is missing, wrong, or of a type that is
    none of `types`.
    """
    if returned.unsigned.txid != expected.unsigned.txid:
        raise SignatureInvalid(f"the wallet returned the transaction {returned.unsigned.txid}")
    spent = [expected.spent(index) for index in range(len(expected.inputs))]
    prevouts = [output for output in spent if output is not None]
    if len(prevouts) != len(spent):
        raise InvalidArgument("expected", "does not tell what each input spends")
    result = {}
    for index in inputs:
        witness = _harvest(returned.inputs[index], prevouts[index].script, index, types)
        signed = with_witnesses(expected.unsigned, prevouts, {index: witness})
        verify_input(signed, index, prevouts, types)
        result[index] = witness
    return result


def _read_globals(reader: Reader) -> PsbtMap:
    """Version 2 is refused by its name before its fields are."""
    globals_ = read_map(reader, psbt_fields.GLOBAL_FIELDS, {})
    version = globals_.get(psbt_fields.VERSION)
    if version:
        raise malformed(f"is of version {version}; only version 0 is read: set the wallet to BIP174")
    for kind, name in psbt_fields.LATER_GLOBAL.items():
        if globals_.all(Field(kind, name, bytes)):
            raise malformed(f"of version 0 has the field {name} of version 2")
    return globals_


def _check_spent(outpoint: OutPoint, fields: PsbtMap) -> None:
    """The previous transaction is the one spent, and the spent output is its."""
    previous = fields.get(psbt_fields.NON_WITNESS_UTXO)
    if previous is None:
        return
    if previous.txid != outpoint.txid or outpoint.vout >= len(previous.outputs):
        raise malformed(f"has another previous transaction than {outpoint}")
    output = fields.get(psbt_fields.WITNESS_UTXO)
    if output is not None and output != previous.outputs[outpoint.vout]:
        raise malformed(f"tells of {outpoint} twice and not the same")


def _own_fields(outpoint: OutPoint, prevout: TxOutput, previous: Mapping[str, bytes], key: bytes) -> dict[bytes, bytes]:
    kind = kind_of(prevout.script)
    if kind is ScriptKind.P2TR:
        return {psbt_fields.TAP_INTERNAL_KEY.key(): key[1:]}
    raw = previous.get(outpoint.txid)
    if raw is None:
        raise InvalidArgument("previous", f"lacks {outpoint.txid}")
    transaction = Transaction.parse(raw)
    if transaction.txid != outpoint.txid or prevout not in transaction.outputs[outpoint.vout : outpoint.vout + 1]:
        raise InvalidArgument("previous", f"is not the transaction of {outpoint}")
    # Witnesses are not part of the id, and most of the bytes.
    fields = {psbt_fields.NON_WITNESS_UTXO.key(): transaction.serialize(witness=False)}
    if kind is ScriptKind.P2SH:
        fields[psbt_fields.REDEEM_SCRIPT.key()] = b"\x00\x14" + curve.hash160(key)
    return fields


def _harvest(fields: PsbtMap, script: bytes, index: int, types: Collection[Sighash]) -> tuple[bytes, ...]:
    """What stands for a signature of this input, not verified."""
    sighash = fields.get(psbt_fields.SIGHASH_TYPE)
    if sighash is not None and sighash not in types:
        raise SignatureInvalid(f"input {index} asks for the sighash type {sighash}")
    final = fields.get(psbt_fields.FINAL_WITNESS)
    if final is not None:
        if fields.get(psbt_fields.FINAL_SCRIPT_SIG) not in (None, script_sig_of(script, final)):
            raise SignatureInvalid(f"input {index} came back with another scriptSig")
        return final
    if kind_of(script) is ScriptKind.P2TR:
        signature = fields.get(psbt_fields.TAP_KEY_SIGNATURE)
        if signature is not None:
            return witness_of(script, b"", signature)
    else:
        for public_key, signature in fields.all(psbt_fields.PARTIAL_SIGNATURE).items():
            if script in (b"\x00\x14" + curve.hash160(public_key), _nested(public_key)):
                return witness_of(script, public_key, signature)
    raise SignatureInvalid(f"the wallet did not sign input {index}")


def _nested(public_key: bytes) -> bytes:
    return b"\xa9\x14" + curve.hash160(b"\x00\x14" + curve.hash160(public_key)) + b"\x87"
