"""Primitives in the page: WebCrypto where it has them, else our JavaScript module (noble), else plain Python.

WebCrypto is asynchronous, so the frame cipher and X25519, which `runtime.base.Crypto` wants at once, never use it.
"""

from __future__ import annotations

import importlib
import secrets
from typing import Any

import js
from pyodide.ffi import JsException, to_js

from darkswap_browser.errors import InvalidArgument, Unsupported
from darkswap_browser.runtime import fallback_crypto
from darkswap_browser.runtime.base.crypto import Aead, KeyAlgorithm, SigningKey
from darkswap_browser.runtime.browser.ffi import js_bytes, js_object
from darkswap_browser.runtime.ecdsa import curve_of, fixed_signature

JS_MODULE = "darkswap_crypto"
"""The name under which darkswap.mjs registers darkswap-crypto.mjs."""

FRAME = 65535
"""Bytes of the largest Noise message: what the buffers of the JavaScript module hold."""

RSA_BITS = range(2048, 8193)
"""As in the native host: libp2p asks for 2048 at least, go refuses more than 8192."""

_PKCS8_ED25519 = bytes.fromhex("302e020100300506032b657004220420")
"""RFC 8410: a private key in DER up to its seed."""


class WebCryptoKey:
    """An Ed25519 key whose private half JavaScript holds and, unless made extractable, cannot read either."""

    def __init__(self, js_private: Any, public: bytes) -> None:
        self.js_private = js_private
        self._public = public

    @property
    def public_bytes(self) -> bytes:
        return self._public

    async def sign(self, message: bytes) -> bytes:
        js_signature = await js.crypto.subtle.sign("Ed25519", self.js_private, js_bytes(message))
        return bytes(js_signature.to_bytes())

    def __repr__(self) -> str:
        return f"<Ed25519 key {self._public.hex()[:16]}…>"


class SeedKey:
    """An Ed25519 key in Python's memory, on browsers whose WebCrypto has no Ed25519 (Chromium below 137)."""

    def __init__(self, seed: bytes, primitives: Primitives) -> None:
        self.seed = seed
        self._primitives = primitives
        self._public = primitives.ed25519_public(seed)

    @property
    def public_bytes(self) -> bytes:
        return self._public

    async def sign(self, message: bytes) -> bytes:
        return self._primitives.ed25519_sign(self.seed, message)

    def __repr__(self) -> str:
        return f"<Ed25519 key {self._public.hex()[:16]}…>"


class Primitives:
    """The synchronous ones in plain Python."""

    name = "python"

    def x25519_public(self, private: bytes) -> bytes:
        return fallback_crypto.x25519_public(private)

    def x25519(self, private: bytes, public: bytes) -> bytes:
        return fallback_crypto.x25519(private, public)

    def ed25519_public(self, seed: bytes) -> bytes:
        return fallback_crypto.ed25519_public(seed)

    def ed25519_sign(self, seed: bytes, message: bytes) -> bytes:
        return fallback_crypto.ed25519_sign(seed, message)

    def ed25519_verify(self, public: bytes, message: bytes, signature: bytes) -> bool:
        return fallback_crypto.ed25519_verify(public, message, signature)

    def secp256k1_verify(self, public: bytes, message: bytes, signature: bytes) -> bool:
        return fallback_crypto.secp256k1_verify(public, message, signature)

    def aead(self, key: bytes) -> Aead:
        return fallback_crypto.PythonAead(key)


class NoblePrimitives(Primitives):
    name = "noble"

    def __init__(self, js_module: Any) -> None:
        self._js = js_module

    def x25519_public(self, private: bytes) -> bytes:
        return bytes(self._js.x25519_public(js_bytes(private)).to_bytes())

    def x25519(self, private: bytes, public: bytes) -> bytes:
        return bytes(self._js.x25519_shared(js_bytes(private), js_bytes(public)).to_bytes())

    def ed25519_public(self, seed: bytes) -> bytes:
        return bytes(self._js.ed25519_public(js_bytes(seed)).to_bytes())

    def ed25519_sign(self, seed: bytes, message: bytes) -> bytes:
        return bytes(self._js.ed25519_sign(js_bytes(seed), js_bytes(message)).to_bytes())

    def ed25519_verify(self, public: bytes, message: bytes, signature: bytes) -> bool:
        return bool(self._js.ed25519_verify(js_bytes(public), js_bytes(message), js_bytes(signature)))

    def secp256k1_verify(self, public: bytes, message: bytes, signature: bytes) -> bool:
        return bool(self._js.secp256k1_verify(js_bytes(public), js_bytes(message), js_bytes(signature)))

    def aead(self, key: bytes) -> Aead:
        return NobleAead(self._js, key)


