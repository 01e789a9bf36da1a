"""What a page is told of its relays: reserved, failed, lost, and whether the node goes on by itself."""

from __future__ import annotations

import asyncio
import dataclasses
from itertools import pairwise

import pytest

from darkswap_browser.api.network import Network
from darkswap_browser.api.records import DarkSwapEvent
from darkswap_browser.errors import DarkSwapError
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.net.rate_limit import Rate
from darkswap_browser.node.config import NetworkConfig
from darkswap_browser.protocols.relay.server.limits import RelayLimits
from tests.api.world import Place, place


async def _node(here: Place) -> tuple[Network, list[DarkSwapEvent]]:
    """A started node that is configured to keep a reservation and has none yet."""
    network = Network(NetworkConfig(relays=(Multiaddr.parse(here.address),)), here.world.runtime("x"))
    events: list[DarkSwapEvent] = []
    network.subscribe(events.append)
    await network.start()
    return network, events


def _relay(events: list[DarkSwapEvent]) -> list[DarkSwapEvent]:
    return [event for event in events if event.type.startswith("relay:")]


async def test_relay_that_refuses_connections_is_told_with_the_time_of_the_next_try() -> None:
    here = await place()
    here.world.refuse("relay")
    network, events = await _node(here)
    await asyncio.sleep(120)
    told = _relay(events)
    assert {event.type for event in told} == {"relay:failed"}
    assert 5 <= len(told) <= 20
    for event in told:
        assert event.fields["relay_peer_id"] == here.relay_id
        assert event.fields["code"] == "DIAL_FAILED" and event.fields["hint"]
        assert "refused" in str(event.fields["reason"])
        assert event.fields["retrying"] is True
    for one, next_one in pairwise(told):
        waited = next_one.at - one.at
        assert waited >= float(str(one.fields["retry_in_ms"])) / 1000
    await network.stop()


async def test_relay_that_comes_back_is_told_failed_then_reserved() -> None:
    here = await place()
    here.world.refuse("relay")
    network, events = await _node(here)
    await asyncio.sleep(10)
    here.world.refuse("relay", refusing=False)
    await asyncio.sleep(40)
    assert [event.type for event in _relay(events)][-2:] == ["relay:failed", "relay:reserved"]
    await network.stop()


async def test_relay_whose_connection_breaks_is_told_lost_with_reason_and_retry() -> None:
    here = await place()
    network, events = await _node(here)
    await asyncio.sleep(5)
    here.world.cut("x", "relay")
    await asyncio.sleep(120)
    lost = next(event for event in _relay(events) if event.type == "relay:lost")
    assert lost.fields["code"] == "CONNECTION_LOST" and lost.fields["reason"]
    assert lost.fields["retrying"] is True and int(str(lost.fields["retry_in_ms"])) > 0
    await network.stop()


async def test_relay_given_up_is_told_lost_without_a_retry() -> None:
    here = await place()
    network, events = await _node(here)
    await asyncio.sleep(5)
    await network.disconnect(here.relay_id)
    await asyncio.sleep(60)
    assert [event.type for event in _relay(events)] == ["relay:reserved", "relay:lost"]
    fields = _relay(events)[-1].fields
    assert fields["reason"] == "released" and fields["retrying"] is False
    assert "code" not in fields and "retry_in_ms" not in fields
    await network.stop()


async def test_reservation_asked_for_once_that_fails_is_not_told_as_retried() -> None:
    here = await place()
    here.world.refuse("relay")
    network = Network(NetworkConfig(), here.world.runtime("x"))
    events: list[DarkSwapEvent] = []
    network.subscribe(events.append)
    await network.add_relay(here.address)
    with pytest.raises(DarkSwapError) as raised:
        await network.make_relay_reservation(here.relay_id)
    await asyncio.sleep(60)
    (failed,) = _relay(events)
    assert failed.type == "relay:failed" and failed.fields["code"] == raised.value.code
    assert failed.fields["retrying"] is False and "retry_in_ms" not in failed.fields
    await network.stop()


async def test_node_that_starts_tells_starting_then_ready() -> None:
    here = await place()
    network, events = await _node(here)
    told = [event.fields for event in events if event.type == "node"]
    assert told == [
        {"state": "starting", "peer_id": ""},
        {"state": "ready", "peer_id": await network.local_peer_id()},
    ]
    await network.stop()


async def test_node_that_cannot_start_tells_stopped() -> None:
    here = await place()
    nobody_listens_so = Multiaddr.parse("/ip4/10.0.0.1/udp/4001/quic-v1")
    network = Network(NetworkConfig(listen=(nobody_listens_so,)), here.world.runtime("x"))
    events: list[DarkSwapEvent] = []
    network.subscribe(events.append)
    with pytest.raises(DarkSwapError):
        await network.start()
    assert [event.fields["state"] for event in events if event.type == "node"] == ["starting", "stopped"]


async def test_relay_that_refuses_tells_whether_it_is_the_address_and_until_when() -> None:
    limits = dataclasses.replace(RelayLimits(), peer_reservations=Rate(0, 0), ip_reservations=Rate(1, 60.0))
    here = await place(limits)
    first, _ = await _node(here)
    await first.make_relay_reservation(here.relay_id)
    await first.stop()
    network, events = await _node(here)
    await asyncio.sleep(5)
    (failed,) = _relay(events)  # it waits as long as it was told to
    assert failed.fields["code"] == "RELAY_REFUSED"
    assert "ip-rate" in str(failed.fields["reason"])
    assert "network's address" in str(failed.fields["hint"])
    assert 50_000 <= float(str(failed.fields["retry_in_ms"])) <= 60_000
    await asyncio.sleep(60)
    assert [event.type for event in _relay(events)] == ["relay:failed", "relay:reserved"]
    await network.stop()


async def test_a_relay_that_somebody_else_reached_is_asked_for_a_place_at_once() -> None:
    here = await place()
    here.world.refuse("relay")
    network, events = await _node(here)
    await asyncio.sleep(200)  # the pauses are 15 to 30 s long by now
    here.world.refuse("relay", refusing=False)
    await network.connect(here.address)
    await asyncio.sleep(1)
    assert _relay(events)[-1].type == "relay:reserved"
    await network.stop()
