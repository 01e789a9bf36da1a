"""Circuit relay v2 on the wire: hop and stop messages, reservation vouchers.

https://github.com/libp2p/specs/blob/master/relay/circuit-v2.md. Every message travels behind its varint length and
takes at most 4,096 bytes. `type` is written even when it is 0 (old readers require it) and read as 0 when absent
(proto3 writers leave it out). An address that does not parse is skipped: a newer relay may know more of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Annotated

from darkswap_browser.errors import MalformedMessage
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.identity.peer_record import read_addresses
from darkswap_browser.net.connection import CircuitLimit
from darkswap_browser.wire.protobuf import Field, Message, decode, encode, uint

HOP_PROTOCOL = "/libp2p/circuit/relay/0.2.0/hop"
STOP_PROTOCOL = "/libp2p/circuit/relay/0.2.0/stop"
VOUCHER_DOMAIN = "libp2p-relay-rsvp"
VOUCHER_PAYLOAD_TYPE = b"\x03\x02"
MAX_MESSAGE = 4096
"""Bytes; go's and rust's readers stop there, so it is part of the wire format rather than a choice of ours."""
MAX_ADDRESSES = 64
"""Addresses read of one peer or reservation: more cannot be dialled in reasonable time."""
UINT32_MAX = 2**32 - 1
MAX_REASON = 32
MAX_RETRY_AFTER = 3600
"""Seconds: no relay may send us away for longer."""
UINT63_MAX = 2**63 - 1


class HopType(IntEnum):
    RESERVE = 0
    CONNECT = 1
    STATUS = 2


class StopType(IntEnum):
    CONNECT = 0
    STATUS = 1


class Status(IntEnum):
    UNUSED = 0
    OK = 100
    RESERVATION_REFUSED = 200
    RESOURCE_LIMIT_EXCEEDED = 201
    PERMISSION_DENIED = 202
    CONNECTION_FAILED = 203
    NO_RESERVATION = 204
    MALFORMED_MESSAGE = 400
    UNEXPECTED_MESSAGE = 401


def status_name(code: int) -> str:
    """The specification's word, or the number for a code that is newer than we are."""
    return Status(code).name if code in Status.__members__.values() else f"STATUS_{code}"


@dataclass(frozen=True, slots=True)
class CircuitPeer:
    id: PeerId
    addresses: tuple[Multiaddr, ...] = ()


@dataclass(frozen=True, slots=True)
class ReservationInfo:
    """`expire` in unix seconds by the relay's clock; `voucher` is a signed envelope, which a relay may leave out."""

    expire: int
    addresses: tuple[Multiaddr, ...] = ()
    voucher: bytes = b""


@dataclass(frozen=True, slots=True)
class HopMessage:
    """`type` and `status` are plain numbers: values unknown to us are the driver's to judge."""

    type: int
    peer: CircuitPeer | None = None
    reservation: ReservationInfo | None = None
    limit: CircuitLimit | None = None
    status: int | None = None
    reason: str = ""
    """Of a refusal by a relay of ours, as it labels its figures: "ip", "peer-rate" …; empty from others."""
    retry_after: int = 0
    """Seconds until the same request may succeed; 0 where it is not known."""


@dataclass(frozen=True, slots=True)
class StopMessage:
    type: int
    peer: CircuitPeer | None = None
    limit: CircuitLimit | None = None
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Voucher:
    """`expiration` in unix seconds."""

    relay: PeerId
    peer: PeerId
    expiration: int


@dataclass(frozen=True)
class _Peer(Message):
    id: Annotated[bytes | None, Field(1)] = None
    addrs: Annotated[list[bytes], Field(2)] = field(default_factory=list)


@dataclass(frozen=True)
class _Reservation(Message):
    expire: Annotated[uint | None, Field(1)] = None
    addrs: Annotated[list[bytes], Field(2)] = field(default_factory=list)
    voucher: Annotated[bytes | None, Field(3)] = None


@dataclass(frozen=True)
class _Limit(Message):
    duration: Annotated[uint | None, Field(1)] = None
    data: Annotated[uint | None, Field(2)] = None


@dataclass(frozen=True)
class _Hop(Message):
    type: Annotated[uint | None, Field(1)] = None
    peer: Annotated[_Peer | None, Field(2)] = None
    reservation: Annotated[_Reservation | None, Field(3)] = None
    limit: Annotated[_Limit | None, Field(4)] = None
    status: Annotated[uint | None, Field(5)] = None
    # Ours, far from what the specification may add; others pass over them.
    reason: Annotated[bytes | None, Field(1000)] = None
    retry_after: Annotated[uint | None, Field(1001)] = None


