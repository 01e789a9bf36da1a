"""Vouchers: issued, checked, and six ways to forge one."""

from __future__ import annotations

import pytest

from darkswap_browser.errors import VoucherInvalid
from darkswap_browser.identity.envelope import seal
from darkswap_browser.protocols.relay.messages import VOUCHER_DOMAIN, VOUCHER_PAYLOAD_TYPE, Voucher, encode_voucher
from darkswap_browser.protocols.relay.voucher import CLOCK_SKEW, issue_voucher, verify_voucher
from tests.support.native_identity import CRYPTO, identity

NOW = 1_700_000_000.0
LATER = int(NOW) + 3600


async def test_what_a_relay_issues_holds() -> None:
    relay, alice = await identity("relay"), await identity("alice")
    data = await issue_voucher(relay, alice.peer_id, LATER)
    voucher = await verify_voucher(CRYPTO, data, relay.peer_id, alice.peer_id, NOW)
    assert voucher == Voucher(relay.peer_id, alice.peer_id, LATER)


async def test_a_clock_that_is_hours_ahead_does_not_refuse_it() -> None:
    relay, alice = await identity("relay"), await identity("alice")
    data = await issue_voucher(relay, alice.peer_id, LATER)
    await verify_voucher(CRYPTO, data, relay.peer_id, alice.peer_id, NOW + 12 * 3600)


async def forged(kind: str) -> bytes:
    relay, alice, mallory = await identity("relay"), await identity("alice"), await identity("mallory")
    good = Voucher(relay.peer_id, alice.peer_id, LATER)
    if kind == "signer":
        return await seal(mallory, VOUCHER_DOMAIN, VOUCHER_PAYLOAD_TYPE, encode_voucher(good))
    if kind == "relay":
        other = Voucher(mallory.peer_id, alice.peer_id, LATER)
        return await seal(relay, VOUCHER_DOMAIN, VOUCHER_PAYLOAD_TYPE, encode_voucher(other))
    if kind == "peer":
        return await issue_voucher(relay, mallory.peer_id, LATER)
    if kind == "expired":
        return await issue_voucher(relay, alice.peer_id, int(NOW - CLOCK_SKEW))
    if kind == "domain":
        return await seal(relay, "libp2p-peer-record", VOUCHER_PAYLOAD_TYPE, encode_voucher(good))
    data = bytearray(await issue_voucher(relay, alice.peer_id, LATER))
    data[-1] ^= 1
    return bytes(data)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("signer", "signed by somebody other"),
        ("relay", "made out by another relay"),
        ("peer", "made out to another peer"),
        ("expired", "expired"),
        ("domain", "signature"),
        ("signature", "signature"),
    ],
)
async def test_a_forged_voucher_is_refused_with_its_reason(kind: str, reason: str) -> None:
    relay, alice = await identity("relay"), await identity("alice")
    with pytest.raises(VoucherInvalid) as caught:
        await verify_voucher(CRYPTO, await forged(kind), relay.peer_id, alice.peer_id, NOW)
    assert reason in caught.value.reason


async def test_bytes_that_are_no_envelope_are_refused() -> None:
    relay, alice = await identity("relay"), await identity("alice")
    for data in (b"", b"\xff" * 40, b"\x0a\x24"):
        with pytest.raises(VoucherInvalid):
            await verify_voucher(CRYPTO, data, relay.peer_id, alice.peer_id, NOW)
