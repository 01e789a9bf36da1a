from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkswap_browser.errors import MalformedMessage
from darkswap_browser.identity.envelope import MAX_ENVELOPE, open_envelope, seal
from darkswap_browser.testing import loop
from tests.support.examples import examples
from tests.support.hostile import damaged
from tests.support.native_identity import CRYPTO, identity


async def test_what_was_sealed_opens_with_its_signer() -> None:
    alice = await identity("alice")
    envelope = await open_envelope(CRYPTO, await seal(alice, "domain", b"type", b"payload"), "domain", b"type")
    assert (envelope.payload, envelope.signer, envelope.public_key) == (b"payload", alice.peer_id, alice.public_key)


@pytest.mark.parametrize(("domain", "kind"), [("other", b"type"), ("domain", b"other"), ("domain", b""), ("", b"type")])
async def test_another_domain_or_type_does_not_open(domain: str, kind: bytes) -> None:
    data = await seal(await identity(), "domain", b"type", b"payload")
    with pytest.raises(MalformedMessage):
        await open_envelope(CRYPTO, data, domain, kind)


async def test_bytes_cannot_move_between_domain_type_and_payload() -> None:
    data = await seal(await identity(), "ab", b"c", b"d")
    with pytest.raises(MalformedMessage):
        await open_envelope(CRYPTO, data, "a", b"bc")


async def test_no_change_of_any_byte_opens_with_another_content() -> None:
    data = await seal(await identity(), "domain", b"type", b"payload")
    for changed in damaged(data):
        try:
            envelope = await open_envelope(CRYPTO, changed, "domain", b"type")
        except MalformedMessage:
            continue
        # Only what protocol buffers allow around the same four fields may pass.
        assert envelope.payload == b"payload" and envelope.signer == (await identity()).peer_id


async def test_an_envelope_over_the_limit_is_refused_by_its_size() -> None:
    with pytest.raises(MalformedMessage, match="at most"):
        await open_envelope(CRYPTO, bytes(MAX_ENVELOPE + 1), "domain", b"type")


@given(st.binary(max_size=150))
@settings(max_examples=examples(50))
def test_any_bytes_are_malformed(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        loop.run(open_envelope(CRYPTO, data, "domain", b"type"))
