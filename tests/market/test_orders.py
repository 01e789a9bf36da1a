from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.bitcoin import bip322
from darkswap_browser.bitcoin.transaction import MAX_SATS, OutPoint
from darkswap_browser.errors import InvalidArgument, InvalidOrder
from darkswap_browser.market.assets import BTC, MAX_U128, Asset
from darkswap_browser.market.orders import (
    CLOCK_SKEW,
    MAX_LIFETIME,
    FeeRule,
    FundingProof,
    PresignedSale,
    Side,
    check_current,
    check_fill,
    check_order,
    next_seq,
    ownership_message,
    quote_for,
    supersedes,
)
from tests.market.cases import ALKANE, COINS, CREATED, RUNE, SALE, funded, order, sold
from tests.support.examples import examples

BUY = {"side": Side.BUY}
IN_BITCOIN = {"base": BTC, "quote": RUNE, "base_atoms": 250_000, "quote_atoms": 1_000_000, "min_fill": 546}
PROOF = FundingProof(b"\x51\x20" + bytes(32), bytes(66))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        BUY,
        IN_BITCOIN,
        {"quote": ALKANE, "min_fill": 1},
        {"min_fill": 1_000_000},
        {"min_fill": 2184},
        {"base_atoms": MAX_U128, "quote_atoms": MAX_SATS, "min_fill": MAX_U128},
        {"quote": ALKANE, "base_atoms": MAX_U128, "quote_atoms": MAX_U128},
        {"expires_at": CREATED + MAX_LIFETIME},
        {"seq": 2**32 - 1},
        {"relays": ("/dns4/a/tcp/1/ws",) * 3},
        {"open_atoms": 1},
        {"max_fill": 100_000},
        {"max_fee_sats": 0},
        {"postage": 330},
        {"signing_seconds": 10},
        {"tx_version": 2},
        {"base_decimals": 38},
        {"extras": ((1, bytes(253)),)},
        {"created_at": 0, "expires_at": 1},
        {"created_at": 2**40 - 2, "expires_at": 2**40 - 1},
        {"funding": tuple(OutPoint("aa" * 32, number) for number in range(20))},
        {"proofs": (PROOF,)},
        {"paused": True},
    ],
)
def test_an_order_that_can_be_is_one(changes: Mapping[str, Any]) -> None:
    check_order(order(**changes))


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ("base", {"base": Asset.rune(0, 1)}),
        ("quote", {"quote": Asset.alkane(0, 0)}),
        ("quote", {"quote": RUNE}),
        ("network", {"network": "testnet4"}),
        ("network", {"network": ""}),
        ("base_atoms", {"base_atoms": 0}),
        ("base_atoms", {"base_atoms": MAX_U128 + 1}),
        ("base_atoms", {**IN_BITCOIN, "base_atoms": MAX_SATS + 1}),
        ("quote_atoms", {"quote_atoms": 0}),
        ("quote_atoms", {"quote_atoms": MAX_SATS + 1}),
        ("quote_atoms", {"quote": ALKANE, "quote_atoms": MAX_U128 + 1}),
        ("min_fill", {"min_fill": 0}),
        ("min_fill", {"min_fill": 1_000_001}),
        ("min_fill", {"min_fill": 2180}),
        ("min_fill", {**BUY, "min_fill": 2183}),
        ("min_fill", {**IN_BITCOIN, "min_fill": 545}),
        ("min_fill", {**BUY, "quote": ALKANE, "quote_atoms": 1, "min_fill": 999_999}),
        ("expires_at", {"expires_at": CREATED}),
        ("expires_at", {"expires_at": CREATED + MAX_LIFETIME + 1}),
        ("created_at", {"created_at": -1, "expires_at": 9}),
        ("created_at", {"created_at": 2**40 - 1, "expires_at": 2**40}),
        ("seq", {"seq": -1}),
        ("seq", {"seq": 2**32}),
        ("nonce", {"nonce": bytes(15)}),
        ("nonce", {"nonce": bytes(17)}),
        ("relays", {"relays": ("/dns4/a/tcp/1/ws",) * 4}),
        ("open_atoms", {"open_atoms": 1_000_001}),
        ("open_atoms", {"open_atoms": -1}),
        ("open_atoms", {"open_atoms": 0, "paused": True}),
        ("max_fill", {"max_fill": 99_999}),
        ("max_fill", {"max_fill": 1_000_001}),
        ("max_fee_sats", {"max_fee_sats": -1}),
        ("max_fee_sats", {"max_fee_sats": 10_000_001}),
        ("postage", {"postage": 329}),
        ("postage", {"postage": 10_001}),
        ("signing_seconds", {"signing_seconds": 9}),
        ("signing_seconds", {"signing_seconds": 601}),
        ("tx_version", {"tx_version": 1}),
        ("base_decimals", {"base_decimals": 39}),
        ("quote_decimals", {"quote_decimals": 0}),
        ("extras", {"extras": ((2, b""),)}),
        ("extras", {"extras": ((3, b""), (1, b""))}),
        ("extras", {"extras": ((1, bytes(254)),)}),
        ("funding", {"funding": (COINS[0], COINS[0])}),
        ("funding", {"funding": tuple(OutPoint("aa" * 32, number) for number in range(21))}),
        ("proofs", {"funding": COINS, "proofs": (PROOF, replace(PROOF, witness=bytes(67)))}),
        ("proofs", {"proofs": (PROOF, replace(PROOF, script=b"\x00\x14" + bytes(20)))}),
    ],
)
def test_an_order_that_cannot_be_is_refused_by_the_name_of_the_field(path: str, changes: Mapping[str, Any]) -> None:
    with pytest.raises(InvalidArgument) as refused:
        check_order(order(**changes))
    assert refused.value.path == path


