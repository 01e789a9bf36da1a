"""Whom to believe: several servers, of which some are late, silent, broken, or lie about one thing each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from darkswap_browser.bitcoin.networks import GENESIS
from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.chain.agreement import HEDGE_SECONDS, STRAGGLER_SECONDS
from darkswap_browser.chain.base import UNKNOWN, Chain, ChainConfig, OutputAssets, Tip, TxStatus
from darkswap_browser.chain.quorum import open_chain
from darkswap_browser.errors import (
    BroadcastRejected,
    ChainError,
    ChainInconsistent,
    ChainUnreachable,
    IndexerLagging,
    NotOnChain,
)
from darkswap_browser.market.assets import BITCOIN_INFO, BTC, Asset, AssetKind
from darkswap_browser.runtime.base.http import HttpResponse
from tests.chain.test_alkanes import answer, entry
from tests.support.chain_servers import ChainServer, Hosts, block_hash, esplora, ord_server, output, transaction

KNOWN = transaction(1)
OUT = OutPoint(KNOWN.txid, 0)
GOODS, DIESEL = Asset.rune(1, 0), Asset.alkane(2, 0)
SPENT = {"spent": True, "txid": transaction(9).txid, "vin": 0, "status": {"confirmed": False}}
OUTSPEND = f"GET /tx/{KNOWN.txid}/outspend/0"
STATUS = f"GET /tx/{KNOWN.txid}/status"


@dataclass(frozen=True)
class Net:
    chain: Chain
    hosts: Hosts


def opened(*chains: ChainServer, ord: tuple[ChainServer, ...] = (), alkanes: tuple[ChainServer, ...] = (),
           quorum: int = 2, network: str = "") -> Net:  # fmt: skip
    hosts = Hosts()

    def bases(kind: str, servers: tuple[ChainServer, ...]) -> tuple[str, ...]:
        return tuple(hosts.serve(f"{kind}{number}", server) for number, server in enumerate(servers))

    config = ChainConfig(
        network=network,
        esplora=bases("e", chains), ord=bases("o", ord), alkanes=bases("a", alkanes), quorum=quorum,
        headers={"https://e0/api": {"X-Key": "secret"}},
    )  # fmt: skip
    page = hosts.page
    return Net(open_chain(config, fetch=page.fetch, store=page.store, entropy=page.entropy), hosts)


def changed(server: ChainServer, **routes: Any) -> ChainServer:
    server.routes |= routes
    return server


def runes(height: int = 800_000, **fields: Any) -> ChainServer:
    server = ord_server(height)
    server.routes["POST /outputs"] = [output(OUT, **{"runes": {"UNCOMMON•GOODS": {"amount": 9}}, **fields})]
    return server


def alkanes(height: int = 800_000, amount: int = 5) -> ChainServer:
    def view(params: Any) -> str:
        """Of whichever output is asked for, as the request names it: field 1 its txid, field 2 its number."""
        asked = bytes.fromhex(params[1].removeprefix("0x"))
        txid, vout = asked[2:34], asked[35] if asked[34:35] == b"\x10" else 0
        return "0x" + answer(entry(2, 0, amount), txid=txid, vout=vout).hex()

    return ChainServer(**{"rpc metashrew_height": str(height), "rpc metashrew_view": view})


HELD = OutputAssets({GOODS: 9}, {DIESEL: 5}, ())

# What is asked with verification, and the answer of one of two servers that makes it fail.
LIES: list[tuple[Callable[[Chain], Awaitable[object]], str, Any]] = [
    (lambda chain: chain.tip(verify=True), "GET /block-height/800000", block_hash(800_000, 7)),
    (lambda chain: chain.genesis(), "GET /block-height/0", block_hash(0, 7)),
    (lambda chain: chain.status(KNOWN.txid, verify=True), STATUS, HttpResponse(404, {}, b"")),
    (lambda chain: chain.status(KNOWN.txid, verify=True), STATUS,
     {"confirmed": True, "block_height": 790_000, "block_hash": block_hash(790_000, 7)}),
    (lambda chain: chain.spend(OUT, verify=True), OUTSPEND, SPENT),
]  # fmt: skip


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize(("ask", "path", "lie"), LIES, ids=["tip", "genesis", "unconfirmed", "block", "spend"])
async def test_one_liar_of_two_stops_everything_that_is_verified(ask: Any, path: str, lie: Any, first: bool) -> None:
    servers = [changed(esplora(), **{path: lie}), esplora()]
    net = opened(*(servers if first else servers[::-1]))
    with pytest.raises(ChainInconsistent, match="do not agree"):
        await ask(net.chain)


@pytest.mark.parametrize(("ask", "path", "lie"), LIES[2:4], ids=["unconfirmed", "block"])
async def test_two_of_three_outvote_a_liar(ask: Any, path: str, lie: Any) -> None:
    net = opened(changed(esplora(), **{path: lie}), esplora(), esplora())
    assert await ask(net.chain) == TxStatus(790_000, block_hash(790_000))


@pytest.mark.parametrize(("servers", "quorum"), [(2, 1), (3, 3)])
async def test_half_the_servers_and_a_majority_below_the_quorum_are_not_enough(servers: int, quorum: int) -> None:
    liar = changed(esplora(), **{STATUS: {"confirmed": False}})
    chain = opened(liar, *(esplora() for _ in range(servers - 1)), quorum=quorum).chain
    with pytest.raises(ChainInconsistent, match="do not agree"):
        await chain.status(KNOWN.txid, verify=True)


@pytest.mark.parametrize("quorum", [1, 2])
async def test_a_spend_that_only_one_of_three_saw_is_a_spend(quorum: int) -> None:
    net = opened(esplora(), esplora(), changed(esplora(), **{OUTSPEND: SPENT}), quorum=quorum)
    with pytest.raises(ChainInconsistent, match="who spends"):
        await net.chain.spend(OUT, verify=True)
    assert await net.chain.spend(OUT) is None


async def test_equal_answers_are_believed() -> None:
    chain = opened(esplora(), esplora()).chain
    assert await chain.tip(verify=True) == Tip(800_000, block_hash(800_000))
    assert await chain.genesis() == block_hash(0)
    assert await chain.spend(OUT, verify=True) is None
    assert await chain.status(KNOWN.txid, verify=True) == TxStatus(790_000, block_hash(790_000))
    assert await chain.transaction(KNOWN.txid) == KNOWN.serialize()


async def test_too_few_answers_are_no_quorum() -> None:
    net = opened(esplora(), esplora())
    net.hosts.world.refuse("e1")
    for asked in (net.chain.tip(verify=True), net.chain.spend(OUT, verify=True), net.chain.genesis()):
        with pytest.raises(ChainUnreachable):
            await asked
    assert (await net.chain.tip()).height == 800_000


async def test_no_server_is_no_answer() -> None:
    chain = opened().chain
    for asked in (chain.tip(), chain.tip(verify=True), chain.spend(OUT), chain.fee_rate(1), chain.broadcast(b"")):
        with pytest.raises(ChainUnreachable, match="configured"):
            await asked
    with pytest.raises(ChainUnreachable):
        await chain.info(GOODS)


async def test_a_lying_prevout_is_passed_over() -> None:
    lie = {f"GET /tx/{KNOWN.txid}/hex": transaction(2).serialize().hex()}
    assert await opened(changed(esplora(), **lie), esplora()).chain.transaction(KNOWN.txid) == KNOWN.serialize()
    with pytest.raises(ChainInconsistent, match="other bytes"):
        await opened(changed(esplora(), **lie)).chain.transaction(KNOWN.txid)
    with pytest.raises(NotOnChain):
        await opened(esplora()).chain.transaction(transaction(2).txid)


async def test_a_silent_server_is_not_waited_for_alone() -> None:
    silent = esplora()
    silent.silent = True
    chain = opened(silent, esplora(), quorum=1).chain
    began = asyncio.get_running_loop().time()
    assert (await chain.tip()).height == 800_000
    assert asyncio.get_running_loop().time() - began < HEDGE_SECONDS + 1
    assert await chain.spend(OUT, verify=True) is None
    assert asyncio.get_running_loop().time() - began < HEDGE_SECONDS + STRAGGLER_SECONDS + 2


async def test_a_tip_one_block_behind_is_near_enough_and_a_stale_one_is_not() -> None:
    assert (await opened(esplora(), esplora(799_999)).chain.tip(verify=True)).height == 800_000
    with pytest.raises(IndexerLagging) as caught:
        await opened(esplora(), esplora(799_990)).chain.tip(verify=True)
    assert (caught.value.height, caught.value.tip) == (799_990, 800_000)
    chain = opened(esplora(), esplora(799_999), esplora(900_000)).chain  # one invents blocks
    assert (await chain.tip(verify=True)).height == 800_000


async def test_servers_that_hear_of_a_block_later_are_asked_again() -> None:
    late = changed(esplora(), **{STATUS: {"confirmed": False}})
    chain = opened(esplora(), late).chain
    asked = asyncio.ensure_future(chain.status(KNOWN.txid, verify=True))
    await asyncio.sleep(1)
    late.routes[STATUS] = esplora().routes[STATUS]
    assert await asked == TxStatus(790_000, block_hash(790_000))


async def test_a_broadcast_goes_to_every_server_and_one_that_takes_it_is_enough() -> None:
    takes, refuses = changed(esplora(), **{"POST /tx": KNOWN.txid}), esplora()
    refuses.routes["POST /tx"] = HttpResponse(400, {}, b"full")
    assert await opened(refuses, takes).chain.broadcast(KNOWN.serialize()) == KNOWN.txid
    assert "POST /tx" in refuses.asked
    net = opened(esplora(), refuses)
    net.hosts.world.refuse("e0")
    with pytest.raises(BroadcastRejected, match="full"):
        await net.chain.broadcast(KNOWN.serialize())


async def test_servers_of_another_network_are_asked_for_nothing_that_is_signed() -> None:
    chain = opened(esplora(), esplora(), ord=(runes(),), network="regtest").chain
    for asked in (
        chain.spend(OUT, verify=True),
        chain.holdings([OUT], verify=True),
        chain.status(KNOWN.txid, verify=True),
        chain.broadcast(KNOWN.serialize()),
    ):
        with pytest.raises(ChainInconsistent, match="another network than regtest"):
            await asked


@pytest.mark.parametrize("verify", [False, True])
async def test_an_output_older_than_the_index_holds_nothing_and_a_younger_one_is_unknown(verify: bool) -> None:
    """ord keeps no entry of outputs below its first block unless it indexes sats or addresses."""
    for height, held in ((767_429, OutputAssets({}, {}, ())), (767_430, OutputAssets(None, {}, None))):
        status = {"confirmed": True, "block_height": height, "block_hash": block_hash(height)}
        far = changed(esplora(), **{STATUS: status, "GET /block-height/0": GENESIS["mainnet"]})
        gateway = changed(alkanes(), **{"rpc metashrew_view": "0x"})
        chain = opened(far, ord=(runes(indexed=False, runes={}),), alkanes=(gateway,), network="mainnet").chain
        assert (await chain.holdings([OUT], verify=verify))[OUT] == held


@pytest.mark.parametrize("verify", [False, True])
async def test_runes_and_alkanes_of_an_output_come_together(verify: bool) -> None:
    chain = opened(esplora(), ord=(runes(),), alkanes=(alkanes(),)).chain
    assert await chain.holdings([OUT, OUT], verify=verify) == {OUT: HELD}
    assert await chain.holdings([], verify=verify) == {}


@pytest.mark.parametrize("verify", [False, True])
async def test_a_kind_that_nobody_indexes_stays_unknown(verify: bool) -> None:
    held = (await opened(esplora(), ord=(runes(),)).chain.holdings([OUT], verify=verify))[OUT]
    assert held == OutputAssets({GOODS: 9}, None, ()) and not held.complete and not held.is_clean
    null = (await opened(esplora(), ord=(runes(runes=None),)).chain.holdings([OUT], verify=verify))[OUT]
    assert null.runes is None


async def test_an_index_behind_the_chain_is_not_believed() -> None:
    chain = opened(esplora(), ord=(runes(799_998),), alkanes=(alkanes(799_999),)).chain
    with pytest.raises(IndexerLagging) as caught:
        await chain.holdings([OUT], verify=True)
    assert (caught.value.source, caught.value.height) == ("https://o0/api", 799_998)
    assert await chain.holdings([OUT]) == {OUT: OutputAssets(None, {DIESEL: 5}, None)}


@pytest.mark.parametrize(
    "status", [{"confirmed": False}, {"confirmed": True, "block_height": 800_000, "block_hash": "11" * 32}]
)
async def test_what_an_output_holds_is_unknown_until_the_index_has_read_its_block(status: dict[str, Any]) -> None:
    far = changed(esplora(), **{STATUS: status})
    chain = opened(far, ord=(runes(799_999),), alkanes=(alkanes(799_999),)).chain
    assert await chain.holdings([OUT], verify=True) == {OUT: UNKNOWN}


async def test_an_index_that_catches_up_is_believed_a_moment_later() -> None:
    late = runes(799_990)
    chain = opened(esplora(), ord=(late,)).chain
    asked = asyncio.ensure_future(chain.holdings([OUT], verify=True))
    await asyncio.sleep(1)
    late.routes["GET /status"] = {"height": 800_000, "rune_index": True, "inscription_index": True}
    assert (await asked)[OUT].runes == {GOODS: 9}


async def test_an_index_beyond_the_chain_shows_a_stale_chain_server() -> None:
    with pytest.raises(ChainInconsistent, match="beyond"):
        await opened(esplora(), ord=(runes(800_050),)).chain.holdings([OUT], verify=True)


async def test_an_index_that_goes_back_while_it_answers_is_not_believed() -> None:
    index = runes()
    heights = iter([800_000, 799_000] * 3)
    index.routes["GET /status"] = lambda _: {"height": next(heights), "rune_index": True, "inscription_index": True}
    with pytest.raises(IndexerLagging):
        await opened(esplora(), ord=(index,)).chain.holdings([OUT], verify=True)


@pytest.mark.parametrize(
    "lie", [{"runes": {"UNCOMMON•GOODS": {"amount": 8}}}, {"runes": {}}, {"inscriptions": ["a" * 64 + "i0"]}]
)
async def test_indexes_must_agree_on_what_an_output_holds(lie: dict[str, Any]) -> None:
    with pytest.raises(ChainInconsistent, match="what outputs hold"):
        await opened(esplora(), ord=(runes(), runes(**lie))).chain.holdings([OUT], verify=True)
    chain = opened(esplora(), ord=(runes(**lie), runes(), runes())).chain
    assert (await chain.holdings([OUT], verify=True))[OUT].runes == {GOODS: 9}


async def test_indexes_of_alkanes_must_agree_too() -> None:
    with pytest.raises(ChainInconsistent):
        await opened(esplora(), alkanes=(alkanes(), alkanes(amount=6))).chain.holdings([OUT], verify=True)


async def test_an_index_that_fails_leaves_what_is_shown_unknown_and_verified_nothing() -> None:
    broken = changed(runes(), **{"POST /outputs": b"<html>"})
    chain = opened(esplora(), ord=(broken,)).chain
    assert await chain.holdings([OUT]) == {OUT: UNKNOWN}
    with pytest.raises(ChainError):
        await chain.holdings([OUT], verify=True)
    assert (await opened(esplora(), ord=(broken, runes())).chain.holdings([OUT]))[OUT].runes == {GOODS: 9}


async def test_assets_are_told_by_their_own_index() -> None:
    chain = opened(esplora(), ord=(runes(),)).chain
    assert await chain.info(BTC) == BITCOIN_INFO == await chain.find(AssetKind.BTC, "BTC")
    assert await chain.find(AssetKind.BTC, "other") is None
    info = await chain.find(AssetKind.RUNE, "uncommon goods".replace(" ", ""))
    assert info is not None and info.asset == GOODS
    assert await chain.info(GOODS) == info
    assert await chain.info(Asset.rune(5, 5)) is None


async def test_a_secret_header_goes_to_its_server_alone() -> None:
    net, seen = opened(esplora(), esplora()), {}
    for name in ("e0", "e1"):

        async def look(request: Any, name: str = name) -> HttpResponse:
            seen[name] = request.headers.get("x-key")
            return HttpResponse(200, {}, b"{}")

        net.hosts.world.serve_http(name, f"https://{name}/api", look)
    await net.chain.fee_rate(1)
    assert seen == {"e0": "secret", "e1": None}
