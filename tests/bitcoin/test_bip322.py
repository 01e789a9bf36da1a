"""Signed messages: bitcoin/bips, bip-0322/basic-test-vectors.json and generated-test-vectors.json."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import pytest

from darkswap_browser.bitcoin import bip322
from darkswap_browser.bitcoin.address import script_of
from darkswap_browser.bitcoin.script import ScriptKind, kind_of
from darkswap_browser.errors import InvalidArgument
from tests.bitcoin.cases import AUX, KINDS, PRIVATE, SCRIPTS, vectors

BASIC = vectors("bip322")
SIMPLE = [*BASIC["simple"], *vectors("bip322_generated")["simple"]]
OURS = (ScriptKind.P2TR, ScriptKind.P2WPKH)


def simple(text: str) -> bytes:
    """The witness of a "simple" signature, with or without its mark; nothing of another form."""
    if text[:3] in ("ful", "pof"):
        return b""
    try:
        return base64.b64decode(text.removeprefix("smp"), validate=True)
    except binascii.Error:
        return b""


@pytest.mark.parametrize("case", BASIC["tx_hashes"], ids=lambda case: case["message"][:12])
def test_the_two_transactions_are_as_bip322_says(case: dict[str, str]) -> None:
    script = script_of(case["address"], "mainnet")
    assert bip322.message_hash(case["message"]).hex() == case["message_hash"]
    assert bip322.to_spend(script, case["message"]).txid == case["to_spend_tx_hash"]
    assert bip322.to_sign(script, case["message"]).txid == case["to_sign_tx_hash"]


@pytest.mark.parametrize("case", SIMPLE, ids=lambda case: f"{case['type']} {case['message'][:12]}")
def test_signatures_of_one_key_verify_and_those_of_scripts_do_not(case: dict[str, Any]) -> None:
    script = script_of(case["address"], "mainnet")
    for text in case["bip322_signatures"]:
        ours = kind_of(script) in OURS and case["type"] in ("p2tr", "p2wpkh")
        assert bip322.verify_simple(script, case["message"], simple(text)) is ours
        assert not bip322.verify_simple(script, case["message"] + ".", simple(text))


@pytest.mark.parametrize(
    "case",
    # The others are about proofs of funds.
    [case for case in [*BASIC["error"], *vectors("bip322_generated")["error"]] if case.get("address")],
    ids=lambda case: case["description"],
)
def test_wrong_signatures_do_not_verify(case: dict[str, str]) -> None:
    script = script_of(case["address"], "mainnet")
    assert not bip322.verify_simple(script, case.get("message", ""), simple(case["signature"]))


@pytest.mark.parametrize("kind", KINDS)
def test_what_we_sign_verifies_for_this_message_and_script_only(kind: ScriptKind) -> None:
    script = SCRIPTS[kind]
    witness = bip322.sign_simple(script, PRIVATE, "héllo", AUX)
    assert bip322.verify_simple(script, "héllo", witness)
    assert not bip322.verify_simple(script, "hello", witness)
    for other in (*(SCRIPTS[each] for each in KINDS if each is not kind), b"\x6a", b""):
        assert not bip322.verify_simple(other, "héllo", witness)
    for damaged in (b"", witness[:-1], witness + b"\0", b"\xff" * 9, bytes(300), bytes([witness[0] + 1]) + witness[1:]):
        assert not bip322.verify_simple(script, "héllo", damaged)
    with pytest.raises(InvalidArgument):
        bip322.sign_simple(script, bytes.fromhex("22" * 32), "héllo", AUX)
