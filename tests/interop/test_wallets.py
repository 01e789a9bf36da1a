"""Another implementation as the wallet: @scure/btc-signer signs what we ask, and finishes what we signed."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from darkswap_browser.bitcoin import signing
from darkswap_browser.bitcoin.psbt import Psbt, create_psbt, signatures_of, with_witness
from darkswap_browser.bitcoin.transaction import Transaction
from tests.bitcoin.cases import FUNDING, PREVOUTS, PRIVATE, PUBLIC, SIGNED, UNSIGNED, WITNESSES
from tests.interop.processes import WEB, node_command

pytestmark = pytest.mark.native

ASKED = create_psbt(UNSIGNED, PREVOUTS, {FUNDING.txid: FUNDING.serialize()}, dict.fromkeys(range(3), PUBLIC))


@pytest.fixture(scope="module")
def answer() -> dict[str, Any]:
    """What the other implementation made of the PSBT that we ask with, and of the one that we signed."""
    ours = ASKED
    for index, witness in WITNESSES.items():
        ours = with_witness(ours, index, witness)
    given = {"key": PRIVATE.hex(), "asked": ASKED.serialize().hex(), "signed": ours.serialize().hex()}
    command = node_command("js_signer.mjs")
    done = subprocess.run(command, cwd=WEB, input=json.dumps(given).encode(), capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize("manner", ["signed", "finalised"])
def test_its_signatures_are_taken_and_verified(answer: dict[str, Any], manner: str) -> None:
    assert answer["count"] == len(PREVOUTS)
    returned = Psbt.parse(bytes.fromhex(answer[manner]))
    witnesses = signatures_of(returned, ASKED, range(3))
    complete = signing.with_witnesses(UNSIGNED, PREVOUTS, witnesses)
    assert complete == Transaction.parse(bytes.fromhex(answer["raw"]))


def test_it_finishes_what_we_signed_into_the_same_bytes(answer: dict[str, Any]) -> None:
    assert answer["completed"] == SIGNED.serialize().hex()
    assert int(answer["fee"]) == sum(each.sats for each in PREVOUTS) - sum(each.sats for each in UNSIGNED.outputs)
