"""Who gets through the relay's front door, address by address."""

from __future__ import annotations

import ipaddress

import pytest

from darkswap_browser.relayd.connection_limits import address_limit, socket_limit
from darkswap_browser.relayd.link_gate import Admitted, Gate

ONE, TWO, THREE = "192.0.2.1", "192.0.2.2", "192.0.2.3"


def enter(gate: Gate, ip: str, dropped: list[str] | None = None) -> Admitted | None:
    return gate.enter(ip, lambda: (dropped if dropped is not None else []).append(ip))


def test_one_address_has_its_share_and_others_theirs() -> None:
    gate = Gate(100, 3)
    links = [enter(gate, ONE) for _ in range(5)]
    assert [link is not None for link in links] == [True] * 3 + [False] * 2
    assert enter(gate, TWO) is not None
    assert links[0] is not None
    links[0].leave()
    links[0].leave()
    assert gate.open == 3
    assert enter(gate, ONE) is not None and enter(gate, ONE) is None


def test_ipv6_counts_by_64_and_by_48() -> None:
    gate = Gate(100, 2)
    assert [enter(gate, f"2001:db8:0:1::{n}") is not None for n in range(3)] == [True, True, False]
    others = [enter(gate, f"2001:db8:0:{n}::1") is not None for n in range(2, 12)]
    assert others == [True] * 6 + [False] * 4, "eight of one /48"
    assert enter(gate, "2001:db8:1:1::1") is not None
    assert enter(gate, "::ffff:192.0.2.1") is not None and enter(gate, ONE) is not None and enter(gate, ONE) is None


def test_address_that_comes_and_goes_without_end_is_refused_at_the_door() -> None:
    now = [0.0]
    gate = Gate(100, 70, clock=lambda: now[0])

    def come(ip: str, times: int) -> int:
        links = [link for _ in range(times) if (link := enter(gate, ip)) is not None and (link.leave() or True)]
        return len(links)

    assert come(ONE, 100) == 70, "as many as it may hold at once"
    assert come(TWO, 1) == 1
    now[0] += 1.0
    assert come(ONE, 100) == 20
    now[0] += 0.1
    assert come(ONE, 100) == 2
    assert come("127.0.0.1", 100) == 100
    assert come("2001:db8:0:1::1", 100) == 70
    assert sum(come(f"2001:db8:0:{n}::1", 100) for n in range(2, 10)) == 210, "four times as many of one /48"
    assert gate.open == 0


def test_client_behind_a_proxy_that_comes_and_goes_without_end_is_refused() -> None:
    gate = Gate(100, 4, [ipaddress.ip_network("10.0.0.1")], clock=lambda: 0.0)
    taken = 0
    for _ in range(100):
        link = enter(gate, "10.0.0.1")
        assert link is not None
        taken += link.identify(ONE)
        link.leave()
    assert taken == 64


def test_loopback_is_counted_in_all_only() -> None:
    gate = Gate(4, 1)
    assert [enter(gate, "127.0.0.1") is not None for _ in range(5)] == [True] * 4 + [False]


def test_full_gate_drops_the_newest_link_of_the_heaviest_address_for_a_lighter_one() -> None:
    refused: list[None] = []
    gate, dropped = Gate(6, 5), []
    gate.on_refused = lambda: refused.append(None)
    for ip in (ONE, ONE, ONE, ONE, TWO, TWO):
        assert enter(gate, ip, dropped)
    assert enter(gate, THREE, dropped) and dropped == [ONE] and gate.open == 6
    assert enter(gate, THREE, dropped) and dropped == [ONE, ONE]
    assert enter(gate, THREE, dropped) is None, "it would have more than the heaviest"
    assert enter(gate, ONE, dropped) is None and enter(gate, TWO, dropped) is None
    assert len(refused) == 5 and gate.open == 6


@pytest.mark.parametrize(
    ("ip", "trusted"),
    [("10.0.0.1", True), ("10.0.1.1", False), ("::ffff:10.0.0.9", True), ("fd00::1", True), ("", False)],
)
def test_proxies_are_trusted_by_network(ip: str, trusted: bool) -> None:
    networks = [ipaddress.ip_network("10.0.0.0/24"), ipaddress.ip_network("fd00::/8")]
    assert Gate(1, 1, networks).trusts(ip) is trusted


def test_link_behind_a_proxy_counts_for_the_client_once_that_is_known() -> None:
    gate = Gate(100, 2, [ipaddress.ip_network("10.0.0.1")])
    links = [enter(gate, "10.0.0.1") for _ in range(4)]
    assert [link is not None and link.identify(ONE) for link in links] == [True, True, False, False]
    for link in links:
        assert link is not None
        link.leave()
    assert gate.open == 0 and not gate._counts


def test_limits_leave_descriptors_for_what_one_turn_accepts() -> None:
    assert socket_limit(8192) == 4096
    assert socket_limit(1024) == 819
    assert socket_limit(256) == 106
    assert (address_limit(4096), address_limit(100)) == (256, 16)
