"""Bytes that are no order, each refused with its reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.errors import MalformedMessage
from darkswap_browser.market.order_codec import (
    MAX_ORDER,
    body_of,
    decode_order,
    encode_order,
)
from darkswap_browser.market.orders import Order, cancel_order
from tests.market.cases import CREATED, MAKER, SALE, SIGNATURE, funded, order, signed, sold
from tests.support.examples import examples
from tests.support.hostile import assert_only_malformed, damaged

CANCELED = cancel_order(funded(), CREATED + 5)


def test_damaged_bytes_are_malformed_or_another_order() -> None:
    for data in damaged(encode_order(signed(order()))):
        assert_only_malformed(decode_order, data)


def test_bytes_cut_anywhere_are_malformed() -> None:
    for made in (funded(), CANCELED):
        whole = encode_order(signed(made))
        for cut in range(len(whole)):
            with pytest.raises(MalformedMessage):
                decode_order(whole[:cut])


Fields = list[Any]
NAMES = (
    "version", "network", "maker", "nonce", "seq", "created_at", "lifetime", "base", "quote", "side", "base_atoms",
    "quote_atoms", "open_atoms", "min_fill", "max_fill", "decimals", "flags", "tx_version", "fee_rule", "max_fee_sats",
    "postage", "signing_seconds", "relays", "funding", "proofs", "extras",
)  # fmt: skip


def packed(change: Callable[[Fields], object], made: Order | None = None) -> bytes:
    fields: Fields = msgpack.unpackb(body_of(made or funded()))
    change(fields)
    return SIGNATURE + bytes(msgpack.packb(fields))


def with_field(name: str, value: object) -> bytes:
    return packed(lambda fields: fields.__setitem__(NAMES.index(name), value))


def with_sale(data: bytes) -> bytes:
    return packed(lambda fields: fields.__setitem__(-1, [[2, data]]), sold())


PAID = bytes([len(SALE.payment_script)]) + SALE.payment_script
MALFORMED: Mapping[str, tuple[bytes, str]] = {
    "nothing": (b"", "has 0 bytes"),
    "only a signature": (SIGNATURE, "has 64 bytes"),
    "too much": (bytes(MAX_ORDER + 1), "has 2561 bytes"),
    "no msgpack": (SIGNATURE + b"\xc1", "is not msgpack"),
    "something behind": (encode_order(signed(order())) + b"\x00", "is not msgpack"),
    "a text that is none": (SIGNATURE + b"\xa1\xff", "is not msgpack"),
    "a map": (SIGNATURE + b"\x80", "is not a list of 26"),
    "a map within": (with_field("funding", {}), "funding is not a list"),
    "a filled map": (with_field("seq", {"a": 1}), "is not msgpack"),
    "an extension": (SIGNATURE + b"\xd4\x01\x00", "is not msgpack"),
    "nested too deep": (SIGNATURE + b"\x91" * 2400, "is nested more than 8 deep"),
    "an empty list": (SIGNATURE + b"\x90", "is not a list of 26"),
    "another version": (with_field("version", 1), "version is 1, not 2"),
    "a field less": (packed(lambda fields: fields.pop()), "is not a list of 26"),
    "a field more": (packed(lambda fields: fields.append(0)), "is not a list of 26"),
    "true for two": (with_field("version", True), "version is True, not 2"),
    "a float for two": (with_field("version", 2.0), "version is 2.0, not 2"),
    "a number with a zero before": (with_field("base_atoms", b"\x00\x0f\x42\x40"), "its one form"),
    "an open amount with a zero before": (with_field("open_atoms", b"\x00\x0f\x42\x40"), "its one form"),
    "a long number": (encode_order(signed(order())).replace(b"\x93\x01\xc4", b"\x93\xcc\x01\xc4", 1), "its one form"),
    "no network": (with_field("network", "mainnet"), "network is 'mainnet', not one of 0, 1, 3, 4"),
    "a network of later": (with_field("network", 2), "network is 2"),
    "true for a network": (with_field("network", True), "network is True"),
    "a short key": (with_field("maker", bytes(31)), "maker is not 32 bytes"),
    "a text for a key": (with_field("maker", MAKER), "maker is not 32 bytes"),
    "no asset": (with_field("base", 1), "base is not a list"),
    "a text for an asset": (with_field("base", "RUNE:840000:1"), "base is not a list"),
    "an asset of no kind": (with_field("base", [3, b"\x01", b""]), "kind is 3"),
    "an asset that cannot be": (with_field("base", [1, b"", b"\x01"]), "is not an id of its kind"),
    "an asset beyond its kind": (with_field("base", [1, b"\x01", b"\x01" + bytes(4)]), "is not an id of its kind"),
    "an asset with a zero before": (with_field("base", [1, b"\x00\x0c\xd1\x40", b"\x01"]), "its one form"),
    "one asset": (with_field("quote", [1, b"\x0c\xd1\x40", b"\x01"]), "is the same asset as base"),
    "no side": (with_field("side", "sell"), "side is 'sell'"),
    "a side of no number": (with_field("side", 2), "side is 2"),
    "no amount": (with_field("base_atoms", b""), "is not 1 to 16 bytes"),
    "a number for an amount": (with_field("quote_atoms", 1), "is not 1 to 16 bytes"),
    "more than 128 bits": (with_field("min_fill", b"\x01" + bytes(16)), "is not 1 to 16 bytes"),
    "more open than there is": (with_field("open_atoms", b"\x0f\x42\x41"), "open_atoms: are more than the whole"),
    "a largest part below the least": (with_field("max_fill", b"\x01"), "max_fill: is less than the least part"),
    "one count of decimals": (with_field("decimals", [5]), "decimals has 1 entries"),
    "too many decimals": (with_field("decimals", [39, 8]), "is not a whole number from 0 to 38"),
    "other decimals of bitcoin": (with_field("decimals", [5, 7]), "quote_decimals: are not those of bitcoin"),
    "no fee rule": (with_field("fee_rule", 2), "fee_rule is 2"),
    "a fee beyond all": (with_field("max_fee_sats", 10_000_001), "max_fee_sats: is not 0 to 10000000"),
    "a postage that is dust": (with_field("postage", 329), "postage: is not 330 to 10000"),
    "a postage that is a price": (with_field("postage", 10_001), "postage: is not 330 to 10000"),
    "no time to sign": (with_field("signing_seconds", 9), "signing_seconds: is not 10 to 600"),
    "a price that stands for long": (with_field("signing_seconds", 601), "signing_seconds: is not 10 to 600"),
    "a transaction of version 1": (with_field("tx_version", 1), "tx_version is not a whole number from 2 to 3"),
    "a transaction of version 4": (with_field("tx_version", 4), "tx_version is not a whole number from 2 to 3"),
    "a flag that is not known": (with_field("flags", 2), "flags is not a whole number from 0 to 1"),
    "a time before all": (with_field("created_at", -1), "created_at is not a whole number"),
    "a time after all": (with_field("created_at", 2**40), "created_at is not a whole number"),
    "an end after all": (with_field("created_at", 2**40 - 1), "is no time"),
    "a fraction of a second": (with_field("created_at", 1.5), "created_at is not a whole number"),
    "a lifetime too long": (with_field("lifetime", 604_801), "expires_at: is not within 604800"),
    "no lifetime": (with_field("lifetime", 0), "expires_at: is not within 604800"),
    "true for a number": (with_field("seq", True), "seq is not a whole number"),
    "a revision too late": (with_field("seq", 2**32), "seq is not a whole number"),
    "a short nonce": (with_field("nonce", bytes(15)), "nonce is not 16 bytes"),
    "four relays": (
        with_field("relays", [bytes.fromhex("047f000001060001dd03")] * 4),
        "relays has 4 entries, not at most 3",
    ),
    "a text for a relay": (with_field("relays", ["/ip4/127.0.0.1/tcp/1/ws"]), "relays.0. is not 1 to 128 bytes"),
    "a long relay": (with_field("relays", [bytes(129)]), "relays.0. is not 1 to 128 bytes"),
    "a relay that is no address": (with_field("relays", [b"\xff"]), "relays.0."),
    "21 coins": (with_field("funding", [[bytes(32), number] for number in range(21)]), "has 21 entries"),
    "a coin twice": (with_field("funding", [[bytes(32), 0]] * 2), "funding: is not up to 20 coins"),
    "a coin of three": (with_field("funding", [[bytes(32), 0, 0]]), "funding.0. is not a list of 2"),
    "a short txid": (with_field("funding", [[bytes(31), 0]]), "txid is not 32 bytes"),
    "an output too far": (with_field("funding", [[bytes(32), 2**32]]), "vout is not a whole number"),
    "a long script": (with_field("proofs", [[bytes(35), bytes(66)]]), "is not 1 to 34 bytes"),
    "a long witness": (with_field("proofs", [[bytes(34), bytes(257)]]), "is not 1 to 256 bytes"),
    "an empty witness": (with_field("proofs", [[bytes(34), b""]]), "is not 1 to 256 bytes"),
    "five proofs": (with_field("proofs", [[bytes([number]), b"\x00"] for number in range(5)]), "has 5 entries"),
    "more proofs than coins": (
        with_field("proofs", [[b"\x00", b"\x00"], [b"\x01", b"\x00"]]),
        "or than there are coins",
    ),
    "a canceled order with coins": (with_field("open_atoms", b""), "open_atoms: are none"),
    "an extension that must be understood": (with_field("extras", [[4, b""]]), "must be understood"),
    "an extension of type 0": (with_field("extras", [[0, b""]]), "type is not a whole number from 1"),
    "an extension twice": (with_field("extras", [[1, b""], [1, b""]]), "its one form"),
    "extensions out of order": (with_field("extras", [[3, b""], [1, b""]]), "in the order of their types"),
    "extensions too large": (with_field("extras", [[1, bytes(250)], [3, b"a"]]), "have more than 256 bytes"),
    "an extension too large": (with_field("extras", [[1, bytes(257)]]), "is not at most 256 bytes"),
    "a sale of a part": (packed(lambda fields: fields.__setitem__(-1, [[2, PAID + SALE.witness]])), "of the whole lot"),
    "a sale that is none": (with_sale(b""), "is no script and witness"),
    "a sale to nobody": (with_sale(b"\x00" + SALE.witness), "is no script and witness"),
    "a sale to a long script": (with_sale(b"\x23" + bytes(35) + SALE.witness), "is no script and witness"),
    "a sale that ends in its script": (with_sale(PAID), "is no script and witness"),
    "a sale without a witness": (with_sale(PAID + b"\x02\x00"), "no witness"),
    "a sale for a transaction of version 3": (
        packed(lambda fields: fields.__setitem__(NAMES.index("tx_version"), 3), sold()),
        "of version 2",
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


@given(st.integers(0, 25), plain)
@settings(max_examples=examples(150))
def test_a_field_of_any_other_kind_is_malformed_or_an_order(at: int, value: Any) -> None:
    assert_only_malformed(decode_order, packed(lambda fields: fields.__setitem__(at, value)))
