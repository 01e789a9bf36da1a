from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.bitcoin.script import ScriptKind
from darkswap_browser.bitcoin.transaction import MAX_SATS, OutPoint
from darkswap_browser.errors import InvalidOrder, MalformedMessage
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.market.assets import BTC, MAX_U128, Asset
from darkswap_browser.market.order_codec import (
    MAX_ORDER,
    PREFIX,
    SignedCancellation,
    SignedOrder,
    body_of,
    decode_cancellation,
    decode_order,
    decode_text,
    encode_cancellation,
    encode_order,
    encode_text,
    order_hash,
    signing_bytes,
)
from darkswap_browser.market.orders import Cancellation, FeeRule, FundingProof, Order, Side, check_order
from darkswap_browser.settlement.terms import Role
from tests.market.cases import ALKANE, COINS, CREATED, MAKER, RELAY, RUNE, SALE, SIGNATURE, funded, order, signed, sold
from tests.support.examples import examples
from tests.support.hostile import assert_only_malformed, damaged, mutations
from tests.support.native_identity import CRYPTO, identity
from tests.support.trade_fixture import KINDS, script_of

QR_BYTES = {15: 520, 20: 858}
"""Bytes that a QR code of a version holds at error correction L (ISO/IEC 18004): 97 modules a side in version 20."""
FULL = replace(
    order(relays=(RELAY,) * 4, quote=ALKANE, base_atoms=MAX_U128, quote_atoms=MAX_U128, seq=2**32 - 1, paused=True),
    funding=tuple(OutPoint(f"{number:064x}", 2**32 - 1) for number in range(20)),
    proofs=tuple(
        FundingProof(script_of(role, use, kind), bytes(107))
        for role in Role
        for use in ("assets", "payment")
        for kind in KINDS
    ),
)
ORDERS = (order(), funded(), funded(COINS), order(side=Side.BUY, fee_rule=FeeRule.TAKER_PAYS), FULL, sold())
CANCELED = SignedCancellation(Cancellation(maker=MAKER, order_id=order().order_id, seq=3, at=CREATED), SIGNATURE)
each_order = pytest.mark.parametrize("made", ORDERS, ids=["bare", "one coin", "two coins", "buys", "full", "sold"])


@each_order
def test_an_order_is_read_as_it_was_written(made: Order) -> None:
    check_order(made)
    assert decode_order(encode_order(signed(made))) == signed(made)
    assert decode_text(encode_text(signed(made))) == signed(made)
    assert decode_order(encode_order(decode_text(encode_text(signed(made))))).order == made


assets = st.sampled_from([BTC, RUNE, ALKANE, Asset.rune(2**64 - 1, 2**32 - 1), Asset.alkane(MAX_U128, MAX_U128)])


@given(
    st.tuples(assets, assets).filter(lambda pair: pair[0] != pair[1]),
    st.sampled_from(Side),
    st.integers(546, MAX_SATS),
    st.integers(546, MAX_SATS),
    st.integers(0, 2**32 - 1),
    st.lists(st.text(max_size=80).filter(bool), max_size=4),
    st.booleans(),
)
@settings(max_examples=examples(60))
def test_whatever_order_can_be_is_written_and_read(
    pair: tuple[Asset, Asset], side: Side, base: int, quote: int, seq: int, relays: list[str], paused: bool
) -> None:
    made = order(
        base=pair[0],
        quote=pair[1],
        side=side,
        base_atoms=base,
        quote_atoms=quote,
        min_fill=base,
        seq=seq,
        relays=tuple(relays),
        paused=paused,
    )
    assert decode_text(encode_text(signed(made))).order == made


def test_the_body_is_one_list_in_a_fixed_order() -> None:
    assert msgpack.unpackb(body_of(funded())) == [
        1,
        "mainnet",
        PeerId.parse(MAKER).to_bytes(),
        "RUNE:840000:1",
        "BTC",
        "sell",
        b"\x0f\x42\x40",
        b"\x03\xd0\x90",
        b"\x01\x86\xa0",
        "own_weight",
        CREATED,
        CREATED + 86_400,
        0,
        bytes(range(16)),
        False,
        [RELAY],
        [[bytes.fromhex(COINS[0].txid), COINS[0].vout]],
        [[funded().proofs[0].script, funded().proofs[0].witness]],
    ]


def test_a_private_sale_has_one_field_more_and_every_other_order_the_fields_it_always_had() -> None:
    fields = msgpack.unpackb(body_of(sold()))
    assert fields[-1] == [SALE.payment_script, SALE.witness]
    assert fields[:-1] == msgpack.unpackb(body_of(replace(sold(), sale=None)))
    assert (fields[0], len(fields)) == (1, len(NAMES) + 1)
    assert order_hash(sold()) != order_hash(replace(sold(), sale=None))


