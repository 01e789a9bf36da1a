"""Every fault, where it is asked for, as long as it is asked for."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from darkswap_browser.regtest.servers.http import HttpRequest
from tests.regtest.scenes import MINE, funded, spend
from tests.regtest.test_servers import ADDRESS, DARK, Asker, asker

__all__ = ["asker"]
TIP = "/api/blocks/tip/height"


async def fault(asker: Asker, kind: str, **more: Any) -> None:
    await asker.post("/regtest/fault", {"kind": kind, **more})


async def test_a_count_ends_a_fault_and_a_path_confines_it(asker: Asker) -> None:
    await fault(asker, "429", server="api", path="tip/height", count=2)
    assert (await asker.refused("GET", TIP)) == (429, "Too Many Requests")
    await asker.get("/api/blocks/tip/hash")
    await asker.get("/ord/status")
    assert (await asker.refused("GET", TIP))[0] == 429
    await asker.get(TIP)


async def test_a_fault_without_count_stays_until_reset(asker: Asker) -> None:
    await fault(asker, "500")
    for target in (TIP, "/ord/status", TIP):
        assert (await asker.refused("GET", target))[0] == 500
    assert (await asker.get("/regtest/status"))["faults"][0]["kind"] == "500"
    await asker.post("/regtest/fault/reset", {})
    await asker.get(TIP)


async def test_a_dropped_request_has_no_answer(asker: Asker) -> None:
    await fault(asker, "drop", count=1)
    assert await asker.service.answer(HttpRequest("GET", TIP, {}, b"")) is None
    await asker.get(TIP)


async def test_a_late_answer_is_late(asker: Asker) -> None:
    loop = asyncio.get_running_loop()
    await fault(asker, "delay", amount=7_000, count=1)
    began = loop.time()
    await asker.get(TIP)
    assert loop.time() - began == pytest.approx(7)


async def test_a_swallowed_broadcast_is_in_no_mempool(asker: Asker) -> None:
    (coin,) = funded(asker.node, [50_000])
    made = spend([coin], [(40_000, MINE)])
    await fault(asker, "swallow", count=1)
    sent = await asker.ask("POST", "/api/tx", made.serialize().hex().encode())
    assert sent.body.decode() == made.txid
    assert not asker.node.mempool.waiting


async def test_garbage_is_half_an_answer(asker: Asker) -> None:
    await fault(asker, "garbage", count=1)
    answer = await asker.ask("GET", "/ord/status")
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.body)


async def test_lies_change_amounts_and_hashes(asker: Asker) -> None:
    rune = (await asker.post("/regtest/faucet", {"address": ADDRESS, "asset": f"RUNE:{DARK}", "atoms": 5}))["txid"]
    alkane = (await asker.post("/regtest/faucet", {"address": ADDRESS, "asset": "ALKANE:2:0", "atoms": 5}))["txid"]
    truth = await asker.get(f"/api/tx/{rune}/hex")
    await fault(asker, "lie", amount=3)
    assert (await asker.get(f"/ord/output/{rune}:0"))["runes"]["DARK•TEST•COINS"]["amount"] == 8
    assert (await asker.get(f"/api/address/{ADDRESS}/utxo"))[0]["value"] == 549
    told = await asker.get(f"/api/tx/{rune}/hex")
    assert (told[:-1], told == truth) == (truth[:-1], False)
    new = await asker.call("alkanes_protorunesbyoutpoint", alkane, 0)
    assert new["result"]["balance_sheet"]["cached"]["balances"][0]["amount"] == 8
    asked = b"\x0a\x20" + bytes.fromhex(alkane)[::-1] + b"\x1a\x02\x08\x01"
    view = (await asker.call("metashrew_view", "protorunesbyoutpoint", asked.hex(), "latest"))["result"]
    assert "12020808" in view
    await fault(asker, "429")
    await asker.post("/regtest/fault/reset", {})
    assert await asker.get(f"/api/tx/{rune}/hex") == truth


async def test_a_late_index_knows_nothing_of_the_newest_blocks(asker: Asker) -> None:
    height = asker.node.ledger.height
    rune = (await asker.post("/regtest/faucet", {"address": ADDRESS, "asset": f"RUNE:{DARK}"}))["txid"]
    alkane = (await asker.post("/regtest/faucet", {"address": ADDRESS, "asset": "ALKANE:2:0"}))["txid"]
    await fault(asker, "lag", amount=2)
    assert (await asker.get("/ord/status"))["height"] == height
    assert (await asker.call("metashrew_height"))["result"] == str(height)
    output = await asker.get(f"/ord/output/{rune}:0")
    assert (output["indexed"], output["runes"]) == (False, {})
    late = await asker.call("alkanes_protorunesbyoutpoint", alkane, 0)
    assert late["result"]["balance_sheet"]["cached"]["balances"] == []
    await asker.post("/regtest/fault/reset", {})
    assert (await asker.get(f"/ord/output/{rune}:0"))["indexed"] is True


async def test_a_stale_tip_is_a_block_of_before(asker: Asker) -> None:
    await fault(asker, "stale_tip", server="api", amount=3)
    block = asker.node.ledger.blocks[-4]
    assert await asker.get(TIP) == str(block.height)
    assert await asker.get("/api/blocks/tip/hash") == block.block_hash


async def test_a_hidden_spend_looks_unspent(asker: Asker) -> None:
    (coin,) = funded(asker.node, [50_000])
    asker.node.submit(spend([coin], [(40_000, MINE)]).serialize())
    await asker.post("/regtest/mine", {})
    target = f"/api/tx/{coin.txid}/outspend/{coin.vout}"
    assert (await asker.get(target))["spent"] is True
    assert (await asker.get(f"/ord/output/{coin}"))["spent"] is True
    await fault(asker, "hide_spend")
    assert await asker.get(target) == {"spent": False}
    assert (await asker.get(f"/ord/output/{coin}"))["spent"] is False


async def test_an_index_that_is_off_says_null(asker: Asker) -> None:
    rune = (await asker.post("/regtest/faucet", {"address": ADDRESS, "asset": f"RUNE:{DARK}"}))["txid"]
    await fault(asker, "null", server="ord")
    (output,) = await asker.post("/ord/outputs", [f"{rune}:0"])
    assert (output["runes"], output["inscriptions"]) == (None, None)


async def test_faults_can_be_confined_to_one_method_of_a_gateway(asker: Asker) -> None:
    await fault(asker, "500", server="alkanes", path="metashrew_view")
    assert (await asker.call("metashrew_height"))["result"]
    body = json.dumps({"method": "metashrew_view", "params": []}).encode()
    assert (await asker.refused("POST", "/alkanes", body))[0] == 500


async def test_the_number_of_faults_is_bounded(asker: Asker, tmp_path: Path) -> None:
    for _ in range(100):
        await fault(asker, "lag")
    assert (await asker.refused("POST", "/regtest/fault", {"kind": "lag"}))[0] == 400
