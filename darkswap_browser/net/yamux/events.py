"""What bytes from the peer come to mean."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StreamOpened:
    stream: int


@dataclass(frozen=True, slots=True)
class DataReceived:
    """A part of a Data body, never empty. Bodies are passed on as they come."""

    stream: int
    data: bytes


@dataclass(frozen=True, slots=True)
class RemoteFinished:
    stream: int


@dataclass(frozen=True, slots=True)
class StreamBroken:
    """The peer reset the stream."""

    stream: int


@dataclass(frozen=True, slots=True)
class PingAnswered:
    value: int


@dataclass(frozen=True, slots=True)
class RemoteGoAway:
    code: int


Event = StreamOpened | DataReceived | RemoteFinished | StreamBroken | PingAnswered | RemoteGoAway