def test_the_hash_names_a_revision_and_a_signature_serves_one_kind_of_thing() -> None:
    made = order()
    assert order_hash(made) == sha256(body_of(made)).hexdigest() == order_hash(replace(made))
    revisions = (made, replace(made, seq=1), replace(made, quote_atoms=250_001), replace(made, paused=True))
    assert len({order_hash(each) for each in revisions}) == 4
    assert signing_bytes(made) == b"darkswap order 1" + body_of(made)
    peer_id, name = PeerId.parse(MAKER).to_bytes(), bytes.fromhex(made.order_id)
    expected = b"darkswap order cancellation 1" + msgpack.packb([peer_id, name, 3, CREATED])
    assert signing_bytes(CANCELED.cancellation) == expected


async def test_a_signature_holds_for_what_is_read_out_of_a_link_and_for_nothing_else() -> None:
    maker = await identity("maker")
    made = replace(order(), maker=str(maker.peer_id))
    text = encode_text(SignedOrder(made, await maker.sign(signing_bytes(made))))
    read = decode_text(f"https://example.org/#order={text}")
    key = PeerId.parse(read.order.maker).embedded_key()
    assert key is not None and await key.verify(CRYPTO, signing_bytes(read.order), read.signature)
    assert not await key.verify(CRYPTO, signing_bytes(replace(made, seq=1)), read.signature)


# --- text


@pytest.mark.parametrize(("coins", "version"), [(COINS[:1], 20), (COINS, 20), ((), 15)])
def test_the_text_of_an_order_fits_a_link_and_a_qr_code(coins: tuple[OutPoint, ...], version: int) -> None:
    """With one relay, and a proof by a taproot key when there are coins."""
    made = funded(coins) if coins else order(relays=(RELAY,))
    text = encode_text(signed(made))
    assert set(text.removeprefix("darkswap:")) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    )
    assert len(f"https://darkswap.example/app/#order={text}") <= QR_BYTES[version]


def test_the_largest_order_is_within_the_limit() -> None:
    assert len(encode_order(signed(FULL))) < MAX_ORDER


@pytest.mark.parametrize(
    "around",
    [
        "{}",
        "  {}\n",
        "https://example.org/trade/#order={}",
        "http://darkswap:1234/#order={}",
        "https://example.org/?order={}&from=chat",
        "Have a look (https://example.org/#order={}), cheap runes.",
    ],
)
def test_an_order_is_found_in_whatever_it_was_pasted_with(around: str) -> None:
    made = funded()
    assert decode_text(around.format(encode_text(signed(made)))).order == made


GOOD = encode_text(signed(order()))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not in this text"),
        ("https://example.org/", "is not in this text"),
        ("darkswap:", "is not in this text"),
        ("darkswap:1", "is not in this text"),
        ("darkswap:1 AAAA", "is not in this text"),
        ("darkswap:2AAAA", "is not in this text"),
        ("DARKSWAP:1AAAA", "is not in this text"),
        (GOOD[1:], "is not in this text"),
        ("darkswap:1" + "A" * 4 * MAX_ORDER, "is not in this text"),
        ("darkswap:1A", "was cut or changed on its way"),
        ("darkswap:1AA", "has 1 bytes instead of 65 to 4096"),
        ("darkswap:1" + "A" * 5600, "has 4200 bytes instead of 65 to 4096"),
        (GOOD[:-4], "is not msgpack"),
        (GOOD + "AAAA", "is not msgpack"),
        (GOOD.replace("darkswap:1", "darkswap:1AAAA"), "is not msgpack"),
    ],
    ids=lambda value: value[:20],
)
def test_a_text_that_holds_no_order_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidOrder, match=reason) as refused:
        decode_text(text)
    assert refused.value.path == "order" and refused.value.hint


def test_a_text_cut_anywhere_is_refused() -> None:
    text = encode_text(signed(funded()))
    for cut in range(len(text)):
        with pytest.raises(InvalidOrder):
            decode_text(text[:cut])


@given(mutations(encode_text(signed(order())).encode()))
@settings(max_examples=examples(100))
def test_a_text_changed_anywhere_is_another_order_or_refused(data: bytes) -> None:
    try:
        assert encode_text(decode_text(data.decode("latin-1"))).startswith(PREFIX)
    except InvalidOrder as refused:
        assert refused.path == "order"


# --- malformed bytes


def test_damaged_bytes_are_malformed_or_another_order() -> None:
    for data in damaged(encode_order(signed(order()))):
        assert_only_malformed(decode_order, data)


def test_bytes_cut_anywhere_are_malformed() -> None:
    for whole, decode in (
        (encode_order(signed(funded())), decode_order),
        (encode_cancellation(CANCELED), decode_cancellation),
    ):
        for cut in range(len(whole)):
            with pytest.raises(MalformedMessage):
                decode(whole[:cut])


