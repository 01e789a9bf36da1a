"""ord's answers as its server gives them with `Accept: application/json`, and what a lying one may say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.chain.base import UNKNOWN, OutputAssets
from darkswap_browser.chain.ord import BATCH, OrdClient
from darkswap_browser.chain.requests import Server
from darkswap_browser.errors import ChainError, ChainInconsistent
from darkswap_browser.market.assets import Asset, AssetMetadata
from darkswap_browser.runtime.base.http import HttpResponse
from tests.support.chain_servers import ChainServer, Hosts, ord_server, output

ONE, TWO = OutPoint("11" * 32, 0), OutPoint("22" * 32, 7)
GOODS = Asset.rune(1, 0)
PILE = {"UNCOMMON•GOODS": {"amount": 2**128 - 1, "divisibility": 2, "symbol": "⧉"}}


def reached(far: ChainServer, network: str = "") -> OrdClient:
    hosts = Hosts()
    return OrdClient(Server(hosts.serve("ord", far), fetch=hosts.page.fetch, entropy=hosts.page.entropy), network)


def batch(far: ChainServer, *outputs: dict[str, Any]) -> ChainServer:
    far.routes["POST /outputs"] = list(outputs)
    return far


async def test_one_question_tells_what_outputs_hold() -> None:
    far = batch(ord_server(), output(TWO, runes=PILE), output(ONE, inscriptions=["aa" * 32 + "i0"]))
    held = await reached(far).holdings([ONE, TWO])
    assert held == {ONE: OutputAssets({}, None, ("aa" * 32 + "i0",)), TWO: OutputAssets({GOODS: 2**128 - 1}, None, ())}
    assert json.loads(far.bodies[0]) == [str(ONE), str(TWO)]


async def test_null_is_unknown_and_empty_is_empty() -> None:
    far = batch(ord_server(), output(ONE, runes=None), output(TWO, inscriptions=None))
    assert await reached(far).holdings([ONE, TWO]) == {
        ONE: OutputAssets(None, None, ()),
        TWO: OutputAssets({}, None, None),
    }


async def test_an_output_that_is_not_indexed_is_unknown() -> None:
    far = batch(ord_server(), output(ONE, indexed=False, runes=PILE))
    assert await reached(far).holdings([ONE, TWO]) == {ONE: UNKNOWN, TWO: UNKNOWN}


async def test_without_the_list_each_output_is_asked_for() -> None:
    far = ord_server()
    far.routes[f"GET /output/{ONE}"] = output(ONE, runes=PILE)
    assert await reached(far).holdings([ONE, TWO]) == {ONE: OutputAssets({GOODS: 2**128 - 1}, None, ()), TWO: UNKNOWN}


async def test_many_outputs_are_asked_for_in_parts() -> None:
    far = ord_server()
    far.routes["POST /outputs"] = lambda body: [output(OutPoint.parse(text)) for text in json.loads(body)]
    many = [OutPoint("33" * 32, number) for number in range(2 * BATCH + 1)]
    assert len(await reached(far).holdings(many)) == len(many)
    assert [len(json.loads(body)) for body in far.bodies if body] == [BATCH, BATCH, 1]
    assert await reached(far).holdings([]) == {}


async def test_spacers_make_no_other_rune_and_settled_ids_are_remembered() -> None:
    far = batch(ord_server(), output(ONE, runes={"U•NCOMMONGOOD•S": {"amount": 5}}))
    source = reached(far)
    for _ in range(2):
        assert (await source.holdings([ONE]))[ONE].runes == {GOODS: 5}
    assert far.asked.count("GET /rune/UNCOMMONGOODS") == 2
    for _ in range(2):
        await source.holdings([ONE])
    assert far.asked.count("GET /rune/UNCOMMONGOODS") == 2


async def test_the_height_is_that_of_a_server_with_runes() -> None:
    far = ord_server()
    assert await reached(far).height() == 800_000
    far.routes["GET /status"] = {"height": 5, "rune_index": False}
    with pytest.raises(ChainError, match="without an index of runes"):
        await reached(far).height()
    far.routes["GET /status"] = {"height": None, "rune_index": True}
    with pytest.raises(ChainInconsistent):
        await reached(far).height()
    far.routes["GET /status"] = b"<html>JSON is switched off</html>"
    with pytest.raises(ChainInconsistent, match="is not JSON"):
        await reached(far).height()


@pytest.mark.parametrize(
    "status",
    [
        {"inscription_index": False},
        {"inscription_index": False, "inscriptions": 7},
        {"inscription_index": None},
        {"inscription_index": None, "inscriptions": 0},
    ],
)
async def test_inscriptions_of_a_server_without_their_index_are_unknown(status: dict[str, Any]) -> None:
    """ord 0.21.3 to 0.22.0 lists none for every output then (ordinals/ord#4141); older ones do not say."""
    far = batch(ord_server(), output(ONE, runes=PILE))
    far.routes["GET /status"] |= status
    held = await reached(far).holdings([ONE])
    assert held == {ONE: OutputAssets({GOODS: 2**128 - 1}, None, None)}


async def test_inscriptions_of_a_server_that_counts_some_are_believed() -> None:
    far = batch(ord_server(), output(ONE))
    far.routes["GET /status"] |= {"inscription_index": None, "inscriptions": 3}
    assert await reached(far).holdings([ONE]) == {ONE: OutputAssets({}, None, ())}


async def test_a_list_that_names_no_outputs_is_asked_for_one_by_one() -> None:
    """ord 0.18 to 0.21.2."""
    nameless = output(ONE, runes=PILE)
    del nameless["outpoint"]
    far = batch(ord_server(), nameless)
    far.routes[f"GET /output/{ONE}"] = nameless
    assert (await reached(far).holdings([ONE]))[ONE].runes == {GOODS: 2**128 - 1}


async def test_a_server_that_lost_its_way_or_is_of_another_network_is_not_believed() -> None:
    far = ord_server()
    far.routes["GET /status"] |= {"unrecoverably_reorged": True}
    with pytest.raises(ChainError, match="lost its way"):
        await reached(far).height()
    far.routes["GET /status"] |= {"unrecoverably_reorged": False, "chain": "signet"}
    assert await reached(far).height() == 800_000
    with pytest.raises(ChainInconsistent, match="an index of signet"):
        await reached(far, "mainnet").height()


async def test_a_rune_is_told_by_id_and_by_name() -> None:
    source = reached(ord_server())
    info = AssetMetadata(asset=GOODS, name="UNCOMMON•GOODS", symbol="⧉", decimals=2, supply=72, created_height=1)
    assert await source.info(GOODS) == info
    for name in ("UNCOMMON•GOODS", "uncommongoods", " UNCOMMON.GOODS "):
        assert await source.find(name) == info
    for name in ("NOSUCH", "", "2:0", "../status", "A" * 29):
        assert await source.find(name) is None
    assert await source.info(Asset.rune(9, 9)) is None
    assert await source.info(Asset.alkane(2, 0)) is None


def changed(**entry: Any) -> dict[str, Any]:
    rune: dict[str, Any] = ord_server().routes["GET /rune/1:0"]
    return {**rune, "entry": {**rune["entry"], **entry}}


@pytest.mark.parametrize(
    "rune",
    [
        changed(spaced_rune="OTHER"),
        changed(divisibility=39),
        changed(mints=-1),
        changed(premine=1.5),
        changed(symbol="long text"),
        {**changed(), "id": "x"},
        {**changed(), "id": "0:5"},
        {"id": "1:0"},
        [],
    ],
)
async def test_a_rune_that_cannot_be_is_refused(rune: object) -> None:
    far = batch(ord_server(), output(ONE, runes=PILE))
    far.routes["GET /rune/UNCOMMONGOODS"] = rune
    with pytest.raises(ChainInconsistent):
        await reached(far).holdings([ONE])


async def test_another_rune_than_asked_for_is_refused() -> None:
    far = ord_server()
    far.routes["GET /rune/2:0"] = far.routes["GET /rune/1:0"]
    far.routes["GET /rune/OTHER"] = far.routes["GET /rune/1:0"]
    with pytest.raises(ChainInconsistent, match="tells of"):
        await reached(far).info(Asset.rune(2, 0))
    with pytest.raises(ChainInconsistent, match="tells of"):
        await reached(far).find("OTHER")


@pytest.mark.parametrize(
    "answer",
    [
        [output(ONE, runes={"UNCOMMON•GOODS": {"amount": 2**128}})],
        [output(ONE, runes={"UNCOMMON•GOODS": {"amount": -1}})],
        [output(ONE, runes={"UNCOMMON•GOODS": {"amount": 1.0}})],
        [output(ONE, runes={"UNCOMMON•GOODS": {}})],
        [output(ONE, runes={"UNCOMMON•GOODS": {"amount": 1}, "UNCOMMONGOODS": {"amount": 1}})],
        [output(ONE, runes={"../status": {"amount": 1}})],
        [output(ONE, runes={"NOSUCH": {"amount": 1}})],
        [output(ONE, runes=[])],
        [output(ONE, inscriptions={})],
        [output(ONE), output(ONE)],
        {},
    ],
)
async def test_holdings_that_cannot_be_are_refused(answer: object) -> None:
    far = ord_server()
    far.routes["POST /outputs"] = answer
    with pytest.raises(ChainInconsistent):
        await reached(far).holdings([ONE])


async def test_another_output_than_asked_for_is_refused() -> None:
    far = ord_server()
    far.routes[f"GET /output/{ONE}"] = output(TWO)
    with pytest.raises(ChainInconsistent, match="another output"):
        await reached(far).holdings([ONE])
    far.routes[f"GET /output/{ONE}"] = HttpResponse(400, {}, b"no")
    with pytest.raises(ChainError):
        await reached(far).holdings([ONE])
