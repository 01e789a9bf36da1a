"""The relay's books: every refusal, every cap, and what a connection's end changes."""

from __future__ import annotations

import dataclasses
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.identity.peer_id import KeyType, PeerId, PublicKey
from darkswap_browser.net.rate_limit import Rate
from darkswap_browser.net.source import ip_key
from darkswap_browser.protocols.relay.messages import Status
from darkswap_browser.protocols.relay.server.limits import PRESETS, RelayLimits
from darkswap_browser.protocols.relay.server.reservation_store import (
    Granted,
    Refusal,
    RefusalReason,
    ReservationStore,
)
from tests.support.examples import examples

LIMITS = RelayLimits(
    reservations=3,
    reservations_per_ip=2,
    circuits=3,
    circuits_per_peer=2,
    circuits_per_pair=1,
    circuits_per_target=2,
    circuits_per_ip=5,
    circuits_per_ip_and_target=2,
    reservation_ttl=100.0,
)


def peer(name: str | int) -> PeerId:
    return PublicKey(KeyType.ED25519, hashlib.sha256(str(name).encode()).digest()).peer_id()


A, B, C, D = (peer(name) for name in "abcd")


def test_a_reservation_lasts_its_time_and_a_renewal_starts_it_anew() -> None:
    table = ReservationStore(LIMITS)
    assert table.reserve(A, "c1", None, 0.0) == Granted(100.0, False)
    assert table.reserve(A, "c1", None, 60.0) == Granted(160.0, True)
    assert table.connection_of(A, 159.9) == "c1"
    assert table.connection_of(A, 160.0) is None


def test_the_newest_connection_holds_the_reservation() -> None:
    table = ReservationStore(LIMITS)
    old, new = object(), object()
    table.reserve(A, old, None, 0.0)
    table.reserve(A, new, None, 1.0)
    assert not table.connection_closed(A, old)
    assert table.connection_of(A, 2.0) is new
    assert table.connection_closed(A, new)
    assert len(table) == 0


def test_the_total_is_capped_and_expired_slots_are_free_again() -> None:
    table = ReservationStore(LIMITS)
    for each in (A, B, C):
        assert isinstance(table.reserve(each, each, None, 0.0), Granted)
    assert table.reserve(D, "d", None, 1.0) == Refusal(Status.RESOURCE_LIMIT_EXCEEDED, RefusalReason.TOTAL)
    assert isinstance(table.reserve(A, A, None, 1.0), Granted), "a renewal needs no room"
    assert isinstance(table.reserve(D, "d", None, 100.0), Granted)


def test_addresses_are_capped_and_a_renewal_does_not_count_twice() -> None:
    table = ReservationStore(LIMITS)
    for _ in range(2):
        table.reserve(A, "a", "192.0.2.1", 0.0)
        table.reserve(B, "b", "192.0.2.1", 0.0)
    assert table.reserve(C, "c", "192.0.2.1", 1.0) == Refusal(Status.RESERVATION_REFUSED, RefusalReason.IP)
    assert isinstance(table.reserve(C, "c", "192.0.2.2", 1.0), Granted)
    table.connection_closed(A, "a")
    assert isinstance(table.reserve(D, "d", "192.0.2.1", 1.0), Granted)


def test_expiry_frees_the_address_too() -> None:
    table = ReservationStore(LIMITS)
    table.reserve(A, "a", "192.0.2.1", 0.0)
    table.reserve(B, "b", "192.0.2.1", 0.0)
    assert isinstance(table.reserve(A, "a", "192.0.2.1", 100.0), Granted)
    assert table.sweep(100.0) == 0, "swept by the request already"
    assert isinstance(table.reserve(C, "c", "192.0.2.1", 100.0), Granted)


def test_a_peer_that_asks_too_often_is_refused() -> None:
    table = ReservationStore(dataclasses.replace(LIMITS, peer_reservations=Rate(2, 60.0)))
    table.reserve(A, "a", None, 0.0)
    table.reserve(A, "a", None, 0.0)
    assert table.reserve(A, "a", None, 59.0) == Refusal(Status.RESERVATION_REFUSED, RefusalReason.PEER_RATE, 1.0)
    assert isinstance(table.reserve(A, "a", None, 60.0), Granted)


def test_an_address_that_asks_too_often_is_refused() -> None:
    table = ReservationStore(dataclasses.replace(LIMITS, ip_reservations=Rate(2, 60.0), reservations_per_ip=9))
    table.reserve(A, "a", "x", 0.0)
    table.reserve(B, "b", "x", 0.0)
    assert table.reserve(C, "c", "x", 0.0) == Refusal(Status.RESERVATION_REFUSED, RefusalReason.IP_RATE, 60.0)
    assert isinstance(table.reserve(C, "c", "y", 0.0), Granted)


