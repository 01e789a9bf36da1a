"""Peer records: the addresses of a peer under its own signature, ordered by a sequence number.

https://github.com/libp2p/specs/blob/master/RFC/0003-routing-records.md, with the domain and the type that go, js and
py really use. rust still writes those of the document's text; both are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from darkswap_browser.errors import MalformedMessage
from darkswap_browser.identity.envelope import MAX_ENVELOPE, open_envelope, seal
from darkswap_browser.identity.keys import Identity
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.runtime.base.crypto import Crypto
from darkswap_browser.wire.protobuf import ZERO, Field, Message, decode, encode, uint

DOMAIN = "libp2p-peer-record"
PAYLOAD_TYPE = bytes.fromhex("0301")
LEGACY_DOMAIN = "libp2p-routing-state"
LEGACY_PAYLOAD_TYPE = b"/libp2p/routing-state-record"

MAX_ADDRESSES = 128
"""Addresses read of one record; a node behind several relays announces some thirty."""


@dataclass(frozen=True)
class AddressInfo(Message):
    multiaddr: Annotated[bytes, Field(1)] = b""


@dataclass(frozen=True)
class PeerRecordMessage(Message):
    """peer_record.proto"""

    peer_id: Annotated[bytes, Field(1)] = b""
    seq: Annotated[uint, Field(2)] = ZERO
    addresses: Annotated[list[AddressInfo], Field(3)] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PeerRecord:
    """`seq` grows with each change; records of one peer are compared by it. go counts nanoseconds, js milliseconds."""

    peer_id: PeerId
    seq: int
    addresses: tuple[Multiaddr, ...]

    def to_bytes(self) -> bytes:
        addresses = [AddressInfo(address.to_bytes()) for address in self.addresses]
        return encode(PeerRecordMessage(self.peer_id.to_bytes(), uint(self.seq), addresses))

    @classmethod
    def from_bytes(cls, data: bytes) -> PeerRecord:
        """Raises `MalformedMessage`. Addresses of kinds that we do not know are left out."""
        message = decode(PeerRecordMessage, data, "peer record", MAX_ENVELOPE)
        peer = PeerId.from_bytes(message.peer_id)
        return cls(peer, message.seq, read_addresses(info.multiaddr for info in message.addresses[:MAX_ADDRESSES]))


def read_addresses(raw: Iterable[bytes]) -> tuple[Multiaddr, ...]:
    """Those of `raw` that can be read, without repetition, in their order. Raises nothing."""
    found: dict[Multiaddr, None] = {}
    for data in raw:
        try:
            found[Multiaddr.from_bytes(data)] = None
        except MalformedMessage:
            continue
    return tuple(found)


async def seal_peer_record(identity: Identity, seq: int, addresses: Sequence[Multiaddr]) -> bytes:
    record = PeerRecord(identity.peer_id, seq, tuple(addresses))
    return await seal(identity, DOMAIN, PAYLOAD_TYPE, record.to_bytes())


async def open_peer_record(crypto: Crypto, data: bytes) -> PeerRecord:
    """Raises `MalformedMessage` when the envelope does not hold or another peer signed it.

    Callers take a failure for "no record": the message around it stays good.
    """
    try:
        envelope = await open_envelope(crypto, data, DOMAIN, PAYLOAD_TYPE)
    except MalformedMessage as error:
        try:
            envelope = await open_envelope(crypto, data, LEGACY_DOMAIN, LEGACY_PAYLOAD_TYPE)
        except MalformedMessage:
            raise error from None
    record = PeerRecord.from_bytes(envelope.payload)
    if envelope.signer != record.peer_id:
        raise MalformedMessage("peer record", "signed by another peer")
    return record
