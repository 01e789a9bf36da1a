"""Fingerprints of DTLS certificates: SDP text (RFC 8122) ⇄ digest ⇄ multiaddr's /certhash."""

from __future__ import annotations

from dataclasses import dataclass

from darkswap_browser.errors import MalformedMessage
from darkswap_browser.wire.multibase import multibase_decode, multibase_encode

_SHA2_256 = b"\x12\x20"
"""Multihash prefix: code of sha2-256 and its length."""
_NOISE_PROLOGUE = b"libp2p-webrtc-noise:"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """SHA-256 of a certificate; `digest` is 32 bytes."""

    digest: bytes

    def __str__(self) -> str:
        """As in `a=fingerprint:`, upper case."""
        return "sha-256 " + self.digest.hex(":").upper()

    @classmethod
    def parse(cls, text: str) -> Fingerprint:
        """From `sha-256 AB:CD:…`, in either case. Raises `MalformedMessage`."""
        algorithm, _, value = text.strip().partition(" ")
        if algorithm.lower() != "sha-256":
            raise MalformedMessage("fingerprint", "not sha-256")
        octets = value.strip().split(":")
        if len(octets) != 32 or any(len(octet) != 2 for octet in octets):
            raise MalformedMessage("fingerprint", "not 32 octets")
        try:
            return cls(bytes.fromhex("".join(octets)))
        except ValueError:
            raise MalformedMessage("fingerprint", "not hexadecimal") from None

    @classmethod
    def from_certhash(cls, text: str) -> Fingerprint:
        """From the value of /certhash: multibase of a multihash. Raises `MalformedMessage`."""
        multihash = multibase_decode(text)
        if len(multihash) != 34 or not multihash.startswith(_SHA2_256):
            raise MalformedMessage("certhash", "not the multihash of a SHA-256 digest")
        return cls(multihash[2:])

    def to_certhash(self) -> str:
        """base64url multibase, as every implementation prints it."""
        return multibase_encode("u", self.multihash)

    @property
    def multihash(self) -> bytes:
        return _SHA2_256 + self.digest


def noise_prologue(client: Fingerprint, server: Fingerprint) -> bytes:
    """What binds webrtc-direct's Noise handshake to the DTLS connection below it."""
    return _NOISE_PROLOGUE + client.multihash + server.multihash
