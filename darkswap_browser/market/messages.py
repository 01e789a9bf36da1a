"""Messages of `/darkswap/trade/1.0.0`: bytes ⇄ frozen values.

One envelope, a msgpack map: `v`, `type`, `trade_id`, `seq`, `body` (bytes of a msgpack map), `signature`. Unknown keys
are ignored. The signature, by the sender's identity key, covers `signing_bytes`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import msgpack

from darkswap_browser.bitcoin.transaction import OutPoint
from darkswap_browser.errors import MalformedMessage
from darkswap_browser.market.trade.terms import MAX_INPUTS, Coin, Declaration, Role
from darkswap_browser.wire.parsing import unpack_msgpack

MAX_DEPTH = 8
"""Levels of nesting; a declaration has four: map, coins, coin, amounts."""
MAX_MESSAGE = 64 * 1024
"""Bytes: 40 inputs with witnesses of a key path take less than 10 KiB."""
MAX_SCRIPT = 34
"""Bytes: the longest standard script of one owner, P2TR or P2WSH."""
MAX_WITNESS_ITEM = 256
MAX_WITNESS_ITEMS = 4
MAX_TEXT = 200
MAX_ATOMS = 2**128 - 1
DOMAIN = b"darkswap trade message 1"

_WHAT = "trade message"

Witnesses = tuple[tuple[int, tuple[bytes, ...]], ...]
"""Input index and its witness, ascending."""


@dataclass(frozen=True, slots=True)
class OwnershipProof:
    """A BIP322-simple witness for one script of the declaration."""

    script: bytes
    witness: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeRequest:
    """`fill`: base atoms. `fee_rate`: sats per 1000 vB. `deadline`: unix seconds."""

    order_id: str
    order_hash: str
    fill: int
    fee_rate: int
    deadline: int
    declaration: Declaration
    proofs: tuple[OwnershipProof, ...]


@dataclass(frozen=True, slots=True)
class TakeAccept:
    declaration: Declaration
    txid: str


@dataclass(frozen=True, slots=True)
class TakerSignatures:
    witnesses: Witnesses


@dataclass(frozen=True, slots=True)
class FinalTransaction:
    raw: bytes


@dataclass(frozen=True, slots=True)
class Cancel:
    """`code`: one of facts §3.9. Advice only, once its receiver's signatures are out."""

    code: str
    reason: str


Body = TakeRequest | TakeAccept | TakerSignatures | FinalTransaction | Cancel


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """`type` names the body's kind; one that is not known is to be ignored, so `body` stays bytes until asked for."""

    type: str
    trade_id: str
    seq: int
    body: bytes
    signature: bytes = b""

    def signing_bytes(self, sender: Role) -> bytes:
        parts = (self.trade_id.encode(), str(self.seq).encode(), sender.value.encode(), self.type.encode(), self.body)
        return b"".join(len(part).to_bytes(4, "big") + part for part in (DOMAIN, *parts))


def envelope(trade_id: str, seq: int, body: Body) -> Envelope:
    """Not signed yet."""
    packed = bytes(msgpack.packb(_fields(body)))
    return Envelope(type=_NAMES[type(body)], trade_id=trade_id, seq=seq, body=packed)


def encode(message: Envelope) -> bytes:
    return bytes(
        msgpack.packb(
            {
                "v": 1,
                "type": message.type,
                "trade_id": message.trade_id,
                "seq": message.seq,
                "body": message.body,
                "signature": message.signature,
            }
        )
    )


def decode(data: bytes) -> Envelope:
    """Raises `MalformedMessage`. The signature is not judged here."""
    fields = _unpack(data)
    if _number(fields, "v", 2**16) != 1:
        raise MalformedMessage(_WHAT, "is not of version 1")
    return Envelope(
        type=_text(fields, "type", 32),
        trade_id=_hex(fields, "trade_id", 16),
        seq=_number(fields, "seq", 2**32 - 1, 1),
        body=_bytes(fields, "body", MAX_MESSAGE),
        signature=_bytes(fields, "signature", 128),
    )


