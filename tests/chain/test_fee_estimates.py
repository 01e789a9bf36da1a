"""The fee rate of several servers, of which one lies or is silent."""

from __future__ import annotations

from typing import Any

import pytest

from darkswap_browser.chain.fee_estimates import RELAY_FLOOR
from darkswap_browser.chain.quorum import MAX_FEE_RATE
from darkswap_browser.errors import ChainInconsistent, ChainUnreachable
from tests.chain.test_quorum import changed, opened
from tests.support.chain_servers import esplora


@pytest.mark.parametrize(
    ("estimates", "target", "rate"),
    [
        ([{}], 6, RELAY_FLOOR),
        ([{"1": 0.1}], 1, RELAY_FLOOR),
        ([{"1": 99999}], 1, MAX_FEE_RATE),
        ([{"1": 20, "6": 10, "144": 2}], 1, 20_000),
        ([{"1": 20, "6": 10, "144": 2}], 10, 10_000),
        ([{"6": 10}], 1, 10_000),
        ([{"1": 20}, {"1": 80}], 1, 80_000),
        ([{"1": 1}, {"1": 10}], 1, 10_000),
        ([{"1": 20}, {"1": 400}, {"1": 1}], 1, 20_000),
    ],
)
async def test_a_fee_rate_lies_between_floor_and_cap(estimates: list[Any], target: int, rate: int) -> None:
    servers = [changed(esplora(), **{"GET /fee-estimates": each}) for each in estimates]
    assert await opened(*servers).chain.fee_rate(target) == rate


@pytest.mark.parametrize(("lie", "honest"), [(1, 150), (500, 20)])
async def test_fee_rate_one_liar_of_two_does_not_set_it(lie: int, honest: int) -> None:
    liar, other = changed(esplora()), changed(esplora(), **{"GET /fee-estimates": {"1": honest}})
    liar.routes["GET /fee-estimates"] = {"1": lie}
    with pytest.raises(ChainInconsistent, match="do not agree on a fee rate"):
        await opened(liar, other).chain.fee_rate(1)
    net = opened(liar, other)
    liar.routes["GET /fee-estimates"] = {"1": honest}
    assert await net.chain.fee_rate(1) == honest * 1000
    liar.routes["GET /fee-estimates"] = {"1": lie}
    assert await net.chain.fee_rate(1) == honest * 1000


async def test_fee_rate_one_server_alone_does_not_set_it_while_the_other_is_silent() -> None:
    net = opened(esplora(), changed(esplora(), **{"GET /fee-estimates": {"1": 12}}))
    net.hosts.world.refuse("e0")
    with pytest.raises(ChainUnreachable):
        await net.chain.fee_rate(1)
    liar = esplora()
    net = opened(esplora(), liar)
    assert await net.chain.fee_rate(1) == 12_500
    net.hosts.world.refuse("e0")
    liar.routes["GET /fee-estimates"] = {"1": 500}
    assert await net.chain.fee_rate(1) == 12_500
