"""Noise XX against published vectors, and every way a handshake must fail."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.errors import HandshakeFailed, ProtocolViolation
from darkswap_browser.net.noise.machine import CipherState, HandshakeMachine, KeyPair
from darkswap_browser.runtime.native.crypto import NativeCrypto
from tests.support import hostile
from tests.support.examples import examples

CRYPTO = NativeCrypto()
VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "noise_xx.json").read_text())["vectors"]
LOW_ORDER_POINTS = [
    bytes(32),
    b"\x01" + bytes(31),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    b"\xec" + b"\xff" * 30 + b"\x7f",
    b"\xed" + b"\xff" * 30 + b"\x7f",
    b"\xee" + b"\xff" * 30 + b"\x7f",
]


def pair_of(vector: dict[str, str]) -> tuple[HandshakeMachine, HandshakeMachine]:
    def machine(initiator: bool, static: str, ephemeral: str) -> HandshakeMachine:
        return HandshakeMachine(
            CRYPTO,
            initiator=initiator,
            static=KeyPair.of(CRYPTO, bytes.fromhex(vector[static])),
            ephemeral=KeyPair.of(CRYPTO, bytes.fromhex(vector[ephemeral])),
            prologue=bytes.fromhex(vector["prologue"]),
        )

    return machine(True, "init_static", "gen_init_ephemeral"), machine(False, "resp_static", "gen_resp_ephemeral")


def damaged(message: bytes) -> list[bytes]:
    """A part of all damage, the end and both edges of the fields included: a handshake each is dear."""
    every = list(hostile.damaged(message))
    return every[::7] + every[-4:]


def pair() -> tuple[HandshakeMachine, HandshakeMachine]:
    return pair_of(VECTORS[0])


@pytest.mark.parametrize("vector", VECTORS, ids=range(len(VECTORS)))
def test_every_message_of_the_published_vectors(vector: dict[str, str]):
    initiator, responder = pair_of(vector)
    for turn, (writer, reader) in enumerate([(initiator, responder), (responder, initiator), (initiator, responder)]):
        payload = bytes.fromhex(vector[f"msg_{turn}_payload"])
        message = writer.write(payload)
        assert message.hex() == vector[f"msg_{turn}_ciphertext"]
        assert reader.read(message) == payload
    assert initiator.handshake_hash == responder.handshake_hash
    sends, receives = initiator.split()
    their_sends, their_receives = responder.split()
    for sending, receiving, name in ((sends, their_receives, "msg_3"), (their_sends, receives, "msg_4")):
        sealed = sending.encrypt(bytes.fromhex(vector[f"{name}_payload"]))
        assert sealed.hex() == vector[f"{name}_ciphertext"]
        assert receiving.decrypt(sealed).hex() == vector[f"{name}_payload"]


def test_each_side_learns_the_static_key_of_the_other():
    initiator, responder = pair()
    responder.read(initiator.write())
    initiator.read(responder.write())
    responder.read(initiator.write())
    vector = VECTORS[0]
    assert initiator.remote_static == CRYPTO.x25519_public(bytes.fromhex(vector["resp_static"]))
    assert responder.remote_static == CRYPTO.x25519_public(bytes.fromhex(vector["init_static"]))


def test_messages_have_the_lengths_of_the_pattern():
    initiator, responder = pair()
    first = initiator.write()
    assert len(first) == 32
    responder.read(first)
    second = responder.write(b"x" * 100)
    assert len(second) == 32 + 48 + 100 + 16
    initiator.read(second)
    assert len(initiator.write(b"y" * 100)) == 48 + 100 + 16


def test_different_prologues_do_not_agree():
    initiator, _ = pair_of(VECTORS[0])
    _, responder = pair_of(VECTORS[0] | {"prologue": "00"})
    responder.read(initiator.write())
    with pytest.raises(HandshakeFailed):
        initiator.read(responder.write())


@pytest.mark.parametrize("point", LOW_ORDER_POINTS, ids=lambda point: point.hex()[:8])
def test_an_ephemeral_key_of_low_order_is_refused_by_the_responder(point: bytes):
    _, responder = pair()
    responder.read(point)
    with pytest.raises(HandshakeFailed, match="low order"):
        responder.write()


@pytest.mark.parametrize("point", LOW_ORDER_POINTS, ids=lambda point: point.hex()[:8])
def test_an_ephemeral_key_of_low_order_is_refused_by_the_initiator(point: bytes):
    initiator, _ = pair()
    initiator.write()
    with pytest.raises(HandshakeFailed, match="low order"):
        initiator.read(point + bytes(64))


def test_any_damage_to_the_second_message_is_refused():
    first, second = _first_two()
    for bad in damaged(second):
        initiator, responder = pair()
        responder.read(initiator.write())
        assert first
        with pytest.raises(HandshakeFailed):
            initiator.read(bad)


def test_any_damage_to_the_third_message_is_refused():
    initiator, responder = pair()
    responder.read(initiator.write())
    initiator.read(responder.write(b"two"))
    third = initiator.write(b"three")
    for bad in damaged(third):
        _, fresh = pair()
        fresh.read(_first_two()[0])
        fresh.write(b"two")
        with pytest.raises(HandshakeFailed):
            fresh.read(bad)


def test_a_truncated_first_message_is_refused():
    for size in range(32):
        _, responder = pair()
        with pytest.raises(HandshakeFailed):
            responder.read(bytes(size))


def test_a_recorded_second_message_does_not_fit_another_handshake():
    """Replay: the initiator's new ephemeral makes the old answer useless."""
    _, recorded = _first_two()
    other, _ = pair_of(VECTORS[0] | {"gen_init_ephemeral": "77" * 32})
    other.write()
    with pytest.raises(HandshakeFailed):
        other.read(recorded)