def body_of(message: Envelope) -> Body | None:
    """None: a type that is not known, to be ignored. Raises `MalformedMessage`."""
    read = _READERS.get(message.type)
    return None if read is None else read(_unpack(message.body))


def _fields(body: Body) -> dict[str, object]:
    match body:
        case TakeRequest():
            return {
                "order_id": body.order_id,
                "order_hash": body.order_hash,
                "fill": str(body.fill),
                "fee_rate": body.fee_rate,
                "deadline": body.deadline,
                "declaration": _declaration_fields(body.declaration),
                "proofs": [[proof.script, list(proof.witness)] for proof in body.proofs],
            }
        case TakeAccept():
            return {"declaration": _declaration_fields(body.declaration), "txid": body.txid}
        case TakerSignatures():
            return {"witnesses": [[index, list(items)] for index, items in body.witnesses]}
        case FinalTransaction():
            return {"raw": body.raw}
        case Cancel():
            return {"code": body.code, "reason": body.reason}


def _declaration_fields(declaration: Declaration) -> dict[str, object]:
    return {
        "asset_coins": [_coin_fields(coin) for coin in declaration.asset_coins],
        "bitcoin_coins": [_coin_fields(coin) for coin in declaration.bitcoin_coins],
        "receive": declaration.receive_script,
        "asset_change": declaration.asset_change_script,
        "bitcoin_change": declaration.bitcoin_change_script,
    }


def _coin_fields(coin: Coin) -> list[object]:
    return [coin.outpoint.txid, coin.outpoint.vout, coin.sats, coin.script, str(coin.atoms)]


def _request(fields: Mapping[Any, Any]) -> TakeRequest:
    return TakeRequest(
        order_id=_hex(fields, "order_id", 32),
        order_hash=_hex(fields, "order_hash", 32),
        fill=_atoms(fields.get("fill")),
        fee_rate=_number(fields, "fee_rate", 2**32 - 1, 1),
        deadline=_number(fields, "deadline", 2**40),
        declaration=_declaration(fields),
        proofs=tuple(
            OwnershipProof(_bytes({"script": script}, "script", MAX_SCRIPT), _items(items))
            for script, items in _rows(fields, "proofs", 2, 2 * MAX_INPUTS)
        ),
    )


def _accept(fields: Mapping[Any, Any]) -> TakeAccept:
    return TakeAccept(_declaration(fields), _hex(fields, "txid", 32))


def _signatures(fields: Mapping[Any, Any]) -> TakerSignatures:
    rows = _rows(fields, "witnesses", 2, MAX_INPUTS)
    found = tuple((_number({"index": index}, "index", 2 * MAX_INPUTS - 1), _items(items)) for index, items in rows)
    if any(left[0] >= right[0] for left, right in pairwise(found)):
        raise MalformedMessage(_WHAT, "witnesses are not in ascending order")
    return TakerSignatures(found)


def _final(fields: Mapping[Any, Any]) -> FinalTransaction:
    return FinalTransaction(_bytes(fields, "raw", MAX_MESSAGE))


def _cancel(fields: Mapping[Any, Any]) -> Cancel:
    return Cancel(_text(fields, "code", 32), _text(fields, "reason", MAX_TEXT))


_NAMES: dict[type[Body], str] = {
    TakeRequest: "take_request",
    TakeAccept: "take_accept",
    TakerSignatures: "taker_signatures",
    FinalTransaction: "final_transaction",
    Cancel: "cancel",
}
_READERS: dict[str, Callable[[Mapping[Any, Any]], Body]] = {
    "take_request": _request,
    "take_accept": _accept,
    "taker_signatures": _signatures,
    "final_transaction": _final,
    "cancel": _cancel,
}


