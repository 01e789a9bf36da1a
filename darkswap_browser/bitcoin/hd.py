"""Words, seeds and keys: BIP39, BIP32 (private derivation), and the paths of BIP84 and BIP86.

PBKDF2 is written out here, as Pyodide's hashlib has none.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from hashlib import sha256, sha512

from embit.wordlists.bip39 import WORDLIST

from darkswap_browser.bitcoin.curve import ORDER, public_key
from darkswap_browser.errors import InvalidArgument

ROUNDS = 2048
BLOCK = 128
"""Bytes of SHA-512's block, to which HMAC pads its key."""
HARDENED = 1 << 31
ENTROPY_SIZES = (16, 20, 24, 28, 32)
INDEX = {word: number for number, word in enumerate(WORDLIST)}
MAX_TEXT = 1000
"""Characters of a mnemonic or passphrase: 24 words of 8 letters are 215."""
MAX_DEPTH = 255
PATH = re.compile(r"m(/[0-9]{1,10}['hH]?)*")


def new_mnemonic(entropy: bytes) -> str:
    """12 to 24 words for 16 to 32 bytes. Raises `InvalidArgument` for another number of bytes."""
    if len(entropy) not in ENTROPY_SIZES:
        raise InvalidArgument("entropy", f"has {len(entropy)} bytes instead of 16, 20, 24, 28 or 32")
    check = len(entropy) // 4
    bits = (int.from_bytes(entropy, "big") << check) | (sha256(entropy).digest()[0] >> (8 - check))
    count = (8 * len(entropy) + check) // 11
    return " ".join(WORDLIST[(bits >> (11 * place)) & 2047] for place in reversed(range(count)))


def check_mnemonic(words: str) -> str:
    """`words` in the form that seeds are made of: lower case, single spaces. Raises `InvalidArgument`, which names the
    place of a wrong word and never the word.
    """
    if len(words) > MAX_TEXT:
        raise InvalidArgument("mnemonic", "is too long")
    given = unicodedata.normalize("NFKD", words).lower().split()
    if len(given) not in (12, 15, 18, 21, 24):
        raise InvalidArgument("mnemonic", f"has {len(given)} words instead of 12, 15, 18, 21 or 24")
    bits = 0
    for place, word in enumerate(given, 1):
        if word not in INDEX:
            raise InvalidArgument("mnemonic", f"has a word that is not in the list, in place {place}")
        bits = bits << 11 | INDEX[word]
    check = len(given) // 3
    entropy = (bits >> check).to_bytes(check * 4, "big")
    text = " ".join(given)
    if new_mnemonic(entropy) != text:
        raise InvalidArgument("mnemonic", "has a wrong checksum: a word is wrong or misplaced")
    return text


def seed_of(words: str, passphrase: str = "") -> bytes:
    """64 bytes (BIP39). Raises `InvalidArgument`."""
    if len(passphrase) > MAX_TEXT:
        raise InvalidArgument("passphrase", "is too long")
    try:
        salt = unicodedata.normalize("NFKD", "mnemonic" + passphrase).encode()
    except UnicodeEncodeError as error:
        raise InvalidArgument("passphrase", "has half of a character in it") from error
    return pbkdf2_hmac_sha512(check_mnemonic(words).encode(), salt)


def pbkdf2_hmac_sha512(password: bytes, salt: bytes) -> bytes:
    """PBKDF2-HMAC-SHA512 (RFC 8018), 2048 rounds, 64 bytes: its first block alone."""
    key = (password if len(password) <= BLOCK else sha512(password).digest()).ljust(BLOCK, b"\0")
    inner = sha512(bytes(byte ^ 0x36 for byte in key))
    outer = sha512(bytes(byte ^ 0x5C for byte in key))
    last = salt + b"\x00\x00\x00\x01"
    total = 0
    for _ in range(ROUNDS):
        first, second = inner.copy(), outer.copy()
        first.update(last)
        second.update(first.digest())
        last = second.digest()
        total ^= int.from_bytes(last, "big")
    return total.to_bytes(64, "big")


def derive(seed: bytes, path: str) -> bytes:
    """The private key of 32 bytes at a path like "m/86'/0'/0'/0/0" (BIP32). Raises `InvalidArgument`."""
    return extended(seed, path)[0]


def extended(seed: bytes, path: str) -> tuple[bytes, bytes]:
    """(private key, chain code) at `path`."""
    steps = _steps(path)
    key, chain = _split(hmac.new(b"Bitcoin seed", seed, sha512).digest(), 0)
    for step in steps:
        data = (b"\x00" + key if step >= HARDENED else public_key(key)) + step.to_bytes(4, "big")
        key, chain = _split(hmac.new(chain, data, sha512).digest(), int.from_bytes(key, "big"))
    return key, chain


def _split(digest: bytes, parent: int) -> tuple[bytes, bytes]:
    """A child's key and chain code; one in 2^127 digests has none."""
    number = int.from_bytes(digest[:32], "big")
    key = (number + parent) % ORDER
    if number >= ORDER or key == 0:
        raise InvalidArgument("path", "has no key at this place; take the next one")
    return key.to_bytes(32, "big"), digest[32:]


def _steps(path: str) -> list[int]:
    if len(path) > MAX_TEXT or not PATH.fullmatch(path):
        raise InvalidArgument("path", f"{path[:80]!r} is not like m/86'/0'/0'/0/0")
    steps = []
    for part in path.split("/")[1:]:
        number = int(part.rstrip("'hH"))
        if number >= HARDENED:
            raise InvalidArgument("path", f"has the step {number}, above {HARDENED - 1}")
        steps.append(number if part[-1].isdigit() else number + HARDENED)
    if len(steps) > MAX_DEPTH:
        raise InvalidArgument("path", f"has {len(steps)} steps")
    return steps
