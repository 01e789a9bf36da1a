"""Orders and cancellations as bytes, as what is signed, and as text for links and QR codes.

The body is one msgpack array in a fixed order, with one field more for a private sale; bytes that are not exactly what
would be written are refused, so one order, and one cancellation, has one form. Signatures are by the maker's identity
key over `signing_bytes`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.errors import InvalidArgument, InvalidOrder, MalformedMessage
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.market.assets import Asset
from darkswap_browser.market.orders import (
    MAX_INPUTS,
    MAX_RELAY_ADDRESS,
    MAX_RELAYS,
    NONCE_SIZE,
    Cancellation,
    FeeRule,
    FundingProof,
    Order,
    PresignedSale,
    Side,
    check_order,
)
from darkswap_browser.wire.fields import BigEndian, Choice, Data, Exactly, Flag, Kind, RawHash, Text, Whole
from darkswap_browser.wire.records import Converted, Listed, Row, pack, unpack

VERSION = 1
MAX_DEPTH = 8
"""Levels of nesting; an order has four: fields, coins, coin, witness."""
MAX_ORDER = 4096
"""Bytes of a signed order: twenty coins and their proofs fit, and a message of a gossiped book stays small."""
MAX_ORDER_TEXT = 10 + -(-MAX_ORDER * 4 // 3)
"""Characters of a signed order as text."""
MAX_WITNESS = 256
"""Bytes: a P2WPKH witness has 108, a key-path one 66."""
MAX_SCRIPT = 34
MAX_ASSET = 90
"""Characters: an alkane whose two numbers have 39 digits each."""
SIGNATURE_SIZE = 64
PREFIX = "darkswap:1"
TEXT = re.compile(re.escape(PREFIX) + r"([A-Za-z0-9_-]+)")
ORDER_DOMAIN = b"darkswap order 1"
CANCEL_DOMAIN = b"darkswap order cancellation 1"
WHAT = "order"


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """`signature`: 64 bytes, by the key of `order.maker`."""

    order: Order
    signature: bytes


@dataclass(frozen=True, slots=True)
class SignedCancellation:
    cancellation: Cancellation
    signature: bytes


def body_of(order: Order) -> bytes:
    return pack(_ORDER, order)


def order_hash(order: Order) -> str:
    """Names one revision: 64 hex digits."""
    return sha256(body_of(order)).hexdigest()


def signing_bytes(item: Order | Cancellation) -> bytes:
    """What the maker's identity key signs."""
    if isinstance(item, Order):
        return ORDER_DOMAIN + body_of(item)
    return CANCEL_DOMAIN + pack(_CANCELLATION, item)


def encode_order(signed: SignedOrder) -> bytes:
    return signed.signature + body_of(signed.order)


def decode_order(data: bytes) -> SignedOrder:
    """Raises `MalformedMessage`. The signature is not judged here."""
    if not SIGNATURE_SIZE < len(data) <= MAX_ORDER:
        raise MalformedMessage(WHAT, f"has {len(data)} bytes instead of {SIGNATURE_SIZE + 1} to {MAX_ORDER}")
    body = data[SIGNATURE_SIZE:]
    order = unpack(_ORDER, WHAT, body, max_size=MAX_ORDER, **_NESTING)
    try:
        check_order(order)
    except InvalidArgument as error:
        raise MalformedMessage(WHAT, str(error)) from None
    if body_of(order) != body:
        raise MalformedMessage(WHAT, "is not written in its one form")
    return SignedOrder(order, data[:SIGNATURE_SIZE])


def encode_text(signed: SignedOrder) -> str:
    """For a link: letters, digits, `-`, `_` and one colon; about 600 characters for an order with one coin."""
    return PREFIX + base64.urlsafe_b64encode(encode_order(signed)).decode().rstrip("=")


def decode_text(text: str) -> SignedOrder:
    """The other way round, also out of a whole link or a message around it. Raises `InvalidOrder`."""
    # The last one: a link may begin with a host of that name and its port.
    found = TEXT.findall(text)[-1:] if len(text) <= 4 * MAX_ORDER else []
    if not found:
        raise InvalidOrder("order", "is not in this text", f"The text of an order begins with {PREFIX}.")
    try:
        return decode_order(base64.urlsafe_b64decode(found[0] + "=" * (-len(found[0]) % 4)))
    except binascii.Error:
        raise InvalidOrder("order", "was cut or changed on its way", "Copy the whole link again.") from None
    except MalformedMessage as error:
        raise InvalidOrder("order", error.reason, "Copy the whole link again, or ask its maker for another.") from None


