from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.bitcoin.networks import GENESIS
from darkswap_browser.bitcoin.script import ScriptKind
from darkswap_browser.bitcoin.transaction import MAX_SATS, OutPoint
from darkswap_browser.errors import InvalidOrder, MalformedMessage
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.market.assets import BTC, MAX_U128, Asset
from darkswap_browser.market.order_codec import (
    MAX_ORDER,
    PREFIX,
    SignedOrder,
    body_of,
    decode_order,
    decode_text,
    encode_order,
    encode_text,
    order_hash,
    signing_bytes,
)
from darkswap_browser.market.orders import FeeRule, FundingProof, Order, Side, cancel_order, check_order
from darkswap_browser.settlement.terms import Role
from tests.market.cases import ALKANE, COINS, CREATED, RELAY, RUNE, SALE, funded, order, signed, sold
from tests.support.examples import examples
from tests.support.hostile import mutations
from tests.support.native_identity import CRYPTO, identity
from tests.support.trade_fixture import script_of

QR_BYTES = {15: 520, 20: 858}
"""Bytes that a QR code of a version holds at error correction L (ISO/IEC 18004): 97 modules a side in version 20."""
FULL = replace(
    order(relays=(RELAY,) * 3, quote=ALKANE, base_atoms=MAX_U128, quote_atoms=MAX_U128, seq=2**32 - 1, paused=True),
    max_fill=MAX_U128,
    extras=((1, bytes(253)),),
    funding=tuple(OutPoint(f"{number:064x}", 2**32 - 1) for number in range(20)),
    proofs=tuple(
        FundingProof(script_of(role, use, ScriptKind.P2TR), bytes(107))
        for role in Role
        for use in ("assets", "payment")
    ),
)
CANCELED = cancel_order(funded(), CREATED + 5)
ORDERS = (order(), funded(), funded(COINS), order(side=Side.BUY, fee_rule=FeeRule.TAKER_PAYS), FULL, sold(), CANCELED)
each_order = pytest.mark.parametrize(
    "made", ORDERS, ids=["bare", "one coin", "two coins", "buys", "full", "sold", "canceled"]
)


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
    st.lists(st.sampled_from([RELAY, "/ip4/127.0.0.1/tcp/1/ws"]), max_size=3),
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
    made = funded(max_fill=500_000, postage=600, signing_seconds=45)
    assert msgpack.unpackb(body_of(made)) == [
        2,
        0,
        bytes(range(32)),
        bytes(range(16)),
        CREATED,
        CREATED,
        86_400,
        [1, b"\x0c\xd1\x40", b"\x01"],
        0,
        0,
        b"\x0f\x42\x40",
        b"\x03\xd0\x90",
        b"\x0f\x42\x40",
        b"\x01\x86\xa0",
        b"\x07\xa1\x20",
        [5, 8],
        0,
        3,
        0,
        5_000,
        600,
        45,
        [Multiaddr.parse(RELAY).to_bytes()],
        [[bytes.fromhex(COINS[0].txid), COINS[0].vout]],
        [[made.proofs[0].script, made.proofs[0].witness]],
        [],
    ]


def test_a_private_sale_is_an_extension_that_must_be_understood() -> None:
    fields = msgpack.unpackb(body_of(sold()))
    script = SALE.payment_script
    assert fields[-1] == [[2, bytes([len(script)]) + script + SALE.witness]]
    assert fields[:-1] == msgpack.unpackb(body_of(replace(sold(), sale=None)))[:-1]
    assert order_hash(sold()) != order_hash(replace(sold(), sale=None))


def test_an_extension_that_may_be_ignored_is_passed_on() -> None:
    made = order(extras=((1, b"one"), (65_535, b"")))
    assert decode_order(encode_order(signed(made))) == signed(made)


def test_a_cancellation_is_a_revision_of_nothing() -> None:
    assert CANCELED.is_cancellation and CANCELED.order_id == funded().order_id
    assert (CANCELED.funding, CANCELED.proofs, CANCELED.relays, CANCELED.seq) == ((), (), (), CREATED + 5)
    assert len(encode_order(signed(CANCELED))) < 200
    with pytest.raises(MalformedMessage, match="open_atoms"):
        decode_order(encode_order(signed(replace(CANCELED, relays=(RELAY,)))))


def test_the_hash_names_a_revision_and_a_signature_is_good_on_one_chain() -> None:
    made = order()
    assert order_hash(made) == sha256(body_of(made)).hexdigest() == order_hash(replace(made))
    revisions = (made, replace(made, seq=1), replace(made, quote_atoms=250_001), replace(made, paused=True))
    assert len({order_hash(each) for each in revisions}) == 4
    assert signing_bytes(made) == b"darkswap/order/2\x00" + bytes.fromhex(GENESIS["mainnet"]) + body_of(made)
    assert signing_bytes(replace(made, network="signet"))[17:49] == bytes.fromhex(GENESIS["signet"])


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
        ("darkswap:1AA", "has 1 bytes instead of 65 to 2560"),
        ("darkswap:1" + "A" * 3600, "has 2700 bytes instead of 65 to 2560"),
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


def test_scripts_of_every_kind_that_can_prove_coins_fit() -> None:
    for kind in (ScriptKind.P2TR, ScriptKind.P2WPKH, ScriptKind.P2SH):
        made = funded(COINS)
        proof = replace(made.proofs[0], script=script_of(Role.MAKER, "assets", kind))
        assert decode_order(encode_order(signed(replace(made, proofs=(proof,))))).order.proofs == (proof,)
