"""Orders and cancellations as bytes, as what is signed, and as text for links and QR codes.

The body is one msgpack array in a fixed order, with one field more for a private sale; bytes that are not exactly what
would be written are refused, so one order, and one cancellation, has one form. Signatures are by the maker's identity
key over `signing_bytes`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeVar

import msgpack

from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.errors import InvalidArgument, InvalidOrder, MalformedMessage
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.market.assets import Asset
from darkswap_browser.market.orders import Cancellation, CoinProof, Order, Sale, Side, check_order
from darkswap_browser.market.trade.terms import FeeRule
from darkswap_browser.wire.parsing import unpack_msgpack

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
SIGNATURE_SIZE = 64
PREFIX = "darkswap:1"
TEXT = re.compile(re.escape(PREFIX) + r"([A-Za-z0-9_-]+)")
ORDER_DOMAIN = b"darkswap order 1"
CANCEL_DOMAIN = b"darkswap order cancellation 1"
WHAT = "order"
T = TypeVar("T")


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
    return bytes(
        msgpack.packb(
            [
                VERSION,
                order.network,
                PeerId.parse(order.maker).to_bytes(),
                str(order.base),
                str(order.quote),
                order.side.value,
                _wide(order.base_atoms),
                _wide(order.quote_atoms),
                _wide(order.min_fill),
                order.fee_rule.value,
                order.created_at,
                order.expires_at,
                order.seq,
                order.nonce,
                order.paused,
                list(order.relays),
                [[bytes.fromhex(each.txid), each.vout] for each in order.funding],
                [[proof.script, proof.witness] for proof in order.proofs],
                *([] if order.sale is None else [[order.sale.payment_script, order.sale.witness]]),
            ]
        )
    )


def order_hash(order: Order) -> str:
    """Names one revision: 64 hex digits."""
    return sha256(body_of(order)).hexdigest()


def signing_bytes(item: Order | Cancellation) -> bytes:
    """What the maker's identity key signs."""
    if isinstance(item, Order):
        return ORDER_DOMAIN + body_of(item)
    fields = [PeerId.parse(item.maker).to_bytes(), bytes.fromhex(item.order_id), item.seq, item.at]
    return CANCEL_DOMAIN + bytes(msgpack.packb(fields))


def encode_order(signed: SignedOrder) -> bytes:
    return signed.signature + body_of(signed.order)


def decode_order(data: bytes) -> SignedOrder:
    """Raises `MalformedMessage`. The signature is not judged here."""
    if not SIGNATURE_SIZE < len(data) <= MAX_ORDER:
        raise MalformedMessage(WHAT, f"has {len(data)} bytes instead of {SIGNATURE_SIZE + 1} to {MAX_ORDER}")
    body = data[SIGNATURE_SIZE:]
    fields = unpack_msgpack(WHAT, body, max_depth=MAX_DEPTH, max_map_len=0, max_ext_len=0)
    if not isinstance(fields, list) or not fields or fields[0] != VERSION:
        raise MalformedMessage(WHAT, f"is not of version {VERSION}")
    if len(fields) - 1 not in (len(_READERS) - 1, len(_READERS)):
        raise MalformedMessage(WHAT, f"has {len(fields)} fields")
    try:
        values = {name: read(value) for (name, read), value in zip(_READERS, fields[1:], strict=False)}
        order = Order(**values)
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
    item = signed.cancellation
    fields = [VERSION, PeerId.parse(item.maker).to_bytes(), bytes.fromhex(item.order_id), item.seq, item.at]
    return bytes(msgpack.packb([*fields, signed.signature]))


