from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkswap_browser.errors import InvalidArgument, MalformedMessage
from darkswap_browser.identity.keys import Identity, KeyType, PublicKey
from tests.support.hostile import assert_only_malformed, damaged, mutations
from tests.support.native_identity import CRYPTO, identity

KEYS: dict[str, dict[str, str]] = json.loads((Path(__file__).parent.parent / "vectors/keys.json").read_text())["keys"]
ED25519 = bytes.fromhex(KEYS["ED25519"]["public"])


@pytest.mark.parametrize("name", KEYS)
def test_public_keys_of_the_specification_both_ways(name: str) -> None:
    data = bytes.fromhex(KEYS[name]["public"])
    key = PublicKey.from_protobuf(data)
    assert key.type is KeyType[name]
    assert key.to_protobuf() == data


async def test_the_seed_of_the_specification_gives_its_public_key() -> None:
    private = bytes.fromhex(KEYS["ED25519"]["private"])
    assert private[:4].hex() == "08011240"
    ours = await Identity.from_seed(CRYPTO, private[4:36])
    assert ours.public_key.to_protobuf() == ED25519
    assert str(ours.peer_id) == "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"


async def test_what_an_identity_signs_its_public_key_verifies() -> None:
    alice, bob = await identity("alice"), await identity("bob")
    signature = await alice.sign(b"message")
    assert await alice.public_key.verify(CRYPTO, b"message", signature)
    assert not await alice.public_key.verify(CRYPTO, b"massage", signature)
    assert not await bob.public_key.verify(CRYPTO, b"message", signature)
    assert not await alice.public_key.verify(CRYPTO, b"message", signature[:-1])


async def test_generated_identities_differ() -> None:
    assert (await Identity.generate(CRYPTO)).peer_id != (await Identity.generate(CRYPTO)).peer_id


async def test_a_seed_of_another_length_is_an_invalid_argument() -> None:
    with pytest.raises(InvalidArgument, match="seed"):
        await Identity.from_seed(CRYPTO, bytes(31))


@pytest.mark.parametrize("name", KEYS)
async def test_a_wrong_signature_is_false_for_every_key_type(name: str) -> None:
    key = PublicKey.from_protobuf(bytes.fromhex(KEYS[name]["public"]))
    for signature in (b"", bytes(64), b"\x30\x06\x02\x01\x01\x02\x01\x01", bytes(512)):
        assert not await key.verify(CRYPTO, b"message", signature)


BROKEN = {
    "empty": "",
    "fields in the other order": "1220" + "11" * 32 + "0801",
    "type left out": "1220" + "11" * 32,
    "data left out": "0801",
    "type not minimal": "08810012 20" + "11" * 32,
    "length not minimal": "080112a000" + "11" * 32,
    "unknown field behind": ED25519.hex() + "1801",
    "type twice": "0801" + ED25519.hex(),
    "unknown type": "08041220" + "11" * 32,
    "Ed25519 of 31 bytes": "0801121f" + "11" * 31,
    "secp256k1 of 65 bytes": "08021241" + "11" * 65,
    "2^40 bytes announced": "08001280808080802011",
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN.keys())
def test_only_the_canonical_encoding_is_a_key(data: str) -> None:
    with pytest.raises(MalformedMessage):
        PublicKey.from_protobuf(bytes.fromhex(data))


def test_damage_gives_a_key_or_malformed() -> None:
    for data in damaged(ED25519):
        assert_only_malformed(PublicKey.from_protobuf, data)


@given(st.one_of(st.binary(max_size=80), mutations(ED25519)))
def test_any_bytes_that_parse_are_written_back_the_same(data: bytes) -> None:
    try:
        assert PublicKey.from_protobuf(data).to_protobuf() == data
    except MalformedMessage:
        pass