def test_a_recorded_third_message_does_not_fit_another_handshake():
    initiator, responder = pair()
    responder.read(initiator.write())
    initiator.read(responder.write())
    third = initiator.write()
    _, other = pair_of(VECTORS[0] | {"gen_resp_ephemeral": "77" * 32})
    other.read(_first_two()[0])
    other.write()
    with pytest.raises(HandshakeFailed):
        other.read(third)


def test_a_mirror_that_sends_our_own_message_back_is_refused():
    initiator, _ = pair()
    with pytest.raises(HandshakeFailed):
        initiator.read(initiator.write())


def test_messages_out_of_turn_are_a_bug_of_the_caller():
    initiator, responder = pair()
    with pytest.raises(RuntimeError):
        initiator.read(bytes(32))
    with pytest.raises(RuntimeError):
        responder.write()
    with pytest.raises(RuntimeError):
        initiator.split()


@settings(max_examples=examples(60))
@given(st.binary(max_size=300), st.integers(0, 2))
def test_random_bytes_give_only_a_failed_handshake(data: bytes, turn: int):
    initiator, responder = pair()
    try:
        if turn == 0:
            responder.read(data)
            return
        responder.read(initiator.write())
        message = responder.write()
        if turn == 1:
            initiator.read(data)
            return
        initiator.read(message)
        initiator.write()
        responder.read(data)
    except HandshakeFailed as error:
        assert error.reason


def test_the_nonce_is_the_message_count_in_little_endian():
    nonces = []

    class Recording(NativeCrypto):
        def chacha20poly1305(self, key: bytes):
            aead = super().chacha20poly1305(key)

            class Seen:
                def seal(self, nonce: bytes, plaintext: bytes, associated_data: bytes) -> bytes:
                    nonces.append(nonce.hex())
                    return aead.seal(nonce, plaintext, associated_data)

            return Seen()

    cipher = CipherState(Recording(), bytes(32))
    for _ in range(258):
        cipher.encrypt(b"")
    assert nonces[0] == "00" * 12
    assert nonces[1] == "00000000" + "0100000000000000"
    assert nonces[257] == "00000000" + "0101000000000000"


def test_a_transport_message_opens_once_and_in_order():
    key = bytes(range(32))
    sending, receiving = CipherState(CRYPTO, key), CipherState(CRYPTO, key)
    first, second = sending.encrypt(b"one"), sending.encrypt(b"two")
    assert receiving.decrypt(first) == b"one"
    with pytest.raises(ProtocolViolation):
        receiving.decrypt(first)
    fresh = CipherState(CRYPTO, key)
    with pytest.raises(ProtocolViolation):
        fresh.decrypt(second)


def _first_two() -> tuple[bytes, bytes]:
    initiator, responder = pair()
    first = initiator.write()
    responder.read(first)
    return first, responder.write(b"two")
