from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkswap_browser.errors import MalformedMessage
from darkswap_browser.wire.multihash import Multihash, sha2_256
from tests.support.hostile import assert_only_malformed, damaged

# https://multiformats.io/multihash: sha2-256 of "multihash"
VECTOR = "12209cbc07c3f991725836a3aa2a581ca2029198aa420b9d99bc0e131d9f3e2cbe47"


def test_sha2_256_both_ways() -> None:
    assert sha2_256(b"multihash").to_bytes().hex() == VECTOR
    assert Multihash.from_bytes(bytes.fromhex(VECTOR)) == sha2_256(b"multihash")


@pytest.mark.parametrize("data", ["", "12", "1200", "121f" + "00" * 31, "1221" + "00" * 33, "0002aa", "0001aabb",
                                  "008100aa", "00ff7f", "800000"])  # fmt: skip
def test_broken_hashes_are_refused(data: str) -> None:
    with pytest.raises(MalformedMessage):
        Multihash.from_bytes(bytes.fromhex(data))


def test_an_unknown_hash_code_passes() -> None:
    assert Multihash.from_bytes(bytes.fromhex("1e02aabb")) == Multihash(0x1E, b"\xaa\xbb")


@given(st.integers(0, 0xFFFF), st.binary(max_size=64))
def test_round_trip(code: int, digest: bytes) -> None:
    if code != 0x12 or len(digest) == 32:
        assert Multihash.from_bytes(Multihash(code, digest).to_bytes()) == Multihash(code, digest)


def test_damage_gives_a_hash_or_malformed() -> None:
    for data in damaged(bytes.fromhex(VECTOR)):
        assert_only_malformed(Multihash.from_bytes, data)