def test_an_order_can_be_taken_from_a_little_before_its_time_until_it_ends() -> None:
    made = order()
    for now in (CREATED - CLOCK_SKEW, CREATED, made.expires_at - 0.5):
        check_current(made, now)
    for now, path in ((CREATED - CLOCK_SKEW - 1, "created_at"), (made.expires_at, "expires_at")):
        with pytest.raises(InvalidOrder) as refused:
            check_current(made, now)
        assert refused.value.path == path
    with pytest.raises(InvalidOrder) as refused:
        check_current(order(paused=True), CREATED)
    assert refused.value.path == "paused"


sides = st.sampled_from(Side)
amounts = st.integers(1, MAX_U128)


@given(sides, amounts, amounts, st.data())
@settings(max_examples=examples(100))
def test_no_fill_costs_the_maker_a_part_of_an_atom(side: Side, base: int, quote: int, data: st.DataObject) -> None:
    made = order(quote=ALKANE, side=side, base_atoms=base, quote_atoms=quote, min_fill=1)
    fill = data.draw(st.integers(1, base))
    exact, rounded = Fraction(quote * fill, base), quote_for(made, fill)
    assert type(rounded) is int
    assert (exact <= rounded < exact + 1) if side is Side.SELL else (exact - 1 < rounded <= exact)
    assert quote_for(made, base) == quote


@given(sides, amounts, amounts, st.data())
@settings(max_examples=examples(60))
def test_taking_in_parts_is_never_cheaper_than_at_once(side: Side, base: int, quote: int, data: st.DataObject) -> None:
    made = order(quote=ALKANE, side=side, base_atoms=base + 1, quote_atoms=quote, min_fill=1)
    first = data.draw(st.integers(1, base))
    parts = quote_for(made, first) + quote_for(made, base + 1 - first)
    assert parts >= quote if side is Side.SELL else parts <= quote


@pytest.mark.parametrize(
    ("changes", "fill", "remaining"),
    [
        ({"max_fill": 100_000}, 100_000, 1_000_000),
        ({}, 997_816, 1_000_000),
        ({}, 100_000, 1_000_000),
        ({}, 1_000_000, 1_000_000),
        ({}, 50_000, 50_000),
        (BUY, 2184, 2184),
        (IN_BITCOIN, 546, 10_000),
        ({"quote": ALKANE, "min_fill": 1}, 1, 5),
    ],
)
def test_a_part_can_be_taken_that_is_large_enough_or_all_there_is(
    changes: Mapping[str, Any], fill: int, remaining: int
) -> None:
    check_fill(order(**changes), fill, remaining)


