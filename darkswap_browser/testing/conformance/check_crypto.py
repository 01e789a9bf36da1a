"""What every `runtime.base.Crypto` must do. Runs on CPython and, sent there as text, in the page: no pytest here.

Vectors: RFC 8439 (A.5 and 2.8.2), RFC 7748 (5.2, 6.1), RFC 8032 (7.1), RFC 7914 (11), GCM's test case 16;
signatures of every key type come from `tests/vectors/signatures.json`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from darkswap_browser.errors import InvalidArgument
from darkswap_browser.runtime.base.crypto import Crypto, KeyAlgorithm


@dataclass(frozen=True)
class Signed:
    """A signature that holds; `algorithm` as in `KeyAlgorithm`."""

    name: str
    algorithm: str
    public: bytes
    message: bytes
    signature: bytes


def read_signed(vectors: dict[str, object]) -> list[Signed]:
    """Of `signatures.json`."""
    message, cases = vectors["message"], vectors["cases"]
    assert isinstance(message, str) and isinstance(cases, list)
    return [
        Signed(case["name"], case["algorithm"], bytes.fromhex(case["public"]), bytes.fromhex(message),
               bytes.fromhex(case["signature"]))
        for case in cases
    ]  # fmt: skip


SUNSCREEN = (
    b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
    b"sunscreen would be it."
)
AEAD_KEY = bytes(range(0x80, 0xA0))
AEAD_NONCE = bytes.fromhex("070000004041424344454647")
AEAD_DATA = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
AEAD_SEALED = bytes.fromhex(
    "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b"
    "1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
    "3ff4def08e4b7a9de576d26586cec64b6116"
    "1ae10b594f09e26a7e902ecbd0600691"
)


async def seals_as_rfc_8439_says(crypto: Crypto) -> None:
    aead = crypto.chacha20poly1305(AEAD_KEY)
    assert aead.seal(AEAD_NONCE, SUNSCREEN, AEAD_DATA) == AEAD_SEALED
    assert aead.open(AEAD_NONCE, AEAD_SEALED, AEAD_DATA) == SUNSCREEN


async def opens_nothing_that_was_changed(crypto: Crypto) -> None:
    aead = crypto.chacha20poly1305(AEAD_KEY)
    for at in (0, 50, len(AEAD_SEALED) - 1):
        changed = bytearray(AEAD_SEALED)
        changed[at] ^= 1
        assert aead.open(AEAD_NONCE, bytes(changed), AEAD_DATA) is None
    assert aead.open(AEAD_NONCE, AEAD_SEALED, AEAD_DATA[:-1]) is None
    assert aead.open(bytes(12), AEAD_SEALED, AEAD_DATA) is None
    assert crypto.chacha20poly1305(bytes(32)).open(AEAD_NONCE, AEAD_SEALED, AEAD_DATA) is None
    assert aead.open(AEAD_NONCE, AEAD_SEALED[:-1], AEAD_DATA) is None
    assert aead.open(AEAD_NONCE, b"", b"") is None
    assert aead.open(AEAD_NONCE, bytes(15), b"") is None


async def every_size_round_trips(crypto: Crypto) -> None:
    aead = crypto.chacha20poly1305(bytes(range(32)))
    digest = hashlib.sha256()
    for number, size in enumerate((0, 1, 15, 16, 17, 63, 64, 65, 127, 128, 1000, 16384, 65519)):
        nonce = bytes(4) + number.to_bytes(8, "little")
        plain = (hashlib.sha256(nonce).digest() * (size // 32 + 1))[:size]
        sealed = aead.seal(nonce, plain, b"")
        assert len(sealed) == size + 16
        assert aead.open(nonce, sealed, b"") == plain
        digest.update(sealed)
    # Computed with OpenSSL: all hosts seal alike, at every length.
    assert digest.hexdigest() == ALL_SIZES


ALL_SIZES = "b1672c9bbc013f81193ad96d174a7135636f0961ecd3b0e76ef20f8611541e59"


async def large_nonce_words_are_not_signed(crypto: Crypto) -> None:
    aead = crypto.chacha20poly1305(b"\xff" * 32)
    nonce = bytes.fromhex("ffffffff80000000deadbeef")
    assert aead.open(nonce, aead.seal(nonce, b"text", b"data"), b"data") == b"text"
    assert aead.seal(nonce, b"text", b"").hex() == HIGH_NONCE


HIGH_NONCE = "485a82e5fe34bc5c9fbd5eea40b137f96c7c5361"


async def x25519_as_rfc_7748_says(crypto: Crypto) -> None:
    alice_public = bytes.fromhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
    assert crypto.x25519_public(bytes.fromhex(ALICE)) == alice_public
    assert crypto.x25519(bytes.fromhex(ALICE), bytes.fromhex(BOB_PUBLIC)).hex() == SHARED
    scalar = bytes.fromhex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4")
    point = bytes.fromhex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")
    assert crypto.x25519(scalar, point).hex() == "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"


ALICE = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"
BOB_PUBLIC = "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
SHARED = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"


async def a_low_order_point_gives_zero(crypto: Crypto) -> None:
    for point in (bytes(32), b"\x01" + bytes(31)):
        assert crypto.x25519(bytes.fromhex(ALICE), point) == bytes(32)


async def keys_of_other_lengths_are_invalid(crypto: Crypto) -> None:
    try:
        await crypto.signing_key_from_seed(bytes(31))
    except InvalidArgument as error:
        assert error.path == "seed"
    else:
        raise AssertionError("a seed of 31 bytes was taken")


# RFC 8032, 7.1: seed, public key, message, signature.
ED25519 = (
    ("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
     "d25bf5f0595bbe24655141438e7a100b"),
    ("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
     "387b2eaeb4302aeeb00d291612bb0c00"),
    ("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
     "4a7c15e9716ed28dc027beceea1ec40a"),
)  # fmt: skip


async def ed25519_as_rfc_8032_says(crypto: Crypto) -> None:
    for seed, public, message, signature in ED25519:
        key = await crypto.signing_key_from_seed(bytes.fromhex(seed))
        assert key.public_bytes.hex() == public
        assert (await key.sign(bytes.fromhex(message))).hex() == signature
        held = await crypto.verify(
            KeyAlgorithm.ED25519, bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature)
        )
        assert held is True


async def generated_keys_sign_and_differ(crypto: Crypto) -> None:
    one, other = await crypto.generate_signing_key(), await crypto.generate_signing_key(extractable=True)
    assert one.public_bytes != other.public_bytes
    signature = await one.sign(b"message")
    assert await crypto.verify(KeyAlgorithm.ED25519, one.public_bytes, b"message", signature)
    assert not await crypto.verify(KeyAlgorithm.ED25519, other.public_bytes, b"message", signature)


async def malformed_keys_and_signatures_are_false(crypto: Crypto) -> None:
    for algorithm in KeyAlgorithm:
        for public in (b"", bytes(32), b"\x02" + b"\xff" * 32, b"\x30\x59" + bytes(89), b"\xff" * 600):
            for signature in (b"", bytes(64), b"\x30\x06\x02\x01\x01\x02\x01\x01", b"\xff" * 512):
                assert await crypto.verify(algorithm, public, b"message", signature) is False, (algorithm, public)


async def an_ed25519_signature_with_s_beyond_the_order_is_false(crypto: Crypto) -> None:
    _, public, message, signature = ED25519[1]
    order = (1 << 252) + 27742317777372353535851937790883648493
    raw = bytes.fromhex(signature)
    larger = raw[:32] + (int.from_bytes(raw[32:], "little") + order).to_bytes(32, "little")
    assert not await crypto.verify(KeyAlgorithm.ED25519, bytes.fromhex(public), bytes.fromhex(message), larger)


async def signed_by_others(crypto: Crypto, cases: list[Signed]) -> None:
    """Each signature holds, and none of its changes does."""
    for case in cases:
        algorithm = KeyAlgorithm(case.algorithm)
        assert await crypto.verify(algorithm, case.public, case.message, case.signature) is True, case.name
        assert await crypto.verify(algorithm, case.public, case.message + b"!", case.signature) is False, case.name
        changed = case.signature[:-1] + bytes((case.signature[-1] ^ 1,))
        for signature in (changed, case.signature + b"\0", case.signature[:-1], case.signature[1:]):
            assert await crypto.verify(algorithm, case.public, case.message, signature) is False, case.name
        assert await crypto.verify(algorithm, case.public[:-1], case.message, case.signature) is False, case.name


# RFC 7914, 11: password, salt, rounds, the first 32 bytes.
PBKDF2 = (
    (b"passwd", b"salt", 1, "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"),
    (b"Password", b"NaCl", 80000, "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"),
    # Not of the RFC: by OpenSSL 3.0.
    (b"", b"salt", 1000, "94fb56af3ea22e5d3ed1b054085b136ca301b75d8b406c802c489479f27387c6"),
)


async def pbkdf2_as_rfc_7914_says(crypto: Crypto) -> None:
    for password, salt, rounds, key in PBKDF2:
        assert (await crypto.pbkdf2_sha256(password, salt, rounds)).hex() == key
    assert len(await crypto.pbkdf2_sha256(b"", b"", 1)) == 32


# McGrew and Viega, "The Galois/Counter Mode of Operation (GCM)", appendix B, test case 16.
GCM_KEY = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
GCM_NONCE = bytes.fromhex("cafebabefacedbaddecaf888")
GCM_DATA = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
GCM_PLAIN = bytes.fromhex(
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657"
    "ba637b39"
)
GCM_SEALED = bytes.fromhex(
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0a"
    "bcc9f66276fc6ece0f4e1768cddf8853bb2d551b"
)


async def aes_gcm_as_its_authors_say(crypto: Crypto) -> None:
    assert await crypto.seal_aes_gcm(GCM_KEY, GCM_NONCE, GCM_PLAIN, GCM_DATA) == GCM_SEALED
    assert await crypto.open_aes_gcm(GCM_KEY, GCM_NONCE, GCM_SEALED, GCM_DATA) == GCM_PLAIN
    sealed = await crypto.seal_aes_gcm(GCM_KEY, GCM_NONCE, b"", b"")
    assert len(sealed) == 16
    assert await crypto.open_aes_gcm(GCM_KEY, GCM_NONCE, sealed, b"") == b""


async def aes_gcm_opens_nothing_that_was_changed(crypto: Crypto) -> None:
    for at in (0, 30, len(GCM_SEALED) - 1):
        changed = bytearray(GCM_SEALED)
        changed[at] ^= 1
        assert await crypto.open_aes_gcm(GCM_KEY, GCM_NONCE, bytes(changed), GCM_DATA) is None
    for sealed in (b"", bytes(15), GCM_SEALED[:-1]):
        assert await crypto.open_aes_gcm(GCM_KEY, GCM_NONCE, sealed, GCM_DATA) is None
    assert await crypto.open_aes_gcm(GCM_KEY, GCM_NONCE, GCM_SEALED, b"") is None
    assert await crypto.open_aes_gcm(bytes(32), GCM_NONCE, GCM_SEALED, GCM_DATA) is None
    assert await crypto.open_aes_gcm(GCM_KEY, bytes(12), GCM_SEALED, GCM_DATA) is None


async def aes_gcm_takes_keys_of_256_bits_only(crypto: Crypto) -> None:
    for key, nonce in ((bytes(16), bytes(12)), (bytes(32), bytes(16))):
        try:
            await crypto.seal_aes_gcm(key, nonce, b"", b"")
        except InvalidArgument:
            continue
        raise AssertionError("another length was taken")


CHECKS: tuple[Callable[[Crypto], Awaitable[None]], ...] = (
    seals_as_rfc_8439_says,
    opens_nothing_that_was_changed,
    every_size_round_trips,
    large_nonce_words_are_not_signed,
    x25519_as_rfc_7748_says,
    a_low_order_point_gives_zero,
    keys_of_other_lengths_are_invalid,
    ed25519_as_rfc_8032_says,
    generated_keys_sign_and_differ,
    malformed_keys_and_signatures_are_false,
    an_ed25519_signature_with_s_beyond_the_order_is_false,
    pbkdf2_as_rfc_7914_says,
    aes_gcm_as_its_authors_say,
    aes_gcm_opens_nothing_that_was_changed,
    aes_gcm_takes_keys_of_256_bits_only,
)
