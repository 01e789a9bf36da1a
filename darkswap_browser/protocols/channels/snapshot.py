"""A channel session as a value: what another holder of the same identity needs to go on with it.

No stream belongs to it: who restores one opens another stream, and the peer sends again what was on its way.
"""

from __future__ import annotations

from dataclasses import dataclass

from darkswap_browser.protocols.channels.messages import SESSION_BYTES
from darkswap_browser.wire.fields import Data, Whole
from darkswap_browser.wire.records import Listed, Record, pack, unpack
from darkswap_browser.wire.varint import MAX_VARINT, MAX_VARINT_BYTES

MAX_MESSAGE = 16 * 1024 * 1024
MAX_MESSAGES = 65_536
MAX_SNAPSHOT = 64 * 1024 * 1024
"""Bytes: both queues full, and a message of the largest size in each."""
_MAX_DEPTH = 4


@dataclass(frozen=True, slots=True)
class OutboxSnapshot:
    """`messages`: those that are not acknowledged, beginning with the one whose id is `first`. `session_first`: that of
    the session's first message."""

    first: int
    session_first: int
    written: int
    base: int
    position: int
    furthest: int
    consumed: int
    window: int
    messages: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class InboxSnapshot:
    """`messages`: those that are whole and not taken; `rest`: bytes of the session behind them. `messages_taken`: how
    many were taken before them."""

    received: int
    taken: int
    edge: int
    acknowledged: int
    window: int
    messages_taken: int
    messages: tuple[bytes, ...]
    rest: bytes


@dataclass(frozen=True, slots=True)
class ChannelSnapshot:
    session: bytes
    peer_session: bytes
    outbox: OutboxSnapshot
    inbox: InboxSnapshot


_NUMBER = Whole(MAX_VARINT)
_MESSAGES = Listed(Data(MAX_MESSAGE), MAX_MESSAGES)
SNAPSHOT = Record(
    ChannelSnapshot,
    ("session", Data(SESSION_BYTES, SESSION_BYTES)),
    ("peer_session", Data(SESSION_BYTES)),
    (
        "outbox",
        Record(
            OutboxSnapshot,
            ("first", _NUMBER),
            ("session_first", _NUMBER),
            ("written", _NUMBER),
            ("base", _NUMBER),
            ("position", _NUMBER),
            ("furthest", _NUMBER),
            ("consumed", _NUMBER),
            ("window", _NUMBER),
            ("messages", _MESSAGES),
        ),
    ),
    (
        "inbox",
        Record(
            InboxSnapshot,
            ("received", _NUMBER),
            ("taken", _NUMBER),
            ("edge", _NUMBER),
            ("acknowledged", _NUMBER),
            ("window", _NUMBER),
            ("messages_taken", _NUMBER),
            ("messages", _MESSAGES),
            ("rest", Data(MAX_MESSAGE + MAX_VARINT_BYTES)),
        ),
    ),
    tag="channel session 1",
)


def encode_snapshot(snapshot: ChannelSnapshot) -> bytes:
    return pack(SNAPSHOT, snapshot)


def decode_snapshot(data: bytes) -> ChannelSnapshot:
    """Raises `MalformedMessage`."""
    return unpack(SNAPSHOT, "channel session", data, max_size=MAX_SNAPSHOT, max_depth=_MAX_DEPTH)
