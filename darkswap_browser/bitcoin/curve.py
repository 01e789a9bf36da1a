"""Keys and signatures on secp256k1: BIP340 Schnorr, ECDSA (RFC 6979, low S), BIP341 tweaks without scripts (BIP86).

The arithmetic is embit's pure Python. It is not constant in time: for small amounts in a page, as the wallet says.
"""

from __future__ import annotations

from embit import hashes
from embit.util import key as arithmetic

from darkswap_browser.bitcoin.sighash import tagged_hash
from darkswap_browser.errors import InvalidArgument

ORDER: int = arithmetic.SECP256K1_ORDER
FIELD: int = arithmetic.SECP256K1_FIELD_SIZE
DER_SIZES = range(8, 73)
"""Bytes of a DER signature: two integers of 1 to 33 bytes behind 6 of headers."""


def hash160(data: bytes) -> bytes:
    """RIPEMD-160 of SHA-256: 20 bytes."""
    return bytes(hashes.hash160(data))


def public_key(private: bytes) -> bytes:
    """33 bytes, compressed. Raises `InvalidArgument` for a number that is no private key."""
    point = arithmetic.SECP256K1.affine(arithmetic.SECP256K1.mul([(arithmetic.SECP256K1_G, _secret(private))]))
    return bytes([2 + (point[1] & 1)]) + int(point[0]).to_bytes(32, "big")


def is_public_key(data: bytes) -> bool:
    """Whether these are the 33 bytes of a point on the curve."""
    return len(data) == 33 and data[0] in (2, 3) and _lift(data[1:]) is not None


def schnorr_sign(private: bytes, digest: bytes, aux32: bytes) -> bytes:
    """64 bytes (BIP340), verified before they are returned: a fault in a nonce would give the key away."""
    _check_digest(digest)
    if len(aux32) != 32:
        raise InvalidArgument("aux32", f"has {len(aux32)} bytes instead of 32")
    public = public_key(private)
    signature = bytes(arithmetic.sign_schnorr(private, digest, aux32))
    if not schnorr_verify(public[1:], digest, signature):
        raise ArithmeticError("a Schnorr signature just made does not verify")
    return signature


def schnorr_verify(xonly: bytes, digest: bytes, signature: bytes) -> bool:
    """False for whatever is no signature, of whatever length."""
    if len(xonly) != 32 or len(digest) != 32 or len(signature) != 64:
        return False
    return bool(arithmetic.verify_schnorr(xonly, signature, digest))


def ecdsa_sign(private: bytes, digest: bytes) -> bytes:
    """DER with low S, nonce by RFC 6979, verified before it is returned."""
    _check_digest(digest)
    _secret(private)
    signer = arithmetic.ECKey()
    signer.set(private, compressed=True)
    signature = bytes(signer.sign_ecdsa(digest))
    if not ecdsa_verify(public_key(private), digest, signature):
        raise ArithmeticError("an ECDSA signature just made does not verify")
    return signature


def ecdsa_verify(public: bytes, digest: bytes, signature: bytes) -> bool:
    """Strict DER and low S only (BIP66, BIP146); False for whatever else, of whatever length."""
    if len(digest) != 32 or len(signature) not in DER_SIZES or not is_public_key(public):
        return False
    verifier = arithmetic.ECPubKey()
    verifier.set(public)
    return bool(verifier.verify_ecdsa(signature, digest))


def taproot_output_key(xonly_internal: bytes) -> bytes:
    """32 bytes: the internal key tweaked with no scripts (BIP86). Raises `InvalidArgument` for no point."""
    if len(xonly_internal) != 32 or _lift(xonly_internal) is None:
        raise InvalidArgument("key", "is no point of the curve")
    tweaked = arithmetic.tweak_add_pubkey(xonly_internal, tagged_hash("TapTweak", xonly_internal))
    if tweaked is None:
        raise InvalidArgument("key", "cannot be tweaked")
    return bytes(tweaked[0])


def taproot_private(private: bytes) -> bytes:
    """The private key of `taproot_output_key`, which signs the key path."""
    tweaked = arithmetic.tweak_add_privkey(private, tagged_hash("TapTweak", public_key(private)[1:]))
    if tweaked is None:
        raise InvalidArgument("key", "cannot be tweaked")
    return bytes(tweaked)


def _secret(private: bytes) -> int:
    secret = int.from_bytes(private, "big")
    if len(private) != 32 or not 0 < secret < ORDER:
        raise InvalidArgument("key", "is not a private key")
    return secret


def _lift(xonly: bytes) -> object | None:
    """The point with even y, or None."""
    x = int.from_bytes(xonly, "big")
    point: object | None = arithmetic.SECP256K1.lift_x(x) if x < FIELD else None
    return point


def _check_digest(digest: bytes) -> None:
    if len(digest) != 32:
        raise InvalidArgument("digest", f"has {len(digest)} bytes instead of 32")