@dataclass(frozen=True)
class _Stop(Message):
    type: Annotated[uint | None, Field(1)] = None
    peer: Annotated[_Peer | None, Field(2)] = None
    limit: Annotated[_Limit | None, Field(3)] = None
    status: Annotated[uint | None, Field(4)] = None


@dataclass(frozen=True)
class _Voucher(Message):
    relay: Annotated[bytes | None, Field(1)] = None
    peer: Annotated[bytes | None, Field(2)] = None
    expiration: Annotated[uint | None, Field(3)] = None


def encode_hop(message: HopMessage) -> bytes:
    reservation = message.reservation
    return encode(
        _Hop(
            type=uint(message.type),
            peer=_peer_fields(message.peer),
            reservation=None
            if reservation is None
            else _Reservation(
                expire=uint(reservation.expire),
                addrs=[address.to_bytes() for address in reservation.addresses],
                voucher=reservation.voucher or None,
            ),
            limit=_limit_fields(message.limit),
            status=None if message.status is None else uint(message.status),
            reason=message.reason.encode() or None,
            retry_after=uint(message.retry_after) if message.retry_after else None,
        )
    )


def decode_hop(data: bytes) -> HopMessage:
    fields = decode(_Hop, data, "hop message", MAX_MESSAGE)
    reservation = fields.reservation
    return HopMessage(
        type=_number(fields.type, UINT32_MAX, "hop type"),
        peer=_peer(fields.peer),
        reservation=None
        if reservation is None
        else ReservationInfo(
            expire=_number(reservation.expire, UINT63_MAX, "reservation expiry"),
            addresses=read_addresses(reservation.addrs[:MAX_ADDRESSES]),
            voucher=reservation.voucher or b"",
        ),
        limit=_limit(fields.limit),
        status=None if fields.status is None else _number(fields.status, UINT32_MAX, "status"),
        reason=_word(fields.reason),
        retry_after=min(fields.retry_after or 0, MAX_RETRY_AFTER),
    )


def encode_stop(message: StopMessage) -> bytes:
    return encode(
        _Stop(
            type=uint(message.type),
            peer=_peer_fields(message.peer),
            limit=_limit_fields(message.limit),
            status=None if message.status is None else uint(message.status),
        )
    )


def decode_stop(data: bytes) -> StopMessage:
    fields = decode(_Stop, data, "stop message", MAX_MESSAGE)
    return StopMessage(
        type=_number(fields.type, UINT32_MAX, "stop type"),
        peer=_peer(fields.peer),
        limit=_limit(fields.limit),
        status=None if fields.status is None else _number(fields.status, UINT32_MAX, "status"),
    )


def encode_voucher(voucher: Voucher) -> bytes:
    return encode(
        _Voucher(relay=voucher.relay.to_bytes(), peer=voucher.peer.to_bytes(), expiration=uint(voucher.expiration))
    )


def decode_voucher(data: bytes) -> Voucher:
    fields = decode(_Voucher, data, "reservation voucher", MAX_MESSAGE)
    return Voucher(
        relay=PeerId.from_bytes(fields.relay or b""),
        peer=PeerId.from_bytes(fields.peer or b""),
        expiration=_number(fields.expiration, UINT63_MAX, "voucher expiration"),
    )


def _peer_fields(peer: CircuitPeer | None) -> _Peer | None:
    if peer is None:
        return None
    return _Peer(id=peer.id.to_bytes(), addrs=[address.to_bytes() for address in peer.addresses])


def _limit_fields(limit: CircuitLimit | None) -> _Limit | None:
    """The fields of a limit that is one; 0 means unlimited and is left out, as is the message when both are."""
    if limit is None or not (limit.duration or limit.data):
        return None
    return _Limit(
        duration=uint(limit.duration) if limit.duration else None, data=uint(limit.data) if limit.data else None
    )


def _number(value: int | None, largest: int, what: str) -> int:
    if value is None:
        return 0
    if value > largest:
        raise MalformedMessage(what, f"{value} is out of range")
    return value


def _word(data: bytes | None) -> str:
    """Letters and dashes, as our reasons are; anything else is none of ours."""
    text = (data or b"")[:MAX_REASON].decode("ascii", "replace")
    return text if text.replace("-", "").isalpha() else ""


def _peer(fields: _Peer | None) -> CircuitPeer | None:
    if fields is None:
        return None
    return CircuitPeer(PeerId.from_bytes(fields.id or b""), read_addresses(fields.addrs[:MAX_ADDRESSES]))


def _limit(fields: _Limit | None) -> CircuitLimit | None:
    """go counts any limit message as a limit, js only one with a number in it; js's reading is the useful one."""
    if fields is None or not (fields.duration or fields.data):
        return None
    # A limit beyond what the field can hold is no limit worth refusing a message for.
    return CircuitLimit(min(fields.duration or 0, UINT32_MAX), min(fields.data or 0, UINT63_MAX))