def encode_cancellation(signed: SignedCancellation) -> bytes:
    return pack(_SIGNED_CANCELLATION, signed)


def decode_cancellation(data: bytes) -> SignedCancellation:
    """Raises `MalformedMessage`. The signature is not judged here."""
    signed = unpack(_SIGNED_CANCELLATION, "cancellation", data, max_size=MAX_ORDER, **_NESTING)
    if encode_cancellation(signed) != data:
        raise MalformedMessage("cancellation", "is not written in its one form")
    return signed


_NESTING: Mapping[str, Any] = {"max_depth": MAX_DEPTH, "max_map_len": 0, "max_ext_len": 0}
_VERSION = ("version", Exactly(VERSION))
_TIME, _SEQ = Whole(2**40 - 1), Whole(2**32 - 1)
_SCRIPT, _WITNESS = Data(MAX_SCRIPT, 1), Data(MAX_WITNESS, 1)
_PEER = Converted(Data(64, 1), lambda data: str(PeerId.from_bytes(data)), lambda text: PeerId.parse(text).to_bytes())
_ASSET = Converted(Text(MAX_ASSET), Asset.parse, str)
_ATOMS = BigEndian(16)
_OUTPOINT = Row(OutPoint, lambda coin: (coin.txid, coin.vout), ("txid", RawHash()), ("vout", Whole(2**32 - 1)))
_PROOF = Row(FundingProof, lambda proof: (proof.script, proof.witness), ("script", _SCRIPT), ("witness", _WITNESS))
_SALE = Row(PresignedSale, lambda sale: (sale.payment_script, sale.witness), ("script", _SCRIPT), ("witness", _WITNESS))
_FIELDS: Mapping[str, Kind[Any]] = {
    "network": Text(16),
    "maker": _PEER,
    "base": _ASSET,
    "quote": _ASSET,
    "side": Choice(Side),
    "base_atoms": _ATOMS,
    "quote_atoms": _ATOMS,
    "min_fill": _ATOMS,
    "fee_rule": Choice(FeeRule),
    "created_at": _TIME,
    "expires_at": _TIME,
    "seq": _SEQ,
    "nonce": Data(NONCE_SIZE, NONCE_SIZE),
    "paused": Flag(),
    "relays": Listed(Text(MAX_RELAY_ADDRESS), MAX_RELAYS),
    "funding": Listed(_OUTPOINT, MAX_INPUTS),
    "proofs": Listed(_PROOF, MAX_INPUTS),
    "sale": _SALE,
}
"""Attributes of an order in the order of the bytes. The last is only there in a private sale."""


def _members(order: Order) -> tuple[Any, ...]:
    values = tuple(getattr(order, name) for name in _FIELDS)
    return (VERSION, *(values if order.sale is not None else values[:-1]))


_ORDER: Row[Order] = Row(
    lambda _, *values: Order(**dict(zip(_FIELDS, values, strict=False))),
    _members,
    _VERSION,
    *_FIELDS.items(),
    optional=1,
)


def _parts(item: Cancellation) -> tuple[Any, ...]:
    return item.maker, item.order_id, item.seq, item.at


_CANCELED = (("maker", _PEER), ("order_id", RawHash()), ("seq", _SEQ), ("at", _TIME))
_CANCELLATION: Row[Cancellation] = Row(
    lambda maker, order_id, seq, at: Cancellation(maker=maker, order_id=order_id, seq=seq, at=at),
    _parts,
    *_CANCELED,
)
_SIGNED_CANCELLATION: Row[SignedCancellation] = Row(
    lambda _, maker, order_id, seq, at, signature: SignedCancellation(
        Cancellation(maker=maker, order_id=order_id, seq=seq, at=at), signature
    ),
    lambda signed: (VERSION, *_parts(signed.cancellation), signed.signature),
    _VERSION,
    *_CANCELED,
    ("signature", Data(SIGNATURE_SIZE, SIGNATURE_SIZE)),
)