class NobleAead:
    """A frame crosses the border once: copied into the module's buffer, ciphered there, copied out."""

    def __init__(self, js_module: Any, key: bytes) -> None:
        js_cipher = js_module.cipher(js_bytes(key))
        self._key = key
        self._js_seal = js_cipher.seal
        self._js_open = js_cipher.open
        self._js_inbox = js_module.inbox
        self._js_outbox = js_module.outbox

    def seal(self, nonce: bytes, plaintext: bytes, associated_data: bytes) -> bytes:
        size = len(plaintext)
        if size > FRAME:
            return fallback_crypto.PythonAead(self._key).seal(nonce, plaintext, associated_data)
        self._js_inbox.subarray(0, size).assign(plaintext)
        self._js_seal(*_words(nonce), size, js_bytes(associated_data) if associated_data else None)
        return bytes(self._js_outbox.subarray(0, size + 16).to_bytes())

    def open(self, nonce: bytes, ciphertext: bytes, associated_data: bytes) -> bytes | None:
        size = len(ciphertext)
        if size < 16:
            return None
        if size > FRAME + 16:
            return fallback_crypto.PythonAead(self._key).open(nonce, ciphertext, associated_data)
        self._js_inbox.subarray(0, size).assign(ciphertext)
        found = self._js_open(*_words(nonce), size, js_bytes(associated_data) if associated_data else None)
        return None if found < 0 else bytes(self._js_outbox.subarray(0, found).to_bytes())


def _words(nonce: bytes) -> tuple[int, int, int]:
    return int.from_bytes(nonce[:4], "big"), int.from_bytes(nonce[4:8], "big"), int.from_bytes(nonce[8:], "big")


def find_primitives() -> Primitives:
    """noble when darkswap.mjs registered it."""
    try:
        return NoblePrimitives(importlib.import_module(JS_MODULE))
    except ModuleNotFoundError:
        return Primitives()


