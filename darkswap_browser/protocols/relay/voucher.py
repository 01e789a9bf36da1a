"""Reservation vouchers: a relay's signed word that a peer may be reached through it."""

from __future__ import annotations

from darkswap_browser.errors import HandshakeFailed, MalformedMessage, VoucherInvalid
from darkswap_browser.identity.envelope import open_envelope, seal
from darkswap_browser.identity.keys import Identity
from darkswap_browser.identity.peer_id import PeerId
from darkswap_browser.protocols.relay.messages import (
    VOUCHER_DOMAIN,
    VOUCHER_PAYLOAD_TYPE,
    Voucher,
    decode_voucher,
    encode_voucher,
)
from darkswap_browser.runtime.base.crypto import Crypto

CLOCK_SKEW = 24 * 3600.0
"""Seconds by which the relay's clock may lag behind ours: a wrong time zone must not cut a page off."""


async def issue_voucher(identity: Identity, peer: PeerId, expiration: int) -> bytes:
    """The signed envelope that goes into a reservation; `expiration` in unix seconds."""
    payload = encode_voucher(Voucher(identity.peer_id, peer, expiration))
    return await seal(identity, VOUCHER_DOMAIN, VOUCHER_PAYLOAD_TYPE, payload)


async def verify_voucher(crypto: Crypto, data: bytes, relay: PeerId, peer: PeerId, now: float) -> Voucher:
    """The voucher, if `relay` signed it for `peer` and it has not expired at `now` (unix seconds, within the skew).

    Raises `VoucherInvalid`, naming the first thing that does not hold.
    """
    try:
        envelope = await open_envelope(crypto, data, VOUCHER_DOMAIN, VOUCHER_PAYLOAD_TYPE)
        voucher = decode_voucher(envelope.payload)
    except (MalformedMessage, HandshakeFailed) as error:
        raise VoucherInvalid(str(error)) from error
    if envelope.public_key.peer_id() != relay:
        raise VoucherInvalid("signed by somebody other than the relay")
    if voucher.relay != relay:
        raise VoucherInvalid("made out by another relay")
    if voucher.peer != peer:
        raise VoucherInvalid("made out to another peer")
    if voucher.expiration + CLOCK_SKEW <= now:
        raise VoucherInvalid("expired")
    return voucher
