"""How a seed lies in the store: its words under AES-256-GCM, the key stretched from a passphrase.

version 1 (u8) · PBKDF2-SHA256 rounds (u32, big-endian) · salt (16) · nonce (12) · ciphertext with tag. The record's own
first bytes and the place it lies at are authenticated with it, so that none can be put in another's place.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from darkswap_browser.errors import InvalidArgument, MalformedMessage, WalletFailed
from darkswap_browser.runtime.base.crypto import Crypto, Entropy

VERSION = 1
ROUNDS = 600_000
"""What OWASP asks of PBKDF2-HMAC-SHA256: a fifth of a second of the owner's time for each guess of a thief."""
MAX_ROUNDS = 10_000_000
"""A record that asks for more would hang the page."""
SALT, NONCE, TAG = 16, 12, 16
HEADER = 1 + 4 + SALT + NONCE
MAX_WORDS = 1000
"""Bytes: 24 words of 8 letters are 215."""
MAX_PASSPHRASE = 1000
"""Characters."""
WRONG_HINT = (
    "Type the passphrase again. A record that was damaged opens with none: restore its words under another name."
)


@dataclass(frozen=True, slots=True)
class SeedRecord:
    rounds: int
    salt: bytes
    nonce: bytes
    sealed: bytes

    @property
    def header(self) -> bytes:
        return bytes([VERSION]) + self.rounds.to_bytes(4, "big") + self.salt + self.nonce

    def encode(self) -> bytes:
        return self.header + self.sealed

    @classmethod
    def decode(cls, data: bytes) -> SeedRecord:
        """Raises `MalformedMessage`."""
        if not HEADER + TAG < len(data) <= HEADER + TAG + MAX_WORDS:
            raise MalformedMessage("wallet record", f"has {len(data)} bytes")
        if data[0] != VERSION:
            raise MalformedMessage("wallet record", f"is of version {data[0]}; this program knows {VERSION}")
        rounds = int.from_bytes(data[1:5], "big")
        if not 0 < rounds <= MAX_ROUNDS:
            raise MalformedMessage("wallet record", f"asks for {rounds} rounds of PBKDF2")
        return cls(rounds, data[5 : 5 + SALT], data[5 + SALT : HEADER], data[HEADER:])


async def encrypt_seed(crypto: Crypto, entropy: Entropy, place: str, words: str, passphrase: str, rounds: int) -> bytes:
    """The record of `words` for the store key `place`."""
    draft = SeedRecord(rounds, entropy.bytes(SALT), entropy.bytes(NONCE), b"")
    key = await _key(crypto, draft, passphrase)
    sealed = await crypto.seal_aes_gcm(key, draft.nonce, words.encode(), draft.header + place.encode())
    return draft.header + sealed


async def decrypt_seed(crypto: Crypto, place: str, data: bytes, passphrase: str) -> str:
    """The words.

    Raises:
        MalformedMessage: It is no such record.
        WalletFailed: The passphrase is wrong, or the record was changed.
    """
    record = SeedRecord.decode(data)
    key = await _key(crypto, record, passphrase)
    words = await crypto.open_aes_gcm(key, record.nonce, record.sealed, record.header + place.encode())
    if words is None:
        raise WalletFailed("seed", "the passphrase is wrong, or the record was damaged", WRONG_HINT)
    return words.decode("utf-8")


async def _key(crypto: Crypto, record: SeedRecord, passphrase: str) -> bytes:
    if len(passphrase) > MAX_PASSPHRASE:
        raise InvalidArgument("passphrase", f"has more than {MAX_PASSPHRASE} characters")
    password = unicodedata.normalize("NFKD", passphrase).encode("utf-8", "surrogatepass")
    return await crypto.pbkdf2_sha256(password, record.salt, record.rounds)
