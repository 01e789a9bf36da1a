"""What orders and trades are kept as: the stored form of each class that a record may hold.

A record is msgpack `[version, value]`. An object is a map with its tag under ""; whole numbers of more than 63 bits
are texts of digits. Tags and keys are those of this table: to change one, or to add one, changes what lies in stores,
and its golden file (tests/golden). The limits are generous where a text is somebody's reason: a record that was written
must be read again; what peers may send is limited where it comes in.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgpack

from darkswap_browser.bitcoin.transaction import MAX_SATS, OutPoint
from darkswap_browser.market.assets import MAX_U128, Asset, AssetKind, AssetMetadata
from darkswap_browser.market.order_codec import MAX_ORDER_TEXT
from darkswap_browser.market.orders import MAX_INPUTS, FeeRule
from darkswap_browser.settlement import messages as sent
from darkswap_browser.settlement import states
from darkswap_browser.settlement.states import State
from darkswap_browser.settlement.terms import Contribution, Role, TradeInput, TradeTerms
from darkswap_browser.wire.fields import Choice, Data, Exactly, Flag, Hex, Kind, Large, Maybe, Text, Whole
from darkswap_browser.wire.records import Listed, OneOf, Record, Row, unpack

MAX_RECORD = 1024 * 1024
"""Bytes: a trade holds one transaction of at most 40 inputs and its neighbours' scripts, some tens of KiB."""
MAX_DEPTH = 32
"""Levels of nesting; a trade in its deepest state has twelve."""
MAX_TRANSACTION = 400_000
"""Bytes: no node relays more weight (Bitcoin Core, policy.h: MAX_STANDARD_TX_WEIGHT)."""

T = TypeVar("T")

TIME = Whole(2**40)
COUNT = Whole(2**32 - 1)
SATS = Whole(MAX_SATS)
ATOMS = Large(MAX_U128)
SCRIPT = Data(sent.MAX_SCRIPT)
TRANSACTION = Data(MAX_TRANSACTION)
ORDER_TEXT = Text(MAX_ORDER_TEXT)
WORDS = Text(65_536)
"""A server's, a wallet's or a peer's, as long as each may be."""
CODE = Text(64)
PEER = Text(128)
TXID = Text(64)
"""Empty while it is not known."""
ROLE = Choice(Role)
RELAYS = Listed(Text(1024), 32)


def encode(kind: Kind[T], record: T, version: int) -> bytes:
    return bytes(msgpack.packb([version, kind.plain(record)]))


def decode(kind: Kind[T], data: bytes, version: int) -> T:
    """Raises `MalformedMessage`, also for another `version`."""
    members = ("version", Exactly(version)), ("value", kind)
    envelope: Row[Any] = Row(lambda _, value: value, lambda value: (version, value), *members)
    found: T = unpack(envelope, "stored record", data, max_size=MAX_RECORD, max_depth=MAX_DEPTH)
    return found


def stored(make: type[T], tag: str, *members: tuple[str, Kind[Any]]) -> Record[T]:
    """A class that records hold. `members`: (key, kind) in the order of its fields."""
    return Record(make, *members, tag=tag, unknown="is not known")


