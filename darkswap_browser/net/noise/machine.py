"""Noise_XX_25519_ChaChaPoly_SHA256 as rules over bytes. https://noiseprotocol.org/noise.html, revision 34

    XX:
      -> e
      <- e, ee, s, es
      -> s, se

Message lengths, framing and what the payloads mean are the driver's concern.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass

from darkswap_browser.errors import HandshakeFailed, ProtocolViolation
from darkswap_browser.runtime.base.crypto import Crypto

PROTOCOL_NAME = b"Noise_XX_25519_ChaChaPoly_SHA256"
KEY_SIZE = 32
TAG_SIZE = 16
MAX_MESSAGE = 65535
MAX_PLAINTEXT = MAX_MESSAGE - TAG_SIZE
MAX_NONCE = 2**64 - 1
"""Reserved by the specification: never used to encrypt."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """An X25519 key pair, 32 bytes each."""

    private: bytes
    public: bytes

    @classmethod
    def of(cls, crypto: Crypto, private: bytes) -> KeyPair:
        return cls(private, crypto.x25519_public(private))


class CipherState:
    """One direction: a key and the count of messages under it."""

    __slots__ = ("_aead", "_count")

    def __init__(self, crypto: Crypto, key: bytes) -> None:
        self._aead = crypto.chacha20poly1305(key)
        self._count = 0

    def encrypt(self, plaintext: bytes, associated_data: bytes = b"") -> bytes:
        """Ciphertext and tag: 16 bytes more than `plaintext`."""
        return self._aead.seal(self._next_nonce(), plaintext, associated_data)

    def decrypt(self, ciphertext: bytes, associated_data: bytes = b"") -> bytes:
        """Raises `ProtocolViolation` when the tag does not hold or is not even there."""
        if len(ciphertext) < TAG_SIZE:
            raise ProtocolViolation("noise", "message shorter than its tag")
        plaintext = self._aead.open(self._next_nonce(), ciphertext, associated_data)
        if plaintext is None:
            raise ProtocolViolation("noise", "message does not authenticate")
        return plaintext

    def _next_nonce(self) -> bytes:
        if self._count >= MAX_NONCE:
            raise ProtocolViolation("noise", "more messages than one key may encrypt")
        # Four zero bytes and the counter, little-endian (§12.3).
        nonce = b"\0\0\0\0" + self._count.to_bytes(8, "little")
        self._count += 1
        return nonce


class _SymmetricState:
    """Chaining key, transcript hash and current cipher (§5.2)."""

    def __init__(self, crypto: Crypto, prologue: bytes) -> None:
        self._crypto = crypto
        # The name has exactly 32 bytes, so it is the first hash itself.
        self.hash = self._chaining_key = PROTOCOL_NAME
        self._cipher: CipherState | None = None
        self.mix_hash(prologue)

    def mix_hash(self, data: bytes) -> None:
        self.hash = hashlib.sha256(self.hash + data).digest()

    def mix_key(self, material: bytes) -> None:
        self._chaining_key, key = _hkdf(self._chaining_key, material)
        self._cipher = CipherState(self._crypto, key)

    def encrypt_and_hash(self, plaintext: bytes) -> bytes:
        data = plaintext if self._cipher is None else self._cipher.encrypt(plaintext, self.hash)
        self.mix_hash(data)
        return data

    def decrypt_and_hash(self, data: bytes) -> bytes:
        plaintext = data if self._cipher is None else self._cipher.decrypt(data, self.hash)
        self.mix_hash(data)
        return plaintext

    def split(self) -> tuple[CipherState, CipherState]:
        first, second = _hkdf(self._chaining_key, b"")
        return CipherState(self._crypto, first), CipherState(self._crypto, second)


def _hkdf(chaining_key: bytes, material: bytes) -> tuple[bytes, bytes]:
    """HKDF of §4.3 with two outputs: RFC 5869 with empty info."""
    secret = hmac.digest(chaining_key, material, "sha256")
    first = hmac.digest(secret, b"\x01", "sha256")
    return first, hmac.digest(secret, first + b"\x02", "sha256")


class HandshakeMachine:
    """One side of XX. Call `write` and `read` in turn; `split` when `is_done`.

    `static` may serve many handshakes, `ephemeral` exactly one.
    """

    def __init__(
        self, crypto: Crypto, *, initiator: bool, static: KeyPair, ephemeral: KeyPair, prologue: bytes = b""
    ) -> None:
        self._crypto = crypto
        self._initiator = initiator
        self._static = static
        self._ephemeral = ephemeral
        self._state = _SymmetricState(crypto, prologue)
        self._remote_ephemeral = b""
        self._turn = 0
        self.remote_static = b""
        """The peer's X25519 key, 32 bytes, once its message was read."""

    @property
    def is_done(self) -> bool:
        return self._turn == len(_WRITE)

    @property
    def handshake_hash(self) -> bytes:
        """32 bytes that name this session, equal on both sides when done."""
        return self._state.hash

    def write(self, payload: bytes = b"") -> bytes:
        """Our next message. The payload of the first is not secret."""
        self._take_turn(ours=True)
        return _WRITE[self._turn - 1](self) + self._state.encrypt_and_hash(payload)

    def read(self, message: bytes) -> bytes:
        """The payload of the peer's next message; that of the first is not authenticated.

        Raises `HandshakeFailed`; the machine is of no use afterwards.
        """
        self._take_turn(ours=False)
        try:
            rest = _READ[self._turn - 1](self, message)
            return self._state.decrypt_and_hash(rest)
        except ProtocolViolation as error:
            raise HandshakeFailed(error.reason) from None

    def split(self) -> tuple[CipherState, CipherState]:
        """(ours to send with, ours to receive with)."""
        if not self.is_done:
            raise RuntimeError("handshake is not complete")
        first, second = self._state.split()
        return (first, second) if self._initiator else (second, first)

    def _take_turn(self, *, ours: bool) -> None:
        """Messages 1 and 3 are the initiator's. A wrong turn is a bug of the driver, never the peer's."""
        if self.is_done or ((self._turn % 2 == 0) == self._initiator) != ours:
            raise RuntimeError(f"not the time to {'write' if ours else 'read'} message {self._turn + 1}")
        self._turn += 1

    # --- tokens

    def _mix_shared(self, private: bytes, public: bytes) -> None:
        secret = self._crypto.x25519(private, public)
        # A low-order point would make the secret known to everyone (RFC 7748 §6.1).
        if not any(secret):
            raise HandshakeFailed("peer sent a key of low order")
        self._state.mix_key(secret)

    def _write_e(self) -> bytes:
        self._state.mix_hash(self._ephemeral.public)
        return self._ephemeral.public

    def _read_e(self, message: bytes) -> bytes:
        self._remote_ephemeral, rest = _cut(message, KEY_SIZE)
        self._state.mix_hash(self._remote_ephemeral)
        return rest

    def _read_s(self, message: bytes) -> bytes:
        sealed, rest = _cut(message, KEY_SIZE + TAG_SIZE)
        self.remote_static = self._state.decrypt_and_hash(sealed)
        return rest

    def _write_e_ee_s_es(self) -> bytes:
        ephemeral = self._write_e()
        self._mix_shared(self._ephemeral.private, self._remote_ephemeral)
        sealed = self._state.encrypt_and_hash(self._static.public)
        self._mix_shared(self._static.private, self._remote_ephemeral)
        return ephemeral + sealed

    def _read_e_ee_s_es(self, message: bytes) -> bytes:
        rest = self._read_e(message)
        self._mix_shared(self._ephemeral.private, self._remote_ephemeral)
        rest = self._read_s(rest)
        self._mix_shared(self._ephemeral.private, self.remote_static)
        return rest

    def _write_s_se(self) -> bytes:
        sealed = self._state.encrypt_and_hash(self._static.public)
        self._mix_shared(self._static.private, self._remote_ephemeral)
        return sealed

    def _read_s_se(self, message: bytes) -> bytes:
        rest = self._read_s(message)
        self._mix_shared(self._ephemeral.private, self.remote_static)
        return rest


def _cut(message: bytes, size: int) -> tuple[bytes, bytes]:
    if len(message) < size:
        raise HandshakeFailed("message too short for its key")
    return message[:size], message[size:]


_WRITE: tuple[Callable[[HandshakeMachine], bytes], ...] = (
    HandshakeMachine._write_e,
    HandshakeMachine._write_e_ee_s_es,
    HandshakeMachine._write_s_se,
)
_READ: tuple[Callable[[HandshakeMachine, bytes], bytes], ...] = (
    HandshakeMachine._read_e,
    HandshakeMachine._read_e_ee_s_es,
    HandshakeMachine._read_s_se,
)