Fields = list[Any]
NAMES = (
    "version", "network", "maker", "base", "quote", "side", "base_atoms", "quote_atoms", "min_fill", "fee_rule",
    "created_at", "expires_at", "seq", "nonce", "paused", "relays", "funding", "proofs",
)  # fmt: skip


def packed(change: Callable[[Fields], object], made: Order | None = None) -> bytes:
    fields: Fields = msgpack.unpackb(body_of(made or funded()))
    change(fields)
    return SIGNATURE + bytes(msgpack.packb(fields))


def with_field(name: str, value: object) -> bytes:
    return packed(lambda fields: fields.__setitem__(NAMES.index(name), value))


MALFORMED: Mapping[str, tuple[bytes, str]] = {
    "nothing": (b"", "has 0 bytes"),
    "only a signature": (SIGNATURE, "has 64 bytes"),
    "too much": (bytes(MAX_ORDER + 1), "has 4097 bytes"),
    "no msgpack": (SIGNATURE + b"\xc1", "is not msgpack"),
    "something behind": (encode_order(signed(order())) + b"\x00", "is not msgpack"),
    "a text that is none": (SIGNATURE + b"\xa1\xff", "is not msgpack"),
    "a map": (SIGNATURE + b"\x80", "is not a list of 18 to 19"),
    "a map within": (with_field("funding", {}), "funding is not a list"),
    "a filled map": (with_field("seq", {"a": 1}), "is not msgpack"),
    "an extension": (SIGNATURE + b"\xd4\x01\x00", "is not msgpack"),
    "nested too deep": (SIGNATURE + b"\x91" * 4000, "is nested more than 8 deep"),
    "an empty list": (SIGNATURE + b"\x90", "is not a list of 18 to 19"),
    "another version": (with_field("version", 2), "version is 2, not 1"),
    "a field less": (packed(lambda fields: fields.pop()), "is not a list of 18 to 19"),
    "a sale that is none": (packed(lambda fields: fields.append(0)), "sale is not a list of 2"),
    "two fields more": (packed(lambda fields: fields.extend([0, 0])), "is not a list of 18 to 19"),
    "a sale of a part": (packed(lambda fields: fields.append([SALE.payment_script, SALE.witness])), "of the whole lot"),
    "a sale to nobody": (packed(lambda fields: fields[-1].__setitem__(0, b""), sold()), "is not 1 to 34 bytes"),
    "a sale signed at length": (packed(lambda fields: fields[-1].__setitem__(1, bytes(257)), sold()), "1 to 256 bytes"),
    "a sale without a witness": (packed(lambda fields: fields[-1].__setitem__(1, b"\x02\x00"), sold()), "no witness"),
    "a sale that is a list of three": (packed(lambda fields: fields[-1].append(0), sold()), "sale is not a list of 2"),
    "true for one": (with_field("version", True), "version is True, not 1"),
    "a float for one": (with_field("version", 1.0), "version is 1.0, not 1"),
    "a number with a zero before": (with_field("base_atoms", b"\x00\x0f\x42\x40"), "its one form"),
    "a small asset": (with_field("base", "rune:840000:1"), "its one form"),
    "a long number": (encode_order(signed(order())).replace(b"\x00\xc4\x10", b"\xcc\x00\xc4\x10"), "its one form"),
    "no network": (with_field("network", 1), "network is not a text"),
    "an unknown network": (with_field("network", "litecoin"), "network: is not one of Bitcoin's"),
    "no peer id": (with_field("maker", b"\x12\x03abc"), "digest of 3 bytes"),
    "an empty peer id": (with_field("maker", b""), "is not 1 to 64 bytes"),
    "a text for a peer id": (with_field("maker", MAKER), "is not 1 to 64 bytes"),
    "no asset": (with_field("base", "ETH"), "is not an asset"),
    "an asset that cannot be": (with_field("base", "RUNE:0:1"), "is not an id of its kind"),
    "one asset": (with_field("quote", "RUNE:840000:1"), "is the same asset as base"),
    "no side": (with_field("side", "lend"), "side is 'lend'"),
    "a number for a side": (with_field("side", 1), "side is 1"),
    "no amount": (with_field("base_atoms", b""), "is not 1 to 16 bytes"),
    "a number for an amount": (with_field("quote_atoms", 1), "is not 1 to 16 bytes"),
    "more than 128 bits": (with_field("min_fill", b"\x01" + bytes(16)), "is not 1 to 16 bytes"),
    "no fee rule": (with_field("fee_rule", "nobody"), "fee_rule is 'nobody'"),
    "a time before all": (with_field("created_at", -1), "created_at is not a whole number"),
    "a time after all": (with_field("expires_at", 2**40), "expires_at is not a whole number"),
    "a fraction of a second": (with_field("created_at", 1.5), "created_at is not a whole number"),
    "a lifetime too long": (with_field("expires_at", CREATED + 10**7), "expires_at: is not within 604800"),
    "true for a number": (with_field("seq", True), "seq is not a whole number"),
    "a revision too late": (with_field("seq", 2**32), "seq is not a whole number"),
    "a short nonce": (with_field("nonce", bytes(15)), "nonce is not 16 bytes"),
    "a number for a flag": (with_field("paused", 0), "neither true nor false"),
    "five relays": (with_field("relays", ["/ip4/127.0.0.1/tcp/1/ws"] * 5), "relays has 5 entries, not at most 4"),
    "bytes for a relay": (with_field("relays", [b"a"]), "relays.0. is not a text"),
    "21 coins": (with_field("funding", [[bytes(32), number] for number in range(21)]), "has 21 entries"),
    "a coin twice": (with_field("funding", [[bytes(32), 0]] * 2), "funding: is not up to 20 coins"),
    "a coin of three": (with_field("funding", [[bytes(32), 0, 0]]), "funding.0. is not a list of 2"),
    "a short txid": (with_field("funding", [[bytes(31), 0]]), "txid is not 32 bytes"),
    "an output too far": (with_field("funding", [[bytes(32), 2**32]]), "vout is not a whole number"),
    "a long script": (with_field("proofs", [[bytes(35), bytes(66)]]), "is not 1 to 34 bytes"),
    "a long witness": (with_field("proofs", [[bytes(34), bytes(257)]]), "is not 1 to 256 bytes"),
    "an empty witness": (with_field("proofs", [[bytes(34), b""]]), "is not 1 to 256 bytes"),
    "more proofs than coins": (
        with_field("proofs", [[b"\x00", b"\x00"], [b"\x01", b"\x00"]]),
        "more than there are coins",
    ),
}


