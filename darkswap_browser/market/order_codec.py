"""Orders as bytes, as what is signed, and as text for links and QR codes.

The body is one msgpack array in a fixed order; bytes that are not exactly what would be written are refused, so one
order has one form. The signature is by the maker's identity key over `signing_bytes`. Extensions have a number each:
whoever does not know an even one refuses the order, an odd one is passed on (BOLT 1, "it's ok to be odd").
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeVar

from darkswap_browser.bitcoin.networks import GENESIS
from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.errors import InvalidArgument, InvalidOrder, MalformedMessage
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import KeyType, PeerId, PublicKey
from darkswap_browser.market.assets import BTC, Asset, AssetKind
from darkswap_browser.market.orders import (
    MAX_DECIMALS,
    MAX_EXTRAS,
    MAX_INPUTS,
    MAX_PROOFS,
    MAX_RELAY_ADDRESS,
    MAX_RELAYS,
    NONCE_SIZE,
    TX_VERSIONS,
    FeeRule,
    FundingProof,
    Order,
    PresignedSale,
    Side,
    check_order,
)
from darkswap_browser.wire.fields import BigEndian, Data, Exactly, Kind, Misfit, RawHash, Whole, shown
from darkswap_browser.wire.records import Converted, Listed, Row, pack, unpack

E = TypeVar("E")

VERSION = 2
MAX_DEPTH = 8
"""Levels of nesting; an order has four: fields, coins, coin, witness."""
MAX_ORDER = 2560
"""Bytes of a signed order: twenty coins and their proofs fit; one coin and a relay make some 400."""
MAX_ORDER_TEXT = 10 + -(-MAX_ORDER * 4 // 3)
"""Characters of a signed order as text."""
MAX_WITNESS = 256
"""Bytes: a P2WPKH witness has 108, a key-path one 66."""
MAX_SCRIPT = 34
SIGNATURE_SIZE = 64
PREFIX = "darkswap:1"
TEXT = re.compile(re.escape(PREFIX) + r"([A-Za-z0-9_-]+)")
ORDER_DOMAIN = b"darkswap/order/2\x00"
NETWORK_CODES = {"mainnet": 0, "testnet": 1, "signet": 3, "regtest": 4}
"""2 is kept for testnet4."""
PAUSED = 1
"""The one flag that there is."""
SALE = 2
"""Type of the extension that makes an order a private sale: one byte of length and the script that is paid, then the
witness.
"""
WHAT = "order"


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """`signature`: 64 bytes, by the key of `order.maker`."""

    order: Order
    signature: bytes


def body_of(order: Order) -> bytes:
    return pack(_ORDER, order)


def order_hash(order: Order) -> str:
    """Names one revision: 64 hex digits."""
    return sha256(body_of(order)).hexdigest()


def signing_bytes(order: Order) -> bytes:
    """What the maker's identity key signs: it is good on one chain only."""
    return ORDER_DOMAIN + bytes.fromhex(GENESIS[order.network]) + body_of(order)


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


_NESTING: Mapping[str, Any] = {"max_depth": MAX_DEPTH, "max_map_len": 0, "max_ext_len": 0}


