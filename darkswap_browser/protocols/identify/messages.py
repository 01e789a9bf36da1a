"""The identify message: who a peer is, where it listens and what it speaks.

https://github.com/libp2p/specs/tree/master/identify. One shape serves `/ipfs/id/1.0.0` and `/ipfs/id/push/1.0.0`.
Go and js may spread it over up to ten messages; scalars of later ones win, lists add up. Every field is optional
here: the driver judges what is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, TypeVar

from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_record import read_addresses
from darkswap_browser.wire.protobuf import Field, Message, decode, encode
from darkswap_browser.wire.varint import encode_varint

T = TypeVar("T")

IDENTIFY_PROTOCOL = "/ipfs/id/1.0.0"
PUSH_PROTOCOL = "/ipfs/id/push/1.0.0"
PROTOCOL_VERSION = "ipfs/0.1.0"
"""What js, go and rust write in `protocolVersion` by default."""
MAX_TEXT = 256
"""Characters kept of an agent or protocol version, and of one protocol id: they end in logs and on pages."""


@dataclass(frozen=True, slots=True)
class IdentifyMessage:
    """`public_key` is libp2p's PublicKey protobuf, `signed_record` an envelope; both unchecked here."""

    public_key: bytes | None = None
    addresses: tuple[Multiaddr, ...] = ()
    protocols: tuple[str, ...] = ()
    observed: Multiaddr | None = None
    protocol_version: str | None = None
    agent: str | None = None
    signed_record: bytes | None = None


@dataclass(frozen=True)
class _Identify(Message):
    public_key: Annotated[bytes | None, Field(1)] = None
    listen_addrs: Annotated[list[bytes], Field(2)] = field(default_factory=list)
    protocols: Annotated[list[bytes], Field(3)] = field(default_factory=list)
    observed_addr: Annotated[bytes | None, Field(4)] = None
    protocol_version: Annotated[bytes | None, Field(5)] = None
    agent_version: Annotated[bytes | None, Field(6)] = None
    signed_peer_record: Annotated[bytes | None, Field(8)] = None


def encode_identify(message: IdentifyMessage) -> bytes:
    return encode(
        _Identify(
            public_key=message.public_key,
            listen_addrs=[address.to_bytes() for address in message.addresses],
            protocols=[protocol.encode() for protocol in message.protocols],
            observed_addr=None if message.observed is None else message.observed.to_bytes(),
            protocol_version=None if message.protocol_version is None else message.protocol_version.encode(),
            agent_version=None if message.agent is None else message.agent.encode(),
            signed_peer_record=message.signed_record,
        )
    )


def decode_identify(data: bytes, max_size: int, max_addresses: int, max_protocols: int) -> IdentifyMessage:
    """Addresses that do not parse and protocol ids that are no text are skipped; surplus ones are dropped."""
    fields = decode(_Identify, data, "identify message", max_size)
    observed = read_addresses([fields.observed_addr]) if fields.observed_addr else ()
    protocols = (_text(protocol) for protocol in fields.protocols[:max_protocols])
    return IdentifyMessage(
        public_key=fields.public_key,
        addresses=read_addresses(fields.listen_addrs[:max_addresses]),
        protocols=tuple(protocol for protocol in protocols if protocol),
        observed=observed[0] if observed else None,
        protocol_version=_text(fields.protocol_version),
        agent=_text(fields.agent_version),
        signed_record=fields.signed_peer_record or None,
    )


def merge(messages: Sequence[IdentifyMessage], max_addresses: int, max_protocols: int) -> IdentifyMessage:
    """One message of several consecutive ones."""
    merged = IdentifyMessage()
    for message in messages:
        merged = IdentifyMessage(
            public_key=message.public_key or merged.public_key,
            addresses=_unique(merged.addresses + message.addresses)[:max_addresses],
            protocols=_unique(merged.protocols + message.protocols)[:max_protocols],
            observed=message.observed or merged.observed,
            protocol_version=message.protocol_version or merged.protocol_version,
            agent=message.agent or merged.agent,
            signed_record=message.signed_record or merged.signed_record,
        )
    return merged


def encode_within(message: IdentifyMessage, max_size: int) -> bytes:
    """The framed message in at most `max_size` bytes, prefix included.

    What does not fit is left out: the signed record first (it repeats the addresses), then addresses from the
    last. Everything else has bounded size.
    """
    while True:
        body = encode_identify(message)
        framed = encode_varint(len(body)) + body
        if len(framed) <= max_size:
            return framed
        if message.signed_record is not None:
            message = replace(message, signed_record=None)
        elif message.addresses:
            message = replace(message, addresses=message.addresses[:-1])
        elif message.protocols:
            message = replace(message, protocols=message.protocols[:-1])
        else:
            return framed


def _text(data: bytes | None) -> str | None:
    """Text for people and tables: no broken UTF-8, no control characters, bounded length."""
    if data is None:
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return "".join(character for character in text if character.isprintable())[:MAX_TEXT]


def _unique(items: Sequence[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(items))