@pytest.mark.parametrize(("data", "reason"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_order_is_refused_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedMessage, match=reason):
        decode_order(data)


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=9)
    | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


@given(st.integers(0, 17), plain)
@settings(max_examples=examples(150))
def test_a_field_of_any_other_kind_is_malformed_or_an_order(at: int, value: Any) -> None:
    assert_only_malformed(decode_order, packed(lambda fields: fields.__setitem__(at, value)))


# --- cancellations


def canceled(change: Callable[[Fields], object]) -> bytes:
    fields: Fields = msgpack.unpackb(encode_cancellation(CANCELED))
    change(fields)
    return bytes(msgpack.packb(fields))


def test_a_cancellation_is_read_as_it_was_written() -> None:
    assert decode_cancellation(encode_cancellation(CANCELED)) == CANCELED


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is not msgpack"),
        (b"\x80", "is not a list of 6"),
        (b"\x91" * 2000, "is nested more than 8 deep"),
        (bytes(MAX_ORDER + 1), "has 4097 bytes"),
        (canceled(lambda fields: fields.pop()), "is not a list of 6"),
        (canceled(lambda fields: fields.append(0)), "is not a list of 6"),
        (canceled(lambda fields: fields.__setitem__(0, 2)), "version is 2, not 1"),
        (canceled(lambda fields: fields.__setitem__(0, True)), "version is True, not 1"),
        (canceled(lambda fields: fields.__setitem__(1, b"\x12\x03abc")), "digest of 3 bytes"),
        (canceled(lambda fields: fields.__setitem__(2, bytes(31))), "order_id is not 32 bytes"),
        (canceled(lambda fields: fields.__setitem__(3, 2**32)), "seq is not a whole number"),
        (canceled(lambda fields: fields.__setitem__(4, -1)), "at is not a whole number"),
        (canceled(lambda fields: fields.__setitem__(5, bytes(63))), "signature is not 64 bytes"),
        (encode_cancellation(CANCELED).replace(b"\x03\xce", b"\xcc\x03\xce"), "its one form"),
    ],
)
def test_a_malformed_cancellation_is_refused_with_a_reason(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedMessage, match=reason):
        decode_cancellation(data)


@given(st.integers(0, 5), plain)
@settings(max_examples=examples(60))
def test_a_cancellation_with_a_field_of_any_other_kind_is_malformed_or_one(at: int, value: Any) -> None:
    assert_only_malformed(decode_cancellation, canceled(lambda fields: fields.__setitem__(at, value)))


def test_scripts_of_every_kind_that_can_prove_coins_fit() -> None:
    for kind in (ScriptKind.P2TR, ScriptKind.P2WPKH, ScriptKind.P2SH):
        made = funded(COINS)
        proof = replace(made.proofs[0], script=script_of(Role.MAKER, "assets", kind))
        assert decode_order(encode_order(signed(replace(made, proofs=(proof,))))).order.proofs == (proof,)