@pytest.mark.parametrize(
    ("changes", "fill", "remaining", "reason"),
    [
        ({"max_fill": 100_000}, 100_001, 1_000_000, "largest part"),
        ({}, 997_820, 1_000_000, "leaves a rest that nobody can take"),
        (
            {"quote": ALKANE, "quote_decimals": 5, "quote_atoms": 10, "side": Side.BUY},
            999_999,
            1_000_000,
            "leaves a rest",
        ),
        ({}, 0, 1_000_000, "more than is left"),
        ({}, -1, 1_000_000, "more than is left"),
        ({}, 1_000_001, 1_000_000, "more than is left"),
        ({}, 1, 0, "more than is left"),
        ({}, 99_999, 1_000_000, "least part"),
        ({}, 49_999, 50_000, "least part"),
        ({}, 2180, 2180, "less than 546 sats"),
        (BUY, 2183, 2183, "less than 546 sats"),
        (IN_BITCOIN, 545, 545, "less than 546 sats"),
        ({**BUY, "quote": ALKANE, "quote_atoms": 10}, 99_999, 99_999, "worth less than one atom"),
    ],
)
def test_a_part_that_cannot_be_taken_is_refused(
    changes: Mapping[str, Any], fill: int, remaining: int, reason: str
) -> None:
    with pytest.raises(InvalidOrder, match=reason) as refused:
        check_fill(order(**changes), fill, remaining)
    assert refused.value.path == "amount"


def test_sides_say_what_the_maker_brings_and_gets() -> None:
    sell, buy = order(), order(**BUY)
    assert (sell.gives, sell.gets) == ((RUNE, 1_000_000), (BTC, 250_000))
    assert (buy.gives, buy.gets) == (sell.gets, sell.gives)


def test_a_later_revision_replaces_and_of_two_with_one_number_the_lower_hash() -> None:
    assert supersedes((2, "ff"), (1, "00")) and not supersedes((1, "00"), (2, "ff"))
    assert supersedes((1, "00"), (1, "ff")) and not supersedes((1, "ff"), (1, "00"))
    assert not supersedes((1, "00"), (1, "00"))


def test_next_seq_goes_by_the_clock_and_never_back() -> None:
    assert next_seq(CREATED, CREATED + 60) == CREATED + 60
    assert next_seq(CREATED, CREATED) == next_seq(CREATED, CREATED - 60) == CREATED + 1


def test_an_order_keeps_its_id_through_revisions_and_nobody_else_can_have_it() -> None:
    made = order()
    peer_id = bytes.fromhex("002408011220") + bytes(range(32))
    assert made.order_id == sha256(b"darkswap order id 1" + peer_id + bytes(range(16))).hexdigest()
    assert replace(made, seq=5, quote_atoms=9, paused=True, relays=(), expires_at=CREATED + 1).order_id == made.order_id
    others = (replace(made, maker="QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"), replace(made, nonce=bytes(16)))
    assert len({made.order_id, *(each.order_id for each in others)}) == 3


def test_a_proof_of_coins_serves_one_purpose_only() -> None:
    made = funded(COINS)
    message = ownership_message(made.order_id, made.funding)
    (proof,) = made.proofs
    assert bip322.verify_simple(proof.script, message, proof.witness)
    assert ownership_message(made.order_id, made.funding[::-1]) == message
    for other in (
        ownership_message("ab" * 16, made.funding),
        ownership_message(made.order_id, made.funding[:1]),
        ownership_message(made.order_id, (*made.funding, OutPoint("99" * 32, 0))),
    ):
        assert not bip322.verify_simple(proof.script, other, proof.witness)


def test_a_private_sale_is_of_one_whole_lot_for_bitcoin() -> None:
    check_order(sold())
    check_order(sold(base=ALKANE))


@pytest.mark.parametrize(
    ("path", "changes"),
    [
        ("side", {"side": Side.BUY}),
        ("base", {"base": BTC, "quote": RUNE}),
        ("quote", {"quote": ALKANE}),
        ("min_fill", {"min_fill": 999_999}),
        ("sale", {"seq": CREATED + 1}),
        ("sale", {"tx_version": 3}),
        ("sale", {"paused": True}),
        ("fee_rule", {"fee_rule": FeeRule.OWN_WEIGHT}),
        ("funding", {"coins": COINS}),
        ("funding", {"coins": ()}),
        ("sale", {"sale": PresignedSale(b"\x6a", SALE.witness)}),
        ("sale", {"sale": PresignedSale(SALE.payment_script, b"\x01")}),
    ],
)
def test_nothing_else_can_be_a_private_sale(path: str, changes: Mapping[str, Any]) -> None:
    with pytest.raises(InvalidOrder) as refused:
        check_order(sold(**changes))
    assert refused.value.path == path
