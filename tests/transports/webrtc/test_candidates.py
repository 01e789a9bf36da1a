"""A stranger's candidates: packets go to few addresses, and to none that only this host or network has."""

from __future__ import annotations

import asyncio

import pytest

from darkswap_browser.runtime.base.webrtc import SessionDescription
from darkswap_browser.transports.webrtc.candidates import MOST, MOST_HOSTS, MOST_PORTS, StrangersCandidates
from tests.support.channels import make_world
from tests.support.direct import close_all, peer, relay_between


def candidate(host: str = "203.0.113.1", port: int = 5000, transport: str = "udp", rest: str = "") -> str:
    return f"candidate:1 1 {transport} 2113937151 {host} {port} typ host{rest}"


@pytest.mark.parametrize("host", ["203.0.113.1", "192.168.1.7", "2001:db8::1", "a1b2c3d4-0000.local"])
def test_addresses_that_may_be_the_peers_own_are_heeded(host: str) -> None:
    heeded = StrangersCandidates()
    assert heeded.heeds(candidate(host)) and heeded.heeds("a=" + candidate(host, 5001))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "169.254.1.1",
        "fe80::1",
        "224.0.0.1",
        "0.0.0.0",
        "bank.example",
        "x" * 300,
    ],
)
def test_addresses_that_cannot_be_its_own_and_names_are_not(host: str) -> None:
    assert not StrangersCandidates().heeds(candidate(host))


@pytest.mark.parametrize(
    "text", ["", "candidate:", candidate(transport="tcp", rest=" tcptype passive"), candidate(transport="ssltcp")]
)
def test_only_udp_is_heeded(text: str) -> None:
    assert not StrangersCandidates().heeds(text)


def test_hosts_ports_and_candidates_are_few() -> None:
    heeded = StrangersCandidates()
    assert sum(heeded.heeds(candidate(port=port)) for port in range(5000, 5020)) == MOST_PORTS
    assert heeded.heeds(candidate(port=5000)), "a port again is no other port"
    assert sum(heeded.heeds(candidate(f"203.0.113.{n}")) for n in range(2, 30)) == MOST_HOSTS - 1
    many = StrangersCandidates()
    assert sum(many.heeds(candidate(f"10.0.0.{n % 5}", 5000 + n % 4)) for n in range(60)) == MOST


def test_candidates_in_a_description_count_as_well() -> None:
    heeded = StrangersCandidates()
    sdp = "v=0\r\n" + "".join(f"a={candidate(host)}\r\n" for host in ("127.0.0.1", "203.0.113.1")) + "a=mid:0\r\n"
    kept = heeded.filtered(SessionDescription("offer", sdp)).sdp
    assert "127.0.0.1" not in kept and "203.0.113.1" in kept and "a=mid:0" in kept


@pytest.mark.parametrize("is_ours", [False, True])
async def test_answering_side_hands_a_strangers_candidates_on_only_as_far(is_ours: bool) -> None:
    world = make_world()
    alice, bob = await peer("alice", world.runtime("alice")), await peer("bob", world.runtime("bob"))
    if is_ours:
        bob.swarm.ours.add(alice.id)
    await relay_between(alice, bob)
    connection = await alice.dial(bob)
    await asyncio.sleep(0.1)
    (inbound,) = bob.direct
    exchange = bob.transport._negotiator.exchange(inbound, None)  # type: ignore[arg-type]
    assert (exchange.heeded is None) is is_ours
    outbound = alice.transport._negotiator.exchange(connection, None)  # type: ignore[arg-type]
    assert outbound.heeded is None
    await close_all(alice, bob)
