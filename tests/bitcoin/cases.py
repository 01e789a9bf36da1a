"""Vectors by name, and transactions of ours to sign: one input of each kind that we sign."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from darkswap_browser.bitcoin import curve, signing
from darkswap_browser.bitcoin.script import ScriptKind
from darkswap_browser.bitcoin.transaction import OutPoint, Transaction, TxInput, TxOutput

VECTORS = Path(__file__).parents[1] / "vectors" / "bitcoin"
PRIVATE = bytes.fromhex("11" * 32)
PUBLIC = curve.public_key(PRIVATE)
KINDS = (ScriptKind.P2TR, ScriptKind.P2WPKH, ScriptKind.P2SH)
SCRIPTS = {kind: signing.script_for(kind, PUBLIC) for kind in KINDS}
AUX = bytes(32)


def vectors(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text("utf-8"))


FUNDING = Transaction(
    (TxInput(OutPoint("aa" * 32, 0), witness=(b"w" * 64,)),),
    tuple(TxOutput(10_000 + number, SCRIPTS[kind]) for number, kind in enumerate(KINDS)),
)
PREVOUTS = FUNDING.outputs
UNSIGNED = Transaction(
    tuple(TxInput(OutPoint(FUNDING.txid, number)) for number in range(len(KINDS))),
    (
        TxOutput(12_000, SCRIPTS[ScriptKind.P2WPKH]),
        TxOutput(0, b"\x6a\x5d\x00"),
        TxOutput(17_000, b"\x51\x20" + PUBLIC[1:]),
    ),
)


def signatures() -> dict[int, tuple[bytes, ...]]:
    """Input → witness, each signed by `PRIVATE`."""
    return {
        index: signing.witness_of(prevout.script, PUBLIC, signing.sign_input(UNSIGNED, index, PREVOUTS, PRIVATE, AUX))
        for index, prevout in enumerate(PREVOUTS)
    }


WITNESSES = signatures()
SIGNED = signing.with_witnesses(UNSIGNED, PREVOUTS, WITNESSES)
