"""Signed envelopes: a payload, its type and its signer, bound to one domain so that it cannot be used in another.

https://github.com/libp2p/specs/blob/master/RFC/0002-signed-envelopes.md
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from darkswap_browser.errors import MalformedMessage
from darkswap_browser.identity.keys import Identity, PublicKey
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.runtime.base.crypto import Crypto
from darkswap_browser.wire.protobuf import Field, Message, decode, encode
from darkswap_browser.wire.varint import encode_varint

MAX_ENVELOPE = 8 * 1024
"""Bytes: go's and js's cap of the identify message that carries the largest envelopes."""


@dataclass(frozen=True)
class EnvelopeMessage(Message):
    """envelope.proto; 4 is not used. The key is kept as bytes: its one canonical form is checked by `PublicKey`."""

    public_key: Annotated[bytes, Field(1)] = b""
    payload_type: Annotated[bytes, Field(2)] = b""
    payload: Annotated[bytes, Field(3)] = b""
    signature: Annotated[bytes, Field(5)] = b""


@dataclass(frozen=True, slots=True)
class Envelope:
    """An envelope whose signature holds."""

    public_key: PublicKey
    payload: bytes

    @property
    def signer(self) -> PeerId:
        return self.public_key.peer_id()


def signed_bytes(domain: str, payload_type: bytes, payload: bytes) -> bytes:
    """What the signature covers: the three, each behind its varint length."""
    parts = (domain.encode(), payload_type, payload)
    return b"".join(encode_varint(len(part)) + part for part in parts)


async def seal(identity: Identity, domain: str, payload_type: bytes, payload: bytes) -> bytes:
    signature = await identity.sign(signed_bytes(domain, payload_type, payload))
    return encode(EnvelopeMessage(identity.public_key.to_protobuf(), payload_type, payload, signature))


async def open_envelope(crypto: Crypto, data: bytes, domain: str, payload_type: bytes) -> Envelope:
    """Raises `MalformedMessage`, also when the type differs or the signature does not hold."""
    message = decode(EnvelopeMessage, data, "signed envelope", MAX_ENVELOPE)
    if message.payload_type != payload_type:
        raise MalformedMessage("signed envelope", f"payload type {message.payload_type[:8].hex()}")
    key = PublicKey.from_protobuf(message.public_key)
    if not await key.verify(crypto, signed_bytes(domain, payload_type, message.payload), message.signature):
        raise MalformedMessage("signed envelope", "the signature does not hold")
    return Envelope(key, message.payload)
