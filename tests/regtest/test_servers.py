"""What the servers answer, by the tables of facts/trading.md §2.6 and §5, and the verbs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.bitcoin.address import address_of, script_of
from darkswap_browser.bitcoin.transaction import OutPoint, Transaction
from darkswap_browser.chain.alkanes import view_balances
from darkswap_browser.market.assets import Asset
from darkswap_browser.regtest.faucet import ALKANES
from darkswap_browser.regtest.servers.alkanes import AlkanesServer
from darkswap_browser.regtest.servers.http import HttpRequest
from darkswap_browser.regtest.servers.requests import TEXT, Request, Response
from darkswap_browser.regtest.service import RegtestOptions, RegtestService
from tests.regtest.scenes import MINE, funded, spend

NOW = 1_700_000_000
ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
SCRIPT = script_of(ADDRESS, "regtest")
OURS = str(address_of(MINE, "regtest"))
DARK = "127:1"


METHODS = (
    "alkanes_meta",
    "alkanes_protorunesbyaddress",
    "alkanes_protorunesbyoutpoint",
    "alkanes_simulate",
    "metashrew_height",
    "metashrew_view",
)
FIELD_NAMES = ("txid", "vout", "target", "block", "tx", "inputs", "address")


class Asker:
    """The service without its network."""

    def __init__(self, folder: Path) -> None:
        self.service = RegtestService(RegtestOptions(folder=folder, clock=lambda: NOW))
        self.node = self.service.node

    async def ask(self, method: str, target: str, body: bytes = b"") -> Response:
        answer = await self.service.answer(HttpRequest(method, target, {}, body))
        assert answer is not None
        return answer

    async def get(self, target: str) -> Any:
        answer = await self.ask("GET", target)
        assert answer.status == 200, answer.body
        return answer.body.decode() if answer.content_type == TEXT else json.loads(answer.body)

    async def post(self, target: str, value: Any) -> Any:
        answer = await self.ask("POST", target, json.dumps(value).encode())
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    async def refused(self, method: str, target: str, body: Any = b"") -> tuple[int, str]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = await self.ask(method, target, data)
        assert answer.status >= 400
        return answer.status, answer.body.decode()

    async def call(self, method: str, *params: Any, manner: str = "") -> Any:
        return await self.post(
            f"/alkanes{manner}", {"jsonrpc": "2.0", "id": 7, "method": method, "params": list(params)}
        )


@pytest.fixture
def asker(tmp_path: Path) -> Iterator[Asker]:
    made = Asker(tmp_path)
    yield made
    made.node.close()


# --- Esplora


async def test_the_tip_is_text_and_names_the_chain(asker: Asker) -> None:
    assert await asker.get("/api/blocks/tip/height") == str(asker.node.ledger.height)
    assert await asker.get("/api/blocks/tip/hash") == asker.node.ledger.tip.block_hash
    genesis = await asker.get("/api/block-height/0")
    assert genesis == "0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"
    assert (await asker.refused("GET", "/api/block-height/9999"))[0] == 404


async def test_a_transaction_is_told_whole(asker: Asker) -> None:
    (coin,) = funded(asker.node, [50_000])
    made = spend([coin], [(30_000, MINE), (19_000, SCRIPT), (0, b"\x6a\x01a")])
    sent = await asker.ask("POST", "/api/tx", made.serialize().hex().encode())
    assert (sent.status, sent.body.decode()) == (200, made.txid)
    told = await asker.get(f"/api/tx/{made.txid}")
    assert (told["fee"], told["weight"], told["size"]) == (1_000, made.weight, len(made.serialize()))
    assert told["status"] == {"confirmed": False}
    assert told["vin"][0]["prevout"]["value"] == 50_000
    assert told["vin"][0]["prevout"]["scriptpubkey_address"] == OURS
    assert [each["scriptpubkey_type"] for each in told["vout"]] == ["v0_p2wsh", "v0_p2wpkh", "op_return"]
    assert "scriptpubkey_address" not in told["vout"][2]
    assert await asker.get(f"/api/tx/{made.txid}/hex") == made.serialize().hex()
    assert (await asker.ask("GET", f"/api/tx/{made.txid}/raw")).body == made.serialize()
    spent = {"spent": True, "txid": made.txid, "vin": 0, "status": {"confirmed": False}}
    assert await asker.get(f"/api/tx/{coin.txid}/outspend/{coin.vout}") == spent
    assert await asker.get(f"/api/tx/{made.txid}/outspends") == [{"spent": False}] * 3
    assert (await asker.refused("GET", f"/api/tx/{made.txid}/merkle-proof"))[0] == 404
    await asker.post("/regtest/mine", {"blocks": 1})
    status = await asker.get(f"/api/tx/{made.txid}/status")
    tip = asker.node.ledger.tip
    header = tip.block.header
    assert status == {
        "confirmed": True,
        "block_height": tip.height,
        "block_hash": tip.block_hash,
        "block_time": header.time,
    }
    proof = await asker.get(f"/api/tx/{made.txid}/merkle-proof")
    assert proof == {"block_height": tip.height, "merkle": [tip.txids[0]], "pos": 1}
    assert await asker.get(f"/api/block/{tip.block_hash}/header") == header.serialize().hex()
    assert await asker.get(f"/api/block/{tip.block_hash}/txids") == list(tip.txids)
    assert (await asker.get(f"/api/block/{tip.block_hash}"))["tx_count"] == 2
    assert (await asker.get(f"/api/block/{tip.block_hash}/txs"))[0]["vin"][0]["is_coinbase"] is True


async def test_coins_of_an_address_are_unconfirmed_first_and_not_those_spent_in_the_mempool(asker: Asker) -> None:
    one, two = funded(asker.node, [50_000, 60_000])
    made = spend([one], [(49_000, MINE)])
    asker.node.submit(made.serialize())
    coins = await asker.get(f"/api/address/{OURS}/utxo")
    assert [(each["txid"], each["vout"], each["value"]) for each in coins] == [
        (made.txid, 0, 49_000),
        (two.txid, 1, 60_000),
    ]
    assert coins[0]["status"] == {"confirmed": False}
    assert coins[1]["status"]["block_height"] == asker.node.ledger.height
    digest = sha256(MINE).hexdigest()
    assert await asker.get(f"/api/scripthash/{digest}/utxo") == coins
    totals = await asker.get(f"/api/address/{OURS}")
    assert (totals["chain_stats"]["funded_txo_sum"], totals["mempool_stats"]["spent_txo_sum"]) == (110_000, 50_000)
    history = await asker.get(f"/api/address/{OURS}/txs")
    assert [each["txid"] for each in history] == [made.txid, one.txid]
    assert [each["txid"] for each in await asker.get(f"/api/address/{OURS}/txs/chain")] == [one.txid]
    assert await asker.get(f"/api/address/{OURS}/txs/chain/{one.txid}") == []
    assert await asker.get("/api/mempool/txids") == [made.txid]
    assert (await asker.get("/api/mempool"))["total_fee"] == 1_000


async def test_a_refused_broadcast_is_cores_error(asker: Asker) -> None:
    (coin,) = funded(asker.node, [50_000])
    cheap = spend([coin], [(49_990, MINE)]).serialize().hex()
    said = 'sendrawtransaction RPC error: {"code":-26,"message":"min relay fee not met, 10 < 98"}'
    assert await asker.refused("POST", "/api/tx", cheap.encode()) == (400, said)
    assert (await asker.refused("POST", "/api/tx", b"00ff"))[1].startswith("sendrawtransaction RPC error:")
    assert (await asker.refused("POST", "/api/tx", b"zz"))[0] == 400
    good = spend([coin], [(40_000, MINE)])
    tested = await asker.post("/api/txs/test", [cheap, good.serialize().hex()])
    assert [each["allowed"] for each in tested] == [False, True]
    assert tested[0]["reject-reason"].startswith("min relay fee")
    assert not asker.node.mempool.waiting
    child = spend([OutPoint(good.txid, 0)], [(30_000, MINE)])
    package = await asker.post("/api/txs/package", [good.serialize().hex(), child.serialize().hex()])
    assert package["package_msg"] == "success"
    assert list(asker.node.mempool.waiting) == [good.txid, child.txid]


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/api/tx/xyz", 400),
        ("/api/tx/" + "11" * 32, 404),
        ("/api/address/bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4/utxo", 400),
        ("/api/block/" + "11" * 32, 404),
        ("/api/nothing", 404),
        ("/ord/output/nonsense", 400),
        ("/ord/output/" + "11" * 32 + ":0", 404),
        ("/ord/rune/NOTHINGHERE", 404),
        ("/ord/rune/lower", 400),
        ("/ord/rune/5:x", 400),
        ("/ord/address/nonsense", 400),
        ("/alkanes", 404),
        ("/nowhere", 404),
        ("/", 404),
        ("/regtest/mine", 405),
    ],
)
async def test_what_is_not_there_is_refused(asker: Asker, target: str, status: int) -> None:
    assert (await asker.refused("GET", target))[0] == status


# --- ord


async def test_ord_tells_runes_of_outputs_addresses_and_names(asker: Asker) -> None:
    txid = (await asker.post("/regtest/faucet", {"address": ADDRESS, "asset": f"RUNE:{DARK}", "atoms": "12345"}))[
        "txid"
    ]
    pile = {"DARK•TEST•COINS": {"amount": 12345, "divisibility": 2, "symbol": "◐"}}
    output = await asker.get(f"/ord/output/{txid}:0")
    assert (output["runes"], output["inscriptions"], output["spent"], output["indexed"]) == (pile, [], False, True)
    assert (output["confirmations"], output["value"], output["address"]) == (1, 546, ADDRESS)
    plain = (await asker.post("/regtest/faucet", {"address": ADDRESS}))["txid"]
    both = await asker.post("/ord/outputs", [f"{txid}:0", f"{plain}:0"])
    assert [each["runes"] for each in both] == [pile, {}]
    listed = {kind: await asker.get(f"/ord/outputs/{ADDRESS}?type={kind}") for kind in ("any", "cardinal", "runic")}
    assert {kind: [each["outpoint"] for each in found] for kind, found in listed.items()} == {
        "any": [f"{txid}:0", f"{plain}:0"],
        "cardinal": [f"{plain}:0"],
        "runic": [f"{txid}:0"],
    }
    address = await asker.get(f"/ord/address/{ADDRESS}")
    assert address["runes_balances"] == [["DARK•TEST•COINS", "123.45", "◐"]]
    assert address["sat_balance"] == 100_546
    by_name, by_id = await asker.get("/ord/rune/DARK.TEST.COINS"), await asker.get(f"/ord/rune/{DARK}")
    assert by_name == by_id == await asker.get("/ord/rune/DARKTESTCOINS")
    assert (by_id["id"], by_id["entry"]["spaced_rune"], by_id["entry"]["terms"]) == (DARK, "DARK•TEST•COINS", None)
    free = await asker.get("/ord/rune/FREETESTMINTS")
    assert free["mintable"] is True
    assert free["entry"]["terms"] == {"amount": 1000, "cap": 1000000, "height": [None, None], "offset": [None, None]}
    assert [each[0] for each in (await asker.get("/ord/runes"))["entries"]] == ["127:3", "127:2", "127:1"]
    decoded = (await asker.get(f"/ord/decode/{txid}"))["runestone"]["Runestone"]
    assert decoded["edicts"] == [{"id": DARK, "amount": 12345, "output": 0}]
    assert (decoded["pointer"], decoded["etching"]) == (1, None)
    status = await asker.get("/ord/status")
    assert (status["height"], status["rune_index"], status["chain"]) == (asker.node.ledger.height, True, "regtest")
    assert await asker.get("/ord/blockheight") == str(asker.node.ledger.height)


async def test_an_output_of_the_mempool_is_not_indexed(asker: Asker) -> None:
    asked = {"address": ADDRESS, "asset": f"RUNE:{DARK}", "mine": False}
    txid = (await asker.post("/regtest/faucet", asked))["txid"]
    output = await asker.get(f"/ord/output/{txid}:0")
    assert (output["indexed"], output["confirmations"], output["runes"]) == (False, 0, {})
    await asker.post("/regtest/mine", {})
    await asker.post("/regtest/faucet", {"address": ADDRESS, "asset": f"RUNE:{DARK}"})
    assert (await asker.get(f"/ord/output/{txid}:0"))["runes"]["DARK•TEST•COINS"]["amount"] == 100_000


async def test_mints_of_the_open_rune_are_counted(asker: Asker) -> None:
    (coin,) = funded(asker.node, [50_000])
    script = bytes.fromhex("6a5d04147f1403")
    minting = spend([coin], [(40_000, MINE), (0, script)])
    asker.node.submit(minting.serialize())
    await asker.post("/regtest/mine", {})
    assert (await asker.get(f"/ord/output/{minting.txid}:0"))["runes"]["FREE•TEST•MINTS"]["amount"] == 1_000
    assert (await asker.get("/ord/rune/FREETESTMINTS"))["entry"]["mints"] == 1
    await asker.post("/regtest/reorg", {"depth": 1, "forget": True})
    assert (await asker.get("/ord/rune/FREETESTMINTS"))["entry"]["mints"] == 0


# --- alkanes


async def test_both_generations_tell_the_same_balance(asker: Asker) -> None:
    atoms = 10**9 + 5
    asked = {"address": ADDRESS, "asset": "ALKANE:2:0", "atoms": atoms}
    txid = (await asker.post("/regtest/faucet", asked))["txid"]
    internal = bytes.fromhex(txid)[::-1].hex()
    new = await asker.call("alkanes_protorunesbyoutpoint", {"txid": txid, "vout": 0, "protocolTag": "1"}, "latest")
    assert new["result"] == {
        "balance_sheet": {"cached": {"balances": [{"block": 2, "tx": 0, "amount": atoms}]}},
        "outpoint": {"txid": txid, "vout": 0},
        "output": {"value": 546},
    }
    assert await asker.call("alkanes_protorunesbyoutpoint", txid, 0, "latest", "1") == new
    old = await asker.call("alkanes_protorunesbyoutpoint", internal, 0, manner="/old")
    token = {"id": {"block": "0x2", "tx": "0x0"}, "name": "TEST DIESEL", "symbol": "DIESEL"}
    assert old["result"] == [{"token": token, "value": hex(atoms)}]
    assert (await asker.call("alkanes_protorunesbyoutpoint", txid, 0, manner="/old"))["result"] == []
    listed = await asker.call("alkanes_protorunesbyaddress", {"address": ADDRESS, "protocolTag": "1"}, "latest")
    assert listed["result"] == {"outpoints": [new["result"]]}
    older = await asker.call("alkanes_protorunesbyaddress", {"address": ADDRESS}, manner="/old")
    (outpoint,) = older["result"]["outpoints"]
    assert outpoint["outpoint"] == {"txid": internal, "vout": 0}
    assert outpoint["runes"][0]["balance"] == hex(atoms)


async def test_the_view_carries_all_bits(asker: Asker) -> None:
    stock = next(iter(asker.service.alkanes.balances))
    asker.service.alkanes.balances[stock] = {(2, 0): 2**100 + 7}
    internal = bytes.fromhex(stock.txid)[::-1]
    asked = b"\x0a\x20" + internal + b"\x10\x00\x1a\x02\x08\x01"
    answer = await asker.call("metashrew_view", "protorunesbyoutpoint", "0x" + asked.hex(), "latest")
    raw = bytes.fromhex(answer["result"][2:])
    assert view_balances(raw, stock) == {Asset.alkane(2, 0): 2**100 + 7}
    assert raw.endswith(b"\x20\x01")
    assert ALKANES in raw
    cut = await asker.call("alkanes_protorunesbyoutpoint", stock.txid, 0)
    assert cut["result"]["balance_sheet"]["cached"]["balances"][0]["amount"] == 7
    assert (
        "panicked"
        in (await asker.call("metashrew_view", "protorunesbyoutpoint", "0x" + asked[:34].hex()))["error"]["message"]
    )


async def test_the_gateways_other_methods(asker: Asker) -> None:
    assert (await asker.call("metashrew_height"))["result"] == str(asker.node.ledger.height)
    call = {"target": {"block": "2", "tx": "1"}, "inputs": ["99"]}
    execution = (await asker.call("alkanes_simulate", call))["result"]["execution"]
    assert bytes.fromhex(execution["data"][2:]) == b"TEST SILVER"
    reverted = await asker.call("alkanes_simulate", {**call, "inputs": ["7"]})
    assert reverted["result"]["execution"]["error"].startswith("ALKANES: revert")
    assert (await asker.call("alkanes_meta", {"target": {"block": 2, "tx": 0}}))["result"].startswith("0x7b")
    assert (await asker.call("metashrew_view", "x", manner="/json"))["error"]["code"] == -32601
    assert (await asker.call("alkanes_protorunesbyoutpoint", "zz", 0))["error"]["code"] == -32602
    assert (await asker.call("alkanes_protorunesbyoutpoint"))["error"]["code"] == -32602


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**130) | st.floats() | st.text(max_size=5) | st.just("11" * 32),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELD_NAMES), inner, max_size=3),
    max_leaves=6,
)


def test_any_call_of_the_gateway_is_answered(tmp_path: Path) -> None:
    asker = Asker(tmp_path)
    alkanes = AlkanesServer(asker.node, asker.service.alkanes)

    @settings(max_examples=200)
    @given(st.sampled_from(METHODS), st.lists(JSON_VALUES, max_size=3), st.sampled_from([(), ("json",), ("old",)]))
    def holds(method: str, params: list[Any], path: tuple[str, ...]) -> None:
        body = json.dumps({"method": method, "params": params}).encode()
        answer = json.loads(alkanes.answer(Request("POST", path, {}, body)).body)
        assert {"result", "error"} & answer.keys()

    holds()

    @settings(max_examples=100)
    @given(st.binary(max_size=80))
    def view_holds(data: bytes) -> None:
        body = json.dumps({"method": "metashrew_view", "params": ["protorunesbyoutpoint", data.hex()]}).encode()
        assert alkanes.answer(Request("POST", (), {}, body)).status == 200

    view_holds()
    asker.node.close()


# --- verbs


@pytest.mark.parametrize(
    ("verb", "arguments", "words"),
    [
        ("mine", {"blocks": 0}, "must be 1 to"),
        ("mine", {"blocks": "x"}, "whole number"),
        ("mine", {"blocks": True}, "whole number"),
        ("mine", [], "JSON object"),
        ("faucet", {}, "must be a text"),
        ("faucet", {"address": ADDRESS, "asset": "GOLD"}, "is not an asset"),
        ("faucet", {"address": ADDRESS, "atoms": 1}, "must be 546 to"),
        ("faucet", {"address": ADDRESS, "asset": "RUNE:1:1", "atoms": 1}, "are needed, 0 can be spent"),
        ("faucet", {"address": ADDRESS, "asset": f"RUNE:{DARK}", "atoms": 0}, "at least 1"),
        ("reorg", {"depth": 10_000}, "depth"),
        ("reorg", {"transactions": ["zz"]}, "must be hex"),
        ("reorg", {"transactions": ["00"]}, "TX decode failed"),
        ("drop", {"txid": "11"}, "is not in the mempool"),
        ("fault", {"kind": "rain"}, "must be one of"),
        ("fault", {"kind": "lag", "server": "x"}, "must be api"),
        ("fault", {"kind": "delay", "amount": 10**9}, "must be 0 to"),
        ("nothing", {}, "the verbs are"),
    ],
)
async def test_verbs_say_what_is_wrong(asker: Asker, verb: str, arguments: Any, words: str) -> None:
    height = asker.node.ledger.height
    status, said = await asker.refused("POST", f"/regtest/{verb}", arguments)
    assert status in (400, 404)
    assert words in said
    assert asker.node.ledger.height == height


async def test_verbs_mine_reorganise_and_drop(asker: Asker) -> None:
    mined = await asker.post("/regtest/mine", {"blocks": 2, "address": ADDRESS})
    assert len(mined["hashes"]) == 2
    assert asker.node.ledger.tip.block.transactions[0].outputs[0].script == SCRIPT
    paid = (await asker.post("/regtest/faucet", {"address": ADDRESS}))["txid"]
    await asker.post("/regtest/reorg", {"depth": 1})
    assert (await asker.get(f"/api/tx/{paid}/status")) == {"confirmed": False}
    await asker.post("/regtest/drop", {"txid": paid})
    assert (await asker.refused("GET", f"/api/tx/{paid}"))[0] == 404
    status = await asker.get("/regtest/status")
    assert (status["mempool"], status["rules"], status["faults"]) == (0, "strict", [])
    names = ["BTC", "RUNE:127:1", "RUNE:127:2", "RUNE:127:3", "ALKANE:2:0", "ALKANE:2:1"]
    assert [each["asset"] for each in status["assets"]] == names


async def test_the_faucet_gives_again_and_again(asker: Asker) -> None:
    assets = [each["asset"] for each in (await asker.get("/regtest/status"))["assets"]]
    for asset in assets * 3:
        txid = (await asker.post("/regtest/faucet", {"address": ADDRESS, "asset": asset}))["txid"]
        assert Transaction.parse(bytes.fromhex(await asker.get(f"/api/tx/{txid}/hex"))).outputs[0].script == SCRIPT
    held = asker.service.runes.balances, asker.service.alkanes.balances
    owned = [each for each in (*held[0], *held[1]) if asker.node.ledger.coins[each].output.script == SCRIPT]
    assert len(owned) == 3 * (len(assets) - 1)