def test_circuits_need_a_live_reservation_of_the_target() -> None:
    table = ReservationStore(LIMITS)
    none = Refusal(Status.NO_RESERVATION, RefusalReason.NO_RESERVATION)
    assert table.open_circuit(A, B, None, 0.0) == none
    table.reserve(B, "b", None, 0.0)
    assert table.open_circuit(A, B, None, 99.9) is None
    assert table.open_circuit(A, B, None, 100.0) == none


def test_nobody_is_connected_to_himself() -> None:
    table = ReservationStore(LIMITS)
    table.reserve(A, "a", None, 0.0)
    assert table.open_circuit(A, A, None, 0.0) == Refusal(Status.PERMISSION_DENIED, RefusalReason.SELF)


FULL = Refusal(Status.RESOURCE_LIMIT_EXCEEDED, RefusalReason.PEER)
FULL_BY_IP = Refusal(Status.RESOURCE_LIMIT_EXCEEDED, RefusalReason.IP)


def circuits_to(*targets: PeerId, **limits: int) -> ReservationStore:
    """Where `targets` hold reservations, and nothing is limited but by `limits`."""
    many = dict.fromkeys(("peer", "pair", "target", "ip", "ip_and_target"), 10_000)
    shares = {f"circuits_per_{name}": count for name, count in (many | limits).items()}
    table = ReservationStore(
        RelayLimits(circuits=10_000, peer_circuits=Rate(0, 1.0), ip_circuits=Rate(0, 1.0), **shares)
    )
    for target in targets:
        table.reserve(target, target, None, 0.0)
    return table


def test_circuits_of_one_pair_have_a_cap_of_their_own_and_others_still_reach_the_target() -> None:
    table = circuits_to(A, B, pair=3)
    assert [table.open_circuit(B, A, None, 0.0) for _ in range(5)] == [None, None, None, FULL, FULL]
    assert table.open_circuit(C, A, None, 0.0) is None
    assert table.open_circuit(B, C, None, 0.0) == Refusal(Status.NO_RESERVATION, RefusalReason.NO_RESERVATION)
    assert table.open_circuit(A, B, None, 0.0) is None, "the other way round is another pair"
    table.close_circuit(B, A, None)
    assert table.open_circuit(B, A, None, 0.0) is None


def test_circuits_that_a_peer_opens_do_not_count_for_those_to_it() -> None:
    table = circuits_to(A, B, C, peer=2, target=3)
    assert [table.open_circuit(A, each, None, 0.0) for each in (B, C, B)] == [None, None, FULL]
    assert [table.open_circuit(peer(number), A, None, 0.0) for number in range(4)] == [None, None, None, FULL]


def test_visitors_behind_one_address_have_a_share_of_a_target_and_of_all() -> None:
    table = circuits_to(A, B, ip=4, ip_and_target=3)
    assert [table.open_circuit(peer(n), A, "192.0.2.1", 0.0) for n in range(4)] == [None, None, None, FULL_BY_IP]
    assert [table.open_circuit(peer(n), B, "192.0.2.1", 0.0) for n in range(2)] == [None, FULL_BY_IP]
    assert table.open_circuit(peer(0), A, "192.0.2.2", 0.0) is None
    table.close_circuit(peer(0), A, "192.0.2.1")
    assert table.open_circuit(peer(9), A, "192.0.2.1", 0.0) is None


def test_circuits_of_one_ipv6_block_are_four_shares() -> None:
    table = circuits_to(A, ip=1)
    sources = [f"2001:db8:0:{number:x}::/64" for number in range(1, 6)]
    assert [table.open_circuit(peer(s), A, s, 0.0) for s in sources] == [None] * 4 + [FULL_BY_IP]
    assert table.open_circuit(peer("other"), A, "2001:db8:1:1::/64", 0.0) is None


def test_circuits_are_capped_in_all() -> None:
    table = ReservationStore(dataclasses.replace(LIMITS, circuits_per_target=10, circuits_per_peer=10))
    table.reserve(A, A, None, 0.0)
    assert [table.open_circuit(peer(number), A, None, 0.0) for number in range(3)] == [None] * 3
    total = Refusal(Status.RESOURCE_LIMIT_EXCEEDED, RefusalReason.TOTAL)
    assert table.open_circuit(B, A, None, 0.0) == total
    table.close_circuit(peer(0), A, None)
    assert table.circuits == 2
    assert table.open_circuit(B, A, None, 0.0) is None


