"""BIP340's cases (bitcoin/bips, bip-0340/test-vectors.csv), output keys of BIP341, ECDSA against OpenSSL."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.bitcoin import curve
from darkswap_browser.errors import InvalidArgument
from tests.bitcoin.cases import PRIVATE, PUBLIC, vectors
from tests.support.examples import examples

# Digests only: the cases of messages of other lengths are not ours.
SCHNORR = [case for case in vectors("bip340") if len(case["message"]) == 64]
DIGEST = bytes(range(32))


@pytest.mark.parametrize("case", SCHNORR, ids=lambda case: case["comment"] or case["index"])
def test_schnorr_is_as_bip340_says(case: dict[str, str]) -> None:
    public, digest, signature = (bytes.fromhex(case[name]) for name in ("public key", "message", "signature"))
    assert curve.schnorr_verify(public, digest, signature) is (case["verification result"] == "TRUE")
    if case["secret key"]:
        private = bytes.fromhex(case["secret key"])
        assert curve.public_key(private)[1:] == public
        assert curve.schnorr_sign(private, digest, bytes.fromhex(case["aux_rand"])) == signature


@pytest.mark.parametrize("case", vectors("bip341")["scriptPubKey"][:1])
def test_output_keys_are_as_bip341_says(case: dict[str, dict[str, str]]) -> None:
    internal = bytes.fromhex(case["given"]["internalPubkey"])
    assert curve.taproot_output_key(internal).hex() == case["intermediary"]["tweakedPubkey"]


def test_the_tweaked_private_key_is_the_output_keys() -> None:
    assert curve.public_key(curve.taproot_private(PRIVATE))[1:] == curve.taproot_output_key(PUBLIC[1:])


@settings(max_examples=examples(6), deadline=None)
@given(st.integers(1, curve.ORDER - 1), st.binary(min_size=32, max_size=32))
def test_openssl_verifies_our_ecdsa_and_we_verify_its(secret: int, digest: bytes) -> None:
    theirs = ec.derive_private_key(secret, ec.SECP256K1())
    private = secret.to_bytes(32, "big")
    signature = curve.ecdsa_sign(private, digest)
    theirs.public_key().verify(signature, digest, ec.ECDSA(utils.Prehashed(SHA256())))
    r, s = utils.decode_dss_signature(theirs.sign(digest, ec.ECDSA(utils.Prehashed(SHA256()))))
    low, high = utils.encode_dss_signature(r, min(s, curve.ORDER - s)), max(s, curve.ORDER - s)
    assert curve.ecdsa_verify(curve.public_key(private), digest, low)
    assert not curve.ecdsa_verify(curve.public_key(private), digest, utils.encode_dss_signature(r, high))


@given(st.binary(max_size=75), st.binary(max_size=34))
def test_garbage_is_no_signature_and_no_key(signature: bytes, public: bytes) -> None:
    assert not curve.ecdsa_verify(PUBLIC, DIGEST, signature)
    assert not curve.ecdsa_verify(public, DIGEST, signature)
    assert not curve.schnorr_verify(public[:32], DIGEST, signature[:64])


def test_damaged_der_is_refused_at_every_byte() -> None:
    signature = curve.ecdsa_sign(PRIVATE, DIGEST)
    for place in (0, 1, 2, 3, 4, 37, 38, 39, len(signature) - 1):
        damaged = bytearray(signature)
        damaged[place] ^= 0x80
        assert not curve.ecdsa_verify(PUBLIC, DIGEST, bytes(damaged))
    assert not curve.ecdsa_verify(PUBLIC, DIGEST, signature + b"\0")
    assert not curve.ecdsa_verify(b"\x02" + b"\xff" * 32, DIGEST, signature)


@pytest.mark.parametrize("private", [b"", bytes(32), bytes(31) + b"\1\1", curve.ORDER.to_bytes(32, "big")])
def test_numbers_that_are_no_private_keys_are_refused(private: bytes) -> None:
    for action in (curve.public_key, curve.taproot_private, lambda key: curve.ecdsa_sign(key, DIGEST)):
        with pytest.raises(InvalidArgument):
            action(private)


def test_what_is_no_digest_point_or_randomness_is_refused() -> None:
    with pytest.raises(InvalidArgument):
        curve.schnorr_sign(PRIVATE, DIGEST, b"")
    with pytest.raises(InvalidArgument):
        curve.ecdsa_sign(PRIVATE, b"")
    for key in (b"", b"\xff" * 32, bytes(31) + b"\x05"):
        with pytest.raises(InvalidArgument):
            curve.taproot_output_key(key)
    assert curve.is_public_key(PUBLIC) and not curve.is_public_key(b"\x04" + PUBLIC[1:])
