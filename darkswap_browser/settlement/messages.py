"""Messages of `/darkswap/trade/1.0.0`: bytes ⇄ frozen values.

One envelope, a msgpack map: `v`, `type`, `trade_id`, `seq`, `body` (bytes of a msgpack map), `signature`. Unknown keys
are ignored. The signature, by the sender's identity key, covers `signing_bytes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

from darkswap_browser.bitcoin.transaction import MAX_SATS, OutPoint
from darkswap_browser.errors import MalformedMessage
from darkswap_browser.market.orders import MAX_INPUTS
from darkswap_browser.settlement.terms import Contribution, Role, TradeInput
from darkswap_browser.wire.fields import Data, Digits, Hex, Text, Whole
from darkswap_browser.wire.records import Converted, Listed, Record, Row, pack, unpack

MAX_DEPTH = 8
"""Levels of nesting; a contribution has four: map, coins, coin, amounts."""
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

T = TypeVar("T")

Witnesses = tuple[tuple[int, tuple[bytes, ...]], ...]
"""Input index and its witness, ascending."""


@dataclass(frozen=True, slots=True)
class OwnershipProof:
    """A BIP322-simple witness for one script of the contribution."""

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
    declaration: Contribution
    proofs: tuple[OwnershipProof, ...]


@dataclass(frozen=True, slots=True)
class TakeAccept:
    declaration: Contribution
    txid: str


@dataclass(frozen=True, slots=True)
class TakerSignatures:
    witnesses: Witnesses


@dataclass(frozen=True, slots=True)
class FinalTransaction:
    raw: bytes


@dataclass(frozen=True, slots=True)
class Cancel:
    """`code`: a cancel code (`trades.status_text`). Advice only, once its receiver's signatures are out."""

    code: str
    reason: str


Body = TakeRequest | TakeAccept | TakerSignatures | FinalTransaction | Cancel


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeEnvelope:
    """`type` names the body's kind; one that is not known is to be ignored, so `body` stays bytes until asked for."""

    type: str
    trade_id: str
    seq: int
    body: bytes
    signature: bytes = b""

    def signing_bytes(self, sender: Role) -> bytes:
        parts = (self.trade_id.encode(), str(self.seq).encode(), sender.value.encode(), self.type.encode(), self.body)
        return b"".join(len(part).to_bytes(4, "big") + part for part in (DOMAIN, *parts))


def envelope(trade_id: str, seq: int, body: Body) -> TradeEnvelope:
    """Not signed yet."""
    kind = _NAMES[type(body)]
    return TradeEnvelope(type=kind, trade_id=trade_id, seq=seq, body=pack(_BODIES[kind], body))


def encode(message: TradeEnvelope) -> bytes:
    return pack(_ENVELOPE, message)


def decode(data: bytes) -> TradeEnvelope:
    """Raises `MalformedMessage`. The signature is not judged here."""
    return unpack(_ENVELOPE, _WHAT, data, max_size=MAX_MESSAGE, max_depth=MAX_DEPTH)


def body_of(message: TradeEnvelope) -> Body | None:
    """None: a type that is not known, to be ignored. Raises `MalformedMessage`."""
    kind = _BODIES.get(message.type)
    if kind is None:
        return None
    body: Body = unpack(kind, _WHAT, message.body, max_size=MAX_MESSAGE, max_depth=MAX_DEPTH)
    return body


def _checked_contribution(found: Contribution) -> Contribution:
    if len(found.coins) > MAX_INPUTS:
        raise MalformedMessage(_WHAT, f"has more than {MAX_INPUTS} coins")
    return found


def _checked_order(found: Witnesses) -> Witnesses:
    if any(left[0] >= right[0] for left, right in pairwise(found)):
        raise MalformedMessage(_WHAT, "are not in ascending order")
    return found


def _same(value: T) -> T:
    return value


_HASH, _SCRIPT, _ATOMS = Hex(32), Data(MAX_SCRIPT), Digits(MAX_ATOMS)
_COIN: Row[TradeInput] = Row(
    lambda txid, vout, *rest: TradeInput(OutPoint(txid, vout), *rest),
    lambda coin: (coin.outpoint.txid, coin.outpoint.vout, coin.sats, coin.script, coin.atoms),
    ("txid", _HASH),
    ("vout", Whole(2**32 - 1)),
    ("sats", Whole(MAX_SATS)),
    ("script", _SCRIPT),
    ("atoms", _ATOMS),
)
_CONTRIBUTION = Converted(
    Record(
        Contribution,
        ("asset_coins", Listed(_COIN, MAX_INPUTS)),
        ("bitcoin_coins", Listed(_COIN, MAX_INPUTS)),
        ("receive", _SCRIPT),
        ("asset_change", _SCRIPT),
        ("bitcoin_change", _SCRIPT),
    ),
    _checked_contribution,
    _same,
)
_WITNESS = Listed(Data(MAX_WITNESS_ITEM), MAX_WITNESS_ITEMS)
_PROOF: Row[OwnershipProof] = Row(
    OwnershipProof, lambda proof: (proof.script, proof.witness), ("script", _SCRIPT), ("witness", _WITNESS)
)
_INPUT: Row[tuple[int, tuple[bytes, ...]]] = Row(
    lambda *pair: pair, _same, ("index", Whole(2 * MAX_INPUTS - 1)), ("witness", _WITNESS)
)
_BODIES: Mapping[str, Record[Any]] = {
    "take_request": Record(
        TakeRequest,
        ("order_id", _HASH),
        ("order_hash", _HASH),
        ("fill", _ATOMS),
        ("fee_rate", Whole(2**32 - 1, 1)),
        ("deadline", Whole(2**40)),
        ("declaration", _CONTRIBUTION),
        ("proofs", Listed(_PROOF, 2 * MAX_INPUTS)),
    ),
    "take_accept": Record(TakeAccept, ("declaration", _CONTRIBUTION), ("txid", _HASH)),
    "taker_signatures": Record(
        TakerSignatures, ("witnesses", Converted(Listed(_INPUT, MAX_INPUTS), _checked_order, _same))
    ),
    "final_transaction": Record(FinalTransaction, ("raw", Data(MAX_MESSAGE))),
    "cancel": Record(Cancel, ("code", Text(32)), ("reason", Text(MAX_TEXT))),
}
_NAMES: Mapping[type[Body], str] = {record.make: name for name, record in _BODIES.items()}
_ENVELOPE = Record(
    TradeEnvelope,
    ("type", Text(32)),
    ("trade_id", Hex(16)),
    ("seq", Whole(2**32 - 1, 1)),
    ("body", Data(MAX_MESSAGE)),
    ("signature", Data(128)),
    fixed={"v": 1},
)
