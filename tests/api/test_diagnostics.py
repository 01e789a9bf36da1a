"""What `run_diagnostics` finds where all is well, and where each part fails."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from darkswap_browser.api.diagnostics import CheckStatus, DiagnosticCheck
from darkswap_browser.api.network import Network
from darkswap_browser.errors import InvalidArgument
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.node.config import NetworkConfig
from darkswap_browser.runtime.base.http import HttpResponse
from tests.api.world import Place, place


def _network(here: Place, **changes: object) -> Network:
    relays = (Multiaddr.parse(here.address),)
    return Network(NetworkConfig(**{"relays": relays, **changes}), here.world.runtime("x"))  # type: ignore[arg-type]


async def _run(network: Network) -> dict[str, DiagnosticCheck]:
    return {check.name: check async for check in network.run_diagnostics()}


async def test_node_that_is_well_passes_every_check_it_can_make() -> None:
    here = await place()
    network = _network(here)
    await network.start()
    await asyncio.sleep(5)
    found = await _run(network)
    assert {name: check.message for name, check in found.items() if check.status is CheckStatus.FAILED} == {}
    assert tuple(found) == network.diagnostic_names()
    for name in ("storage", "node", "relays", "reservations", "echo"):
        assert found[name].status is CheckStatus.PASSED, found[name]
    assert (await network.get_metrics()).reservations == 1
    await network.stop()


async def test_report_and_stats_name_no_peer_and_no_server() -> None:
    here = await place()
    network = _network(here)
    await network.start()
    await asyncio.sleep(5)
    stats = await network.get_stats()
    assert stats.uptime_ms >= 5000 and stats.totals.reservations == 1 and stats.peers == ()
    (relay,) = stats.relays
    assert (relay.relay_peer_id, relay.connected, relay.reserved, relay.code) == (here.relay_id, True, True, None)
    report = await network.create_report()
    text = json.dumps(report)
    assert here.relay_id not in text and await network.local_peer_id() not in text and "12D3" not in text
    host = Multiaddr.parse(here.address).host()
    assert host is not None and host not in text
    assert [each["name"] for each in report["checks"]] == list(network.diagnostic_names())
    assert {each["type"] for each in report["events"]} >= {"node", "relay:reserved"}
    await network.stop()


async def test_relay_that_refuses_fails_the_checks_that_need_it_with_a_next_step() -> None:
    here = await place()
    here.world.refuse("relay")
    network = _network(here)
    found = await _run(network)
    assert found["relays"].status is CheckStatus.FAILED and "0 of 1 answer" in found["relays"].message
    assert found["relays"].hint
    assert found["reservations"].status in (CheckStatus.FAILED, CheckStatus.WARNING)
    assert found["echo"].status is CheckStatus.SKIPPED
    assert found["storage"].status is CheckStatus.PASSED
    await network.stop()


async def test_node_without_a_relay_warns_that_nobody_finds_it() -> None:
    here = await place()
    network = _network(here, relays=())
    found = await _run(network)
    assert found["relays"].status is CheckStatus.WARNING and found["relays"].hint
    assert found["reservations"].status is found["echo"].status is CheckStatus.SKIPPED
    await network.stop()


async def test_check_that_is_cancelled_leaves_no_second_node() -> None:
    here = await place()
    network = _network(here)
    await network.start()
    await asyncio.sleep(5)
    tasks = len(asyncio.all_tasks())
    for turns in range(0, 60, 3):
        check = asyncio.ensure_future(network.run_diagnostic("echo"))
        for _ in range(turns):
            await asyncio.sleep(0)
        check.cancel()
        await asyncio.gather(check, return_exceptions=True)
    await asyncio.sleep(10)
    assert len(asyncio.all_tasks()) <= tasks + 1
    assert (await network.run_diagnostic("echo")).status is CheckStatus.PASSED
    await network.stop()


async def test_name_that_is_no_check_is_refused_with_those_there_are() -> None:
    here = await place()
    network = _network(here)
    with pytest.raises(InvalidArgument) as refused:
        await network.run_diagnostic("weather")
    assert "relays" in refused.value.hint


@pytest.mark.parametrize(("skew", "status"), [(0, "passed"), (29, "passed"), (400, "failed"), (-400, "failed")])
async def test_clock_that_is_off_is_told_with_the_seconds(skew: int, status: str) -> None:
    class Dated:
        async def request(self, method: str, url: str, **_: object) -> HttpResponse:
            told = format_datetime(datetime.fromtimestamp(runtime.clock.now() - skew, UTC), usegmt=True)
            return HttpResponse(426, {"date": told}, b"")

    here = await place()
    runtime = dataclasses.replace(here.world.runtime("y"), fetch=Dated())
    network = Network(NetworkConfig(relays=(Multiaddr.parse("/dns4/relay.example/tcp/443/wss"),)), runtime)
    found = await network.run_diagnostic("clock")
    assert found.status == status
    assert (str(abs(skew)) in found.message) == (status == "failed")