class BrowserCrypto:
    """`js.crypto.subtle` is missing on pages that came over plain http from another machine."""

    def __init__(self) -> None:
        self.primitives = find_primitives()
        self._has_ed25519: bool = getattr(js.crypto, "subtle", None) is not None
        """Until WebCrypto says that it does not know the name."""

    async def generate_signing_key(self, *, extractable: bool = False) -> SigningKey:
        if self._has_ed25519:
            try:
                js_pair = await js.crypto.subtle.generateKey("Ed25519", extractable, to_js(["sign", "verify"]))
                js_public = await js.crypto.subtle.exportKey("raw", js_pair.publicKey)
                return WebCryptoKey(js_pair.privateKey, bytes(js_public.to_bytes()))
            except JsException as error:
                self._judge(error)
        return SeedKey(secrets.token_bytes(32), self.primitives)

    async def signing_key_from_seed(self, seed: bytes) -> SigningKey:
        if len(seed) != 32:
            raise InvalidArgument("seed", f"has {len(seed)} bytes; an Ed25519 seed has 32")
        key = SeedKey(seed, self.primitives)
        if self._has_ed25519:
            try:
                js_private = await js.crypto.subtle.importKey(
                    "pkcs8", js_bytes(_PKCS8_ED25519 + seed), "Ed25519", False, to_js(["sign"])
                )
                return WebCryptoKey(js_private, key.public_bytes)
            except JsException as error:
                self._judge(error)
        return key

    async def verify(self, algorithm: KeyAlgorithm, public_key: bytes, message: bytes, signature: bytes) -> bool:
        match algorithm:
            case KeyAlgorithm.ED25519:
                return await self._verify_ed25519(public_key, message, signature)
            case KeyAlgorithm.SECP256K1:
                fixed = fixed_signature(signature, 32)
                if fixed is None or len(public_key) != 33:
                    return False
                return self.primitives.secp256k1_verify(public_key, message, fixed)
            case KeyAlgorithm.RSA:
                parameters = {"name": "RSASSA-PKCS1-v1_5", "hash": "SHA-256"}
                return await _verify_spki(parameters, public_key, message, signature, RSA_BITS)
            case KeyAlgorithm.ECDSA:
                curve = curve_of(public_key)
                fixed = None if curve is None else fixed_signature(signature, curve.size)
                if curve is None or fixed is None:
                    return False
                parameters = {"name": "ECDSA", "namedCurve": curve.name, "hash": "SHA-256"}
                return await _verify_spki(parameters, public_key, message, fixed)

    def x25519_public(self, private: bytes) -> bytes:
        return self.primitives.x25519_public(private)

    def x25519(self, private: bytes, public: bytes) -> bytes:
        if len(private) != 32 or len(public) != 32:
            raise InvalidArgument("x25519", "both keys have 32 bytes")
        return self.primitives.x25519(private, public)

    def chacha20poly1305(self, key: bytes) -> Aead:
        if len(key) != 32:
            raise InvalidArgument("key", f"has {len(key)} bytes; ChaCha20-Poly1305 takes 32")
        return self.primitives.aead(key)

    async def pbkdf2_sha256(self, password: bytes, salt: bytes, rounds: int) -> bytes:
        js_subtle = _subtle("key derivation")
        # WebKitGTK derives nothing from an empty password. HMAC pads its key with zeros (RFC 2104 §2), so that one zero
        # byte is the same key.
        js_key = await js_subtle.importKey("raw", js_bytes(password or b"\0"), "PBKDF2", False, to_js(["deriveBits"]))
        js_parameters = js_object({"name": "PBKDF2", "hash": "SHA-256", "iterations": rounds})
        js_parameters.salt = js_bytes(salt)
        return bytes((await js_subtle.deriveBits(js_parameters, js_key, 256)).to_bytes())

    async def seal_aes_gcm(self, key: bytes, nonce: bytes, plaintext: bytes, associated_data: bytes) -> bytes:
        js_key, js_parameters = await _aes_gcm(key, nonce, associated_data, "encrypt")
        js_sealed = await _subtle("encryption").encrypt(js_parameters, js_key, js_bytes(plaintext))
        return bytes(js_sealed.to_bytes())

    async def open_aes_gcm(self, key: bytes, nonce: bytes, ciphertext: bytes, associated_data: bytes) -> bytes | None:
        js_key, js_parameters = await _aes_gcm(key, nonce, associated_data, "decrypt")
        try:
            js_plain = await _subtle("encryption").decrypt(js_parameters, js_key, js_bytes(ciphertext))
        except JsException as error:
            if error.name == "OperationError":
                return None
            raise
        return bytes(js_plain.to_bytes())

    async def _verify_ed25519(self, public: bytes, message: bytes, signature: bytes) -> bool:
        if len(public) != 32 or len(signature) != 64:
            return False
        if self._has_ed25519:
            js_subtle = js.crypto.subtle
            try:
                js_key = await js_subtle.importKey("raw", js_bytes(public), "Ed25519", False, to_js(["verify"]))
                return bool(await js_subtle.verify("Ed25519", js_key, js_bytes(signature), js_bytes(message)))
            except JsException as error:
                if error.name == "DataError":
                    return False
                self._judge(error)
        return self.primitives.ed25519_verify(public, message, signature)

    def _judge(self, error: JsException) -> None:
        """WebCrypto without Ed25519 is a known lack; anything else is a fault that must be seen."""
        if error.name != "NotSupportedError":
            raise error
        self._has_ed25519 = False


async def _verify_spki(
    parameters: dict[str, str], public_key: bytes, message: bytes, signature: bytes, bits: range | None = None
) -> bool:
    """By WebCrypto, which every browser has for RSA and the NIST curves."""
    js_subtle = _subtle(f"{parameters['name']} verification")
    js_parameters = js_object(parameters)
    try:
        js_key = await js_subtle.importKey("spki", js_bytes(public_key), js_parameters, False, to_js(["verify"]))
        if bits is not None and js_key.algorithm.modulusLength not in bits:
            return False
        return bool(await js_subtle.verify(js_parameters, js_key, js_bytes(signature), js_bytes(message)))
    except JsException as error:
        if error.name in ("DataError", "OperationError", "NotSupportedError"):
            return False
        raise


async def _aes_gcm(key: bytes, nonce: bytes, associated_data: bytes, use: str) -> tuple[Any, Any]:
    """The CryptoKey for one `use`, and the parameters of the cipher."""
    if len(key) != 32 or len(nonce) != 12:
        raise InvalidArgument("key", "AES-256-GCM takes a key of 32 bytes and a nonce of 12")
    js_key = await _subtle("encryption").importKey("raw", js_bytes(key), "AES-GCM", False, to_js([use]))
    js_parameters = js_object({"name": "AES-GCM", "tagLength": 128})
    js_parameters.iv = js_bytes(nonce)
    js_parameters.additionalData = js_bytes(associated_data)
    return js_key, js_parameters


def _subtle(what: str) -> Any:
    """WebCrypto, which a page that came over plain http has not."""
    js_subtle = getattr(js.crypto, "subtle", None)
    if js_subtle is None:
        raise Unsupported(what, "Serve the page over https or from localhost.")
    return js_subtle
