"""Esplora's answers in the shapes of its API.md, and a server that lies in each of them."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import Any

import pytest

from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.chain.base import Spend, Tip, TxStatus, Utxo
from darkswap_browser.chain.esplora import EsploraClient
from darkswap_browser.chain.requests import Server
from darkswap_browser.chain.transaction_cache import MAX_ENTRIES, PREFIX, TransactionCache
from darkswap_browser.errors import BroadcastRejected, ChainError, ChainInconsistent, InvalidArgument, NotOnChain
from darkswap_browser.runtime.base.http import HttpResponse
from tests.support.chain_servers import SCRIPT, ChainServer, Hosts, block_hash, esplora, transaction

KNOWN = transaction(1)
OUT = OutPoint(KNOWN.txid, 0)
LISTING = f"GET /scripthash/{sha256(SCRIPT).hexdigest()}/utxo"


def reached(far: ChainServer, hosts: Hosts | None = None) -> EsploraClient:
    hosts = hosts or Hosts()
    server = Server(hosts.serve("one", far), fetch=hosts.page.fetch, entropy=hosts.page.entropy)
    return EsploraClient(server, TransactionCache(hosts.page.store))


def listed(txid: str, height: int | None, value: int = 1001) -> dict[str, Any]:
    status = {"confirmed": False} if height is None else {
        "confirmed": True, "block_height": height, "block_hash": block_hash(height), "block_time": 1}  # fmt: skip
    return {"txid": txid, "vout": 0, "value": value, "status": status}


async def test_the_tip_is_a_height_and_the_hash_there() -> None:
    source = reached(esplora())
    assert await source.tip() == Tip(800_000, block_hash(800_000))
    assert await source.block_hash(0) == block_hash(0)
    with pytest.raises(NotOnChain):
        await source.block_hash(900_000)


async def test_a_transaction_is_asked_for_once_and_kept() -> None:
    far, hosts = esplora(), Hosts()
    source = reached(far, hosts)
    for _ in range(2):
        assert await source.transaction(KNOWN.txid) == KNOWN.serialize()
    assert far.asked == [f"GET /tx/{KNOWN.txid}/hex"]
    await hosts.page.store.put(PREFIX + KNOWN.txid, transaction(2).serialize())
    assert await source.transaction(KNOWN.txid) == KNOWN.serialize()
    assert len(far.asked) == 2


async def test_what_can_change_is_asked_for_each_time() -> None:
    far = esplora()
    source = reached(far)
    for _ in range(2):
        await source.spend(OUT)
        await source.status(KNOWN.txid)
    assert len(far.asked) == 4


async def test_blocked_storage_is_no_hindrance() -> None:
    hosts = Hosts()
    hosts.world.store("page").blocked = True
    assert await reached(esplora(), hosts).transaction(KNOWN.txid) == KNOWN.serialize()


async def test_the_store_of_transactions_has_an_end() -> None:
    hosts = Hosts()
    for number in range(MAX_ENTRIES):
        await hosts.page.store.put(f"{PREFIX}{number:064x}", b"")
    await reached(esplora(), hosts).transaction(KNOWN.txid)
    assert len(await hosts.page.store.keys(PREFIX)) < MAX_ENTRIES
    assert await hosts.page.store.get(PREFIX + KNOWN.txid) == KNOWN.serialize()


@pytest.mark.parametrize(
    "text", [transaction(2).serialize().hex(), "00", "", "zz", "<html>", "é", KNOWN.serialize().hex()[:-2]]
)
async def test_bytes_that_do_not_hash_to_the_id_are_refused(text: str) -> None:
    hosts, far = Hosts(), esplora()
    far.routes[f"GET /tx/{KNOWN.txid}/hex"] = text
    with pytest.raises(ChainInconsistent):
        await reached(far, hosts).transaction(KNOWN.txid)
    assert await hosts.page.store.keys(PREFIX) == []


async def test_a_transaction_is_in_a_block_in_the_mempool_or_unknown() -> None:
    far = esplora()
    source = reached(far)
    assert await source.status(KNOWN.txid) == TxStatus(790_000, block_hash(790_000))
    far.routes[f"GET /tx/{KNOWN.txid}/status"] = {"confirmed": False}
    assert await source.status(KNOWN.txid) == TxStatus()
    unknown = transaction(3).txid
    assert await source.status(unknown) is None
    far.routes[f"GET /tx/{unknown}/status"] = {"confirmed": False}  # as electrs says of any id
    assert await source.status(unknown) is None


async def test_an_output_is_unspent_spent_in_the_mempool_or_in_a_block() -> None:
    far = esplora()
    source = reached(far)
    path, spender = f"GET /tx/{KNOWN.txid}/outspend/0", transaction(4).txid
    assert await source.spend(OUT) is None
    far.routes[path] = {"spent": True, "txid": spender, "vin": 0, "status": {"confirmed": False}}
    assert await source.spend(OUT) == Spend(spender, None)
    far.routes[path] = {"spent": True, "txid": spender, "vin": 0, "status": {"confirmed": True, "block_height": 5}}
    assert await source.spend(OUT) == Spend(spender, 5)


async def test_coins_are_listed_with_immature_coinbases_marked() -> None:
    far, mined = esplora(), transaction(5, coinbase=True)
    far.routes |= {
        LISTING: [listed(KNOWN.txid, 790_000), listed(mined.txid, 799_950, 1005), listed(transaction(6).txid, None)],
        f"GET /tx/{mined.txid}/hex": mined.serialize().hex(),
    }
    assert await reached(far).utxos(SCRIPT) == [
        Utxo(OUT, 1001, SCRIPT, 790_000),
        Utxo(OutPoint(mined.txid, 0), 1005, SCRIPT, 799_950, is_coinbase=True),
        Utxo(OutPoint(transaction(6).txid, 0), 1001, SCRIPT, None),
    ]


async def test_fees_are_exact_and_may_be_missing() -> None:
    far = esplora()
    assert await reached(far).fee_rates() == {1: 12_500, 6: 3_001, 144: 1_000}
    far.routes["GET /fee-estimates"] = {}
    assert await reached(far).fee_rates() == {}
    far.routes["GET /fee-estimates"] = b'{"1": 1.00000000000000000001}'
    assert await reached(far).fee_rates() == {1: 1_001}


async def test_a_transaction_that_is_taken_or_known_already_is_sent() -> None:
    far = esplora()
    source = reached(far)
    far.routes["POST /tx"] = KNOWN.txid
    assert await source.broadcast(KNOWN.serialize()) == KNOWN.txid
    assert far.bodies == [KNOWN.serialize().hex().encode()]
    for code, words in ((-27, "Transaction already in block chain"), (-27, "Transaction outputs already in utxo set"),
                        (-26, "txn-already-in-mempool"), (-26, "txn-already-known")):  # fmt: skip
        said = f'sendrawtransaction RPC error: {{"code":{code},"message":"{words}"}}'
        far.routes["POST /tx"] = HttpResponse(400, {}, said.encode())
        assert await source.broadcast(KNOWN.serialize()) == KNOWN.txid


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('sendrawtransaction RPC error: {"code":-26,"message":"min relay fee not met, 5 < 110"}',
         "min relay fee not met, 5 < 110"),
        ('sendrawtransaction RPC error: {"code":-25,"message":"bad-txns-inputs-missingorspent"}',
         "bad-txns-inputs-missingorspent"),
        ("sendrawtransaction RPC error: not json", "not json"),
        ('sendrawtransaction RPC error: {"code":-1}', 'sendrawtransaction RPC error: {"code":-1}'),
        ("Transaction rejected", "Transaction rejected"),
        ("", "answers 400"),
    ],
)  # fmt: skip
async def test_a_refusal_carries_the_nodes_own_reason(text: str, reason: str) -> None:
    far = esplora()
    far.routes["POST /tx"] = HttpResponse(400, {}, text.encode())
    with pytest.raises(BroadcastRejected) as caught:
        await reached(far).broadcast(KNOWN.serialize())
    assert caught.value.reason == reason


async def test_a_server_that_took_something_else_is_told() -> None:
    far = esplora()
    far.routes["POST /tx"] = transaction(2).txid
    with pytest.raises(ChainInconsistent):
        await reached(far).broadcast(KNOWN.serialize())
    with pytest.raises(InvalidArgument):
        await reached(far).broadcast(b"no transaction")


LIES: list[tuple[str, Any]] = [
    ("GET /blocks/tip/height", b"-1"),
    ("GET /blocks/tip/height", b"800000.5"),
    ("GET /blocks/tip/height", b"9999999999"),
    ("GET /block-height/800000", b"abc"),
    (f"GET /tx/{KNOWN.txid}/status", {"confirmed": True}),
    (f"GET /tx/{KNOWN.txid}/status", {"confirmed": 1}),
    (f"GET /tx/{KNOWN.txid}/status", {"confirmed": True, "block_height": -1, "block_hash": block_hash(1)}),
    (f"GET /tx/{KNOWN.txid}/status", []),
    (f"GET /tx/{KNOWN.txid}/outspend/0", {}),
    (f"GET /tx/{KNOWN.txid}/outspend/0", {"spent": True}),
    (f"GET /tx/{KNOWN.txid}/outspend/0", {"spent": None}),
    (f"GET /tx/{KNOWN.txid}/outspend/0", b"\xff\xfe"),
    (LISTING, {}),
    (LISTING, [listed(KNOWN.txid, 1, 21_000_000 * 10**8 + 1)]),
    (LISTING, [listed(KNOWN.txid, 1), listed(KNOWN.txid, 1)]),
    (LISTING, [{**listed(KNOWN.txid, 1), "vout": 2**32}]),
    (LISTING, [{**listed(KNOWN.txid, 1), "value": 1.5}]),
    (LISTING, b"[" * 1000),
    (LISTING, b" " * 5_000_000),
    ("GET /fee-estimates", {"x": 1}),
    ("GET /fee-estimates", {"1": -1}),
    ("GET /fee-estimates", b'{"1": 1e400}'),
    ("GET /fee-estimates", {"1": "5"}),
    ("GET /fee-estimates", HttpResponse(400, {}, b"no")),
]


@pytest.mark.parametrize(("path", "answer"), LIES, ids=[str(number) for number in range(len(LIES))])
async def test_nonsense_is_an_error_of_the_chain(path: str, answer: Any) -> None:
    far = esplora()
    far.routes[path] = answer
    source = reached(far)
    asked = (source.tip(), source.status(KNOWN.txid), source.spend(OUT), source.utxos(SCRIPT), source.fee_rates())
    failed = [error for error in await asyncio.gather(*asked, return_exceptions=True) if isinstance(error, Exception)]
    assert failed and all(isinstance(error, ChainError) for error in failed)
