"""Kinds, weights and dust of scripts; the numbers are Bitcoin Core's."""

from __future__ import annotations

import pytest

from darkswap_browser.bitcoin.script import ScriptKind, dust_limit, input_weight, kind_of, output_weight, push_data
from darkswap_browser.bitcoin.transaction import Transaction
from darkswap_browser.errors import InvalidArgument
from tests.bitcoin.cases import KINDS, SCRIPTS, SIGNED, UNSIGNED

P2WSH, P2PKH = b"\x00\x20" + bytes(32), b"\x76\xa9\x14" + bytes(20) + b"\x88\xac"


def test_kinds_are_told_by_their_exact_bytes() -> None:
    for kind, script in {**SCRIPTS, ScriptKind.P2WSH: P2WSH, ScriptKind.P2PKH: P2PKH}.items():
        assert kind_of(script) is kind
        for near in (script[:-1], script + b"\0", b"\x50" + script[1:]):
            assert kind_of(near) is ScriptKind.OTHER
    assert kind_of(b"\x6a") is ScriptKind.OP_RETURN
    assert kind_of(b"") is ScriptKind.OTHER


def test_dust_limits_are_bitcoin_cores() -> None:
    limits = {SCRIPTS[ScriptKind.P2TR]: 330, SCRIPTS[ScriptKind.P2WPKH]: 294, P2WSH: 330, P2PKH: 546}
    limits |= {SCRIPTS[ScriptKind.P2SH]: 540, b"\x6a\x01\x00": 0, bytes(10_001): 0}
    assert {script: dust_limit(script) for script in limits} == limits


def test_weights_foretell_a_signed_transaction() -> None:
    base = 4 * len(Transaction(UNSIGNED.inputs[:1], ()).serialize(witness=False)) - 4 * 41 + 2
    weight = base + sum(input_weight(SCRIPTS[kind]) for kind in KINDS)
    weight += sum(output_weight(each.script) for each in UNSIGNED.outputs)
    # An ECDSA signature is 72 bytes at most, and often 71.
    assert 0 <= weight - SIGNED.weight <= 2
    for script in (P2WSH, P2PKH, b"", b"\x6a"):
        with pytest.raises(InvalidArgument):
            input_weight(script)


@pytest.mark.parametrize(
    ("size", "prefix"), [(0, "00"), (75, "4b"), (76, "4c4c"), (255, "4cff"), (256, "4d0001"), (65536, "4e00000100")]
)
def test_data_is_pushed_with_the_shortest_opcode(size: int, prefix: str) -> None:
    assert push_data(bytes(size)) == bytes.fromhex(prefix) + bytes(size)