def test_ipv6_blocks_have_four_shares_of_reservations() -> None:
    table = ReservationStore(RelayLimits(reservations_per_ip=1))
    sources = [f"2001:db8:0:{number:x}::/64" for number in range(1, 6)]
    granted = [isinstance(table.reserve(peer(s), s, s, 0.0), Granted) for s in sources]
    assert granted == [True] * 4 + [False]
    assert isinstance(table.reserve(peer("other"), "o", "2001:db8:1:1::/64", 0.0), Granted)


def test_last_reservations_are_for_addresses_that_hold_none() -> None:
    table = ReservationStore(RelayLimits(reservations=16, reservations_per_ip=100))
    crowd = [table.reserve(peer(number), number, "192.0.2.1", 0.0) for number in range(15)]
    assert [isinstance(each, Granted) for each in crowd] == [True] * 14 + [False]
    assert not isinstance(table.reserve(peer("uncounted"), "u", None, 0.0), Granted)
    assert isinstance(table.reserve(peer(0), 0, "192.0.2.1", 1.0), Granted), "a renewal needs no room"
    assert isinstance(table.reserve(A, "a", "192.0.2.2", 0.0), Granted)
    assert not isinstance(table.reserve(B, "b", "192.0.2.2", 0.0), Granted)
    assert isinstance(table.reserve(C, "c", "192.0.2.3", 0.0), Granted)


def test_circuits_opened_too_often_are_refused_by_peer_and_by_address() -> None:
    quick = dataclasses.replace(LIMITS, peer_circuits=Rate(1, 10.0), ip_circuits=Rate(2, 10.0))
    table = ReservationStore(quick)
    table.reserve(D, "d", None, 0.0)

    def once(origin: PeerId) -> Refusal | None:
        refusal = table.open_circuit(origin, D, "x", 0.0)
        if refusal is None:
            table.close_circuit(origin, D, "x")
        return refusal

    assert once(A) is None
    assert once(A) == Refusal(Status.RESOURCE_LIMIT_EXCEEDED, RefusalReason.PEER_RATE, 10.0)
    assert once(B) is None
    assert once(C) == Refusal(Status.RESOURCE_LIMIT_EXCEEDED, RefusalReason.IP_RATE, 10.0)


def test_a_draining_relay_grants_nothing() -> None:
    table = ReservationStore(LIMITS)
    table.reserve(A, "a", None, 0.0)
    table.draining = True
    assert table.reserve(B, "b", None, 0.0) == Refusal(Status.RESERVATION_REFUSED, RefusalReason.DRAINING)
    assert table.open_circuit(B, A, None, 0.0) == Refusal(Status.RESOURCE_LIMIT_EXCEEDED, RefusalReason.DRAINING)


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("127.0.0.1", None),
        ("::1", None),
        ("relay.example", None),
        (None, None),
    ],
)
def test_addresses_are_counted_by_what_one_person_can_have(address: str | None, key: str | None) -> None:
    assert ip_key(address) == key


def test_the_presets_announce_their_limits() -> None:
    assert PRESETS["small"].circuit_limit is not None
    assert dataclasses.replace(PRESETS["default"], circuit_duration=0, circuit_data=0).circuit_limit is None


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.tuples(st.sampled_from("rcxod"), st.integers(0, 5), st.integers(0, 5)), max_size=60))
def test_counts_never_drift_whatever_happens(steps: list[tuple[str, int, int]]) -> None:
    table = ReservationStore(dataclasses.replace(LIMITS, peer_reservations=Rate(0, 1.0), ip_reservations=Rate(0, 1.0)))
    peers, open_circuits, now = [peer(n) for n in range(6)], [], 0.0
    for kind, first, second in steps:
        now += first * second
        if kind == "r":
            table.reserve(peers[first], second, f"ip{second}", now)
        elif kind == "c":
            table.connection_closed(peers[first], second)
        elif kind == "x":
            table.sweep(now)
        elif kind == "o" and table.open_circuit(peers[first], peers[second], None, now) is None:
            open_circuits.append((peers[first], peers[second], None))
        elif kind == "d" and open_circuits:
            table.close_circuit(*open_circuits.pop())
        assert len(table) <= LIMITS.reservations
        assert table.circuits == len(open_circuits) <= LIMITS.circuits
    table.sweep(now + 1000)
    assert len(table) == 0
    assert not table._per_source
    for pair in open_circuits:
        table.close_circuit(*pair)
    assert table.circuits == 0 and not table._circuits._counts
