from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkswap_browser.errors import MalformedMessage
from darkswap_browser.identity.envelope import seal
from darkswap_browser.identity.keys import Identity
from darkswap_browser.identity.multiaddr import Multiaddr
from darkswap_browser.identity.peer_record import (
    DOMAIN,
    LEGACY_DOMAIN,
    LEGACY_PAYLOAD_TYPE,
    MAX_ADDRESSES,
    PAYLOAD_TYPE,
    PeerRecord,
    open_peer_record,
    read_addresses,
    seal_peer_record,
)
from tests.identity.test_keys import KEYS
from tests.support.hostile import assert_only_malformed, damaged, mutations
from tests.support.native_identity import CRYPTO, identity

ADDRESS = Multiaddr.parse("/ip4/127.0.0.1/tcp/9001/ws")
# Computed with js-libp2p from the Ed25519 key of the specification.
RECORD = (
    "0a260024080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e10011a0c0a0a047f000001062329dd03"
)
SIGNATURE = (
    "47231d7ffe9716f1486f53c30c4bd6ce3be0b0526342f9ab830d3f426c46820153dd76849675209dee02ca6d138fc205"
    "0c1a8ddb1e9d3eb0543404f5e943650c"
)
ENVELOPE = f"0a24{KEYS['ED25519']['public']}120203011a38{RECORD}2a40{SIGNATURE}"


async def spec_identity() -> Identity:
    return await Identity.from_seed(CRYPTO, bytes.fromhex(KEYS["ED25519"]["private"])[4:36])


async def test_the_record_of_js_libp2p_both_ways() -> None:
    alice = await spec_identity()
    record = PeerRecord(alice.peer_id, 1, (ADDRESS,))
    assert record.to_bytes().hex() == RECORD
    assert (await seal_peer_record(alice, 1, [ADDRESS])).hex() == ENVELOPE
    assert await open_peer_record(CRYPTO, bytes.fromhex(ENVELOPE)) == record


async def test_a_record_signed_by_another_peer_is_refused() -> None:
    alice, mallory = await identity("alice"), await identity("mallory")
    record = PeerRecord(alice.peer_id, 1, (ADDRESS,)).to_bytes()
    with pytest.raises(MalformedMessage, match="signed by another peer"):
        await open_peer_record(CRYPTO, await seal(mallory, DOMAIN, PAYLOAD_TYPE, record))


async def test_rusts_older_domain_is_read() -> None:
    alice = await identity()
    record = PeerRecord(alice.peer_id, 5, (ADDRESS,))
    data = await seal(alice, LEGACY_DOMAIN, LEGACY_PAYLOAD_TYPE, record.to_bytes())
    assert await open_peer_record(CRYPTO, data) == record


async def test_a_record_for_another_use_is_refused() -> None:
    alice = await identity()
    record = PeerRecord(alice.peer_id, 5, (ADDRESS,)).to_bytes()
    with pytest.raises(MalformedMessage):
        await open_peer_record(CRYPTO, await seal(alice, "libp2p-relay-rsvp", PAYLOAD_TYPE, record))


def test_unreadable_addresses_are_left_out_and_the_others_kept_once() -> None:
    raw = [b"", b"\xff\x7f\x01", ADDRESS.to_bytes(), b"junk", ADDRESS.to_bytes()]
    assert read_addresses(raw) == (ADDRESS,)


async def test_addresses_beyond_the_limit_are_left_out() -> None:
    alice = await identity()
    addresses = tuple(Multiaddr.parse(f"/ip4/1.2.3.4/tcp/{port}") for port in range(1, MAX_ADDRESSES + 9))
    assert (
        PeerRecord.from_bytes(PeerRecord(alice.peer_id, 1, addresses).to_bytes()).addresses
        == (addresses[:MAX_ADDRESSES])
    )


def test_a_record_without_peer_is_malformed() -> None:
    with pytest.raises(MalformedMessage):
        PeerRecord.from_bytes(b"\x10\x01")


def test_damage_gives_a_record_or_malformed() -> None:
    for data in damaged(bytes.fromhex(RECORD)):
        assert_only_malformed(PeerRecord.from_bytes, data)


@given(st.one_of(st.binary(max_size=100), mutations(bytes.fromhex(RECORD))))
def test_any_bytes_give_a_record_or_malformed(data: bytes) -> None:
    assert_only_malformed(PeerRecord.from_bytes, data)
