from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkswap_browser.errors import InvalidArgument, MalformedMessage
from darkswap_browser.identity.peer_id import PeerId, PublicKey
from tests.identity.test_keys import KEYS
from tests.support.hostile import assert_only_malformed, damaged, mutations

ED25519 = "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"
SHA256 = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N"

# https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md; the texts as js-libp2p writes them
CASES = [
    (ED25519, "bafzaajaiaejcahwr5d5ofrfbis4l5d6uwr57hu5tjodrypfm6yaq6dsc2r2pzyt6"),
    (SHA256, "bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe"),
]


@pytest.mark.parametrize(("base58", "cid"), CASES)
def test_both_text_forms_name_one_peer(base58: str, cid: str) -> None:
    peer = PeerId.parse(base58)
    assert PeerId.parse(cid) == peer
    assert (str(peer), peer.to_cid_text()) == (base58, cid)
    assert PeerId.from_bytes(peer.to_bytes()) == peer
    assert repr(peer) == f"<peer {base58}>"


@pytest.mark.parametrize(
    ("name", "start", "size"),
    [("ED25519", "12D3KooW", 38), ("SECP256K1", "16Uiu2HAmLhLvBoYaoZfaMUKuibM6ac163GwKY74c5kiSLg5KvLpY", 39),
     ("RSA", "Qm", 34), ("ECDSA", "Qm", 34)],
)  # fmt: skip
def test_short_keys_are_carried_and_long_ones_hashed(name: str, start: str, size: int) -> None:
    key = PublicKey.from_protobuf(bytes.fromhex(KEYS[name]["public"]))
    peer = key.peer_id()
    assert str(peer).startswith(start)
    assert len(peer.to_bytes()) == size
    assert peer.embedded_key() == (key if size > 34 else None)


def test_ids_sort_and_hash_by_their_bytes() -> None:
    one, two = PeerId(b"\x00\x01a"), PeerId(b"\x00\x01b")
    assert sorted([two, one]) == [one, two]
    assert len({one, PeerId(b"\x00\x01a")}) == 1


NOT_IDS = [
    "",
    "1",
    "Qm",
    "12D3KooW",
    ED25519[:-1],
    ED25519 + "1",
    ED25519.replace("W", "0"),
    "hello",
    "z" + ED25519,
    "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",
    "1" * 60,
    "1" * 5000,
    "Qm\U0001f600",
]


@pytest.mark.parametrize("text", NOT_IDS, ids=lambda text: text[:20])
def test_other_text_is_an_invalid_argument_that_says_what_an_id_looks_like(text: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        PeerId.parse(text)
    assert caught.value.path == "peer id"
    assert "12D3KooW" in caught.value.hint


@pytest.mark.parametrize("data", ["", "00", "0000", "002b" + "11" * 43, "1e20" + "11" * 32, "1220" + "11" * 31,
                                  "122011", "800012"])  # fmt: skip
def test_hashes_that_no_key_has_are_malformed(data: str) -> None:
    with pytest.raises(MalformedMessage):
        PeerId.from_bytes(bytes.fromhex(data))


def test_an_inline_id_that_holds_no_key_has_none_to_give() -> None:
    with pytest.raises(MalformedMessage, match="public key"):
        PeerId.from_bytes(b"\x00\x03abc").embedded_key()


@given(st.binary(min_size=1, max_size=42))
def test_every_inline_id_round_trips_through_both_texts(digest: bytes) -> None:
    peer = PeerId.from_bytes(bytes((0, len(digest))) + digest)
    assert PeerId.parse(peer.to_cid_text()) == peer
    if str(peer).startswith("1"):
        assert PeerId.parse(str(peer)) == peer


@given(st.text(max_size=70))
def test_any_text_gives_an_id_or_invalid_argument(text: str) -> None:
    try:
        PeerId.parse(text)
    except InvalidArgument as error:
        assert str(error)


VALID = PeerId.parse(ED25519).to_bytes()


@given(st.one_of(st.binary(max_size=50), mutations(VALID)))
def test_any_bytes_give_an_id_or_malformed(data: bytes) -> None:
    assert_only_malformed(PeerId.from_bytes, data)


def test_damage_gives_an_id_or_malformed() -> None:
    for data in damaged(VALID):
        assert_only_malformed(PeerId.from_bytes, data)
