"""All sessions of a node as one value: what another program that runs the same identity needs to go on with them."""

from __future__ import annotations

from dataclasses import dataclass

from darkswap_browser.protocols.channels.snapshot import MAX_MESSAGE, MAX_MESSAGES, SNAPSHOT, ChannelSnapshot
from darkswap_browser.wire.fields import Data, Flag, Kind, Maybe, Text, Whole
from darkswap_browser.wire.records import Listed, Record, pack, unpack
from darkswap_browser.wire.varint import MAX_VARINT

MAX_HAND_OVER = 256 * 1024 * 1024
"""Bytes: a few full channels. More of them than that begin anew."""
_MAX_SESSIONS = 4096
_MAX_DEPTH = 8


@dataclass(frozen=True, slots=True)
class KeptName:
    """Message `id` of the session is in the store under `name`."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class HandedChannel:
    """`is_ours`: the application used the channel. `session`: None for one that is closed and still holds messages.
    `earlier`: messages of earlier sessions that the application has not taken. `kept`: of those in the session."""

    peer: str
    is_ours: bool
    session: ChannelSnapshot | None
    earlier: tuple[bytes, ...]
    kept: tuple[KeptName, ...] = ()


@dataclass(frozen=True, slots=True)
class HandOver:
    """`last_id`: the highest id of a message that was given, so that none is given twice."""

    last_id: int
    channels: tuple[HandedChannel, ...]


_CHANNEL: Kind[HandedChannel] = Record(
    HandedChannel,
    ("peer", Text(128)),
    ("is_ours", Flag()),
    ("session", Maybe(SNAPSHOT)),
    ("earlier", Listed(Data(MAX_MESSAGE), MAX_MESSAGES)),
    ("kept", Listed(Record(KeptName, ("id", Whole(MAX_VARINT)), ("name", Text(128))), MAX_MESSAGES)),
)
_HAND_OVER = Record(
    HandOver,
    ("last_id", Whole(MAX_VARINT)),
    ("channels", Listed(_CHANNEL, _MAX_SESSIONS)),
    tag="channel sessions 1",
)


def encode_hand_over(handed: HandOver) -> bytes:
    return pack(_HAND_OVER, handed)


def decode_hand_over(data: bytes) -> HandOver:
    """Raises `MalformedMessage`."""
    return unpack(_HAND_OVER, "channel sessions", data, max_size=MAX_HAND_OVER, max_depth=_MAX_DEPTH)