OUTPOINT = stored(OutPoint, "OutPoint", ("txid", Hex(32)), ("vout", COUNT))
ASSET = stored(Asset, "Asset", ("kind", Choice(AssetKind)), ("block", ATOMS), ("tx", ATOMS))
ASSET_INFO = stored(
    AssetMetadata,
    "AssetInfo",
    ("asset", ASSET),
    ("name", WORDS),
    ("symbol", WORDS),
    ("decimals", COUNT),
    ("supply", Maybe(ATOMS)),
    ("created_height", Maybe(COUNT)),
    ("agreed_by", COUNT),
)
TERMS = stored(
    TradeTerms,
    "Terms",
    ("trade_id", Hex(16)),
    ("order_id", Hex(32)),
    ("order_hash", Hex(32)),
    ("network", Text(16)),
    ("base", ASSET),
    ("base_atoms", ATOMS),
    ("quote", ASSET),
    ("quote_atoms", ATOMS),
    ("base_giver", ROLE),
    ("fee_rule", Choice(FeeRule)),
    ("fee_rate", COUNT),
    ("deadline", TIME),
    ("maker_max_fee", COUNT),
    ("postage", COUNT),
    ("signing_seconds", COUNT),
    ("tx_version", COUNT),
    ("private_sale", Flag()),
)
COIN = stored(
    TradeInput, "Coin", ("outpoint", OUTPOINT), ("sats", Whole(MAX_SATS)), ("script", SCRIPT), ("atoms", ATOMS)
)
COINS = Listed(COIN, MAX_INPUTS)
CONTRIBUTION = stored(
    Contribution,
    "Declaration",
    ("asset_coins", COINS),
    ("bitcoin_coins", COINS),
    ("receive_script", SCRIPT),
    ("asset_change_script", SCRIPT),
    ("bitcoin_change_script", SCRIPT),
)
WITNESS = Listed(Data(sent.MAX_WITNESS_ITEM), sent.MAX_WITNESS_ITEMS)
INPUT = Row(lambda *pair: pair, lambda pair: pair, ("index", Whole(2 * MAX_INPUTS)), ("witness", WITNESS))
WITNESSES = Listed(INPUT, MAX_INPUTS)
PROOF = stored(sent.OwnershipProof, "OwnershipProof", ("script", SCRIPT), ("witness", WITNESS))
REQUEST = stored(
    sent.TakeRequest,
    "TakeRequest",
    ("order_id", Hex(32)),
    ("order_hash", Hex(32)),
    ("fill", ATOMS),
    ("fee_rate", COUNT),
    ("deadline", TIME),
    ("declaration", CONTRIBUTION),
    ("proofs", Listed(PROOF, 2 * MAX_INPUTS)),
)
BODY: OneOf[sent.Body] = OneOf(
    REQUEST,
    stored(sent.TakeAccept, "TakeAccept", ("declaration", CONTRIBUTION), ("txid", TXID)),
    stored(sent.TakerSignatures, "TakerSignatures", ("witnesses", WITNESSES)),
    stored(sent.FinalTransaction, "FinalTransaction", ("raw", TRANSACTION)),
    stored(sent.Cancel, "Cancel", ("code", CODE), ("reason", WORDS)),
)
TRADE = stored(
    states.Trade,
    "Trade",
    ("role", ROLE),
    ("terms", TERMS),
    ("peer", PEER),
    ("auto", Flag()),
    ("sign_seconds", COUNT),
    ("confirmations", COUNT),
    ("created_at", TIME),
    ("max_fee", SATS),
    ("sign_by", TIME),
    ("own", Maybe(CONTRIBUTION)),
    ("theirs", Maybe(CONTRIBUTION)),
    ("txid", TXID),
    ("said", Maybe(BODY)),
    ("sent", COUNT),
    ("received", COUNT),
    ("witnesses", WITNESSES),
    ("raw", TRANSACTION),
    ("sale", WITNESSES),
    ("spend_txid", TXID),
    ("spend_raw", TRANSACTION),
    ("revoke_fee", SATS),
    ("revoke_max", SATS),
    ("revoke_beat", SATS),
)


def _state(make: type[T], tag: str, *members: tuple[str, Kind[Any]]) -> Record[T]:
    return stored(make, tag, ("trade", TRADE), *members)


_UNTIL = ("until", TIME)
_DEPTH = ("depth", COUNT)
_HEIGHT = ("height", COUNT)
_REFUSAL = ("refusal", WORDS)
STATE: OneOf[State] = OneOf(
    _state(states.AwaitingAcceptance, "Requesting", _UNTIL),
    _state(states.Verifying, "Verifying", _UNTIL),
    _state(states.Reviewing, "Reviewing", _UNTIL),
    _state(states.Signing, "Signing", _UNTIL),
    _state(states.AwaitingMakerSignatures, "SignaturesOut", _UNTIL),
    _state(states.Validating, "Validating", _UNTIL),
    _state(states.AwaitingTakerSignatures, "Offered", _UNTIL),
    _state(states.Countersigning, "Countersigning", _UNTIL, ("witnesses", WITNESSES)),
    _state(states.Broadcasting, "Broadcasting", _UNTIL),
    _state(states.AwaitingConfirmation, "Pending", _UNTIL, ("seen", Flag()), _DEPTH, _REFUSAL, ("rival", TXID)),
    _state(states.Completed, "Completed", _HEIGHT, _DEPTH),
    _state(states.SignatureExposed, "Exposed", ("detail", WORDS), ("declined", CODE), ("refused", WORDS)),
    _state(states.Revoking, "Revoking", _DEPTH, _REFUSAL, ("remake", Flag())),
    _state(states.Conflicted, "Conflicted", ("by", TXID), _DEPTH),
    _state(states.Settled, "Settled", _HEIGHT),
    _state(states.Revoked, "Revoked"),
    _state(states.Failed, "Failed", ("code", CODE), ("detail", WORDS)),
    _state(states.Canceled, "Canceled", ("by", ROLE), ("code", CODE), ("reason", WORDS)),
    _state(states.Expired, "Expired", ("waiting", CODE)),
)
