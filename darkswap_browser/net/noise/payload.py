"""What binds a Noise static key to a libp2p identity. https://github.com/libp2p/specs/blob/master/noise/README.md"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from darkswap_browser.wire.protobuf import Field, Message, decode, encode

SIGNATURE_PREFIX = b"noise-libp2p-static-key:"


@dataclass(frozen=True, slots=True)
class HandshakePayload:
    """`identity_key`: PublicKey protobuf. `muxers`: protocol ids for early negotiation, best first."""

    identity_key: bytes
    identity_signature: bytes
    muxers: tuple[str, ...] = ()


@dataclass
class _Extensions(Message):
    stream_muxers: Annotated[list[str], Field(2)] = field(default_factory=list)


@dataclass
class _Payload(Message):
    """Field 3 was "data" of older drafts; it is skipped like any unknown one."""

    identity_key: Annotated[bytes, Field(1)] = b""
    identity_sig: Annotated[bytes, Field(2)] = b""
    extensions: Annotated[_Extensions | None, Field(4)] = None


def signed_text(static_public: bytes) -> bytes:
    """What the identity key signs: the prefix and the 32-byte X25519 key, nothing between."""
    return SIGNATURE_PREFIX + static_public


def encode_payload(payload: HandshakePayload) -> bytes:
    extensions = _Extensions(stream_muxers=list(payload.muxers)) if payload.muxers else None
    return encode(_Payload(payload.identity_key, payload.identity_signature, extensions))


def decode_payload(data: bytes, max_size: int) -> HandshakePayload:
    """Raises `MalformedMessage`. The signature is not judged here."""
    message = decode(_Payload, data, "noise payload", max_size)
    muxers = tuple(message.extensions.stream_muxers) if message.extensions else ()
    return HandshakePayload(message.identity_key, message.identity_sig, muxers)
