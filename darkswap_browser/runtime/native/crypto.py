"""The primitives of `runtime.base.Crypto` from the `cryptography` library, hashed as libp2p's key types say."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.serialization import load_der_public_key

from darkswap_browser.errors import InvalidArgument
from darkswap_browser.runtime.base.crypto import Aead, KeyAlgorithm

RSA_BITS = range(2048, 8193)
RSA_EXPONENTS = 1 << 32
"""Every key in use has 65,537; verification takes as long as the exponent is (53 ms for one of 3,070 bits)."""
"""libp2p asks for at least 2048; go refuses more than 8192, since verifying a huge modulus costs the verifier."""

ECDSA_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


class NativeSigningKey:
    """An Ed25519 key in this process. `seed` is for the key store of this folder only."""

    def __init__(self, seed: bytes) -> None:
        self.seed = seed
        self._key = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
        self._public = self._key.public_key().public_bytes_raw()

    @property
    def public_bytes(self) -> bytes:
        return self._public

    async def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)

    def __repr__(self) -> str:
        return f"<Ed25519 key {self._public.hex()[:16]}…>"


class NativeAead:
    def __init__(self, key: bytes) -> None:
        self._cipher = ChaCha20Poly1305(key)

    def seal(self, nonce: bytes, plaintext: bytes, associated_data: bytes) -> bytes:
        return self._cipher.encrypt(nonce, plaintext, associated_data)

    def open(self, nonce: bytes, ciphertext: bytes, associated_data: bytes) -> bytes | None:
        try:
            return self._cipher.decrypt(nonce, ciphertext, associated_data)
        except InvalidTag:
            return None


class NativeCrypto:
    async def generate_signing_key(self, *, extractable: bool = False) -> NativeSigningKey:
        """`extractable` changes nothing here: no private key of this process is out of its own reach."""
        return NativeSigningKey(ed25519.Ed25519PrivateKey.generate().private_bytes_raw())

    async def signing_key_from_seed(self, seed: bytes) -> NativeSigningKey:
        if len(seed) != 32:
            raise InvalidArgument("seed", f"has {len(seed)} bytes; an Ed25519 seed has 32")
        return NativeSigningKey(seed)

    async def verify(self, algorithm: KeyAlgorithm, public_key: bytes, message: bytes, signature: bytes) -> bool:
        try:
            VERIFIERS[algorithm](public_key, message, signature)
        except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
            return False
        return True

    def x25519_public(self, private: bytes) -> bytes:
        return _x25519_key(private).public_key().public_bytes_raw()

    def x25519(self, private: bytes, public: bytes) -> bytes:
        try:
            peer = x25519.X25519PublicKey.from_public_bytes(public)
            return _x25519_key(private).exchange(peer)
        except ValueError:
            # OpenSSL reports a low-order point as an error where RFC 7748 computes zero.
            if len(private) == 32 and len(public) == 32:
                return bytes(32)
            raise InvalidArgument("x25519", "both keys have 32 bytes") from None

    def chacha20poly1305(self, key: bytes) -> Aead:
        return NativeAead(key)

    async def pbkdf2_sha256(self, password: bytes, salt: bytes, rounds: int) -> bytes:
        """Not in a thread, which virtual time cannot wait for: a wallet's rounds hold the loop for 0.2 s."""
        return PBKDF2HMAC(SHA256(), 32, salt, rounds).derive(password)

    async def seal_aes_gcm(self, key: bytes, nonce: bytes, plaintext: bytes, associated_data: bytes) -> bytes:
        return aes_gcm(key, nonce).encrypt(nonce, plaintext, associated_data)

    async def open_aes_gcm(self, key: bytes, nonce: bytes, ciphertext: bytes, associated_data: bytes) -> bytes | None:
        try:
            return aes_gcm(key, nonce).decrypt(nonce, ciphertext, associated_data)
        except InvalidTag:
            return None


def aes_gcm(key: bytes, nonce: bytes) -> AESGCM:
    if len(key) != 32 or len(nonce) != 12:
        raise InvalidArgument("key", "AES-256-GCM takes a key of 32 bytes and a nonce of 12")
    return AESGCM(key)


@lru_cache(maxsize=64)
def _x25519_key(private: bytes) -> x25519.X25519PrivateKey:
    """OpenSSL derives the public key on loading, as dear as an exchange, and a handshake uses each key up to thrice."""
    return x25519.X25519PrivateKey.from_private_bytes(private)


def _verify_ed25519(public_key: bytes, message: bytes, signature: bytes) -> None:
    ed25519.Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)


def _verify_rsa(public_key: bytes, message: bytes, signature: bytes) -> None:
    """RSASSA-PKCS1-v1_5 with SHA-256; SubjectPublicKeyInfo in DER."""
    key = load_der_public_key(public_key)
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size not in RSA_BITS:
        raise ValueError("not an RSA key of an accepted size")
    if key.public_numbers().e >= RSA_EXPONENTS:
        raise ValueError("an RSA exponent that only costs time")
    key.verify(signature, message, padding.PKCS1v15(), SHA256())


def _verify_secp256k1(public_key: bytes, message: bytes, signature: bytes) -> None:
    """DER ECDSA over SHA-256; compressed point of 33 bytes."""
    if len(public_key) != 33:
        raise ValueError("not a compressed point")
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), public_key)
    key.verify(signature, message, ec.ECDSA(SHA256()))


def _verify_ecdsa(public_key: bytes, message: bytes, signature: bytes) -> None:
    """DER ECDSA over SHA-256, for every NIST curve; SubjectPublicKeyInfo in DER."""
    key = load_der_public_key(public_key)
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ECDSA_CURVES):
        raise TypeError("not a key on a NIST curve")
    key.verify(signature, message, ec.ECDSA(SHA256()))


VERIFIERS: dict[KeyAlgorithm, Callable[[bytes, bytes, bytes], None]] = {
    KeyAlgorithm.ED25519: _verify_ed25519,
    KeyAlgorithm.RSA: _verify_rsa,
    KeyAlgorithm.SECP256K1: _verify_secp256k1,
    KeyAlgorithm.ECDSA: _verify_ecdsa,
}