def decode_cancellation(data: bytes) -> SignedCancellation:
    """Raises `MalformedMessage`. The signature is not judged here."""
    if len(data) > MAX_ORDER:
        raise MalformedMessage("cancellation", f"has {len(data)} bytes")
    fields = unpack_msgpack("cancellation", data, max_depth=MAX_DEPTH, max_map_len=0, max_ext_len=0)
    if not isinstance(fields, list) or len(fields) != 6 or fields[0] != VERSION:
        raise MalformedMessage("cancellation", f"is not one of version {VERSION}")
    _, maker, order_id, seq, at, signature = fields
    item = Cancellation(
        maker=_maker(maker), order_id=_bytes(order_id, 32, 32).hex(), seq=_number(seq, 32), at=_number(at, 40)
    )
    signed = SignedCancellation(item, _bytes(signature, SIGNATURE_SIZE, SIGNATURE_SIZE))
    if encode_cancellation(signed) != data:
        raise MalformedMessage("cancellation", "is not written in its one form")
    return signed


def _wide(value: int) -> bytes:
    """Amounts have up to 128 bits, more than msgpack's numbers."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def _bytes(value: object, most: int, least: int = 0) -> bytes:
    if not isinstance(value, bytes) or not least <= len(value) <= most:
        raise MalformedMessage(WHAT, f"a field is not {least} to {most} bytes")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise MalformedMessage(WHAT, "a field is not a text")
    return value


def _number(value: object, bits: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << bits:
        raise MalformedMessage(WHAT, f"a field is not a number of {bits} bits")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise MalformedMessage(WHAT, "a field is neither true nor false")
    return value


def _maker(value: object) -> str:
    return str(PeerId.from_bytes(_bytes(value, 64, 1)))


def _atoms(value: object) -> int:
    return int.from_bytes(_bytes(value, 16, 1), "big")


def _one_of(kind: Callable[[str], T]) -> Callable[[object], T]:
    def read(value: object) -> T:
        try:
            return kind(_text(value))
        except ValueError:
            raise MalformedMessage(WHAT, f"{str(value)[:40]!r} is not known") from None

    return read


def _list(read: Callable[[Any], T], most: int) -> Callable[[object], tuple[T, ...]]:
    def read_all(value: object) -> tuple[T, ...]:
        if not isinstance(value, list) or len(value) > most:
            raise MalformedMessage(WHAT, f"a field is not a list of at most {most}")
        return tuple(read(each) for each in value)

    return read_all


def _pair(value: object) -> tuple[object, object]:
    if not isinstance(value, list) or len(value) != 2:
        raise MalformedMessage(WHAT, "a field is not a list of two")
    return value[0], value[1]


def _outpoint(value: object) -> OutPoint:
    txid, vout = _pair(value)
    return OutPoint(_bytes(txid, 32, 32).hex(), _number(vout, 32))


def _proof(value: object) -> CoinProof:
    script, witness = _pair(value)
    return CoinProof(_bytes(script, MAX_SCRIPT, 1), _bytes(witness, MAX_WITNESS, 1))


def _sale(value: object) -> Sale:
    script, witness = _pair(value)
    return Sale(_bytes(script, MAX_SCRIPT, 1), _bytes(witness, MAX_WITNESS, 1))


_READERS: tuple[tuple[str, Callable[[Any], Any]], ...] = (
    ("network", _text),
    ("maker", _maker),
    ("base", lambda value: Asset.parse(_text(value), "base")),
    ("quote", lambda value: Asset.parse(_text(value), "quote")),
    ("side", _one_of(Side)),
    ("base_atoms", _atoms),
    ("quote_atoms", _atoms),
    ("min_fill", _atoms),
    ("fee_rule", _one_of(FeeRule)),
    ("created_at", lambda value: _number(value, 40)),
    ("expires_at", lambda value: _number(value, 40)),
    ("seq", lambda value: _number(value, 32)),
    ("nonce", lambda value: _bytes(value, 16, 16)),
    ("paused", _flag),
    ("relays", _list(_text, 4)),
    ("funding", _list(_outpoint, 20)),
    ("proofs", _list(_proof, 20)),
    ("sale", _sale),
)
"""Of these the last is only there in a private sale."""