def _declaration(fields: Mapping[Any, Any]) -> Declaration:
    inner = fields.get("declaration")
    if not isinstance(inner, dict):
        raise MalformedMessage(_WHAT, "declaration is not a map")
    asset, bitcoin = _coins(inner, "asset_coins"), _coins(inner, "bitcoin_coins")
    if len(asset) + len(bitcoin) > MAX_INPUTS:
        raise MalformedMessage(_WHAT, f"more than {MAX_INPUTS} coins")
    return Declaration(
        asset_coins=asset,
        bitcoin_coins=bitcoin,
        receive_script=_bytes(inner, "receive", MAX_SCRIPT),
        asset_change_script=_bytes(inner, "asset_change", MAX_SCRIPT),
        bitcoin_change_script=_bytes(inner, "bitcoin_change", MAX_SCRIPT),
    )


def _coins(fields: Mapping[Any, Any], key: str) -> tuple[Coin, ...]:
    return tuple(
        Coin(
            OutPoint(_hex({"txid": txid}, "txid", 32), _number({"vout": vout}, "vout", 2**32 - 1)),
            _number({"sats": sats}, "sats", 21 * 10**14),
            _bytes({"script": script}, "script", MAX_SCRIPT),
            _atoms(atoms),
        )
        for txid, vout, sats, script, atoms in _rows(fields, key, 5, MAX_INPUTS)
    )


def _unpack(data: bytes) -> Mapping[Any, Any]:
    if len(data) > MAX_MESSAGE:
        raise MalformedMessage(_WHAT, f"has {len(data)} bytes; at most {MAX_MESSAGE} are read")
    fields = unpack_msgpack(_WHAT, data, max_depth=MAX_DEPTH, strict_map_key=False)
    if not isinstance(fields, dict):
        raise MalformedMessage(_WHAT, "is not a map")
    return fields


def _rows(fields: Mapping[Any, Any], key: str, width: int, most: int) -> list[list[Any]]:
    rows = fields.get(key)
    if not isinstance(rows, list) or len(rows) > most:
        raise MalformedMessage(_WHAT, f"{key} is not a list of at most {most}")
    if any(not isinstance(row, list) or len(row) != width for row in rows):
        raise MalformedMessage(_WHAT, f"{key} holds something else than lists of {width}")
    return rows


def _items(value: object) -> tuple[bytes, ...]:
    if not isinstance(value, list) or len(value) > MAX_WITNESS_ITEMS:
        raise MalformedMessage(_WHAT, f"a witness is not a list of at most {MAX_WITNESS_ITEMS}")
    return tuple(_bytes({"item": item}, "item", MAX_WITNESS_ITEM) for item in value)


def _atoms(value: object) -> int:
    """Amounts have up to 128 bits, which msgpack has no numbers for: decimal text."""
    if not isinstance(value, str) or len(value) > 39 or not (value.isascii() and value.isdigit()):
        raise MalformedMessage(_WHAT, "an amount is not a text of digits")
    if int(value) > MAX_ATOMS or str(int(value)) != value:
        raise MalformedMessage(_WHAT, "an amount is not a canonical number of 128 bits")
    return int(value)


def _number(fields: Mapping[Any, Any], key: str, most: int, least: int = 0) -> int:
    value = fields.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise MalformedMessage(_WHAT, f"{key} is not a whole number from {least} to {most}")
    return value


def _text(fields: Mapping[Any, Any], key: str, most: int) -> str:
    value = fields.get(key)
    if not isinstance(value, str) or len(value) > most:
        raise MalformedMessage(_WHAT, f"{key} is not a text of at most {most} letters")
    return value


def _hex(fields: Mapping[Any, Any], key: str, size: int) -> str:
    value = fields.get(key)
    if not isinstance(value, str) or len(value) != 2 * size or set(value) - set("0123456789abcdef"):
        raise MalformedMessage(_WHAT, f"{key} is not {size} bytes in lower-case hex")
    return value


def _bytes(fields: Mapping[Any, Any], key: str, most: int) -> bytes:
    value = fields.get(key)
    if not isinstance(value, bytes) or len(value) > most:
        raise MalformedMessage(_WHAT, f"{key} is not at most {most} bytes")
    return value