def _number(value: int) -> bytes:
    """Big-endian without leading zeros; empty for 0."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


class _AssetKind(Kind[Asset]):
    """0 for bitcoin, else its kind (1 rune, 2 alkane), block and number in it."""

    def read(self, value: Any) -> Asset:
        if type(value) is int and value == 0:
            return BTC
        code, block, tx = _ASSET_ID.read(value)
        try:
            return Asset(code, block, tx).checked()
        except InvalidArgument as error:
            raise Misfit(error.reason) from None

    def plain(self, value: Asset) -> Any:
        return 0 if value == BTC else _ASSET_ID.plain((value.kind, value.block, value.tx))


class _Code(Kind[E]):
    """A number that stands for a value."""

    def __init__(self, codes: Mapping[E, int]) -> None:
        self._codes = codes
        self._values = {code: value for value, code in codes.items()}

    def read(self, value: Any) -> E:
        if type(value) is not int or value not in self._values:
            raise Misfit(f"is {shown(value)}, not one of {', '.join(map(str, self._values))}")
        return self._values[value]

    def plain(self, value: E) -> int:
        return self._codes[value]


def _maker(key: bytes) -> str:
    return str(PublicKey(KeyType.ED25519, key).peer_id())


def _maker_key(peer: str) -> bytes:
    key = PeerId.parse(peer).embedded_key()
    if key is None or key.type is not KeyType.ED25519:
        raise InvalidOrder("maker", "has a key that is not Ed25519")
    return key.data


def _sale_data(sale: PresignedSale) -> bytes:
    return bytes([len(sale.payment_script)]) + sale.payment_script + sale.witness


def _read_sale(data: bytes) -> PresignedSale:
    size = data[0] if data else 0
    script, witness = data[1 : 1 + size], data[1 + size :]
    if not 0 < size <= MAX_SCRIPT or len(script) != size or not 0 < len(witness) <= MAX_WITNESS:
        raise InvalidOrder("sale", "is no script and witness")
    return PresignedSale(script, witness)


_VERSION = ("version", Exactly(VERSION))
_SCRIPT, _WITNESS = Data(MAX_SCRIPT, 1), Data(MAX_WITNESS, 1)
_ATOMS = BigEndian(16)
_MAYBE_ATOMS: Kind[int] = Converted(Data(16), lambda data: int.from_bytes(data, "big"), _number)
_ASSET_ID: Row[tuple[AssetKind, int, int]] = Row(
    lambda *members: members,
    lambda members: members,
    ("kind", _Code({AssetKind.RUNE: 1, AssetKind.ALKANE: 2})),
    ("block", _MAYBE_ATOMS),
    ("tx", _MAYBE_ATOMS),
)
_ASSET = _AssetKind()
_OUTPOINT = Row(OutPoint, lambda coin: (coin.txid, coin.vout), ("txid", RawHash()), ("vout", Whole(2**32 - 1)))
_PROOF = Row(FundingProof, lambda proof: (proof.script, proof.witness), ("script", _SCRIPT), ("witness", _WITNESS))
_EXTRA: Row[tuple[int, bytes]] = Row(
    lambda *pair: pair, lambda pair: pair, ("type", Whole(2**16 - 1, 1)), ("data", Data(MAX_EXTRAS))
)
_RELAY: Kind[str] = Converted(
    Data(MAX_RELAY_ADDRESS, 1),
    lambda data: str(Multiaddr.from_bytes(data)),
    lambda text: Multiaddr.parse(text).to_bytes(),
)
_FIELDS: Mapping[str, Kind[Any]] = {
    "network": _Code(NETWORK_CODES),
    "maker": Converted(Data(32, 32), _maker, _maker_key),
    "nonce": Data(NONCE_SIZE, NONCE_SIZE),
    "seq": Whole(2**32 - 1),
    "created_at": Whole(2**40 - 1),
    "lifetime": Whole(2**32 - 1),
    "base": _ASSET,
    "quote": _ASSET,
    "side": _Code({Side.SELL: 0, Side.BUY: 1}),
    "base_atoms": _ATOMS,
    "quote_atoms": _ATOMS,
    "open_atoms": _MAYBE_ATOMS,
    "min_fill": _ATOMS,
    "max_fill": _MAYBE_ATOMS,
    "decimals": Listed(Whole(MAX_DECIMALS), 2, 2),
    "flags": Whole(PAUSED),
    "tx_version": Whole(max(TX_VERSIONS), min(TX_VERSIONS)),
    "fee_rule": _Code({FeeRule.OWN_WEIGHT: 0, FeeRule.TAKER_PAYS: 1}),
    "max_fee_sats": Whole(2**32 - 1),
    "postage": Whole(2**16 - 1),
    "signing_seconds": Whole(2**16 - 1),
    "relays": Listed(_RELAY, MAX_RELAYS),
    "funding": Listed(_OUTPOINT, MAX_INPUTS),
    "proofs": Listed(_PROOF, MAX_PROOFS),
    "extras": Listed(_EXTRA, MAX_EXTRAS // 3),
}
"""In the order of the bytes, behind the version. Most are attributes of an order."""


def _members(order: Order) -> tuple[Any, ...]:
    sale = () if order.sale is None else ((SALE, _sale_data(order.sale)),)
    made = {
        "lifetime": order.expires_at - order.created_at,
        "decimals": (order.base_decimals, order.quote_decimals),
        "flags": PAUSED if order.paused else 0,
        "extras": tuple(sorted((*sale, *order.extras))),
    }
    return (VERSION, *(made[name] if name in made else getattr(order, name) for name in _FIELDS))


def _made(_: int, *values: Any) -> Order:
    found = dict(zip(_FIELDS, values, strict=True))
    base_decimals, quote_decimals = found.pop("decimals")
    extras = dict(found.pop("extras"))
    sale = extras.pop(SALE, None)
    found["expires_at"] = found["created_at"] + found.pop("lifetime")
    found["paused"] = bool(found.pop("flags"))
    return Order(
        **found,
        base_decimals=base_decimals,
        quote_decimals=quote_decimals,
        sale=None if sale is None else _read_sale(sale),
        extras=tuple(extras.items()),
    )


_ORDER: Row[Order] = Row(_made, _members, _VERSION, *_FIELDS.items())
